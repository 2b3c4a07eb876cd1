import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import { ownDirectory } from '../support/command.ts';
import { projectRoot } from '../support/source-files.ts';
import { until } from '../support/until.ts';

const preload = fileURLToPath(new URL('../support/trouble.preload.js', import.meta.url));

// The check of a large journal on a slow disk takes up to a minute: a stop meanwhile once waited for it, and ended in a kill after ten seconds.
for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  test.serial(`${signal} in the middle of a long check ends it and exits with 0 at once`, async (t) => {
    const directory = ownDirectory(t);
    const file = join(directory, 'trouble');
    writeFileSync(`${file}.check`, '');
    const words = ['bus', '--bus-port=0', `--data-dir=${join(directory, 'data')}`];
    const child = spawn(process.execPath, [join(projectRoot, 'build/src/app/main.js'), ...words], {
      cwd: directory,
      env: { PATH: process.env['PATH'] ?? '', NODE_OPTIONS: `--import=${preload}`, TROUBLE_FILE: file },
    });
    t.teardown(() => child.kill('SIGKILL'));
    let error = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      error += text;
    });
    await until(
      () => existsSync(`${file}.checking`) && readFileSync(`${file}.checking`, 'utf8') !== '',
      'the check runs',
    );
    const checker = Number(readFileSync(`${file}.checking`, 'utf8'));
    const startMs = performance.now();
    child.kill(signal);
    t.deepEqual(await once(child, 'exit'), [0, null], error);
    t.true(performance.now() - startMs < 2_000);
    t.throws(() => process.kill(checker, 0), { code: 'ESRCH' }, 'nobody is left behind');
    t.false(existsSync(join(directory, 'data', 'bus.lock')));
    t.false(error.includes('rivulet: '), error);
  });
}
