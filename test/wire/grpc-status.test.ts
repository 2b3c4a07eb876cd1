import { status as grpcCode } from '@grpc/grpc-js';
import test from 'ava';
import { AppendError } from '../../src/core/failure.ts';
import { busErrorOf, statusOf } from '../../src/wire/grpc/grpc-status.ts';
import { noDetails } from '../../src/wire/grpc/status-details.ts';

// Without this a burst would be answered over HTTP as a full disk: 507 without Retry-After, where 503 with one is owed.
test('a full queue says try again, a full disk does not', (t) => {
  const queue = statusOf(new AppendError('overloaded', 'too many appends are waiting'));
  const disk = statusOf(new AppendError('journal-full', 'the disk is full'));
  t.is(queue.code, grpcCode.UNAVAILABLE);
  t.is(disk.code, grpcCode.RESOURCE_EXHAUSTED);
  t.is(busErrorOf(queue.code, '', noDetails).code, 'unavailable');
  t.is(busErrorOf(disk.code, '', noDetails).code, 'exhausted');
});
