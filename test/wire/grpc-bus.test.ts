import { Client, credentials } from '@grpc/grpc-js';
import test from 'ava';
import { type EventId, eventIdParts, formatEventId, type JournalTag, nilId } from '../../src/core/event-id.ts';
import { BusError } from '../../src/core/failure.ts';
import { toSequence } from '../../src/core/sequence.ts';
import type {
  ExecutionsResponseMessage,
  PositionMessage,
  PublishEntryMessage,
} from '../../src/wire/bus/bus-messages.ts';
import { decodeRecordBatch } from '../../src/wire/grpc/grpc-proto.ts';
import { executionOf } from '../support/journal-input.ts';
import { Collected, runningBus } from '../support/running-bus.ts';

const event = (execution: number, more: object = {}): PublishEntryMessage => ({
  event: { execution_id: executionOf(execution), stage: 'boost', path: 'a/b.md', ...more },
});

test('what is published is described and subscribed to, from everywhere', async (t) => {
  const { client } = await runningBus(t);
  const empty = await client.describe();
  t.is(empty.newest_id, empty.origin_id);
  const { ids, last_sequence } = await client.publish({
    entries: [
      event(1, { size: 3, metadata: { k: 'v' } }),
      event(2),
      { change: { execution_id: executionOf(1), status: 3 } },
    ],
  });
  t.is(last_sequence, 3);
  const described = await client.describe(ids[1]);
  t.like(described, { oldest_id: ids[0], newest_id: ids[2], newest_sequence: 3 });
  t.deepEqual(described.placement, { verdict: 1, sequence: 2, id: ids[1] ?? '' });
  const starts: [PositionMessage, number][] = [
    [{ oldest: true }, 0],
    [{ newest: true }, 3],
    [{ after_id: ids[0] ?? '' }, 1],
    [{ after_id: nilId }, 0],
    [{ after: { sequence: 2, id: ids[1] ?? '' } }, 2],
    [{ after: { sequence: 2, id: '' } }, 2],
    [{ after: { sequence: 0, id: empty.origin_id } }, 0],
    [{ last_bytes: 1 }, 3],
    [{ last_bytes: 1_000_000 }, 0],
  ];
  for (const [from, start] of starts) {
    const seen = new Collected();
    const subscription = client.subscribe(from, seen);
    await seen.until(() => seen.records.length === 3 - start && seen.batches.length > 0);
    t.is(seen.batches[0]?.through_sequence, start);
    t.is(seen.batches[0]?.records.length, 0);
    t.deepEqual(
      seen.records.map(({ id }) => id),
      ids.slice(start),
    );
    t.is(seen.batches.at(-1)?.through_id, ids[2]);
    subscription.cancel();
  }
});

test('a subscription goes on live, each record once', async (t) => {
  const { client } = await runningBus(t);
  const seen = new Collected();
  client.subscribe({ oldest: true }, seen);
  const ids: string[] = [];
  for (let n = 0; n < 50; n += 1) ids.push(...(await client.publish({ entries: [event(n % 3), event(1)] })).ids);
  await seen.until(() => seen.records.length >= 100);
  t.deepEqual(
    seen.records.map(({ id }) => id),
    ids,
  );
});

test('bad input is INVALID_ARGUMENT with every field, and nothing is appended', async (t) => {
  const { client } = await runningBus(t);
  const entries = [
    event(1),
    event(1, { stage: 'a//b', metadata: { 'k\n': 'v' } }),
    {},
    { change: { execution_id: 'x', status: 9 } },
  ];
  const formless = await t.throwsAsync(client.publish({ entries }), { instanceOf: BusError });
  t.deepEqual(
    formless.faults.map(({ field }) => field),
    [
      ['entries', 2],
      ['entries', 3, 'change', 'status'],
    ],
  );
  const error = await t.throwsAsync(client.publish({ entries: entries.slice(0, 2) }), { instanceOf: BusError });
  t.is(error.code, 'invalid');
  t.deepEqual(error.faults[0], {
    field: ['entries', 1, 'event', 'stage'],
    reason: 'must not start or end with a slash or have an empty segment',
  });
  t.deepEqual(error.faults[1]?.field, ['entries', 1, 'event', 'metadata', 'k\n']);
  for (const refused of [
    client.publish({ entries: [] }),
    client.publish({ entries: Array.from({ length: 1_001 }, () => event(1)) }),
    client.publish({ entries: Array.from({ length: 300 }, () => event(1, { uri: 'u'.repeat(4_000) })) }),
    client.publish({ entries: [event(1, { size: 2 ** 53 })] }),
  ]) {
    t.is((await t.throwsAsync(refused, { instanceOf: BusError })).code, 'invalid');
  }
  t.is((await client.describe()).newest_sequence, 0);
});

test('refusals have their codes', async (t) => {
  const { client } = await runningBus(t);
  const change = (status: number): PublishEntryMessage => ({ change: { execution_id: executionOf(1), status } });
  await client.publish({ entries: [change(3), event(1, { source_id: 's' })] });
  const code = async (promise: Promise<unknown>): Promise<string> =>
    (await t.throwsAsync(promise, { instanceOf: BusError })).code;
  t.is(await code(client.publish({ entries: [change(4)] })), 'terminal');
  t.is(await code(client.publish({ entries: [event(1, { source_id: 's', size: 1 })] })), 'conflict');
  t.is(await code(client.publish({ entries: [event(1, { uri: 'u'.repeat(5_000_000) })] })), 'exhausted');
  const many = Array.from({ length: 101 }, (_, n) => `t${n}`);
  t.is(
    await code(client.publish({ entries: [{ change: { execution_id: executionOf(2), tags: many } }] })),
    'exhausted',
  );
  t.is(await code(client.publish({ entries: [event(1)] }, 0)), 'deadline');
});

test('a position that this journal has not is told apart: too old, or another journal', async (t) => {
  const { client, bus } = await runningBus(t, { retentionBytes: 1 });
  const { ids } = await client.publish({ entries: [event(1), event(1), event(1)] });
  await bus.journal.sweep();
  const { tag } = eventIdParts(ids[0] as EventId);
  const foreign = formatEventId(1, toSequence(2), ((tag + 1) % 2 ** 22) as JournalTag);
  const code = async (from: PositionMessage): Promise<string> => {
    const seen = new Collected();
    client.subscribe(from, seen);
    await seen.until(() => seen.error !== null);
    return seen.error instanceof BusError ? seen.error.code : 'none';
  };
  t.is(await code({ after: { sequence: 1, id: ids[0] ?? '' } }), 'too-old');
  t.is(await code({ after_id: ids[0] ?? '' }), 'too-old');
  t.is(await code({ after: { sequence: 3, id: ids[1] ?? '' } }), 'identity');
  t.is(await code({ after: { sequence: 2, id: foreign } }), 'identity');
  t.is(await code({ after: { sequence: 99, id: '' } }), 'identity');
  t.is(await code({ after_id: 'x' }), 'invalid');
  t.is(await code({}), 'invalid');
});

test('read brings a bounded piece of some executions', async (t) => {
  const { client } = await runningBus(t);
  for (let n = 0; n < 30; n += 1) await client.publish({ entries: [event(n % 3), event(9)] });
  const read = async (request: object): Promise<[number[], number | undefined]> => {
    const sequences: number[] = [];
    let through: number | undefined;
    for await (const bytes of client.read(request)) {
      const batch = decodeRecordBatch(bytes);
      sequences.push(...batch.records.map(({ sequence }) => sequence));
      through = batch.through_sequence;
    }
    return [sequences, through];
  };
  const ofOne = Array.from({ length: 10 }, (_, n) => 3 + n * 6);
  t.deepEqual(await read({ execution_ids: [executionOf(1).toUpperCase()] }), [ofOne, 60]);
  t.deepEqual(await read({ execution_ids: [executionOf(1)], limit_records: 2 }), [[3, 9], 9]);
  t.deepEqual(await read({ after_sequence: 5, until_sequence: 8 }), [[6, 7, 8], 8]);
  t.deepEqual(await read({ execution_ids: [executionOf(77)] }), [[], 60]);
  t.deepEqual(await read({ after_sequence: 60 }), [[], 60]);
  await t.throwsAsync(read({ execution_ids: ['x'] }), { instanceOf: BusError, message: /execution_ids.0/ });
});

test('a read larger than a message comes in several', async (t) => {
  const { client } = await runningBus(t);
  const large = event(1, { uri: 'u'.repeat(4_000) });
  for (let n = 0; n < 4; n += 1) await client.publish({ entries: Array.from({ length: 200 }, () => large) });
  let batches = 0;
  let records = 0;
  for await (const bytes of client.read({ limit_bytes: 10_000_000 })) {
    t.true(bytes.length <= 1_048_576);
    batches += 1;
    records += decodeRecordBatch(bytes).records.length;
  }
  t.is(records, 800);
  t.true(batches >= 4);
});

test('executions: a snapshot, then what changes', async (t) => {
  const { client } = await runningBus(t);
  await client.publish({ entries: [event(1, { size: 4 }), { change: { execution_id: executionOf(2), tags: ['x'] } }] });
  const messages = client.executions({ follow: true })[Symbol.asyncIterator]();
  const snapshot = (await messages.next()).value as ExecutionsResponseMessage;
  t.like(snapshot, { snapshot_complete: true, as_of_sequence: 2 });
  t.like(snapshot.executions[0], {
    execution_id: executionOf(1),
    status: 2,
    events: 1,
    bytes: 4,
    last_event_sequence: 1,
  });
  t.deepEqual(snapshot.executions[1]?.tags, [{ tag: 'x', sequence: 2 }]);
  await client.publish({ entries: [{ change: { execution_id: executionOf(1), status: 3 } }] });
  const changed = (await messages.next()).value as ExecutionsResponseMessage;
  t.is(changed.as_of_sequence, 3);
  t.deepEqual(
    changed.executions.map(({ execution_id, status }) => [execution_id, status]),
    [[executionOf(1), 3]],
  );
  await messages.return?.();
  const only = client.executions({ execution_ids: [executionOf(2), executionOf(7)] });
  for await (const message of only)
    t.deepEqual(
      message.executions.map(({ execution_id }) => execution_id),
      [executionOf(2)],
    );
});

test('a publish pipe answers each in order; a refusal leaves the others alone', async (t) => {
  const { client } = await runningBus(t);
  const pipe = client.publishPipe();
  const answers = Array.from({ length: 300 }, (_, n) =>
    pipe.publish({ entries: [event(1, n === 7 ? { stage: '' } : {})] }).then(
      ({ last_sequence }) => last_sequence,
      (error: unknown) => (error instanceof BusError ? error.faults[0]?.field.join('.') : 'other'),
    ),
  );
  const expected = Array.from({ length: 300 }, (_, n) => (n < 7 ? n + 1 : n));
  t.deepEqual(await Promise.all(answers), expected.with(7, 'entries.0.event.stage' as never));
  pipe.end();
});

test('health and reflection answer', async (t) => {
  const { address } = await runningBus(t);
  const raw = new Client(address, credentials.createInsecure());
  t.teardown(() => {
    raw.close();
  });
  const asBytes = (bytes: Buffer): Buffer => bytes;
  const health = await new Promise<Buffer | undefined>((resolve, reject) => {
    raw.makeUnaryRequest('/grpc.health.v1.Health/Check', asBytes, asBytes, Buffer.alloc(0), (error, answer) => {
      if (error === null) resolve(answer);
      else reject(error);
    });
  });
  t.deepEqual(health, Buffer.from([8, 1]), 'SERVING');
  const info = raw.makeBidiStreamRequest('/grpc.reflection.v1.ServerReflection/ServerReflectionInfo', asBytes, asBytes);
  const services = new Promise<string>((resolve) =>
    info.once('data', (bytes: Buffer) => {
      resolve(bytes.toString('latin1'));
    }),
  );
  info.write(Buffer.from([0x3a, 1, 0x2a]));
  t.regex(await services, /rivulet\.bus\.v1\.StorageEventBus/);
  t.regex(await services, /grpc\.health\.v1\.Health/, 'what is served is what is listed');
  info.end();
});

test('a stopping bus ends its streams with UNAVAILABLE', async (t) => {
  const { client, bus } = await runningBus(t);
  const seen = new Collected();
  client.subscribe({ oldest: true }, seen);
  await seen.until(() => seen.batches.length === 1);
  await bus.stop();
  await seen.until(() => seen.error !== null);
  t.is(seen.error instanceof BusError ? seen.error.code : null, 'unavailable');
});
