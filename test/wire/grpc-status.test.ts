import { status as grpcCode } from '@grpc/grpc-js';
import test from 'ava';
import { appendErrorOf } from '../../src/bus/engine/write-failure.ts';
import { AppendError } from '../../src/core/failure.ts';
import { busErrorOf, statusOf } from '../../src/wire/grpc/grpc-status.ts';
import { decodeDetails, encodeDetails, noDetails } from '../../src/wire/grpc/status-details.ts';

// Without this a burst would be answered over HTTP as a full disk: 507 without Retry-After, where 503 with one is owed.
test('a full queue says try again, a full disk does not', (t) => {
  const queue = statusOf(new AppendError('overloaded', 'too many appends are waiting'));
  const disk = statusOf(new AppendError('journal-full', 'the disk is full'));
  t.is(queue.code, grpcCode.UNAVAILABLE);
  t.is(disk.code, grpcCode.RESOURCE_EXHAUSTED);
  t.is(busErrorOf(queue.code, '', noDetails).code, 'unavailable');
  t.is(busErrorOf(disk.code, '', noDetails).code, 'exhausted');
});

// It was UNAVAILABLE: 503 with Retry-After, for a disk that stays as it is until somebody comes.
test('a read-only disk is answered as a full one', (t) => {
  const { code, details } = statusOf(new AppendError('journal-read-only', 'the disk of the journal is read-only'));
  t.is(code, grpcCode.RESOURCE_EXHAUSTED);
  t.is(busErrorOf(code, details, noDetails).code, 'exhausted');
});

test('the words of the disk are told apart, whatever LMDB calls them', (t) => {
  const codeOf = (message: string): string => appendErrorOf(new Error(message), '/nowhere/journal.mdb').code;
  t.is(codeOf('No space left on device: Attempting to write page at position 69632'), 'journal-full');
  t.is(codeOf('Disk quota exceeded'), 'journal-full');
  t.is(codeOf('MDB_MAP_FULL: Environment mapsize limit reached'), 'journal-full');
  t.is(codeOf('Read-only file system: Attempting to write page at position 20480'), 'journal-read-only');
  t.is(codeOf('Operation not permitted'), 'journal-read-only');
  t.is(codeOf('MDB_PAGE_NOTFOUND: Requested page not found'), 'journal-failed');
});

test('RetryInfo and field violations come back as they were sent, and foreign bytes as nothing', (t) => {
  for (const retryAfterMs of [1, 999, 1_000, 61_234]) {
    t.is(decodeDetails(encodeDetails(8, 'slow down', { retryAfterMs })).retryAfterMs, retryAfterMs);
  }
  const faults = [{ field: ['entries', 3, 'event', 'stage'], reason: 'must be short' }];
  t.deepEqual(decodeDetails(encodeDetails(3, 'bad', { faults })), { faults, retryAfterMs: null });
  t.deepEqual(decodeDetails(Buffer.from('no message at all')), noDetails);
});
