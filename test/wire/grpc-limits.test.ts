import test from 'ava';
import { BusError } from '../../src/core/failure.ts';
import { batchEventsMax, busStreamsMax, executionTagsMax, grpcMessageBytesMax } from '../../src/core/limits.ts';
import type { PublishEntryMessage } from '../../src/wire/bus/bus-messages.ts';
import { busMethods } from '../../src/wire/grpc/grpc-proto.ts';
import { executionOf } from '../support/journal-input.ts';
import { Collected, runningBus } from '../support/running-bus.ts';
import { until } from '../support/until.ts';

/** What the bus answers at n and at n + 1. */

const event = (more: object = {}): PublishEntryMessage => ({
  event: { execution_id: executionOf(1), stage: 's', path: 'p', ...more },
});
const events = (count: number): { entries: PublishEntryMessage[] } => ({
  entries: Array.from({ length: count }, () => event()),
});

async function refusal(promise: Promise<unknown>): Promise<BusError | null> {
  try {
    await promise;
    return null;
  } catch (error) {
    return error instanceof BusError ? error : new BusError('internal', String(error));
  }
}

const grpcCodeOf = (error: BusError | null): unknown => (error?.cause as { code?: number } | undefined)?.code;

// One that subscribes and never reads holds three batches: without a bound, memory is whatever anybody likes.
test.serial(
  'streams of one kind: the 256th is served, the 257th is RESOURCE_EXHAUSTED with RetryInfo, and a place is given back',
  async (t) => {
    const { client } = await runningBus(t);
    await client.publish(events(1));
    const open = Array.from({ length: busStreamsMax }, () => {
      const seen = new Collected();
      return { seen, subscription: client.subscribe({ oldest: true }, seen) };
    });
    for (const { seen } of open) await seen.until(() => seen.records.length > 0 || seen.error !== null);
    t.true(open.every(({ seen }) => seen.error === null));
    const attempt = async (): Promise<Collected> => {
      const seen = new Collected();
      client.subscribe({ oldest: true }, seen);
      await seen.until(() => seen.records.length > 0 || seen.error !== null);
      return seen;
    };
    const refused = (await attempt()).error as BusError;
    t.like(refused, { code: 'throttled', retryAfterMs: 1_000 });
    t.is(grpcCodeOf(refused), 8);
    t.like(await client.publish(events(1)), { last_sequence: 2 }, 'other calls go on');
    for await (const batch of client.read({})) t.true(batch.length > 0, 'streams of another kind too');
    open[0]?.subscription.cancel();
    await until(async () => (await attempt()).error === null, 'the place is given back');
  },
);

test.serial('reads that end give their places back, whether whole, refused or cancelled', async (t) => {
  const { client } = await runningBus(t);
  await client.publish(events(3));
  for (let n = 0; n < busStreamsMax + 1; n += 1) {
    const request = n % 3 === 0 ? { execution_ids: ['x'] } : {};
    const error = await refusal(
      (async () => {
        for await (const batch of client.read(request)) if (n % 3 === 1 && batch.length > 0) break;
      })(),
    );
    t.is(error?.code, n % 3 === 0 ? 'invalid' : undefined, String(n));
  }
});

test.serial(
  'the publish rate of the bus: a burst, then RESOURCE_EXHAUSTED with RetryInfo, for a call and in a stream',
  async (t) => {
    const { client } = await runningBus(t, { publishRate: 1 });
    await client.publish(events(batchEventsMax - 1));
    t.is(await refusal(client.publish(events(1))), null, 'the last of the burst');
    const refused = await refusal(client.publish(events(900)));
    t.is(refused?.code, 'throttled');
    t.is(grpcCodeOf(refused), 8);
    t.true((refused?.retryAfterMs ?? 0) > 800_000 && (refused?.retryAfterMs ?? 0) <= 900_000);
    const pipe = client.publishPipe();
    const inStream = await refusal(pipe.publish(events(900)));
    t.is(inStream?.code, 'throttled');
    t.true((inStream?.retryAfterMs ?? 0) > 800_000);
    pipe.cancel();
    t.is((await client.describe()).newest_sequence, batchEventsMax);
  },
);

test.serial(
  'one message: 4 MiB is judged in words, a byte above it is RESOURCE_EXHAUSTED without RetryInfo',
  async (t) => {
    const { client } = await runningBus(t);
    const sized = async (bytes: number): Promise<BusError | null> => {
      const request = (uri: number) => ({ entries: [event({ uri: 'u'.repeat(uri) })] });
      const encoded = (uri: number): number => busMethods.publish.requestSerialize(request(uri)).length;
      const uri = bytes - (encoded(bytes) - bytes);
      t.is(encoded(uri), bytes);
      return refusal(client.publish(request(uri)));
    };
    t.is((await sized(grpcMessageBytesMax))?.code, 'invalid');
    const above = await sized(grpcMessageBytesMax + 1);
    t.like(above, { code: 'exhausted', retryAfterMs: null });
  },
);

test.serial('a batch: 1,000 entries are taken, 1,001 are INVALID_ARGUMENT with the field', async (t) => {
  const { client } = await runningBus(t);
  t.is(await refusal(client.publish(events(batchEventsMax))), null);
  const error = await refusal(client.publish(events(batchEventsMax + 1)));
  t.is(error?.code, 'invalid');
  t.deepEqual(error?.faults[0]?.field, ['entries']);
});

test.serial(
  'tags of an execution: 100 are taken, at once or one by one; the 101st is RESOURCE_EXHAUSTED with the field',
  async (t) => {
    const { client } = await runningBus(t);
    const change = (execution: number, tags: string[]): Promise<unknown> =>
      client.publish({ entries: [{ change: { execution_id: executionOf(execution), tags } }] });
    const names = Array.from({ length: executionTagsMax + 1 }, (_, n) => `t${n}`);
    t.is(await refusal(change(1, names.slice(0, -1))), null);
    t.is(await refusal(change(1, names.slice(0, -1))), null, 'those it has are no more');
    for (const refused of [await refusal(change(1, names.slice(-1))), await refusal(change(2, names))]) {
      t.like(refused, { code: 'exhausted', retryAfterMs: null });
      t.deepEqual(refused?.faults[0]?.field, ['entries', 0, 'change', 'tags']);
    }
  },
);
