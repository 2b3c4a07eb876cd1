import test from 'ava';
import type { Sequence } from '../../src/core/sequence.ts';
import { Desk } from '../support/desk.ts';
import { describedJournal } from '../support/fake-bus.ts';
import { settled } from '../support/fake-clock.ts';
import { testId } from '../support/record-batch.ts';
import { executionOf } from '../support/shard-harness.ts';

const a = executionOf(1);

test('a cursor in the window starts there; one that the window does not have is placed by the bus', async (t) => {
  const desk = new Desk();
  desk.record(a);
  desk.record(a);
  desk.low = 1;
  await desk.join([a], desk.after(2));
  t.is(desk.bus.descriptions.count, 0);
  t.like(desk.mail.joined[0], { start: { sequence: 2, id: testId(2) }, gap: null });
  await desk.join([a], desk.after(1));
  const call = desk.bus.descriptions.next();
  t.is(call.request, testId(1));
  call.answer(describedJournal(2, { placement: ['placed', 1] }));
  await settled();
  t.like(desk.mail.joined[1], { start: { sequence: 1 }, gap: null });
});

test("the bus's verdicts become gaps, with the position from which the stream goes on", async (t) => {
  const verdicts = [
    ['expired', 3, 'expired', 3],
    ['unknown-position', 5, 'unknown_position', 5],
    ['malformed', 0, 'malformed', 5],
  ] as const;
  for (const [verdict, at, reason, start] of verdicts) {
    const desk = new Desk();
    for (let record = 0; record < 5; record += 1) desk.record(a);
    desk.low = 5;
    await desk.join([a], desk.after(1));
    desk.bus.descriptions.next().answer(describedJournal(5, { oldest: 4, placement: [verdict, at] }));
    await settled();
    t.like(desk.mail.joined[0], {
      start: { sequence: start, id: testId(start) },
      gap: { reason, requested: testId(1), oldestAvailable: testId(4) },
      mayBeComplete: false,
    });
  }
  const malformed = new Desk();
  malformed.record(a);
  malformed.journal = describedJournal(1);
  await malformed.join([a], { kind: 'malformed', text: 'x'.repeat(500) });
  // The oldest that there is now, not the oldest of the description before.
  malformed.bus.descriptions.next().answer(describedJournal(1, { oldest: 1 }));
  await settled();
  t.like(malformed.mail.joined[0], {
    start: { sequence: 1 },
    gap: { reason: 'malformed', requested: 'x'.repeat(128), oldestAvailable: testId(1) },
  });
});

test('earliest starts before the oldest record that is kept, and is never a gap', async (t) => {
  for (const [oldest, newest, start] of [
    [1, 3, 0],
    [3, 3, 2],
    [0, 3, 3],
  ] as const) {
    const desk = new Desk();
    for (let record = 0; record < 3; record += 1) desk.record(a);
    await desk.join([a], { kind: 'earliest' });
    desk.bus.descriptions.next().answer(describedJournal(newest, { oldest }));
    await settled();
    t.like(desk.mail.joined[0], { start: { sequence: start }, gap: null, fromEarliest: true });
  }
});

// It got its id from another router, which is ahead. To start at this router's head would repeat events, a gap would be a lie.
test('a cursor that the bus has and this router has not is waited for', async (t) => {
  const desk = new Desk();
  desk.record(a);
  await desk.join([a], desk.after(3));
  desk.bus.descriptions.next().answer(describedJournal(3, { placement: ['placed', 3] }));
  await desk.clock.pass(2_100);
  t.deepEqual(desk.mail.kinds(), ['wait'], 'open meanwhile');
  desk.record(a);
  await settled();
  t.deepEqual(desk.mail.joined, []);
  desk.record(a);
  await settled();
  t.like(desk.mail.joined[0], { start: { sequence: 3, id: testId(3) }, gap: null });
  t.is(desk.leftovers, 0);
});

test('a placement that needs an absent bus opens the stream and is asked again when the bus is back', async (t) => {
  const desk = new Desk();
  desk.record(a);
  desk.low = 1;
  desk.connected.set(false);
  await desk.join([a], { kind: 'earliest' });
  desk.bus.descriptions.next().fail();
  await settled();
  t.deepEqual(desk.mail.kinds(), ['wait'], 'a known execution always gets 200');
  desk.connected.set(true);
  await settled();
  desk.bus.descriptions.next().fail('deadline');
  await settled();
  t.is(desk.bus.descriptions.open.length, 0, 'connected and yet it failed: not at once again');
  await desk.clock.pass(2_100);
  desk.bus.descriptions.next().answer(describedJournal(1));
  await settled();
  t.is(desk.mail.joined.length, 1);
  t.is(desk.leftovers, 0);
});

// Its verdict is of the journal that is gone: sequence 3 of the new one is another record, and the client would not be told.
test('a cursor that was placed in a journal that is replaced meanwhile is placed anew', async (t) => {
  const desk = new Desk();
  desk.record(a);
  await desk.join([a], desk.after(3));
  desk.bus.descriptions.next().answer(describedJournal(3, { placement: ['placed', 3] }));
  await settled();
  desk.head = 7;
  desk.low = 7;
  desk.waiters.restart(7 as Sequence);
  await settled();
  t.deepEqual(desk.mail.joined, []);
  desk.bus.descriptions.next().answer(describedJournal(7, { placement: ['unknown-position', 7] }));
  await settled();
  t.like(desk.mail.joined[0], { start: { sequence: 7 }, gap: { reason: 'unknown_position' } });
  t.is(desk.leftovers, 0);
});
