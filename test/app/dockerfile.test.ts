import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { options } from '../../src/app/configuration/options.ts';
import { projectRoot } from '../support/source-files.ts';

/** What can be known of the image without an engine that builds it: that everything it names is there. */

interface Step {
  readonly word: string;
  readonly rest: string;
}

const steps: readonly Step[] = readFileSync(join(projectRoot, 'Dockerfile'), 'utf8')
  .split('\n')
  .filter((line) => line !== '' && !line.startsWith('#'))
  .map((line) => ({ word: line.split(' ', 1).join(), rest: line.slice(line.indexOf(' ') + 1) }));

const all = (word: string): string[] => steps.filter((step) => step.word === word).map(({ rest }) => rest);
const last = (word: string): string => all(word).at(-1) ?? '';

test('each file that it copies exists, and none is kept from it', (t) => {
  const ignored = readFileSync(join(projectRoot, '.dockerignore'), 'utf8').split('\n');
  const fromHere = all('COPY').filter((rest) => !rest.startsWith('--from='));
  t.true(fromHere.length > 5);
  for (const name of fromHere.flatMap((rest) => rest.split(' ').slice(0, -1))) {
    t.true(existsSync(join(projectRoot, name)), name);
    t.false(ignored.includes(name), name);
  }
});

test('each script that it runs exists, and what it takes from the build is what the package is made of', (t) => {
  const manifest = JSON.parse(readFileSync(join(projectRoot, 'package.json'), 'utf8')) as {
    readonly scripts: Readonly<Record<string, string>>;
    readonly files: readonly string[];
    readonly bin: { readonly rivulet: string };
  };
  for (const [, script = ''] of all('RUN')
    .join('\n')
    .matchAll(/npm run (\S+)/g))
    t.true(script in manifest.scripts);
  const copied = all('COPY').join(' ');
  for (const file of manifest.files)
    t.regex(copied, new RegExp(`(?:^|[ /])${file.replaceAll('/', '\\/')}(?: |$)`), file);
  t.deepEqual(JSON.parse(last('ENTRYPOINT')), ['node', manifest.bin.rivulet]);
});

test('its command is one that the program takes, with the data where the volume is, as another user than root', (t) => {
  const [command, ...words] = JSON.parse(last('CMD')) as string[];
  t.is(command, 'up');
  const flags = words.filter((word) => word.startsWith('--')).map((word) => word.slice(2));
  for (const flag of flags) t.true(flag in options, flag);
  t.true(flags.includes('supervise'));
  t.is(words[words.indexOf('--data-dir') + 1], last('VOLUME'));
  t.is(last('USER'), 'node');
  t.is(last('STOPSIGNAL'), 'SIGTERM');
  t.regex(last('HEALTHCHECK'), new RegExp(`:${String(options['ops-port'].default)}/healthz`));
  for (const image of all('FROM')) t.regex(image, /^node:22\.\d+\.\d+-slim(?: AS \w+)?$/);
});
