import type { PlainEvents } from '../../contract/journal.ts';
import type {
  DescribeRequestMessage,
  DescribeResponseMessage,
  ExecutionsRequestMessage,
  ExecutionsResponseMessage,
  PublishRequestMessage,
  PublishResponseMessage,
  ReadRequestMessage,
  SubscribeRequestMessage,
} from './bus-messages.ts';

/** Where a streaming call puts its messages. */
export interface MessageSink<Message> {
  /** Aborts when the caller has gone or the server stops: free everything and return. */
  readonly signal: AbortSignal;
  /** Undefined: go on. A promise: the reader is behind; wait for it before the next message. It settles on abort too. */
  send(message: Message): Promise<void> | undefined;
}

/** The six calls, free of gRPC. Errors: InvalidInputError, AppendError, PositionError; anything else leaves as INTERNAL. */
export interface BusService {
  /** `bytes`: the encoded size of the request. */
  publish(request: PublishRequestMessage | PlainEvents, bytes: number): Promise<PublishResponseMessage>;
  /** Messages are encoded RecordBatches. Returns when the signal aborts. */
  subscribe(request: SubscribeRequestMessage, sink: MessageSink<Buffer>): Promise<void>;
  read(request: ReadRequestMessage, sink: MessageSink<Buffer>): Promise<void>;
  executions(request: ExecutionsRequestMessage, sink: MessageSink<ExecutionsResponseMessage>): Promise<void>;
  describe(request: DescribeRequestMessage): Promise<DescribeResponseMessage>;
}
