import type { EventEmitter } from 'node:events';
import {
  status as grpcCode,
  type handleBidiStreamingCall,
  type handleServerStreamingCall,
  type handleUnaryCall,
  logVerbosity,
  Server,
  ServerCredentials,
  type ServerErrorResponse,
  type ServerWritableStream,
  setLogVerbosity,
  type UntypedServiceImplementation,
} from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { ReflectionService } from '@grpc/reflection';
import { HealthImplementation, protoPath as healthProto } from 'grpc-health-check';
import type { PlainEvents } from '../../contract/journal.ts';
import type { Clock } from '../../core/clock.ts';
import { StartError, ThrottledError } from '../../core/failure.ts';
import {
  busPingMs,
  busPingTimeoutMs,
  busStopMs,
  busStreamRetryMs,
  busStreamsMax,
  grpcMessageBytesMax,
} from '../../core/limits.ts';
import { busMethods, busPackage, busServiceName } from '../grpc/grpc-proto.ts';
import { statusOf } from '../grpc/grpc-status.ts';
import { publishAnswerBytes } from '../plain/publish-answer.ts';
import type { PublishRequestMessage, PublishResponseMessage } from './bus-messages.ts';
import type { BusService, MessageSink } from './bus-service.ts';
import { handlePublishStream } from './publish-stream.ts';
import { messageOf, publishReceiver, type Received, receiver } from './received.ts';

export interface BusServer {
  readonly port: number;
  /** Says NOT_SERVING, ends every stream with UNAVAILABLE, lets unary calls finish, then cuts what is left. */
  stop(): Promise<void>;
}

export interface BusServerOptions {
  readonly host: string;
  /** 0 picks a free one. */
  readonly port: number;
  readonly clock: Clock;
  /** Told what left as INTERNAL: a bug, or a disk. */
  readonly onInternalError: (error: unknown) => void;
}

type Stopping = Set<(error: Partial<ServerErrorResponse>) => void>;

/** Batches leave as the bytes that they are. */
const asBytes = (batch: Buffer): Buffer => batch;

const publishMethod = (method: typeof busMethods.publish) => ({
  ...method,
  requestDeserialize: publishReceiver(method),
  responseSerialize: (message: PublishResponseMessage): Buffer => publishAnswerBytes(message, method.responseSerialize),
});

const definition = {
  Publish: publishMethod(busMethods.publish),
  PublishStream: publishMethod(busMethods.publishStream),
  Subscribe: {
    ...busMethods.subscribe,
    requestDeserialize: receiver(busMethods.subscribe),
    responseSerialize: asBytes,
  },
  Read: { ...busMethods.read, requestDeserialize: receiver(busMethods.read), responseSerialize: asBytes },
  Executions: { ...busMethods.executions, requestDeserialize: receiver(busMethods.executions) },
  Describe: { ...busMethods.describe, requestDeserialize: receiver(busMethods.describe) },
};

/** Serves the bus with health and reflection. Throws StartError when the address cannot be had. */
export async function serveBus(service: BusService, options: BusServerOptions): Promise<BusServer> {
  // What it would print (an address that is taken) comes as an error as well, and is said once, in our words.
  setLogVerbosity(logVerbosity.NONE);
  const server = new Server({
    'grpc.max_receive_message_length': grpcMessageBytesMax,
    // Node keeps a connection whose client went before it had said what HTTP/2 it speaks: a ping finds out.
    'grpc.keepalive_time_ms': busPingMs,
    'grpc.keepalive_timeout_ms': busPingTimeoutMs,
  });
  const stopping: Stopping = new Set();
  server.addService(definition, handlersOf(service, options, stopping));
  const health = new HealthImplementation({ '': 'SERVING', [busServiceName]: 'SERVING' });
  health.addToServer(server);
  new ReflectionService({ ...busPackage, ...loadSync(healthProto) }).addToServer(server);
  const port = await bind(server, options);
  return {
    port,
    async stop() {
      health.setStatus('', 'NOT_SERVING');
      health.setStatus(busServiceName, 'NOT_SERVING');
      for (const end of [...stopping]) end({ code: grpcCode.UNAVAILABLE, details: 'the bus is stopping' });
      await new Promise<void>((resolve) => {
        const cut = options.clock.after(busStopMs, () => {
          server.forceShutdown();
          // No call is left. The socket of a peer that has stopped reading stays until that peer closes: not waited for.
          resolve();
        });
        server.tryShutdown(() => {
          cut();
          resolve();
        });
      });
    },
  };
}

function bind(server: Server, { host, port }: BusServerOptions): Promise<number> {
  const address = `${host.includes(':') ? `[${host}]` : host}:${port}`;
  return new Promise((resolve, reject) => {
    server.bindAsync(address, ServerCredentials.createInsecure(), (error, bound) => {
      if (error === null) resolve(bound);
      else reject(new StartError(`the bus cannot listen on ${address}: ${bindFault(error)}`, 1, { cause: error }));
    });
  });
}

/** grpc-js keeps the system's code in its text only. */
function bindFault(error: Error): string {
  const code = /\bE[A-Z]{4,}\b/.exec(error.message)?.[0];
  switch (code) {
    case 'EADDRINUSE':
      return 'the port is taken by another program; choose another with --bus-port, or 0 for a free one';
    case 'EACCES':
      return 'not permitted for this user; choose a port from 1024 up with --bus-port';
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
      return 'the host is not an address of this machine; check --bus-host';
    default:
      return error.message;
  }
}

function handlersOf(service: BusService, options: BusServerOptions, stopping: Stopping): UntypedServiceImplementation {
  const fail = (error: unknown): ReturnType<typeof statusOf> => {
    const status = statusOf(error);
    if (status.code === grpcCode.INTERNAL) options.onInternalError(error);
    return status;
  };
  const unary =
    <Request, Response>(
      answer: (request: Request, bytes: number) => Promise<Response>,
    ): handleUnaryCall<Received<Request>, Response> =>
    (call, callback) => {
      answerTo(call.request, answer).then(
        (response) => {
          callback(null, response);
        },
        (error: unknown) => {
          callback(fail(error));
        },
      );
    };
  const streaming =
    <Request, Message>(
      run: (request: Request, sink: MessageSink<Message>) => Promise<void>,
      places = new StreamPlaces(),
    ): handleServerStreamingCall<Received<Request>, Message> =>
    (call) => {
      const { sink, end } = sinkOf(call, stopping);
      if (!places.enter(call)) {
        end(fail(tooManyStreams()));
        return;
      }
      answerTo(call.request, (request) => run(request, sink)).then(
        () => {
          end(null);
        },
        (error: unknown) => {
          end(fail(error));
        },
      );
    };
  const publishers = new StreamPlaces();
  const publishStream: handleBidiStreamingCall<
    Received<PublishRequestMessage | PlainEvents>,
    PublishResponseMessage
  > = (call) => {
    if (!publishers.enter(call)) {
      call.emit('error', fail(tooManyStreams()));
      return;
    }
    handlePublishStream(call, (request) => answerTo(request, service.publish.bind(service)), fail, stopping);
  };
  return {
    Publish: unary(service.publish.bind(service)),
    PublishStream: publishStream,
    Subscribe: streaming(service.subscribe.bind(service)),
    Read: streaming(service.read.bind(service)),
    Executions: streaming(service.executions.bind(service)),
    Describe: unary(service.describe.bind(service)),
  };
}

/** Rejects with InvalidInputError when the request is no message. */
async function answerTo<Request, Response>(
  received: Received<Request>,
  answer: (request: Request, bytes: number) => Promise<Response>,
): Promise<Response> {
  const { message, bytes } = messageOf(received);
  return await answer(message, bytes);
}

const tooManyStreams = (): ThrottledError =>
  new ThrottledError(`${busStreamsMax} streams of this kind are open at this bus`, busStreamRetryMs);

/** Places for streams of one kind, each given back when its call is over, however that came about. */
class StreamPlaces {
  readonly #calls = new Set<EventEmitter>();

  enter(call: EventEmitter): boolean {
    if (this.#calls.size >= busStreamsMax) return false;
    this.#calls.add(call);
    const leave = (): void => {
      this.#calls.delete(call);
    };
    for (const end of ['cancelled', 'close', 'finish', 'error']) call.once(end, leave);
    return true;
  }
}

/**
 * One stream's way out. At most two messages are on their way: the one in the socket and the next; grpc-js alone would take sixteen,
 * which at 1 MiB each is what a slow subscriber must not cost.
 */
function sinkOf<Request, Message>(
  call: ServerWritableStream<Request, Message>,
  stopping: Stopping,
): { sink: MessageSink<Message>; end: (error: Partial<ServerErrorResponse> | null) => void } {
  const gone = new AbortController();
  let waiting: (() => void) | null = null;
  let over = false;
  const wake = (): void => {
    const resume = waiting;
    waiting = null;
    resume?.();
  };
  const end = (error: Partial<ServerErrorResponse> | null): void => {
    stopping.delete(end);
    if (over) return;
    over = true;
    if (error === null) call.end();
    else call.emit('error', error);
    gone.abort();
    wake();
  };
  stopping.add(end);
  const leave = (): void => {
    over = true;
    stopping.delete(end);
    gone.abort();
    wake();
  };
  call.on('cancelled', leave);
  call.on('close', leave);
  const send = (message: Message): Promise<void> | undefined => {
    if (over) return undefined;
    call.write(message, wake);
    if (call.writableLength < 2) return undefined;
    return new Promise((resolve) => {
      waiting = resolve;
    });
  };
  return { sink: { signal: gone.signal, send }, end };
}
