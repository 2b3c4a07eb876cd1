import test from 'ava';
import { startBus } from '../../src/app/commands/bus-thread.ts';
import { StartError, StuckThreadError } from '../../src/core/failure.ts';

const entry = new URL('../support/fake-bus.worker.js', import.meta.url);
const quiet = { warn: () => undefined };

test('a bus that is ready gives its port, and stops when asked', async (t) => {
  const bus = await startBus({ mode: 'plain' }, quiet, { entry });
  t.is(bus.port, 4711);
  let failed = false;
  void bus.failed.then(() => {
    failed = true;
  });
  await bus.stop();
  await bus.stop();
  t.false(failed);
});

test('a bus that refuses to start is a StartError with its own words and exit code', async (t) => {
  const error = await t.throwsAsync(() => startBus({ mode: 'fails' }, quiet, { entry }), { instanceOf: StartError });
  t.is(error.message, 'the port is taken');
  t.is(error.exitCode, 1);
});

test('a thread that crashes before it is ready is an error, not a wait for ever', async (t) => {
  const error = await t.throwsAsync(() => startBus({ mode: 'crashes' }, quiet, { entry }));
  t.is(error.message, "the bus's thread broke: cannot even begin");
});

// Without this `up` would go on serving without a bus after its disk has gone.
test('a bus that ends by itself later settles `failed` with its last words', async (t) => {
  const bus = await startBus({ mode: 'fails-later' }, quiet, { entry });
  t.is((await bus.failed).message, 'the disk is gone');
});

// A scrape every few seconds would leave a promise, and a message in its queue, each time.
test('a thread that does not answer is asked for its counts once, is told as silent, and given up', async (t) => {
  const warnings: string[] = [];
  const log = { warn: (_fields: object, message: string) => warnings.push(message) };
  const startMs = performance.now();
  const bus = await startBus({ mode: 'deaf' }, log, { entry });
  const first = bus.stats();
  t.is(bus.stats(), first);
  t.true(bus.responsive());
  t.is(await first, null, 'answered when it counts as silent');
  t.false(bus.responsive());
  t.is(await bus.stats(), null);
  t.deepEqual(warnings, ['the clock stepped', "the bus's thread does not answer"]);
  t.regex((await bus.failed).message, /the bus's thread has not answered for \d+ ms/);
  t.true(performance.now() - startMs < 7_000);
  await t.throwsAsync(bus.stop(), { instanceOf: StuckThreadError });
});

test('warnings are passed on, before it is ready too; counts are answered while it lives', async (t) => {
  const warnings: string[] = [];
  const log = { warn: (_fields: object, message: string) => warnings.push(message) };
  const bus = await startBus({ mode: 'plain' }, log, { entry });
  t.deepEqual(warnings, ['the clock stepped']);
  t.is((await bus.stats())?.records, 7);
  await bus.stop();
  t.is(await bus.stats(), null);
});
