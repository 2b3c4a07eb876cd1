import test from 'ava';
import type { ShardReport } from '../../src/contract/shard-messages.ts';
import type { CursorRequest } from '../../src/contract/stream.ts';
import type { JournalDescription } from '../../src/contract/upstream.ts';
import type { ExecutionStatus } from '../../src/core/execution.ts';
import type { Sequence, ShardIndex } from '../../src/core/sequence.ts';
import { ExecutionRegistry } from '../../src/executions/registry.ts';
import { Gate } from '../../src/registrar/gate.ts';
import { JoinDesk } from '../../src/registrar/join-desk.ts';
import { PositionWaiters } from '../../src/registrar/position-waiters.ts';
import { describedJournal, FakeBus } from '../support/fake-bus.ts';
import { FakeClock, settled } from '../support/fake-clock.ts';
import { FakeMail } from '../support/fake-mail.ts';
import { testId } from '../support/record-batch.ts';
import { executionOf } from '../support/shard-harness.ts';

const a = executionOf(1);
const b = executionOf(2);
const shard = 0 as ShardIndex;

/** The desk with everything around it in the test's hand. */
class Desk {
  readonly clock = new FakeClock();
  readonly bus = new FakeBus();
  readonly registry = new ExecutionRegistry();
  readonly waiters = new PositionWaiters(this.clock, 0 as Sequence);
  readonly filled: Gate;
  readonly connected = new Gate(true);
  readonly mail = new FakeMail();
  readonly interest: string[] = [];
  readonly faults: unknown[] = [];
  readonly desk: JoinDesk;
  journal: JournalDescription | null = null;
  head = 0;
  /** The window reaches back to behind this sequence. */
  low = 0;

  constructor(filled = true) {
    this.filled = new Gate(filled);
    this.desk = new JoinDesk({
      registry: this.registry,
      interest: {
        add: (_shard, value) => {
          this.interest.push(value);
        },
      },
      window: {
        head: () => ({ sequence: this.head as Sequence, offset: this.head * 100 }),
        lowSequence: () => this.low as Sequence,
        idAt: (sequence) => (sequence > this.low && sequence <= this.head ? testId(sequence) : null),
        keptBytes: 0,
        capacityBytes: 1,
      },
      bus: this.bus,
      clock: this.clock,
      waiters: this.waiters,
      filled: this.filled,
      connected: this.connected,
      journal: () => this.journal,
      headId: () => testId(this.head),
      onFault: (fault) => {
        this.faults.push(fault);
      },
    });
  }

  /** The router moves on by one record, which names the execution. */
  record(executionId: string, status: ExecutionStatus = 'running', tags: readonly string[] = []): void {
    this.head += 1;
    const place = { sequence: this.head, id: testId(this.head), timeMs: 0 };
    this.registry.applyChange(executionId, place, { status, statusChanged: true, tags, reason: '' });
    this.waiters.advance(this.head as Sequence);
  }

  async join(values: readonly string[], cursor: CursorRequest = { kind: 'live' }, session = 1): Promise<void> {
    const report: Extract<ShardReport, { kind: 'join' }> = { kind: 'join', session, values, cursor, address: '::1' };
    this.desk.join(shard, this.mail, report);
    await settled();
  }

  after(sequence: number): CursorRequest {
    return { kind: 'after', id: testId(sequence) };
  }

  /** Nobody waits for anything any more. */
  get leftovers(): number {
    return this.desk.pending + this.clock.pending;
  }
}

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
  const desk = new Desk();
  for (let number = 0; number <= 10_000; number += 1) desk.record(executionOf(number), 'running', ['tag']);
  await desk.join(['tag']);
  t.deepEqual(desk.mail.posts, [
    { kind: 'refused', session: 1, refusal: { kind: 'too-many-executions', count: 10_001, max: 10_000 } },
  ]);
  t.deepEqual(desk.interest, []);
});
