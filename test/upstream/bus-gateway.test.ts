import test from 'ava';
import { BusError } from '../../src/core/failure.ts';
import { describeShareMs, verifyWaitMs } from '../../src/core/limits.ts';
import { BusGateway } from '../../src/upstream/bus-gateway.ts';
import { JournalView } from '../../src/upstream/journal-view.ts';
import type { BusClient } from '../../src/wire/bus/bus-client.ts';
import type { DescribeResponseMessage } from '../../src/wire/bus/bus-messages.ts';
import { FakeClock, settled } from '../support/fake-clock.ts';
import { testId, testTag } from '../support/record-batch.ts';

interface Call {
  readonly cursor: string;
  readonly deadlineMs: number;
  readonly answer: (newest: number) => void;
  readonly fail: () => void;
}

function describedAt(newest: number): DescribeResponseMessage {
  return {
    journal_id: 'journal',
    journal_tag: testTag,
    created_time: '2026-01-01T00:00:00.000Z',
    origin_id: testId(0),
    oldest_sequence: 1,
    oldest_id: testId(1),
    newest_sequence: newest,
    newest_id: testId(newest),
    retained_bytes: 0,
    retention_max_age_ms: 0,
    retention_max_bytes: 0,
    damaged_sequence: 0,
  };
}

/** A gateway whose bus answers when the test says so. */
function gatewayOf(): { gateway: BusGateway; clock: FakeClock; calls: Call[] } {
  const calls: Call[] = [];
  const clock = new FakeClock();
  const describe: BusClient['describe'] = (cursor = '', deadlineMs = 0) =>
    new Promise((resolve, reject) => {
      calls.push({
        cursor,
        deadlineMs,
        answer: (newest) => {
          resolve(describedAt(newest));
        },
        fail: () => {
          reject(new BusError('unavailable', 'scripted'));
        },
      });
    });
  const client = { describe } as unknown as BusClient;
  return { gateway: new BusGateway(client, new JournalView(), clock), clock, calls };
}

// Without it a storm of joins on what nobody knows is a storm of calls, and those at its end get 503 in place of 404.
test('five hundred who ask while a call is under way share the next one, and it is sent after they asked', async (t) => {
  const { gateway, clock, calls } = gatewayOf();
  const first = gateway.describe(null, verifyWaitMs);
  const others = Array.from({ length: 500 }, () => gateway.describe(null, verifyWaitMs));
  await settled();
  t.is(calls.length, 1);
  calls[0]?.answer(3);
  t.is(Number((await first).newest.sequence), 3);
  await settled();
  t.is(calls.length, 2, 'the answer of the first may be older than what they ask about');
  calls[1]?.answer(5);
  for (const other of others) t.is(Number((await other).newest.sequence), 5);
  const later = gateway.describe(null, verifyWaitMs);
  t.is(calls.length, 3, 'nothing is under way: at once');
  calls[2]?.answer(6);
  await later;
  t.is(clock.pending, 0);
});

test('a call that hangs is waited for a moment only, and what is left of the time goes to the next', async (t) => {
  const { gateway, clock, calls } = gatewayOf();
  const hanging = gateway.describe(null, verifyWaitMs);
  clock.advance(100);
  const second = gateway.describe(null, verifyWaitMs);
  clock.advance(describeShareMs - 101);
  await settled();
  t.is(calls.length, 1);
  clock.advance(1);
  await settled();
  t.is(calls.length, 2);
  t.is(calls[1]?.deadlineMs, verifyWaitMs - (describeShareMs - 100));
  calls[1]?.answer(4);
  t.is(Number((await second).newest.sequence), 4);
  calls[0]?.fail();
  await t.throwsAsync(hanging, { instanceOf: BusError });
});

test('a failure is told to those of that call, and those who wait for the next get its answer', async (t) => {
  const { gateway, calls } = gatewayOf();
  const first = gateway.describe(null, verifyWaitMs);
  const second = gateway.describe(null, verifyWaitMs);
  calls[0]?.fail();
  await t.throwsAsync(first, { instanceOf: BusError });
  await settled();
  calls[1]?.answer(2);
  t.is(Number((await second).newest.sequence), 2);
});

test('a cursor is placed by a call of its own', async (t) => {
  const { gateway, calls } = gatewayOf();
  const plain = gateway.describe(null, verifyWaitMs);
  const placed = gateway.describe(testId(2), verifyWaitMs);
  t.deepEqual(
    calls.map(({ cursor }) => cursor),
    ['', testId(2)],
  );
  for (const call of calls) call.answer(2);
  await Promise.all([plain, placed]);
});
