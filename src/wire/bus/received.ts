import type { MethodDefinition } from '@grpc/proto-loader';
import type { PlainEvents } from '../../contract/journal.ts';
import { InvalidInputError } from '../../core/failure.ts';
import { PlainScanner } from '../plain/plain-scan.ts';

/** A request as it came: its message and encoded size, or bytes that are no message. */
export type Received<Request> =
  | { readonly kind: 'message'; readonly message: Request; readonly bytes: number }
  | { readonly kind: 'malformed' };

/**
 * A deserializer that does not throw. grpc-js answers a throw with INTERNAL, which blames the server, and ends a stream with it; the caller is told
 * INVALID_ARGUMENT instead, and a PublishStream goes on.
 */
export function receiver<Request extends object, Response extends object>(
  method: MethodDefinition<Request, Response>,
): (bytes: Buffer) => Received<Request> {
  return (bytes) => {
    try {
      return { kind: 'message', message: method.requestDeserialize(bytes), bytes: bytes.length };
    } catch {
      return { kind: 'malformed' };
    }
  };
}

/** The same for publishes: those of plain events are read on their bytes. */
export function publishReceiver<Request extends object, Response extends object>(
  method: MethodDefinition<Request, Response>,
): (bytes: Buffer) => Received<Request | PlainEvents> {
  const scanner = new PlainScanner();
  const receive = receiver(method);
  return (bytes) => {
    const message = scanner.scan(bytes);
    return message === null ? receive(bytes) : { kind: 'message', message, bytes: bytes.length };
  };
}

/** Throws InvalidInputError for bytes that were no message. */
export function messageOf<Request>(received: Received<Request>): { readonly message: Request; readonly bytes: number } {
  if (received.kind === 'message') return received;
  throw new InvalidInputError([{ field: ['request'], reason: 'must be an encoded protobuf message of the method' }]);
}
