import type { ServerDuplexStream, ServerErrorResponse, StatusObject } from '@grpc/grpc-js';
import { AppendError, InvalidInputError, ThrottledError } from '../../core/failure.ts';
import { publishesInFlightMax } from '../../core/limits.ts';
import { violationsOf } from '../grpc/status-details.ts';
import type { PublishResponseMessage } from './bus-messages.ts';

type Status = Pick<StatusObject, 'code' | 'details' | 'metadata'>;

/** A refused request as a message of the stream, which goes on. */
function refusal(error: unknown, fail: (error: unknown) => Status): PublishResponseMessage {
  const { code, details } = fail(error);
  const violations =
    error instanceof InvalidInputError || error instanceof AppendError ? violationsOf(error.faults) : [];
  const retry_after_ms = error instanceof ThrottledError ? error.retryAfterMs : 0;
  return { ids: [], last_sequence: 0, error: { code, message: details, field_violations: violations, retry_after_ms } };
}

/**
 * One reply per request, in order, with at most `publishesInFlightMax` requests between the two; above it the stream is not read.
 * Replies that the caller does not read hold up reading as well.
 */
export function handlePublishStream<Request>(
  call: ServerDuplexStream<Request, PublishResponseMessage>,
  publish: (request: Request) => Promise<PublishResponseMessage>,
  fail: (error: unknown) => Status,
  stopping: Set<(error: Partial<ServerErrorResponse>) => void>,
): void {
  let inFlight = 0;
  let over = false;
  let lastReply = Promise.resolve();
  const end = (error: Partial<ServerErrorResponse> | null): void => {
    stopping.delete(end);
    if (over) return;
    over = true;
    if (error === null) call.end();
    else call.emit('error', error);
  };
  const leave = (): void => {
    over = true;
    stopping.delete(end);
  };
  const reply = async (answer: Promise<PublishResponseMessage>): Promise<void> => {
    const message = await answer;
    if (over) return;
    await new Promise<void>((resolve) => {
      call.once('close', resolve);
      call.write(message, () => {
        call.off('close', resolve);
        resolve();
      });
    });
    inFlight -= 1;
    if (inFlight === publishesInFlightMax - 1) call.resume();
  };
  stopping.add(end);
  call.on('cancelled', leave);
  call.on('close', leave);
  call.on('error', leave);
  call.on('data', (request: Request) => {
    inFlight += 1;
    if (inFlight === publishesInFlightMax) call.pause();
    const answer = publish(request).catch((error: unknown) => refusal(error, fail));
    lastReply = lastReply.then(() => reply(answer));
  });
  call.on('end', () => {
    void lastReply.then(() => {
      end(null);
    });
  });
}
