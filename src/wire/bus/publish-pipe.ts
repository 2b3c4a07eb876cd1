import { type ClientDuplexStream, status as grpcCode } from '@grpc/grpc-js';
import type { BusError } from '../../core/failure.ts';
import { parseFieldPath } from '../grpc/field-path.ts';
import { busErrorOf } from '../grpc/grpc-status.ts';
import { noDetails } from '../grpc/status-details.ts';
import type { PublishRequestMessage, PublishResponseMessage } from './bus-messages.ts';

/** Publishes one after another without waiting for each answer. After a failed stream every later `publish` fails too: open a new one. */
export interface PublishPipe {
  /** Rejects with BusError; a refusal of one request leaves the others alone. Wait for some before sending thousands. */
  publish(request: PublishRequestMessage): Promise<PublishResponseMessage>;
  /** No more requests; those on the way are still answered. */
  end(): void;
  cancel(): void;
}

interface Waiter {
  readonly resolve: (response: PublishResponseMessage) => void;
  readonly reject: (error: BusError) => void;
}

export function createPublishPipe(
  call: ClientDuplexStream<PublishRequestMessage, PublishResponseMessage>,
  failureOf: (error: unknown) => BusError,
): PublishPipe {
  /** In the order of the requests, which is that of the answers. */
  const waiters: Waiter[] = [];
  let failed: BusError | null = null;
  const fail = (error: BusError): void => {
    failed ??= error;
    for (const waiter of waiters.splice(0)) waiter.reject(error);
  };
  call.on('data', (response: PublishResponseMessage) => {
    const waiter = waiters.shift();
    const refused = response.error;
    if (refused === undefined || refused === null) waiter?.resolve(response);
    else {
      const faults = refused.field_violations.map((one) => ({
        field: parseFieldPath(one.field),
        reason: one.description,
      }));
      const retryAfterMs = refused.retry_after_ms === 0 ? null : refused.retry_after_ms;
      waiter?.reject(busErrorOf(refused.code, refused.message, { faults, retryAfterMs }));
    }
  });
  call.on('error', (error: unknown) => {
    fail(failureOf(error));
  });
  call.on('end', () => {
    fail(busErrorOf(grpcCode.UNAVAILABLE, 'the bus ended the stream', noDetails));
  });
  return {
    publish: (request) =>
      new Promise((resolve, reject) => {
        if (failed !== null) {
          reject(failed);
          return;
        }
        waiters.push({ resolve, reject });
        call.write(request);
      }),
    end: () => {
      call.end();
    },
    cancel: () => {
      call.cancel();
    },
  };
}
