import {
  Client,
  type ClientReadableStream,
  credentials,
  status as grpcCode,
  Metadata,
  type ServiceError,
} from '@grpc/grpc-js';
import type { MethodDefinition } from '@grpc/proto-loader';
import type { Clock } from '../../core/clock.ts';
import type { BusError } from '../../core/failure.ts';
import * as limits from '../../core/limits.ts';
import { busMethods } from '../grpc/grpc-proto.ts';
import { busErrorOf } from '../grpc/grpc-status.ts';
import { decodeDetails, noDetails, type StatusDetails, statusDetailsKey } from '../grpc/status-details.ts';
import type * as messages from './bus-messages.ts';
import { createPublishPipe, type PublishPipe } from './publish-pipe.ts';

export interface BusClientOptions {
  readonly clock: Clock;
}

export interface SubscriptionEvents {
  /** An encoded RecordBatch; the callee owns the bytes. */
  onBatch(bytes: Buffer): void;
  /** Once, at the end of the stream, whoever ended it; not after `cancel`. */
  onEnd(error: BusError): void;
}

export interface BusSubscription {
  /** Stops reading; gRPC's flow control then stops the bus, after at most a few batches that are on the way. */
  pause(): void;
  resume(): void;
  cancel(): void;
}

/** The bus as its callers see it. Every failure is a BusError. Connects by itself, again after a loss, with its own backoff. */
export interface BusClient {
  publish(request: messages.PublishRequestMessage, deadlineMs?: number): Promise<messages.PublishResponseMessage>;
  publishPipe(): PublishPipe;
  describe(cursor?: string, deadlineMs?: number): Promise<messages.DescribeResponseMessage>;
  subscribe(from: messages.PositionMessage, events: SubscriptionEvents): BusSubscription;
  /** Encoded RecordBatches. Leaving the loop cancels the call, and so does `unwanted`. */
  read(request: messages.ReadRequestMessage, unwanted?: AbortSignal): AsyncIterable<Buffer>;
  executions(request: messages.ExecutionsRequestMessage): AsyncIterable<messages.ExecutionsResponseMessage>;
  close(): void;
}

const channelOptions = {
  'grpc.max_receive_message_length': limits.grpcMessageBytesMax,
  'grpc.initial_reconnect_backoff_ms': 100,
  'grpc.max_reconnect_backoff_ms': 2_000,
  'grpc.keepalive_time_ms': 10_000,
  'grpc.keepalive_timeout_ms': 5_000,
  // A channel of its own: a paused subscription shares its connection with nobody else's calls.
  'grpc.use_local_subchannel_pool': 1,
  'grpc-node.flow_control_window': limits.grpcWindowBytes,
};

/** `address`: host:port. Nothing is sent before the first call. */
export function createBusClient(address: string, options: BusClientOptions): BusClient {
  const { clock } = options;
  const open = (): Client => new Client(address, credentials.createInsecure(), channelOptions);
  const client = open();
  // Flow control of HTTP/2 counts per connection too: a held-back stream must not starve a Describe.
  const streams = open();
  return {
    publish: (request, deadlineMs = limits.publishDeadlineMs) =>
      unary(client, busMethods.publish, request, clock.wallMs() + deadlineMs),
    describe: (cursor = '', deadlineMs = limits.describeDeadlineMs) =>
      unary(client, busMethods.describe, { cursor }, clock.wallMs() + deadlineMs),
    publishPipe: () => {
      const { publishStream } = busMethods;
      return createPublishPipe(
        client.makeBidiStreamRequest(
          publishStream.path,
          publishStream.requestSerialize,
          publishStream.responseDeserialize,
        ),
        failureOf,
      );
    },
    subscribe: (from, events) => subscription(serverStream(streams, busMethods.subscribe, asBytes, { from }), events),
    read: (request, unwanted) => iterate(serverStream(client, busMethods.read, asBytes, request), unwanted),
    executions: (request) =>
      iterate(serverStream(client, busMethods.executions, busMethods.executions.responseDeserialize, request)),
    close: () => {
      client.close();
      streams.close();
    },
  };
}

const asBytes = (bytes: Buffer): Buffer => bytes;

function unary<Request, Response>(
  client: Client,
  method: MethodDefinition<Request, Response>,
  request: Request,
  deadline: number,
): Promise<Response> {
  return new Promise((resolve, reject) => {
    client.makeUnaryRequest(
      method.path,
      method.requestSerialize,
      method.responseDeserialize,
      request,
      new Metadata(),
      { deadline },
      (error, response) => {
        if (error !== null) reject(failureOf(error));
        else if (response === undefined) reject(busErrorOf(grpcCode.INTERNAL, 'the bus answered nothing', noDetails));
        else resolve(response);
      },
    );
  });
}

function serverStream<Request, Response, Message>(
  client: Client,
  method: MethodDefinition<Request, Response>,
  deserialize: (bytes: Buffer) => Message,
  request: Request,
): ClientReadableStream<Message> {
  return client.makeServerStreamRequest(method.path, method.requestSerialize, deserialize, request);
}

function isServiceError(error: unknown): error is ServiceError {
  return error instanceof Error && 'code' in error && 'details' in error && 'metadata' in error;
}

function failureOf(error: unknown): BusError {
  if (!isServiceError(error))
    return busErrorOf(grpcCode.INTERNAL, error instanceof Error ? error.message : String(error), noDetails, error);
  let said: StatusDetails = noDetails;
  for (const details of error.metadata.get(statusDetailsKey)) {
    if (typeof details !== 'string') said = decodeDetails(details);
  }
  return busErrorOf(error.code, withoutNotes(error.details), said, error);
}

/** grpc-js ends the reason of a lost connection with a label, and mostly nothing after it. */
function withoutNotes(details: string): string {
  return details
    .replace(/ Resolution note: $/, '')
    .replace(/^No connection established\. Last error: (?:Error: )?/, '');
}

function subscription(call: ClientReadableStream<Buffer>, events: SubscriptionEvents): BusSubscription {
  let over = false;
  const finish = (error: BusError): void => {
    if (over) return;
    over = true;
    events.onEnd(error);
  };
  call.on('data', (bytes: Buffer) => {
    if (!over) events.onBatch(bytes);
  });
  call.on('error', (error: unknown) => {
    finish(failureOf(error));
  });
  call.on('end', () => {
    // With an error status `end` comes first and `error` follows; only a bus that ends a stream for no reason comes to `status` with OK.
  });
  call.on('status', (status) => {
    if (status.code === grpcCode.OK) finish(busErrorOf(grpcCode.UNAVAILABLE, 'the bus ended the stream', noDetails));
  });
  return {
    pause: () => {
      call.pause();
    },
    resume: () => {
      call.resume();
    },
    cancel: () => {
      over = true;
      call.cancel();
    },
  };
}

async function* iterate<Message>(
  call: ClientReadableStream<Message>,
  unwanted?: AbortSignal,
): AsyncGenerator<Message, void> {
  let ended = false;
  const cancel = (): void => {
    call.cancel();
  };
  unwanted?.addEventListener('abort', cancel);
  if (unwanted?.aborted === true) cancel();
  try {
    for await (const message of call) yield message as Message;
    ended = true;
  } catch (error) {
    ended = true;
    throw failureOf(error);
  } finally {
    unwanted?.removeEventListener('abort', cancel);
    if (!ended) call.cancel();
  }
}
