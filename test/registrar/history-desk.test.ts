import test from 'ava';
import type { ShardReport } from '../../src/contract/shard-messages.ts';
import { damagedRetryMs, historyBlockBytes, historyReadsMax, historyRetryMs } from '../../src/core/limits.ts';
import type { Sequence } from '../../src/core/sequence.ts';
import { HistoryDesk } from '../../src/registrar/history-desk.ts';
import { Backoff } from '../../src/upstream/backoff.ts';
import { FakeBus } from '../support/fake-bus.ts';
import { FakeClock, settled } from '../support/fake-clock.ts';
import { FakeMail } from '../support/fake-mail.ts';
import { testId } from '../support/record-batch.ts';
import { executionOf } from '../support/shard-harness.ts';

const a = executionOf(1);

function read(ticket: number): Extract<ShardReport, { kind: 'read-history' }> {
  return {
    kind: 'read-history',
    ticket,
    executionIds: [a],
    after: 0 as Sequence,
    until: { sequence: 9 as Sequence, id: testId(9) },
    bytesMax: historyBlockBytes,
  };
}

function block(): {
  kind: 'block';
  bytes: ArrayBuffer;
  length: number;
  through: { sequence: Sequence; id: ReturnType<typeof testId> };
} {
  return { kind: 'block', bytes: new ArrayBuffer(8), length: 8, through: { sequence: 9 as Sequence, id: testId(9) } };
}

function historyDesk(): { clock: FakeClock; bus: FakeBus; mail: FakeMail; faults: unknown[]; desk: HistoryDesk } {
  const clock = new FakeClock();
  const bus = new FakeBus();
  const faults: unknown[] = [];
  const desk = new HistoryDesk({
    bus,
    clock,
    backoff: () => new Backoff(historyRetryMs, damagedRetryMs, () => 1),
    onFault: (fault) => {
      faults.push(fault);
    },
  });
  return { clock, bus, mail: new FakeMail(), faults, desk };
}

const ticketsOf = (mail: FakeMail): number[] =>
  mail.posts.flatMap((message) => (message.kind === 'history' ? [message.ticket] : []));

test('eight reads of history at a time, the others in the order in which they were asked for', async (t) => {
  const { bus, mail, desk } = historyDesk();
  for (let ticket = 1; ticket <= 12; ticket += 1) desk.ask(mail, read(ticket));
  t.is(bus.histories.open.length, historyReadsMax);
  t.is(desk.queued, 4);
  for (let done = 1; done <= 12; done += 1) {
    bus.histories.next().answer(block());
    await settled();
    t.is(bus.histories.count, Math.min(12, historyReadsMax + done));
  }
  t.deepEqual(ticketsOf(mail), [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
});

// A session whose block never comes would stand for ever: it has no timer of its own for it.
test('a read that the bus cannot answer is asked again, behind those that wait, until it can', async (t) => {
  const { clock, bus, mail, faults, desk } = historyDesk();
  desk.ask(mail, read(1));
  for (let attempt = 0; attempt < 3; attempt += 1) {
    bus.histories.next().fail('unavailable');
    await settled();
    t.is(bus.histories.open.length, 0, 'not at once');
    await clock.pass(historyRetryMs);
  }
  desk.ask(mail, read(2));
  bus.histories.next().answer(block());
  bus.histories
    .next()
    .answer({ kind: 'too-old', resumeAfter: { sequence: 3 as Sequence, id: testId(3) }, oldestAvailable: null });
  await settled();
  t.deepEqual(ticketsOf(mail), [1, 2]);
  t.deepEqual(faults, []);
  desk.ask(mail, read(3));
  bus.histories.next().fail();
  await settled();
  desk.close();
  await clock.pass(10_000);
  t.is(bus.histories.open.length, 0, 'closed, it asks no more');
});

// A client that comes and goes while the bus is away would leave a read behind each time, all of them asked again four times a second.
test('a read that nobody waits for is dropped in the queue, at the bus and between two tries', async (t) => {
  const { clock, bus, mail, desk } = historyDesk();
  for (let ticket = 1; ticket <= 10; ticket += 1) desk.ask(mail, read(ticket));
  t.deepEqual([desk.open, desk.queued], [10, 2]);
  desk.drop(mail, 9);
  desk.drop(mail, 99);
  t.deepEqual([desk.open, desk.queued], [9, 1]);
  desk.drop(mail, 1);
  bus.histories.next().answer(block());
  bus.histories.next().fail('unavailable');
  await settled();
  desk.drop(mail, 2);
  await clock.pass(historyRetryMs * 2);
  t.is(bus.givenBack.length, 1, 'the memory of a block that nobody takes goes back');
  t.is(bus.histories.count, 9, 'ten came in the place of one; nine and two are not asked again');
  t.is(desk.open, 7);
  t.deepEqual(ticketsOf(mail), []);
});

// Four tries a second at a place that only an operator can repair would be 345,600 a day, and as many lines of log.
test('a read before a damaged place of the journal is said, and asked again in 5 s', async (t) => {
  const { clock, bus, mail, faults, desk } = historyDesk();
  desk.ask(mail, read(1));
  bus.histories.next().fail('damaged');
  await settled();
  t.is(faults.length, 1);
  await clock.pass(damagedRetryMs - 1);
  t.is(bus.histories.count, 1);
  await clock.pass(1);
  bus.histories.next().answer(block());
  await settled();
  t.deepEqual(ticketsOf(mail), [1]);
});

// It would fail the same way each time: four tries a second of every such reader, for as long as it stays, and as many lines of log.
test('a read that fails by a defect is told each time, and asked again ever more rarely', async (t) => {
  const { clock, bus, mail, faults, desk } = historyDesk();
  desk.ask(mail, read(1));
  for (const [tries, waitMs] of [250, 500, 1_000, 2_000, 4_000, 5_000, 5_000].entries()) {
    bus.histories.next().fail('internal');
    await settled();
    t.is(faults.length, tries + 1);
    await clock.pass(waitMs - 1);
    t.is(bus.histories.count, tries + 1);
    await clock.pass(1);
    t.is(bus.histories.count, tries + 2);
  }
  desk.ask(mail, read(2));
  bus.histories.next().answer(block());
  bus.histories.next().fail('internal');
  await settled();
  await clock.pass(250);
  t.is(bus.histories.open.length, 1, 'another read begins with a short wait');
  t.deepEqual(ticketsOf(mail), [1]);
});

// The eight places are for those that somebody waits for.
test('a read at the bus that is dropped, or open when the router stops, is told to the bus', async (t) => {
  const { bus, mail, desk } = historyDesk();
  for (const ticket of [1, 2]) desk.ask(mail, read(ticket));
  const aborted = (): boolean[] => bus.unwanted.map((signal) => signal.aborted);
  t.deepEqual(aborted(), [false, false]);
  desk.drop(mail, 1);
  t.deepEqual(aborted(), [true, false]);
  bus.histories.next().fail('internal');
  await settled();
  desk.close();
  t.deepEqual(aborted(), [true, true]);
});
