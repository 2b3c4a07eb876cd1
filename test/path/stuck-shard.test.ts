import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import { eventAt, newExecution } from '../support/execution-names.ts';
import { ask } from '../support/http-client.ts';
import { type Owner, type System, startProgram, startUp, temporaryDirectory } from '../support/system.ts';
import { until } from '../support/until.ts';

/** What no request can bring about: a thread that turns in a circle, one that ends, an exception out of a callback. On the real program. */

const preload = fileURLToPath(new URL('../support/trouble.preload.js', import.meta.url));

interface Troubled {
  readonly system: System;
  readonly directory: string;
  readonly cause: (what: 'spin' | 'exit' | 'throw') => void;
}

async function startTroubled(t: Owner, shards: number): Promise<Troubled> {
  const directory = await temporaryDirectory(t);
  const file = join(await temporaryDirectory(t), 'trouble');
  const free = ['--port=0', '--bus-port=0', '--ops-port=0', `--shards=${shards}`, '--window-bytes=4MiB'];
  const environment = { NODE_OPTIONS: `--import=${preload}`, TROUBLE_FILE: file };
  const system = await startProgram(t, ['up', ...free, `--data-dir=${directory}`], environment);
  const cause = (what: string): void => {
    writeFileSync(`${file}.${what}`, '');
  };
  return { system, directory, cause };
}

const health = async (system: System): Promise<{ status: number; silent: number[] }> => {
  const response = await fetch(`${system.ops}/healthz`);
  const { shards } = (await response.json()) as { shards: { shard: number; responsive: boolean }[] };
  return { status: response.status, silent: shards.filter((each) => !each.responsive).map(({ shard }) => shard) };
};

// Without the ping a shard that nobody asks anything of would hang unseen, and every second new connection with it.
test.serial(
  'a stuck shard is on /healthz within 5 s; the others end in order, the journal is closed, and the process dies by 137',
  async (t) => {
    const { system, directory, cause } = await startTroubled(t, 2);
    const execution = newExecution();
    await system.put(execution, { status: 'running' });
    const ids = await system.publishMany(execution, 200);
    const streams = await Promise.all([0, 1].map(() => system.sse({ execution_id: execution })));
    await Promise.all(streams.map((stream) => stream.first('ready')));
    const startMs = performance.now();
    cause('spin');
    await until(async () => (await health(system)).status === 503, '/healthz says 503');
    const noticedMs = performance.now() - startMs;
    const { silent } = await health(system);
    t.is(silent.length, 1);
    t.true(noticedMs < 5_000, `noticed after ${Math.round(noticedMs)} ms`);
    // No new connection goes to the stuck shard: each of these would hang there.
    const port = Number(new URL(system.http).port);
    for (let asked = 0; asked < 6; asked += 1) t.is((await ask(port, { path: '/healthz' })).status, 503);
    const exit = await system.exited();
    const diedMs = performance.now() - startMs;
    t.log(`noticed after ${Math.round(noticedMs)} ms, gone after ${Math.round(diedMs)} ms`);
    t.deepEqual(exit, { code: null, signal: 'SIGKILL' });
    t.true(diedMs < 7_000, `gone after ${Math.round(diedMs)} ms`);
    t.regex(system.stderr(), new RegExp(`the thread of shard ${silent[0] ?? -1} has not answered for \\d+ ms`));
    await Promise.all(streams.map((stream) => stream.end()));
    const ends = streams.map((stream) => stream.received.find(({ event }) => event === 'done')?.data['reason']);
    t.deepEqual(ends.sort(), ['shutdown', undefined], 'one in order, one with its shard');
    const again = await startUp(t, directory);
    const replay = await again.sse({ execution_id: execution, last_event_id: 'earliest' });
    await replay.count(200);
    t.deepEqual(replay.ids, ids);
  },
);

test.serial(
  'a shard that is stuck alone is said as well, and SIGTERM meanwhile does not wait for it for ever',
  async (t) => {
    const { system, cause } = await startTroubled(t, 1);
    await system.put(newExecution(), { status: 'running' });
    const startMs = performance.now();
    cause('spin');
    await until(async () => (await health(system)).status === 503, '/healthz says 503');
    t.deepEqual((await health(system)).silent, [0]);
    t.deepEqual(await system.stop(), { code: null, signal: 'SIGKILL' });
    t.true(performance.now() - startMs < 7_000);
    t.regex(system.stderr(), /everything else is closed/);
  },
);

test.serial('an exception out of a callback is counted and logged by its kind, and no stream is touched', async (t) => {
  const { system, cause } = await startTroubled(t, 2);
  const execution = newExecution();
  await system.put(execution, { status: 'running' });
  const streams = await Promise.all([0, 1].map(() => system.sse({ execution_id: execution })));
  await Promise.all(streams.map((stream) => stream.first('ready')));
  cause('throw');
  await system.untilMetric('rivulet_faults_total', { what: 'callback' }, (count) => count === 1);
  t.regex(system.stderr(), /"what":"callback".*a fault was contained/);
  await system.publish(eventAt(execution, 'after'));
  await Promise.all(streams.map((stream) => stream.count(1)));
  t.deepEqual(await system.stop(), { code: 0, signal: null });
});

test.serial(
  'a shard whose thread ends takes the process down at once, and nothing that was acknowledged is lost',
  async (t) => {
    const { system, directory, cause } = await startTroubled(t, 2);
    const execution = newExecution();
    await system.put(execution, { status: 'running' });
    const ids = await system.publishMany(execution, 10);
    const startMs = performance.now();
    cause('exit');
    const exit = await system.exited();
    // Node.js itself aborts: uWebSockets.js has handles open on the loop of the thread.
    t.deepEqual(exit, { code: null, signal: 'SIGABRT' });
    t.true(performance.now() - startMs < 5_000);
    const again = await startUp(t, directory);
    const replay = await again.sse({ execution_id: execution, last_event_id: 'earliest' });
    await replay.count(10);
    t.deepEqual(replay.ids, ids);
  },
);
