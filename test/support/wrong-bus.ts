import { Server, ServerCredentials, type UntypedServiceImplementation } from '@grpc/grpc-js';
import type {
  PublishRequestMessage,
  PublishResponseMessage,
  ReadRequestMessage,
  RecordBatchMessage,
} from '../../src/wire/bus/bus-messages.ts';
import { BusDoor, methods } from '../conformance/bus/door.ts';
import type { Owner } from './system.ts';

/** One way to be wrong: what a message is changed into. */
export interface BusFault {
  readonly publish?: (request: PublishRequestMessage) => PublishRequestMessage;
  readonly published?: (answer: PublishResponseMessage) => PublishResponseMessage;
  readonly read?: (request: ReadRequestMessage) => ReadRequestMessage;
  readonly batch?: (batch: RecordBatchMessage) => RecordBatchMessage;
}

interface ServerStream<Request> {
  readonly request: Request;
  write(message: unknown): void;
  end(): void;
  emit(event: 'error', error: unknown): void;
  on(event: 'cancelled', run: () => void): void;
}

/** A bus that is right in all but one thing: it passes each call on to a right one. Answers its address. No health, no reflection. */
export async function startWrongBus(t: Owner, rightAddress: string, fault: BusFault): Promise<string> {
  const right = new BusDoor(rightAddress);
  const asIs = <Message>(message: Message): Message => message;
  const { publish = asIs, published = asIs, read = asIs, batch = asIs } = fault;

  const unary =
    <Request, Response>(answer: (request: Request) => Promise<Response>) =>
    (call: { request: Request }, reply: (error: unknown, answer?: Response) => void): void => {
      answer(call.request).then((message) => {
        reply(null, message);
      }, reply);
    };
  const streamed =
    <Request, Response>(
      method: Parameters<typeof right.feed<Request, Response>>[0],
      ask: (request: Request) => Request,
      change: (message: Response) => Response,
    ) =>
    (call: ServerStream<Request>): void => {
      const feed = right.feed(method, ask(call.request));
      call.on('cancelled', () => {
        feed.cancel();
      });
      let sent = 0;
      const pass = async (): Promise<void> => {
        while (!feed.ended && feed.refusal === null) {
          await feed.change();
          while (sent < feed.messages.length) call.write(change(feed.messages[sent++] as Response));
        }
        if (feed.error !== null) call.emit('error', feed.error);
        else call.end();
      };
      void pass();
    };

  const implementation: Record<keyof typeof methods, unknown> = {
    publish: unary(async (request: PublishRequestMessage) =>
      published(await right.unary(methods.publish, publish(request))),
    ),
    describe: unary((request: { cursor?: string }) => right.unary(methods.describe, request)),
    subscribe: streamed(methods.subscribe, asIs, batch),
    read: streamed(methods.read, read, batch),
    executions: streamed(methods.executions, asIs, asIs),
    publishStream: (call: ServerStream<never>) => {
      call.end();
    },
  };
  const server = new Server();
  server.addService(methods, implementation as UntypedServiceImplementation);
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) => {
      if (error === null) resolve(bound);
      else reject(error);
    });
  });
  t.teardown(() => {
    server.forceShutdown();
    right.close();
  });
  return `127.0.0.1:${port}`;
}
