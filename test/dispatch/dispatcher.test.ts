import test from 'ava';
import type { ShardReport } from '../../src/contract/shard-messages.ts';
import { shardGivenUpMs, shardPingMs } from '../../src/core/limits.ts';
import type { Sequence } from '../../src/core/sequence.ts';
import { large, openRoom, viewAt } from '../support/dispatch-room.ts';
import { describedJournal } from '../support/fake-bus.ts';
import { settled, until } from '../support/fake-clock.ts';
import { changeRecord, eventRecord, testId } from '../support/record-batch.ts';
import { executionOf } from '../support/shard-harness.ts';

const a = executionOf(1);
const b = executionOf(2);

test('a record goes into window and registry, and wakes just the shards that watch its execution', async (t) => {
  const room = openRoom(t);
  const [left, right] = room.threads;
  room.batch(changeRecord(1, { executionId: a, tags: ['tag'] }), changeRecord(2, { executionId: b }));
  left.join(1, 'tag');
  right.join(1, b);
  await until(() => left.of('joined').length === 1 && right.of('joined').length === 1);
  t.like(left.of('joined')[0], {
    at: { sequence: 2 },
    start: { sequence: 2 },
    values: [{ value: 'tag', known: true }],
  });
  await settled();
  const before = [left.tasks.length, right.tasks.length] as const;
  room.batch(eventRecord(3, { executionId: executionOf(9) }));
  await settled();
  t.deepEqual([left.tasks.length, right.tasks.length], before, 'nobody watches it');
  room.batch(
    eventRecord(4, { executionId: executionOf(9) }),
    eventRecord(5, { executionId: a }),
    eventRecord(6, { executionId: a }),
  );
  await settled();
  t.like(left.tasks.at(-1)?.drain, { from: { sequence: 4 }, to: { sequence: 6, id: testId(6) } });
  t.is(right.tasks.length, before[1]);
  // A tag of the same batch counts from its own record on, which wakes as well: the shard must see it.
  room.batch(changeRecord(7, { executionId: b, tags: ['tag'] }), eventRecord(8, { executionId: b }));
  await settled();
  t.like(left.tasks.at(-1)?.drain, { from: { sequence: 6 }, to: { sequence: 8 } });
  t.is(room.registry.get(b)?.events, 1);
  t.is(room.dispatcher.position().id, testId(8));
});

test('a released value wakes nobody any more', async (t) => {
  const room = openRoom(t);
  const [left] = room.threads;
  room.batch(changeRecord(1, { executionId: a }));
  left.join(1, a);
  await until(() => left.of('joined').length === 1);
  left.report({ kind: 'leave', session: 1, release: [a] });
  await until(() => room.dispatcher.streams === 0);
  await settled();
  const before = left.tasks.length;
  room.batch(eventRecord(2, { executionId: a }));
  await settled();
  t.is(left.tasks.length, before);
});

test('the bus is held back while a shard is more than half a window behind, and released when it has read', async (t) => {
  const room = openRoom(t);
  const [left, right] = room.threads;
  room.batch(changeRecord(1, { executionId: a }));
  left.join(1, a);
  await until(() => left.of('joined').length === 1);
  await settled();
  left.stuck = true;
  let sequence = 1;
  const append = (): void => {
    sequence += 1;
    room.batch(large(sequence, a));
  };
  for (let count = 0; count < 8; count += 1) append();
  t.deepEqual(room.flow, [], 'a third of the window');
  for (let count = 0; count < 8; count += 1) append();
  t.deepEqual(room.flow, ['hold'], 'once');
  t.is(right.stuck, false);
  room.clock.advance(1_000);
  left.release();
  await settled();
  t.deepEqual(room.flow, ['hold', 'release']);
  t.deepEqual(room.heldBackMs, [1_000]);
  t.deepEqual(room.faults, []);
});

// A shard that is stuck for good must not stop the others.
test('the bus is held back for 5 s at most, and not again until the shard has caught up', async (t) => {
  const room = openRoom(t);
  const [left] = room.threads;
  room.batch(changeRecord(1, { executionId: a }));
  left.join(1, a);
  await until(() => left.of('joined').length === 1);
  await settled();
  left.stuck = true;
  for (let sequence = 2; sequence < 20; sequence += 1) room.batch(large(sequence, a));
  t.deepEqual(room.flow, ['hold']);
  room.clock.advance(4_800);
  t.deepEqual(room.flow, ['hold']);
  room.clock.advance(400);
  t.is(room.flow.at(-1), 'release');
  for (let sequence = 20; sequence < 30; sequence += 1) room.batch(large(sequence, a));
  room.clock.advance(5_000);
  t.deepEqual(
    room.flow.filter((call) => call === 'hold'),
    ['hold'],
  );
  t.like(room.dispatcher.health(), {
    healthy: false,
    report: { shards: [{ responsive: false }, { responsive: true }] },
  });
  left.release();
  await settled();
  left.stuck = true;
  for (let sequence = 30; sequence < 50; sequence += 1) room.batch(large(sequence, a));
  t.deepEqual(
    room.flow.filter((call) => call === 'hold'),
    ['hold', 'hold'],
  );
});

test('a shard that was lapped gets its values anew, as of the head, and no drain from before', async (t) => {
  const room = openRoom(t);
  const [left] = room.threads;
  room.batch(changeRecord(1, { executionId: a, tags: ['tag'] }), changeRecord(2, { executionId: b }));
  left.join(1, 'tag', b);
  await until(() => left.of('joined').length === 1);
  await settled();
  left.stuck = true;
  room.batch(eventRecord(3, { executionId: a }));
  room.batch(changeRecord(4, { executionId: a, status: 3, statusChanged: true }));
  left.report({ kind: 'lapped' });
  await settled();
  left.release();
  await until(() => left.of('resync').length === 2);
  const task = left.tasks.find(({ messages }) =>
    messages.some((message) => message.kind === 'resync' && message.at.sequence === 4),
  );
  t.is(task?.drain, null);
  t.like(left.of('resync').at(-1), { at: { sequence: 4, id: testId(4) }, gap: null });
  t.deepEqual(left.of('resync').at(-1)?.values, [
    { value: 'tag', known: true, executions: [{ executionId: a, status: 'completed', since: 1 as Sequence }] },
    { value: b, known: true, executions: [{ executionId: b, status: 'running', since: 0 as Sequence }] },
  ]);
});

test('another journal: registry, window and interest begin anew, and every shard is told the gap', async (t) => {
  const room = openRoom(t);
  const [left, right] = room.threads;
  room.batch(changeRecord(1, { executionId: a }));
  left.join(1, a);
  await until(() => left.of('joined').length === 1);
  const gap = {
    reason: 'journal_replaced',
    oldestAvailable: testId(90),
    resumeAfter: { sequence: 100 as Sequence, id: testId(100) },
  } as const;
  room.dispatcher.view(viewAt(100, gap));
  await settled();
  t.like(left.of('resync').at(-1), { at: { sequence: 100 }, gap: { reason: 'journal_replaced' } });
  t.deepEqual(left.of('resync').at(-1)?.values, [{ value: a, known: false, executions: [] }]);
  t.like(right.of('resync').at(-1), { values: [], gap: { reason: 'journal_replaced' } });
  room.batch(eventRecord(101, { executionId: a }));
  await settled();
  t.like(left.tasks.at(-1)?.drain, { from: { sequence: 100 }, to: { sequence: 101 } }, 'still of interest');
});

test('executions that the bus has forgotten are forgotten here, those that are newer than its list are not', (t) => {
  const room = openRoom(t);
  room.batch(
    changeRecord(1, { executionId: a }),
    changeRecord(2, { executionId: b }),
    changeRecord(3, { executionId: executionOf(3) }),
  );
  room.dispatcher.present(new Set([b]), 2 as Sequence);
  t.deepEqual(
    [...room.registry.values()].map(({ executionId }) => executionId),
    [b, executionOf(3)],
  );
  room.dispatcher.forgotten([b]);
  t.is(room.registry.size, 1);
});

test('above the limit of connections and after shutdown a join is refused, and a place given back is free', async (t) => {
  const room = openRoom(t, 1);
  const [left, right] = room.threads;
  room.batch(changeRecord(1, { executionId: a }));
  left.join(1, a);
  await until(() => left.of('joined').length === 1);
  right.join(1, a);
  await until(() => right.of('refused').length === 1);
  t.deepEqual(right.of('refused')[0]?.refusal, { kind: 'connections-exhausted', scope: 'server', max: 1 });
  right.report({ kind: 'leave', session: 1, release: [a] });
  left.report({ kind: 'leave', session: 1, release: [a] });
  await until(() => room.dispatcher.streams === 0);
  right.join(2, a);
  await until(() => right.of('joined').length === 1);
  const drained = room.dispatcher.drainStreams();
  await until(() => left.of('shutdown').length + right.of('shutdown').length === 2);
  left.join(3, a);
  await until(() => left.of('refused').length === 1);
  t.deepEqual(left.of('refused')[0]?.refusal, { kind: 'shutting-down' });
  t.like(room.dispatcher.readiness(), { ready: false, report: { status: 'draining' } });
  for (const thread of room.threads) thread.report({ kind: 'drained', streams: 0 });
  await t.notThrowsAsync(drained);
});

test('readiness follows the fill, the connection and the lag', (t) => {
  const room = openRoom(t);
  t.like(room.dispatcher.readiness(), { ready: true, report: { status: 'ready', lag: 0 } });
  room.dispatcher.described(describedJournal(7));
  t.is(room.dispatcher.readiness().report.lag, 7);
  room.dispatcher.connected(false);
  t.like(room.dispatcher.readiness(), { ready: false, report: { status: 'bus-away', upstream: 'connecting' } });
});

test('a call is answered to the shard that made it, by its number', async (t) => {
  const room = openRoom(t);
  const [left, right] = room.threads;
  left.report({ kind: 'call', call: 7, request: { kind: 'health' } });
  right.report({ kind: 'call', call: 9, request: { kind: 'get-execution', executionId: a } });
  await until(() => room.bus.descriptions.open.length === 1 && left.of('answer').length === 1);
  t.like(left.of('answer')[0], { call: 7, answer: { kind: 'health', healthy: true } });
  room.bus.descriptions.next().fail('unavailable');
  await until(() => right.of('answer').length === 1);
  t.like(right.of('answer')[0], { call: 9, answer: { kind: 'failed', code: 'unavailable' } });
});

// The end of its streams is waited for: were a shard that is gone waited for too, a stop would take its ten seconds and end in a kill.
test('a stop does not wait for a shard that is gone, nor for one that was given up', async (t) => {
  const room = openRoom(t);
  const [left, right] = room.threads;
  left.gone = true;
  right.stuck = true;
  await room.clock.pass(shardGivenUpMs + 4 * shardPingMs);
  t.deepEqual(room.faults, ['shard 0 was lost', 'shard 1 is silent', 'shard 1 was given up']);
  t.deepEqual(
    room.dispatcher.health().report.shards.map(({ responsive }) => responsive),
    [false, false],
  );
  await room.dispatcher.drainStreams();
  t.deepEqual(right.of('shutdown'), []);
});

test('a shard that is given up while its streams are being ended is not waited for any longer', async (t) => {
  const room = openRoom(t);
  const [left, right] = room.threads;
  await settled();
  left.stuck = true;
  const drained = room.dispatcher.drainStreams();
  right.report({ kind: 'drained', streams: 0 });
  await room.clock.pass(shardGivenUpMs + 4 * shardPingMs);
  await drained;
  t.deepEqual(room.faults, ['shard 0 is silent', 'shard 0 was given up']);
});

// Its client would wait for ever: nobody else knows that it asked.
test('a report that throws is counted by its kind, and whoever waits for an answer to it gets one', async (t) => {
  const room = openRoom(t);
  const [left] = room.threads;
  left.report({ kind: 'join', session: 7, values: [a], cursor: null, address: '::1' } as unknown as ShardReport);
  left.report({ kind: 'call', call: 8, request: null } as unknown as ShardReport);
  await until(() => left.of('refused').length === 1 && left.of('answer').length === 1);
  t.deepEqual(room.faults, ['join', 'call']);
  t.like(left.of('refused')[0], { session: 7, refusal: { kind: 'unavailable' } });
  t.like(left.of('answer')[0], { call: 8, answer: { kind: 'failed', code: 'internal' } });
});
