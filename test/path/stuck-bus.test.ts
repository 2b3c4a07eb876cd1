import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import { newExecution } from '../support/execution-names.ts';
import { startProgram, startUp, temporaryDirectory } from '../support/system.ts';
import { until } from '../support/until.ts';

/** The bus's thread turns in a circle, which no request can bring about. On the real program. */

const preload = fileURLToPath(new URL('../support/trouble.preload.js', import.meta.url));
const free = ['--port=0', '--bus-port=0', '--ops-port=0', '--shards=2', '--window-bytes=4MiB'];
const environmentOf = (file: string): Record<string, string> => ({
  NODE_OPTIONS: `--import=${preload}`,
  TROUBLE_FILE: file,
});

// Nobody would notice: streams would stand still and every write time out, until somebody looks.
test.serial(
  'a stuck bus is on /healthz within 5 s; streams end in order, the process dies by 137, and nothing acknowledged is lost',
  async (t) => {
    const directory = await temporaryDirectory(t);
    const file = join(await temporaryDirectory(t), 'trouble');
    const system = await startProgram(t, ['up', ...free, `--data-dir=${directory}`], environmentOf(file));
    const execution = newExecution();
    await system.put(execution, { status: 'running' });
    const ids = await system.publishMany(execution, 200);
    const stream = await system.sse({ execution_id: execution });
    await stream.first('ready');
    const health = async () => {
      const response = await fetch(`${system.ops}/healthz`);
      return { status: response.status, body: (await response.json()) as { bus?: { responsive: boolean } } };
    };
    t.deepEqual((await health()).body.bus, { responsive: true });
    const startMs = performance.now();
    writeFileSync(`${file}.spin-bus`, '');
    const scrapes = Array.from({ length: 5 }, () => fetch(`${system.ops}/metrics`));
    await until(async () => (await health()).status === 503, '/healthz says 503');
    const noticedMs = performance.now() - startMs;
    t.deepEqual((await health()).body.bus, { responsive: false });
    t.is((await system.fetch('/healthz')).status, 503);
    t.true(noticedMs < 5_000, `noticed after ${Math.round(noticedMs)} ms`);
    t.deepEqual(
      (await Promise.all(scrapes)).map(({ status }) => status),
      [200, 200, 200, 200, 200],
    );
    t.deepEqual(await system.exited(), { code: null, signal: 'SIGKILL' });
    const diedMs = performance.now() - startMs;
    t.log(`noticed after ${Math.round(noticedMs)} ms, gone after ${Math.round(diedMs)} ms`);
    t.true(diedMs < 8_000, `gone after ${Math.round(diedMs)} ms`);
    t.regex(system.stderr(), /the bus's thread has not answered for \d+ ms/);
    await stream.end();
    t.is((await stream.first('done')).data['reason'], 'shutdown');
    const again = await startUp(t, directory);
    const replay = await again.sse({ execution_id: execution, last_event_id: 'earliest' });
    await replay.count(200);
    t.deepEqual(replay.ids, ids);
  },
);

test.serial('a stuck bus of its own process dies by 137 too, and its supervisor brings it back', async (t) => {
  const directory = await temporaryDirectory(t);
  const file = join(directory, 'trouble');
  const words = ['bus', '--supervise', '--bus-port=0', `--data-dir=${join(directory, 'data')}`];
  const bus = await startProgram(t, words, environmentOf(file));
  const startMs = performance.now();
  writeFileSync(`${file}.spin-bus`, '');
  await until(() => bus.out().split('rivulet ready ').length === 3, 'a second ready line');
  t.log(`serves again ${Math.round(performance.now() - startMs)} ms after its thread stopped`);
  t.regex(bus.stderr(), /the bus's thread has not answered/);
  t.regex(bus.stderr(), /"code":137/);
  t.deepEqual(await bus.stop(), { code: 0, signal: null });
});
