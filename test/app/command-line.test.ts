import { writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import test from 'ava';
import { nodeVersionFault } from '../../src/app/configuration/node-version.ts';
import { optionNames, options } from '../../src/app/configuration/options.ts';
import { ownDirectory, runCommand } from '../support/command.ts';

const executionId = '0d9be1a2-7c3e-4f4e-9a56-3f1c6f6b2a10';

interface Refusal {
  readonly words: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly line: string;
}

/** Each is one line on standard error, nothing on standard output, exit code 2. */
const refusals: readonly Refusal[] = [
  {
    words: ['upp'],
    line: "rivulet: unknown command 'upp' (Did you mean up?); allowed: up, bus, router, publish, demo; see npm run rivulet -- --help",
  },
  {
    words: ['up', '--prot', '1'],
    line: "rivulet: unknown option '--prot' (Did you mean --port?); see npm run rivulet -- up --help",
  },
  {
    words: ['up', '--port'],
    line: "rivulet: option '--port <port>' argument missing; see npm run rivulet -- up --help",
  },
  {
    words: ['up', '--port', '70000'],
    line: "rivulet: port: '70000' is not allowed; allowed: a whole number from 0 to 65535 (0 picks a free one) (from the flag --port)",
  },
  {
    words: ['bus'],
    environment: { RIVULET_RETENTION_AGE: 'forever' },
    line: "rivulet: retention-age: 'forever' is not allowed; allowed: a duration from 1m to 3650d, such as 90s, 12h or 7d (from the environment variable RIVULET_RETENTION_AGE)",
  },
  {
    words: ['router', '--host', '0.0.0.0'],
    line: "rivulet: host: '0.0.0.0' can be reached from other machines and there is no authentication; allowed: a loopback address, or add --insecure (from the flag --host)",
  },
  {
    words: ['up', '--config', 'none.json'],
    line: "rivulet: config: 'none.json' cannot be read (ENOENT); it must be a JSON file",
  },
  {
    words: ['up', 'extra'],
    line: "rivulet: too many arguments for 'up'. Expected 0 arguments but got 1; see npm run rivulet -- up --help",
  },
  { words: ['publish'], line: 'rivulet: --execution-id: is required; see npm run rivulet -- publish --help' },
  {
    words: ['publish', '--execution-id', 'nope', '--stage', 'a', '--path', 'b'],
    line: "rivulet: --execution-id: 'nope' is not allowed; it must be a UUID; see npm run rivulet -- publish --help",
  },
  {
    words: ['publish', '--execution-id', executionId, '--stage', 'a', '--path', 'b', '--size', '-1'],
    line: "rivulet: --size: '-1' is not allowed; it must be a whole number from 0 to 9007199254740991; see npm run rivulet -- publish --help",
  },
  {
    words: ['publish', '--execution-id', executionId, '--status', 'done'],
    line: "rivulet: --status: 'done' is not allowed; it must be one of pending, running, completed, failed, cancelled; see npm run rivulet -- publish --help",
  },
  {
    words: ['publish', '--execution-id', executionId, '--stage', 'a', '--path', 'b', '--status', 'failed'],
    line: 'rivulet: an event (--stage, --path) and a change (--status, --tag, --reason) are published apart',
  },
  {
    words: ['publish', 'events.jsonl'],
    line: "rivulet: input: 'events.jsonl' is not allowed; allowed: - for JSON lines from standard input",
  },
  {
    words: ['demo', '--input', 'missing'],
    line: "rivulet: input: '{cwd}/missing' is not allowed; allowed: a folder that can be read (ENOENT)",
  },
  {
    words: ['demo', '--input', '.'],
    line: "rivulet: input: '{cwd}' has no documents; allowed: a folder with .md, .markdown or .txt files",
  },
];

for (const { words, environment = {}, line } of refusals) {
  test(`refused in one line: ${[...Object.keys(environment), ...words].join(' ')}`, async (t) => {
    const directory = ownDirectory(t);
    const result = await runCommand(t, words, { environment, directory });
    t.is(result.error.replaceAll(directory, '{cwd}'), `${line}\n`);
    t.is(result.out, '');
    t.is(result.code, 2);
  });
}

test('a control character in a bad value cannot break the line', async (t) => {
  const result = await runCommand(t, ['up', '--engine', 'a\nb\u001b[2J']);
  t.is(
    result.error,
    "rivulet: engine: 'a?b?[2J' is not allowed; allowed: one of lmdb, memory (from the flag --engine)\n",
  );
});

test('--help of each command names every option of it, with its default and variable', async (t) => {
  for (const command of ['up', 'bus', 'router', 'publish', 'demo'] as const) {
    const result = await runCommand(t, [command, '--help']);
    t.is(result.code, 0);
    t.is(result.error, '');
    const flat = result.out.replace(/\s+/g, ' ');
    for (const name of optionNames) {
      const expected = (options[name].commands as readonly string[]).includes(command);
      t.is(
        new RegExp(`--${name}[ <]`).test(flat),
        expected || new RegExp(`--${name} `).test(examplesOf(flat)),
        `${command} ${name}`,
      );
      if (expected) t.regex(flat, new RegExp(`; RIVULET_${name.toUpperCase().replaceAll('-', '_')}\\)`));
    }
    t.regex(result.out, /Examples:\n {2}npm run rivulet -- /);
  }
});

const examplesOf = (help: string): string => help.slice(help.search(/Each option|Over /));

test('--version and --help answer on standard output', async (t) => {
  const version = await runCommand(t, ['--version']);
  t.regex(version.out, /^\d+\.\d+\.\d+\n$/);
  t.is(version.code, 0);
  const help = await runCommand(t, ['--help']);
  t.is(help.code, 0);
  for (const command of ['up', 'bus', 'router', 'publish', 'demo'])
    t.regex(help.out, new RegExp(`^ {2}${command} `, 'm'));
});

// Without this a newer Node.js would answer with the stack trace of a missing binary.
test('a Node.js without a uWebSockets.js binary gets one sentence and exit code 1', async (t) => {
  const preload = join(ownDirectory(t), 'version.mjs');
  writeFileSync(preload, "Object.defineProperty(process.versions, 'node', { value: '24.1.0' });");
  const result = await runCommand(t, ['up'], { node: ['--import', preload] });
  t.is(result.error, `rivulet: ${nodeVersionFault('24.1.0') ?? ''}\n`);
  t.regex(
    result.error,
    /^rivulet: Node\.js 24\.1\.0 cannot run it, because uWebSockets\.js has binaries only for Node\.js 20 and 22 here;/,
  );
  t.is(result.code, 1);
  t.is(nodeVersionFault('20.19.0'), null);
  t.is(nodeVersionFault('22.20.0'), null);
  t.not(nodeVersionFault('18.0.0'), null);
});

test('a metrics port that is taken is said plainly, exit code 1', async (t) => {
  const taken = createServer();
  await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve));
  t.teardown(() => taken.close());
  const { port } = taken.address() as { port: number };
  const result = await runCommand(t, ['router', '--port', '0', '--ops-port', String(port)]);
  t.is(
    result.error,
    `rivulet: /metrics cannot listen on 127.0.0.1:${port}: the port is taken by another program; choose another with --ops-port, or 0 for a free one\n`,
  );
  t.is(result.code, 1);
});
