import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { readdirSync, truncateSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { ownDirectory, runCommand } from '../support/command.ts';
import { type System, startProgram, startSystem, startUp } from '../support/system.ts';

const freePorts = ['--port=0', '--bus-port=0', '--ops-port=0'];

const lineOf = (system: System): string => system.out().split('\n')[0] ?? '';

async function takenPort(t: ExecutionContext): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => server.close());
  return (server.address() as { port: number }).port;
}

test.serial('the ready line names what was started, and ops when its port was picked', async (t) => {
  const data = `--data-dir=${ownDirectory(t)}`;
  const up = await startSystem(t);
  t.regex(lineOf(up), /^rivulet ready http=http:\/\/127\.0\.0\.1:\d+ grpc=127\.0\.0\.1:\d+ ops=127\.0\.0\.1:\d+$/);
  const bus = await startProgram(t, ['bus', '--bus-port=0', data]);
  t.regex(lineOf(bus), /^rivulet ready grpc=127\.0\.0\.1:\d+$/);
  const router = await startProgram(t, ['router', '--port=0', '--ops-port=0', `--bus=${bus.grpc}`, '--shards=1']);
  t.regex(lineOf(router), /^rivulet ready http=http:\/\/127\.0\.0\.1:\d+ ops=127\.0\.0\.1:\d+$/);
  for (const system of [up, bus, router]) t.deepEqual(await system.stop(), { code: 0, signal: null });
});

test.serial(
  'what is published over gRPC by the command line is streamed over HTTP, from a bus and a router apart',
  async (t) => {
    const bus = await startProgram(t, ['bus', '--bus-port=0', '--engine=memory']);
    const router = await startProgram(t, ['router', '--port=0', '--ops-port=0', `--bus=${bus.grpc}`, '--shards=1']);
    const executionId = randomUUID();
    const event = { execution_id: executionId, stage: 'ingest', path: 'a.md' };
    const input = [event, { execution_id: executionId, status: 'completed' }]
      .map((line) => JSON.stringify(line))
      .join('\n');
    const published = await runCommand(t, ['publish', '--bus', bus.grpc, '-'], { input });
    t.is(published.code, 0, published.error);
    const [id = '', lastId = ''] = published.out.split('\n');
    t.true(id < lastId);
    const response = await router.fetch(
      `/api/v1/storage/events?execution_id=${executionId}&last_event_id=earliest&timeout=20`,
    );
    const text = await response.text();
    t.true(text.includes(`id: ${id}\nevent: storage.object.created\n`), text);
    t.true(text.includes('"reason":"executions_terminal"'), text);
  },
);

test.serial('what the bus refuses is told with its line and field', async (t) => {
  const bus = await startProgram(t, ['bus', '--bus-port=0', '--engine=memory']);
  const executionId = randomUUID();
  const lines = (...changes: readonly object[]): string =>
    changes.map((change) => JSON.stringify({ execution_id: executionId, ...change })).join('\n\n');
  const done = await runCommand(t, ['publish', '--bus', bus.grpc, '-'], { input: lines({ status: 'completed' }) });
  t.is(done.code, 0, done.error);
  // One batch: the bus takes it whole or not at all.
  const input = `${lines({ stage: 's', path: 'p' }, { status: 'running' })}\n`;
  const refused = await runCommand(t, ['publish', '--bus', bus.grpc, '-'], { input });
  t.regex(refused.error, /^rivulet: line 3: status: .*completed.*; before it: published 0 in \d+\.\d s\n$/);
  t.is(refused.out, '');
  t.is(refused.code, 2);
});

test.serial(
  'the demo runs against a real system, over HTTP and over gRPC, and its story can be read afterwards',
  async (t) => {
    const system = await startSystem(t);
    const overHttp = await runCommand(t, ['demo', '--pace', '0', '--url', system.http]);
    t.is(overHttp.code, 0, overHttp.error);
    const overGrpc = await runCommand(t, ['demo', '--pace', '0', '--bus', system.grpc]);
    t.is(overGrpc.code, 0, overGrpc.error);
    const response = await system.fetch(
      '/api/v1/storage/events?execution_id=demo&last_event_id=earliest&stage=publish&timeout=20',
    );
    const text = await response.text();
    t.is(text.match(/"path":"combined\.md"/g)?.length, 6);
    t.true(text.includes('"reason":"executions_terminal"'));
  },
);

test.serial('/metrics shows every part of the system', async (t) => {
  const system = await startSystem(t);
  const text = await (await fetch(`${system.ops}/metrics`)).text();
  for (const name of [
    'connections',
    'sessions{state="live"}',
    'deliveries_total',
    'delivered_bytes_total',
    'publish_seconds_count',
    'delivery_latency_seconds_count',
    'mailbox_wait_seconds_count{shard="0"}',
    'mailbox_wait_seconds_count{shard="1"}',
    'window_fill_ratio',
    'window_sequence',
    'upstream_lag_records',
    'upstream_connected',
    'journal_records',
  ]) {
    t.true(text.includes(`\nrivulet_${name} `), name);
  }
});

test.serial('SIGTERM ends open streams with done and shutdown, and exits with 0', async (t) => {
  const system = await startSystem(t);
  const executionId = randomUUID();
  await system.put(executionId, { status: 'running' });
  const response = await system.fetch(`/api/v1/storage/events?execution_id=${executionId}`);
  const ended = response.text();
  t.deepEqual(await system.stop('SIGTERM'), { code: 0, signal: null });
  const text = await ended;
  t.regex(text, /retry: \d+\n/);
  t.true(text.includes('"type":"done","reason":"shutdown"'), text);
});

// A peer that has stopped reading never sees the end of its connection: the process once waited for it, and killed itself after 10 s.
test.serial('SIGTERM exits with 0 beside a silent connection to the bus', async (t) => {
  const system = await startUp(t, ownDirectory(t));
  const silent = connect(Number(system.grpc.split(':').at(-1)), '127.0.0.1').on('error', () => undefined);
  t.teardown(() => silent.destroy());
  await once(silent, 'connect');
  // A round trip, so that the bus has taken the connection as well.
  await system.put(randomUUID(), { status: 'running' });
  t.deepEqual(await system.stop('SIGTERM'), { code: 0, signal: null });
});

for (const option of ['port', 'bus-port', 'ops-port']) {
  test.serial(`${option} that is taken is said plainly, exit code 1`, async (t) => {
    const port = await takenPort(t);
    const result = await runCommand(t, ['up', ...freePorts, `--${option}=${port}`]);
    const [said, ...noise] = result.error.trimEnd().split('\n').reverse();
    t.regex(said ?? '', new RegExp(`^rivulet: .*\\b${port}\\b.*(?:in use|taken)`));
    t.regex(said ?? '', new RegExp(`another with --${option}`));
    t.deepEqual(noise, []);
    t.is(result.out, '');
    t.is(result.code, 1);
  });
}

test.serial('a data directory in use by another process is said plainly, exit code 1', async (t) => {
  const directory = ownDirectory(t);
  const first = await startUp(t, directory);
  const second = await runCommand(t, ['bus', '--bus-port=0', `--data-dir=${directory}`]);
  t.regex(second.error, /^rivulet: .*in use by process \d+\n$/);
  t.is(second.code, 1);
  t.is((await first.stop()).code, 0);
});

// Without the check a truncated LMDB file ends the process with a bare SIGBUS.
test.serial('a damaged journal is named with the command that helps, and that command helps', async (t) => {
  const directory = ownDirectory(t);
  const first = await startUp(t, directory);
  await first.publishMany(randomUUID(), 2_000);
  await first.stop();
  const [file] = readdirSync(directory).filter((name) => name.endsWith('.mdb') || name.endsWith('.lmdb'));
  truncateSync(join(directory, file ?? 'journal.mdb'), 65_536);
  const words = ['bus', '--bus-port=0', `--data-dir=${directory}`];
  const refused = await runCommand(t, words);
  t.regex(refused.error, /^rivulet: the journal .* npm run rivulet -- bus --repair.*\n$/);
  t.true(
    refused.error.includes(`bus --repair --data-dir ${directory} `),
    'the one that is damaged, not the default one',
  );
  t.is(refused.code, 1);
  const repaired = await runCommand(t, ['bus', '--repair', `--data-dir=${directory}`]);
  t.regex(repaired.out, /^repaired: \d+ records and \d+ executions were kept, /);
  t.is(repaired.code, 0, repaired.error);
  const again = await startProgram(t, words);
  t.is((await again.stop()).code, 0);
});

test.serial('--restored serves the journal under a new identity; --repair without a journal is refused', async (t) => {
  const directory = ownDirectory(t);
  const words = ['bus', '--bus-port=0', `--data-dir=${directory}`];
  const executionId = randomUUID();
  const tagAfter = async (flags: readonly string[]): Promise<string> => {
    const bus = await startProgram(t, [...words, ...flags]);
    const flagsOfEvent = ['--execution-id', executionId, '--stage', 's', '--path', 'p'];
    const published = await runCommand(t, ['publish', '--bus', bus.grpc, ...flagsOfEvent]);
    await bus.stop();
    // The tag is the last 22 bits of an id.
    return (Number.parseInt(published.out.trim().slice(-6), 16) & 0x3fffff).toString(16);
  };
  const before = await tagAfter([]);
  t.is(await tagAfter([]), before);
  const restored = await tagAfter(['--restored']);
  t.not(restored, before);
  t.is(await tagAfter([]), restored);
  const nothing = await runCommand(t, ['bus', '--repair', `--data-dir=${ownDirectory(t)}`]);
  t.regex(nothing.error, /^rivulet: there is no journal to repair in /);
  t.is(nothing.code, 1);
});

test.serial('a second process that stops by SIGINT exits with 0 as well', async (t) => {
  const bus = await startProgram(t, ['bus', '--bus-port=0', '--engine=memory']);
  bus.process.kill('SIGINT');
  const [code] = (await once(bus.process, 'exit')) as [number | null];
  t.is(code, 0);
});
