import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import { runCommand } from '../support/command.ts';
import { newExecution } from '../support/execution-names.ts';
import { type System, startProgram, startSystem, temporaryDirectory } from '../support/system.ts';
import { until } from '../support/until.ts';

/** `--supervise` on the real program: what breaks comes back, what was stopped does not, and nobody is left behind. */

const preload = fileURLToPath(new URL('../support/trouble.preload.js', import.meta.url));

/** The process that serves: the only child of the supervisor. */
function childOf(system: System): number {
  return Number(
    execFileSync('pgrep', ['-P', String(system.process.pid)], { encoding: 'utf8' })
      .trim()
      .split('\n')[0],
  );
}

const readyLines = (system: System): string[] => system.out().trim().split('\n');

const gone = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return false;
  } catch {
    return true;
  }
};

test.serial('kill -9 of the child: it is back on the same ports, and streams resume with nothing lost', async (t) => {
  const system = await startSystem(t, ['--supervise']);
  const execution = newExecution();
  await system.put(execution, { status: 'running' });
  const stream = await system.sse({ execution_id: execution });
  await stream.first('ready');
  const ids = await system.publishMany(execution, 300);
  await stream.count(100);
  const startMs = performance.now();
  process.kill(childOf(system), 'SIGKILL');
  await stream.end();
  await until(() => readyLines(system).length === 2, 'a second ready line');
  t.log(`serves again after ${Math.round(performance.now() - startMs)} ms`);
  t.is(readyLines(system)[1], readyLines(system)[0]);
  ids.push(...(await system.publishMany(execution, 10, 400, 'after')));
  const resumed = await system.sse({ execution_id: execution }, { 'last-event-id': stream.lastId ?? '' });
  await resumed.count(ids.length - stream.ids.length);
  t.deepEqual([...stream.ids, ...resumed.ids], ids);
  t.regex(system.stderr(), /"code":137,"signal":"SIGKILL","restarts":1,.*starting again: killed: /);
  const child = childOf(system);
  t.deepEqual(await system.stop(), { code: 0, signal: null });
  t.true(gone(child));
});

test.serial('a stuck shard: the process kills itself, and its supervisor brings it back', async (t) => {
  const directory = await temporaryDirectory(t);
  const file = join(directory, 'trouble');
  const words = ['up', '--supervise', '--port=0', '--bus-port=0', '--ops-port=0', '--shards=2', '--window-bytes=4MiB'];
  const environment = { NODE_OPTIONS: `--import=${preload}`, TROUBLE_FILE: file };
  const system = await startProgram(t, [...words, `--data-dir=${join(directory, 'data')}`], environment);
  const startMs = performance.now();
  writeFileSync(`${file}.spin`, '');
  await until(() => readyLines(system).length === 2, 'a second ready line');
  t.log(`serves again ${Math.round(performance.now() - startMs)} ms after the thread stopped`);
  t.is((await fetch(`${system.ops}/healthz`)).status, 200);
  t.is((await system.put(newExecution(), { status: 'running' })).status, 200);
  t.deepEqual(await system.stop('SIGINT'), { code: 0, signal: null });
});

test.serial('what keeps the first start from serving is told as without a supervisor', async (t) => {
  const bad = await runCommand(t, ['up', '--supervise', '--port=70000']);
  t.is(bad.code, 2);
  t.regex(bad.error, /^rivulet: port: '70000' is not allowed[^\n]*\n$/);
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => server.close());
  const { port } = server.address() as { port: number };
  const directory = await temporaryDirectory(t);
  const words = ['up', '--supervise', `--port=${port}`, '--bus-port=0', '--ops-port=0', `--data-dir=${directory}`];
  const taken = await runCommand(t, words);
  t.is(taken.code, 1);
  t.regex(taken.error, new RegExp(`^rivulet: [^\\n]*${port}: the port is taken`, 'm'));
  t.regex(taken.error, /not started again: it never served/);
});

test.serial('kill -9 of the supervisor: the child stops in order by itself', async (t) => {
  const bus = await startProgram(t, [
    'bus',
    '--bus-port=0',
    '--supervise',
    `--data-dir=${await temporaryDirectory(t)}`,
  ]);
  const child = childOf(bus);
  await bus.stop('SIGKILL');
  await until(() => gone(child), 'the child has ended');
  t.regex(bus.stderr(), /the supervisor has gone/);
});

test.serial('the option may stand in the environment, and the child does not supervise in turn', async (t) => {
  const bus = await startProgram(t, ['bus', '--bus-port=0', '--engine=memory'], { RIVULET_SUPERVISE: 'true' });
  const child = childOf(bus);
  t.is(
    execFileSync('ps', ['-o', 'args=', '-p', String(child)], { encoding: 'utf8' })
      .trim()
      .split(' ')
      .at(-1),
    '--supervised',
  );
  t.throws(() => execFileSync('pgrep', ['-P', String(child)]));
  t.deepEqual(await bus.stop(), { code: 0, signal: null });
});

// A journal that took a new identity at every restart would tell every client of a gap each time.
test.serial('--restored is for the first start alone', async (t) => {
  const directory = await temporaryDirectory(t);
  const bus = await startProgram(t, ['bus', '--bus-port=0', '--supervise', '--restored', `--data-dir=${directory}`]);
  const first = childOf(bus);
  t.true(execFileSync('ps', ['-o', 'args=', '-p', String(first)], { encoding: 'utf8' }).includes('--restored'));
  process.kill(first, 'SIGKILL');
  await until(() => readyLines(bus).length === 2, 'a second ready line');
  t.false(execFileSync('ps', ['-o', 'args=', '-p', String(childOf(bus))], { encoding: 'utf8' }).includes('--restored'));
});
