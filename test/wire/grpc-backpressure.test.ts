import test from 'ava';
import { InvariantError } from '../../src/core/assert.ts';
import { systemClock } from '../../src/core/clock.ts';
import { createBusClient } from '../../src/wire/bus/bus-client.ts';
import { serveBus } from '../../src/wire/bus/bus-server.ts';
import type { BusService } from '../../src/wire/bus/bus-service.ts';
import { executionOf } from '../support/journal-input.ts';
import { Collected, runningBus } from '../support/running-bus.ts';

const settle = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve));
const unused = (): Promise<never> => Promise.reject(new InvariantError('not called'));

// Without this, a router that stands still would make the bus hold the whole journal in memory for it.
test('a paused subscriber holds the bus back after a few batches, and misses nothing', async (t) => {
  const batch = Buffer.alloc(1_000_000, 'x');
  let sent = 0;
  let aborted = false;
  const service: BusService = {
    publish: unused,
    read: unused,
    executions: unused,
    describe: unused,
    async subscribe(_request, sink) {
      sink.signal.addEventListener('abort', () => (aborted = true));
      for (; sent < 200 && !sink.signal.aborted; sent += 1) await sink.send(batch);
      while (!sink.signal.aborted) await settle();
    },
  };
  const options = {
    host: '127.0.0.1',
    port: 0,
    clock: systemClock,
    onInternalError: (error: unknown) => {
      t.log(error);
    },
  };
  const server = await serveBus(service, options);
  const client = createBusClient(`127.0.0.1:${server.port}`, { clock: systemClock });
  t.teardown(() => {
    client.close();
    return server.stop();
  });
  let received = 0;
  const subscription = client.subscribe({ oldest: true }, { onBatch: () => (received += 1), onEnd: () => undefined });
  subscription.pause();
  let still = 0;
  for (let before = -1; still < 2_000; still = before === sent ? still + 1 : 0) {
    before = sent;
    await settle();
  }
  t.true(sent >= 1 && sent < 20, `sent ${sent} of 200 batches to a paused subscriber`);
  subscription.resume();
  while (received < 200) await settle();
  t.is(sent, 200);
  subscription.cancel();
  while (!aborted) await settle();
  t.pass('a cancelled call is told');
});

test('a subscriber that was paused over many appends reads on in order', async (t) => {
  const { client } = await runningBus(t);
  const seen = new Collected();
  const subscription = client.subscribe({ oldest: true }, seen);
  await seen.until(() => seen.batches.length === 1);
  subscription.pause();
  const event = { execution_id: executionOf(1), stage: 's', path: 'p', uri: 'u'.repeat(1_000) };
  for (let n = 0; n < 40; n += 1) await client.publish({ entries: Array.from({ length: 200 }, () => ({ event })) });
  t.true(seen.records.length < 8_000);
  subscription.resume();
  await seen.until(() => seen.records.length === 8_000);
  t.deepEqual(
    seen.records.map(({ sequence }) => sequence),
    Array.from({ length: 8_000 }, (_, n) => n + 1),
  );
});
