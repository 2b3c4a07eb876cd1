import test from 'ava';
import type { Sequence } from '../../src/core/sequence.ts';
import { Desk, shard } from '../support/desk.ts';
import { describedJournal } from '../support/fake-bus.ts';
import { settled } from '../support/fake-clock.ts';
import { testId } from '../support/record-batch.ts';
import { executionOf } from '../support/shard-harness.ts';

const a = executionOf(1);
const b = executionOf(2);

test('a known execution is answered at once: interest, members and status as of the head, in one step', async (t) => {
  const desk = new Desk();
  desk.record(a, 'running', ['tag']);
  desk.record(b, 'completed', ['tag']);
  await desk.join([a, 'tag']);
  t.deepEqual(desk.interest, [a, 'tag']);
  t.deepEqual(desk.mail.joined, [
    {
      session: 1,
      values: [
        { value: a, known: true, executions: [{ executionId: a, status: 'running', since: 0 as Sequence }] },
        {
          value: 'tag',
          known: true,
          executions: [
            { executionId: a, status: 'running', since: 1 as Sequence },
            { executionId: b, status: 'completed', since: 2 as Sequence },
          ],
        },
      ],
      start: { sequence: 2 as Sequence, id: testId(2) },
      gap: null,
      fromEarliest: false,
      mayBeComplete: false,
      mayBeCompletePlain: false,
    },
  ]);
  t.is(desk.bus.descriptions.count, 0, 'the bus is asked on a miss only');
  t.is(desk.leftovers, 0);
});

// A storm of joins would otherwise leave a timer, an abort and four promises behind for each.
test('what needs nothing of the bus is answered within the call, and not in a later turn', (t) => {
  const desk = new Desk();
  desk.record(a, 'running');
  void desk.join([a]);
  t.is(desk.mail.joined.length, 1);
  t.is(desk.leftovers, 0);
});

test('before the first fill a join is held, answered with the fill, and refused after 10 s', async (t) => {
  const desk = new Desk(false);
  await desk.join([a]);
  await desk.clock.pass(9_900);
  t.deepEqual(desk.mail.posts, []);
  desk.record(a);
  desk.filled.set(true);
  await settled();
  t.is(desk.mail.joined.length, 1);
  const late = new Desk(false);
  await late.join([a]);
  await late.clock.pass(10_100);
  t.deepEqual(late.mail.refusals, ['unavailable']);
  t.deepEqual(late.mail.kinds(), ['refused'], 'never opened: it was not here before');
  t.is(late.leftovers, 0);
});

// 503 closes a browser's EventSource for good; who was here before is kept.
test('before the first fill a client with a cursor is opened after 2 s and waits as long as it takes', async (t) => {
  const desk = new Desk(false);
  await desk.join([a], desk.after(1));
  await desk.clock.pass(1_900);
  t.deepEqual(desk.mail.kinds(), []);
  await desk.clock.pass(60_000);
  t.deepEqual(desk.mail.kinds(), ['wait']);
  desk.record(a);
  desk.filled.set(true);
  await settled();
  t.like(desk.mail.joined[0], { start: { sequence: 1, id: testId(1) } });
  t.is(desk.leftovers, 0);
});

test('an unknown value is 404 only when the bus was asked after the request and this router has passed what it had', async (t) => {
  const desk = new Desk();
  desk.record(a);
  await desk.join([a, 'nightly', b]);
  t.is(desk.bus.descriptions.count, 1);
  desk.bus.descriptions.next().answer(describedJournal(3));
  await settled();
  t.deepEqual(desk.mail.posts, [], 'the router has 1, the bus 3');
  desk.record(a);
  await settled();
  t.deepEqual(desk.mail.posts, []);
  desk.record(a, 'running', ['other']);
  await settled();
  t.deepEqual(desk.mail.posts, [
    { kind: 'refused', session: 1, refusal: { kind: 'unknown-executions', values: ['nightly', b] } },
  ]);
  t.deepEqual(desk.interest, []);
  t.is(desk.leftovers, 0);
});

test('a value that comes while it is verified is answered like any other', async (t) => {
  const desk = new Desk();
  await desk.join([a]);
  desk.bus.descriptions.next().answer(describedJournal(1));
  await settled();
  desk.record(a);
  await settled();
  t.is(desk.mail.joined.length, 1);
  t.is(desk.leftovers, 0);
});

test('unknown and the bus away or behind: 503 without a cursor, an open stream with one', async (t) => {
  const away = new Desk();
  await away.join([a]);
  away.bus.descriptions.next().fail();
  await settled();
  t.deepEqual(away.mail.refusals, ['unavailable']);
  const behind = new Desk();
  await behind.join([a]);
  behind.bus.descriptions.next().answer(describedJournal(9));
  await behind.clock.pass(1_900);
  t.deepEqual(behind.mail.refusals, []);
  await behind.clock.pass(200);
  t.deepEqual(behind.mail.refusals, ['unavailable']);
  t.is(behind.leftovers, 0);

  const returning = new Desk();
  returning.connected.set(false);
  await returning.join([a], returning.after(5));
  returning.bus.descriptions.next().fail();
  await settled();
  t.deepEqual(returning.mail.kinds(), ['wait']);
  await returning.clock.pass(30_000);
  t.is(returning.bus.descriptions.count, 1, 'the bus is not asked while it is known to be away');
  returning.connected.set(true);
  await settled();
  // It proves unknown after all: the open stream ends.
  returning.bus.descriptions.next().answer(describedJournal(0));
  await settled();
  t.deepEqual(returning.mail.refusals, ['unknown-executions']);
  t.deepEqual(returning.mail.kinds(), ['wait', 'refused']);
  t.is(returning.leftovers, 0);
});

test('a client that went leaves no waiter, no timer, no interest and no answer, wherever its join stood', async (t) => {
  const stages: readonly ((desk: Desk) => Promise<void>)[] = [
    // held for the fill
    async (desk) => {
      desk.filled.set(false);
      await desk.join([a], desk.after(1));
    },
    // held for the fill, with its limit
    async (desk) => {
      desk.filled.set(false);
      await desk.join([a]);
    },
    // waits for the position of the verification
    async (desk) => {
      await desk.join([b], desk.after(1));
      desk.bus.descriptions.next().answer(describedJournal(50));
      await settled();
    },
    // waits for a reconnection
    async (desk) => {
      desk.connected.set(false);
      await desk.join([b], desk.after(1));
      desk.bus.descriptions.next().fail();
      await settled();
    },
    // waits for the position of its cursor
    async (desk) => {
      await desk.join([a], desk.after(50));
      desk.bus.descriptions.next().answer(describedJournal(50, { placement: ['placed', 50] }));
      await settled();
    },
    // waits for a placement
    async (desk) => {
      await desk.join([a], desk.after(50));
      queueMicrotask(() => {
        desk.bus.descriptions.next().answer(describedJournal(50, { placement: ['placed', 1] }));
      });
    },
  ];
  for (const [index, stand] of stages.entries()) {
    const desk = new Desk();
    desk.record(a);
    await stand(desk);
    const before = desk.mail.posts.length;
    desk.desk.cancel(shard, 1);
    await settled();
    t.is(desk.leftovers, 0, `stage ${index}`);
    desk.filled.set(true);
    desk.connected.set(true);
    desk.record(b);
    desk.waiters.advance(60 as Sequence);
    await desk.clock.pass(30_000);
    t.is(desk.mail.posts.length, before, `stage ${index}`);
    t.deepEqual(desk.mail.joined, []);
    t.deepEqual(desk.interest, []);
    t.is(desk.bus.descriptions.open.length, 0);
  }
});

test('a stream may be complete only with a position at or above the last terminal change of all it watches', async (t) => {
  const desk = new Desk();
  desk.record(a, 'completed', ['tag']);
  desk.record(b, 'failed', ['tag']);
  desk.record(executionOf(3));
  const expected = [
    { cursor: desk.after(2), mayBeComplete: true, mayBeCompletePlain: true },
    { cursor: desk.after(3), mayBeComplete: true, mayBeCompletePlain: true },
    { cursor: desk.after(1), mayBeComplete: false, mayBeCompletePlain: true },
    { cursor: { kind: 'live' }, mayBeComplete: false, mayBeCompletePlain: false },
  ] as const;
  for (const { cursor, ...flags } of expected) {
    await desk.join(['tag'], cursor);
    t.like(desk.mail.joined.at(-1), flags);
  }
  await desk.join(['tag', executionOf(3)], desk.after(3));
  t.like(desk.mail.joined.at(-1), { mayBeComplete: false, mayBeCompletePlain: false });
});

test('more executions than a stream may watch are refused, with their number', async (t) => {
  const most = new Desk();
  for (let number = 1; number <= 10_000; number += 1) most.record(executionOf(number), 'running', ['tag']);
  await most.join(['tag']);
  t.is(most.mail.joined.length, 1, '10,000 are watched');
  const desk = new Desk();
  for (let number = 0; number <= 10_000; number += 1) desk.record(executionOf(number), 'running', ['tag']);
  await desk.join(['tag']);
  t.deepEqual(desk.mail.posts, [
    { kind: 'refused', session: 1, refusal: { kind: 'too-many-executions', count: 10_001, max: 10_000 } },
  ]);
  t.deepEqual(desk.interest, []);
});
