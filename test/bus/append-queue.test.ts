import test from 'ava';
import { AppendQueue } from '../../src/bus/journal/append/append-queue.ts';
import type { AppendReceipt } from '../../src/contract/journal.ts';
import { AppendError } from '../../src/core/failure.ts';
import { appendBytesPendingMax, appendsPendingMax, batchBytesMax, commitBytesMax } from '../../src/core/limits.ts';
import { statusOf } from '../../src/wire/grpc/grpc-status.ts';
import { HeldStore } from '../support/held-store.ts';
import { eventEntry } from '../support/journal-input.ts';
import { journalIn } from '../support/open-journal.ts';

const settle = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve));

async function refusalOf(append: Promise<AppendReceipt>): Promise<AppendError | null> {
  const none = settle().then(() => null);
  const refused = append.then(
    () => null,
    (error: unknown) => (error instanceof AppendError ? error : null),
  );
  return Promise.race([refused, none]);
}

const entries = [eventEntry(1)];

test('appends that wait: the 8,192nd is taken, the next is refused until a group has been taken', async (t) => {
  const queue = new AppendQueue();
  const offer = (): Promise<AppendError | null> => refusalOf(queue.offer(entries, 1));
  for (let n = 1; n < appendsPendingMax; n += 1) void queue.offer(entries, 1);
  t.is(await offer(), null);
  t.is(queue.length, appendsPendingMax);
  t.is((await offer())?.code, 'overloaded');
  t.is(queue.length, appendsPendingMax, 'what is refused takes no place');
  t.true(queue.take().length > 0);
  t.is(await offer(), null);
});

test('bytes that wait: the last of 128 MiB is taken, one more is refused until a group has been taken', async (t) => {
  const queue = new AppendQueue();
  const offer = (bytes: number): Promise<AppendError | null> => refusalOf(queue.offer(entries, bytes));
  t.is(await offer(appendBytesPendingMax - 1), null);
  t.is((await offer(2))?.code, 'overloaded');
  t.is(await offer(1), null);
  t.is(queue.byteLength, appendBytesPendingMax);
  t.is((await offer(1))?.code, 'overloaded');
  queue.take();
  t.is(queue.byteLength, 1);
  t.is(await offer(appendBytesPendingMax - 1), null);
});

// While the disk is slow, publishers must be told, not kept in memory; and to try again helps, so it is UNAVAILABLE.
test('a journal whose commit does not end takes 128 MiB of batches; one byte more is UNAVAILABLE, and nothing that was taken is lost', async (t) => {
  const store = new HeldStore();
  const { journal } = await journalIn(t, () => store);
  store.held = true;
  const first = journal.append(entries, 1);
  await settle();
  t.is(journal.stats().pendingBytes, 0, 'the one in the commit waits no more');
  const waiting = Array.from({ length: appendBytesPendingMax / batchBytesMax }, () =>
    journal.append(entries, batchBytesMax),
  );
  t.is(journal.stats().pendingBytes, appendBytesPendingMax);
  const refused = await refusalOf(journal.append(entries, 1));
  t.is(refused?.code, 'overloaded');
  t.is(statusOf(refused).code, 14);
  store.release();
  await first;
  await settle();
  t.is(journal.stats().pendingBytes, appendBytesPendingMax - commitBytesMax);
  const last = journal.append(entries, commitBytesMax / 4);
  store.held = false;
  store.release();
  const receipts = await Promise.all([...waiting, last]);
  t.deepEqual(
    receipts.map(({ lastSequence }) => Number(lastSequence)),
    receipts.map((_, n) => n + 2),
  );
});
