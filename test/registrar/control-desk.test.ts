import test from 'ava';
import type { ControlAnswer } from '../../src/contract/control.ts';
import type { StorageEventInput } from '../../src/core/event.ts';
import { writeBytesInFlightMax, writesInFlightMax } from '../../src/core/limits.ts';
import type { Sequence } from '../../src/core/sequence.ts';
import { ExecutionRegistry } from '../../src/executions/registry.ts';
import { ControlDesk } from '../../src/registrar/control-desk.ts';
import { PositionWaiters } from '../../src/registrar/position-waiters.ts';
import { describedJournal, FakeBus } from '../support/fake-bus.ts';
import { FakeClock, settled } from '../support/fake-clock.ts';
import { testId } from '../support/record-batch.ts';
import { executionOf } from '../support/shard-harness.ts';

const a = executionOf(1);

interface Control {
  readonly clock: FakeClock;
  readonly bus: FakeBus;
  readonly registry: ExecutionRegistry;
  readonly waiters: PositionWaiters;
  readonly published: number[];
  readonly desk: ControlDesk;
}

function controlDesk(publishRate = 0): Control {
  const clock = new FakeClock();
  const bus = new FakeBus();
  const registry = new ExecutionRegistry();
  const waiters = new PositionWaiters(clock, 0 as Sequence);
  const published: number[] = [];
  const desk = new ControlDesk({
    registry,
    bus,
    clock,
    waiters,
    headId: () => testId(7),
    health: () => ({ kind: 'health', healthy: true, report: { status: 'ok', shards: [] } }),
    readiness: () => ({
      kind: 'readiness',
      ready: true,
      report: { status: 'ready', upstream: 'connected', last_event_id: null, lag: 0 },
    }),
    publishRate,
    onPublished: (_seconds, entries) => {
      published.push(entries);
    },
  });
  return { clock, bus, registry, waiters, published, desk };
}

const publish = (bytes: number): { kind: 'publish'; events: []; bytes: number } => ({
  kind: 'publish',
  events: [],
  bytes,
});

test('a router that stops begins no write, and waits for the answers to those in flight', async (t) => {
  const { bus, desk } = controlDesk();
  const before = desk.call(publish(1));
  const call = bus.publishes.next();
  let drained = false;
  const draining = desk.drain().then(() => {
    drained = true;
  });
  const refused = await desk.call(publish(1));
  t.like(refused, { kind: 'failed', code: 'unavailable', detail: 'This router is shutting down' });
  await settled();
  t.false(drained, 'one is in flight');
  call.answer({ ids: [testId(1)], lastSequence: 0 as Sequence });
  t.is((await before).kind, 'published');
  await draining;
});

test('a write is answered when this router has passed it, and after 2 s all the same', async (t) => {
  const { clock, bus, waiters, desk } = controlDesk();
  const answers: ControlAnswer[] = [];
  for (const ids of [[testId(1)], [testId(2)]]) {
    void desk.call(publish(10)).then((answer) => answers.push(answer));
    bus.publishes.next().answer({ ids, lastSequence: 5 as Sequence });
    await settled();
  }
  t.deepEqual(answers, []);
  await clock.pass(1_900);
  waiters.advance(4 as Sequence);
  await settled();
  t.deepEqual(answers, []);
  waiters.advance(5 as Sequence);
  await settled();
  t.deepEqual(
    answers.map((answer) => answer.kind === 'published' && answer.visible),
    [true, true],
  );
  void desk.call(publish(10)).then((answer) => answers.push(answer));
  bus.publishes.next().answer({ ids: [testId(3)], lastSequence: 6 as Sequence });
  await clock.pass(2_100);
  t.deepEqual(answers[2], { kind: 'published', ids: [testId(3)], visible: false });
  t.is(clock.pending, 0);
});

// A 503 for what is durable makes its caller do it again, and the state before the change is not what the bus has.
test('a change that is not visible after 2 s is answered all the same, as the bus has it, with its own position', async (t) => {
  const { clock, bus, registry, desk } = controlDesk();
  const change = (status: 'completed' | null, tags: string[]): Promise<ControlAnswer> => {
    const answer = desk.call({ kind: 'change-execution', executionId: a, status, tags, reason: status && 'fine' });
    bus.publishes.next().answer({ ids: [testId(9)], lastSequence: 9 as Sequence });
    return answer;
  };
  const created = change(null, ['x']);
  await clock.pass(2_100);
  const position = { execution_id: a, last_event_id: testId(9) };
  t.like(await created, {
    kind: 'execution',
    visible: false,
    execution: { ...position, status: 'running', tags: ['x'] },
  });
  const at = { sequence: 1, id: testId(1), timeMs: 0 };
  registry.applyChange(a, at, { status: 'running', statusChanged: true, tags: ['x'], reason: '' });
  registry.applyEvent(a, { ...at, sequence: 2 }, 10, '');
  const ended = change('completed', ['y', 'x']);
  await clock.pass(2_100);
  t.like(await ended, {
    visible: false,
    execution: {
      ...position,
      status: 'completed',
      tags: ['x', 'y'],
      reason: 'fine',
      events: 1,
      created_at: '1970-01-01T00:00:00.000Z',
    },
  });
  t.like(registry.get(a), { status: 'running', lastChangeSequence: 1 }, 'the registry waits for the record');
  t.is(registry.get(a)?.tags.length, 1);
});

test('writes in flight are bounded by number and by bytes, and a failed one gives its place back', async (t) => {
  const { bus, desk } = controlDesk();
  const first = Array.from({ length: writesInFlightMax }, () => desk.call(publish(1)));
  t.is((await desk.call(publish(1))).kind, 'overloaded');
  bus.publishes.next().fail('exhausted');
  t.like(await first[0], { kind: 'failed', code: 'exhausted' });
  void desk.call(publish(1));
  t.is(bus.publishes.count, writesInFlightMax + 1);

  const bytes = controlDesk();
  const large = bytes.desk.call(publish(writeBytesInFlightMax));
  t.is((await bytes.desk.call(publish(1))).kind, 'overloaded');
  bytes.bus.publishes.next().fail('invalid');
  t.like(await large, { kind: 'failed', code: 'invalid' });
  void bytes.desk.call(publish(writeBytesInFlightMax));
  t.is(bytes.bus.publishes.count, 2);
});

// The position of another journal was passed long ago: `visible` would send the publisher to read what is not there.
test('a write that another journal than that of the view acknowledged is pending, whatever was passed', async (t) => {
  const { clock, bus, waiters, desk } = controlDesk();
  waiters.advance(50 as Sequence);
  const ofAnother = (sequence: number): Parameters<ReturnType<typeof bus.publishes.next>['answer']>[0] => ({
    ids: [testId(sequence)],
    lastSequence: sequence as Sequence,
    isOfView: () => Promise.resolve(false),
  });
  const first = desk.call(publish(10));
  bus.publishes.next().answer(ofAnother(5));
  t.like(await first, { kind: 'published', visible: false });
  const change = desk.call({ kind: 'change-execution', executionId: a, status: 'running', tags: [], reason: null });
  bus.publishes.next().answer(ofAnother(6));
  t.like(await change, { kind: 'execution', visible: false, execution: { last_event_id: testId(6) } });
  // Acknowledged by the journal of the view, which is replaced before the write has come.
  let isOfView = true;
  const replaced = desk.call(publish(10));
  bus.publishes.next().answer({ ...ofAnother(60), isOfView: () => Promise.resolve(isOfView) });
  await clock.pass(100);
  isOfView = false;
  waiters.restart(70 as Sequence);
  t.like(await replaced, { kind: 'published', visible: false });
});

const events = (count: number): { kind: 'publish'; events: StorageEventInput[]; bytes: number } => ({
  kind: 'publish',
  events: Array.from({ length: count }, () => ({ execution_id: a, stage: 's', path: 'p' })),
  bytes: 1,
});

// Without a time to come back at, a client would try at once, and again.
test('the publish rate: a burst of a batch or of a second, then 1 ms or the whole batch too early is refused', async (t) => {
  const { clock, bus, desk } = controlDesk(2_000);
  for (let n = 0; n < 2; n += 1) void desk.call(events(1_000));
  t.is(bus.publishes.count, 2);
  t.like(await desk.call(events(1)), { kind: 'failed', code: 'throttled', retryAfterMs: 1 });
  t.like(await desk.call(events(1_000)), { kind: 'failed', code: 'throttled', retryAfterMs: 500 });
  await clock.pass(499);
  t.like(await desk.call(events(1_000)), { kind: 'failed', code: 'throttled', retryAfterMs: 1 });
  t.is(bus.publishes.count, 2);
  await clock.pass(1);
  void desk.call(events(1_000));
  t.is(bus.publishes.count, 3, 'what was refused took nothing');
  const slow = controlDesk(1);
  void slow.desk.call(events(1_000));
  t.is(slow.bus.publishes.count, 1, 'a full batch is let in at any rate');
  const change = { kind: 'change-execution', executionId: a, status: null, tags: ['x'], reason: null } as const;
  t.like(await slow.desk.call(change), { kind: 'failed', code: 'throttled', retryAfterMs: 1_000 });
  const free = controlDesk();
  for (let n = 0; n < 100; n += 1) void free.desk.call(events(1_000));
  t.is(free.bus.publishes.count, 100);
});

test('an execution that is unknown here is looked for at the bus before it is not found', async (t) => {
  const { bus, registry, waiters, desk } = controlDesk();
  const found = desk.call({ kind: 'get-execution', executionId: a });
  bus.descriptions.next().answer(describedJournal(1));
  await settled();
  registry.applyEvent(a, { sequence: 1, id: testId(1), timeMs: 0 }, 10, '');
  waiters.advance(1 as Sequence);
  t.like(await found, { kind: 'execution', execution: { execution_id: a, last_event_id: testId(7) } });
  const missing = desk.call({ kind: 'get-execution', executionId: executionOf(2) });
  bus.descriptions.next().answer(describedJournal(1));
  t.deepEqual(await missing, { kind: 'not-found' });
  const away = desk.call({ kind: 'get-execution', executionId: executionOf(2) });
  bus.descriptions.next().fail('unavailable');
  t.like(await away, { kind: 'failed', code: 'unavailable' }, 'not known to be absent');
});

// `not found` would be a lie about an execution whose record this router has not read yet.
test('an execution is not said to be absent while this router is behind the bus', async (t) => {
  const { clock, bus, desk } = controlDesk();
  const call = desk.call({ kind: 'get-execution', executionId: a });
  bus.descriptions.next().answer(describedJournal(9));
  await clock.pass(2_100);
  t.like(await call, { kind: 'failed', code: 'unavailable' });
});

// Without this a mangled cursor is an empty page without a next one: whoever pages believes that there are no more.
test('a page cursor that none of our pages gave is refused', async (t) => {
  const { registry, desk } = controlDesk();
  registry.applyEvent(a, { sequence: 1, id: testId(1), timeMs: 0 }, 10, '');
  const list = (cursor: string | null): Promise<ControlAnswer> =>
    desk.call({ kind: 'list-executions', tag: null, status: null, limit: 1, cursor });
  t.like(await list(null), { kind: 'executions', executions: [{ execution_id: a }] });
  t.like(await list(a), { kind: 'executions', executions: [] });
  for (const cursor of ['zz', '0', a.slice(1)]) t.deepEqual(await list(cursor), { kind: 'bad-cursor' }, cursor);
});
