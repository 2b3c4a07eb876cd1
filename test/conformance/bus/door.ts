import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  Client,
  type ClientDuplexStream,
  type ClientReadableStream,
  credentials,
  status as grpcCode,
  type Metadata,
  type ServiceError,
} from '@grpc/grpc-js';
import { loadSync, type MethodDefinition, type ServiceDefinition } from '@grpc/proto-loader';
import type * as messages from '../../../src/wire/bus/bus-messages.ts';
import { CheckFailure, type Door, equal, present } from '../kit/check.ts';
import { type Violation, violationsOf } from './status-details.ts';

const protoFile = 'rivulet/bus/v1/storage_event_bus.proto';
const serviceName = 'rivulet.bus.v1.StorageEventBus';

/** The nearest `proto` directory above this file that has the contract. */
function protoDirectory(): string {
  for (let directory = dirname(fileURLToPath(import.meta.url)); ; directory = dirname(directory)) {
    if (existsSync(join(directory, 'proto', protoFile))) return join(directory, 'proto');
    if (dirname(directory) === directory) throw new RangeError(`${protoFile} is nowhere above this file`);
  }
}

const service = loadSync(protoFile, {
  ...{ keepCase: true, longs: Number, enums: Number, defaults: true, arrays: true, objects: true, oneofs: false },
  includeDirs: [protoDirectory()],
})[serviceName] as ServiceDefinition;

/** What a caller needs of a method. */
type Method<Request, Response> = Pick<
  MethodDefinition<Request, Response>,
  'path' | 'requestSerialize' | 'responseDeserialize'
>;

function methodOf<Request extends object, Response extends object>(name: string): MethodDefinition<Request, Response> {
  return present(service[name], `the proto has ${name}`) as unknown as MethodDefinition<Request, Response>;
}

export const methods = {
  publish: methodOf<messages.PublishRequestMessage, messages.PublishResponseMessage>('Publish'),
  publishStream: methodOf<messages.PublishRequestMessage, messages.PublishResponseMessage>('PublishStream'),
  subscribe: methodOf<messages.SubscribeRequestMessage, messages.RecordBatchMessage>('Subscribe'),
  read: methodOf<messages.ReadRequestMessage, messages.RecordBatchMessage>('Read'),
  executions: methodOf<messages.ExecutionsRequestMessage, messages.ExecutionsResponseMessage>('Executions'),
  describe: methodOf<messages.DescribeRequestMessage, messages.DescribeResponseMessage>('Describe'),
} as const;

/** A call that failed, as the wire has it. */
export interface Refusal {
  /** The name of the code: `INVALID_ARGUMENT`. */
  readonly code: string;
  readonly message: string;
  readonly violations: readonly Violation[];
  readonly trailers: Metadata;
}

function refusalOf(error: unknown): Refusal {
  if (!(error instanceof Error && 'code' in error && 'metadata' in error)) throw error;
  const { code, details, metadata } = error as ServiceError;
  const violations = metadata
    .get('grpc-status-details-bin')
    .flatMap((bytes) => (typeof bytes === 'string' ? [] : violationsOf(bytes)));
  return { code: grpcCode[code], message: details, violations, trailers: metadata };
}

/** What a subscription brings, as it comes. */
export class Feed<Message> {
  readonly messages: Message[] = [];
  /** Of each message, encoded. */
  readonly sizes: number[] = [];
  refusal: Refusal | null = null;
  /** What `refusal` was made of. */
  error: unknown = null;
  ended = false;
  readonly #call: ClientReadableStream<{ message: Message; size: number }>;
  readonly #say: (waiting: string | null) => void;
  #wake: () => void = () => undefined;

  constructor(call: ClientReadableStream<{ message: Message; size: number }>, say: (waiting: string | null) => void) {
    this.#call = call;
    this.#say = say;
    call.on('data', ({ message, size }: { message: Message; size: number }) => {
      this.messages.push(message);
      this.sizes.push(size);
      this.#wake();
    });
    call.on('error', (error: unknown) => {
      this.error = error;
      this.refusal = refusalOf(error);
      this.#wake();
    });
    call.on('end', () => {
      this.ended = true;
      this.#wake();
    });
  }

  async until(condition: () => boolean, what: string): Promise<void> {
    this.#say(what);
    while (!condition()) {
      if (this.refusal !== null || this.ended) {
        const got = this.refusal ?? 'the end of the stream';
        throw new CheckFailure(`the call ended before ${what}`, { expected: what, got });
      }
      await this.change();
    }
    this.#say(null);
  }

  /** The refusal that the call has to end with. */
  async refused(): Promise<Refusal> {
    this.#say('the call is refused');
    while (this.refusal === null) {
      if (this.messages.length > 0) {
        throw new CheckFailure('the call is refused', { expected: 'a status', got: this.messages[0] });
      }
      await this.change();
    }
    this.#say(null);
    return this.refusal;
  }

  cancel(): void {
    this.#call.cancel();
  }

  /** Settles at the next message, refusal or end. */
  change(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }
}

export interface ReadResult {
  readonly records: readonly messages.RecordMessage[];
  readonly through: number;
  /** Encoded bytes and records of each message. */
  readonly batches: readonly { readonly bytes: number; readonly records: number }[];
}

/** One check's way to the bus: a connection of its own, executions of its own. */
export class BusDoor implements Door {
  waiting: string | null = null;
  readonly #client: Client;
  /** Calls of the check, which outlive their client's `close` unless they are cancelled. */
  readonly #calls: { cancel(): void }[] = [];
  #closed = false;

  constructor(address: string) {
    this.#client = new Client(address, credentials.createInsecure(), { 'grpc.use_local_subchannel_pool': 1 });
  }

  close(): void {
    this.#closed = true;
    for (const call of this.#calls) call.cancel();
    this.#client.close();
  }

  async publish(...entries: readonly messages.PublishEntryMessage[]): Promise<messages.PublishResponseMessage> {
    const answer = await this.unary(methods.publish, { entries });
    equal(answer.ids.length, entries.length, 'an id for each entry');
    return answer;
  }

  /** A publish that has to be refused. */
  async refused(...entries: readonly messages.PublishEntryMessage[]): Promise<Refusal> {
    const answer = await this.unary(methods.publish, { entries }).catch(refusalOf);
    if ('code' in answer) return answer;
    throw new CheckFailure('the publish is refused', { expected: 'a status', got: answer });
  }

  publishStream(): ClientDuplexStream<messages.PublishRequestMessage, messages.PublishResponseMessage> {
    const { path, requestSerialize, responseDeserialize } = methods.publishStream;
    const call = this.#client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize);
    this.#calls.push(call);
    return call;
  }

  describe(cursor = ''): Promise<messages.DescribeResponseMessage> {
    return this.unary(methods.describe, { cursor });
  }

  subscribe(from: messages.PositionMessage): Feed<messages.RecordBatchMessage> {
    return this.feed(methods.subscribe, { from });
  }

  /** A whole Read. */
  async read(request: messages.ReadRequestMessage): Promise<ReadResult> {
    const feed = this.feed(methods.read, request);
    await feed.until(() => feed.ended, 'the end of the Read');
    return {
      records: feed.messages.flatMap(({ records }) => records),
      through: feed.messages.at(-1)?.through_sequence ?? -1,
      batches: feed.messages.map(({ records }, index) => ({ bytes: feed.sizes[index] ?? 0, records: records.length })),
    };
  }

  /** The bus's facts of one execution; undefined when it knows nothing of it. */
  async execution(executionId: string): Promise<messages.ExecutionMessage | undefined> {
    const feed = this.feed(methods.executions, { execution_ids: [executionId] });
    await feed.until(() => feed.ended, 'the end of the snapshot');
    return feed.messages.flatMap(({ executions }) => executions)[0];
  }

  feed<Request, Response>(method: Method<Request, Response>, request: Request): Feed<Response> {
    const { path, requestSerialize, responseDeserialize } = method;
    const sized = (bytes: Buffer): { message: Response; size: number } => ({
      message: responseDeserialize(bytes),
      size: bytes.length,
    });
    const call = this.#client.makeServerStreamRequest(path, requestSerialize, sized, request);
    this.#calls.push(call);
    return new Feed(call, (waiting) => {
      this.waiting = waiting;
    });
  }

  unary<Request, Response>(method: Method<Request, Response>, request: Request): Promise<Response> {
    const { path, requestSerialize, responseDeserialize } = method;
    this.waiting = `an answer to ${path}`;
    return new Promise((resolve, reject) => {
      const call = this.#client.makeUnaryRequest(
        path,
        requestSerialize,
        responseDeserialize,
        request,
        (error, answer) => {
          this.waiting = null;
          // A check that has failed may have left calls under way, for which nobody waits any more.
          if (error !== null && this.#closed) return;
          if (error !== null) reject(error);
          else resolve(answer as Response);
        },
      );
      this.#calls.push(call);
    });
  }

  /** A call of a service whose proto is not at hand: bytes in, the first bytes out. */
  firstBytes(path: string, request: Buffer): Promise<Buffer> {
    const asIs = (bytes: Buffer): Buffer => bytes;
    this.waiting = `an answer to ${path}`;
    const call = this.#client.makeBidiStreamRequest(path, asIs, asIs);
    this.#calls.push(call);
    return new Promise((resolve, reject) => {
      call.once('data', (bytes: Buffer) => {
        this.waiting = null;
        resolve(bytes);
      });
      // It stays for the cancellation, which is an error of the call too.
      call.on('error', reject);
      call.write(request);
    });
  }
}

export const newExecution = (): string => randomUUID();

export function event(
  executionId: string,
  path: string,
  more: messages.StorageEventMessage = {},
): messages.PublishEntryMessage {
  return { event: { execution_id: executionId, stage: 'ingest', path, ...more } };
}

export function change(executionId: string, more: messages.ExecutionChangeMessage): messages.PublishEntryMessage {
  return { change: { execution_id: executionId, ...more } };
}

/** ExecutionStatus. */
export const statuses = { pending: 1, running: 2, completed: 3, failed: 4, cancelled: 5 } as const;
