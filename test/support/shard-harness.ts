import { MessageChannel, receiveMessageOnPort } from 'node:worker_threads';
import type {
  Gap,
  HistoryOutcome,
  JournalPosition,
  Position,
  ResolvedValue,
  ShardMessage,
  ShardReport,
  ShardTask,
  ViewGap,
} from '../../src/contract/shard-messages.ts';
import type { ShardObserver } from '../../src/contract/shard-observer.ts';
import type { StreamEvents, StreamRequest } from '../../src/contract/stream.ts';
import type { WindowMark } from '../../src/contract/window.ts';
import { type ExecutionStatus, executionStatuses } from '../../src/core/execution.ts';
import { openFilter } from '../../src/core/filter.ts';
import { drainBytesMax, historyBlockBytes } from '../../src/core/limits.ts';
import type { Sequence } from '../../src/core/sequence.ts';
import { Shard } from '../../src/shard/shard.ts';
import { RingReader } from '../../src/window/ring-reader.ts';
import { createWindow } from '../../src/window/window-memory.ts';
import { WindowWriter } from '../../src/window/window-writer.ts';
import { HistoryBlockBuilder } from '../../src/wire/frame/history-block.ts';
import { RecordEncoder } from '../../src/wire/frame/record-encoder.ts';
import { FakeClock } from './fake-clock.ts';
import { FakeSocket } from './fake-socket.ts';
import { changeRecord, type EventBody, eventRecord, type RecordBody, readerOn, testId } from './record-batch.ts';

export type Report<Kind extends ShardReport['kind']> = Extract<ShardReport, { kind: Kind }>;

export interface Client {
  readonly socket: FakeSocket;
  readonly key: number;
  readonly request: StreamRequest;
  readonly events: StreamEvents;
  /** The socket has room again, for `writes` more. */
  drain(writes?: number): void;
}

export interface Answer {
  /** Where it starts; the head when left out. */
  readonly start?: number;
  readonly gap?: Gap | null;
  readonly fromEarliest?: boolean;
  readonly mayBeComplete?: boolean;
  readonly mayBeCompletePlain?: boolean;
}

interface Execution {
  status: ExecutionStatus;
  readonly tags: Map<string, Sequence>;
}

/** One shard in the thread of the test, with a real window; the test plays the main thread, one step at a time. */
export class ShardHarness {
  readonly clock = new FakeClock();
  readonly writer: WindowWriter;
  readonly shard: Shard;
  /** The bytes of the window, to do damage to. */
  readonly ring: Uint8Array;
  /** What the shard tells its metrics; a test may put its own in the place of one. */
  readonly observe: { -readonly [Tell in keyof ShardObserver]: ShardObserver[Tell] };
  readonly faults: { readonly what: string; readonly fault: unknown }[] = [];
  readonly seen = {
    parked: 0,
    gaps: [] as string[],
    ended: [] as string[],
    disconnected: [] as string[],
    frames: 0,
    beats: 0,
  };
  /** The journal: everything ever appended, in order. */
  records: RecordBody[] = [];
  readonly #executions = new Map<string, Execution>();
  readonly #channel = new MessageChannel();
  readonly #reports: ShardReport[] = [];
  /** The values that the owner has answered a join for. */
  readonly #interest = new Set<string>();
  /** Just before the first record of interest that the shard has not been told to read, as the mailbox keeps it. */
  #drainFrom: WindowMark | null = null;

  constructor(windowBytes = 1_048_576, drainBytes = drainBytesMax) {
    const memory = createWindow(windowBytes);
    this.writer = new WindowWriter(memory);
    this.ring = new Uint8Array(memory.ring);
    const { seen } = this;
    this.observe = {
      delivered: (frames) => {
        seen.frames += frames;
      },
      latency: () => undefined,
      mailboxWait: () => undefined,
      ended: (reason) => {
        seen.ended.push(reason);
      },
      disconnected: (reason) => {
        seen.disconnected.push(reason);
      },
      gap: (reason) => {
        seen.gaps.push(reason);
      },
      parked: () => {
        seen.parked += 1;
      },
    };
    this.shard = new Shard({
      window: new RingReader(memory),
      clock: this.clock,
      observer: this.observe,
      random: () => 0.5,
      drainBytes,
      beat: () => {
        this.seen.beats += 1;
      },
      onFault: (what, fault) => {
        this.faults.push({ what, fault });
      },
    });
    this.handle([{ kind: 'start', up: this.#channel.port2, at: this.head() }]);
  }

  close(): void {
    this.#channel.port1.close();
  }

  head(): Position {
    const mark = this.writer.head();
    return { ...mark, id: testId(mark.sequence) };
  }

  at(sequence: number): JournalPosition {
    return { sequence: sequence as Sequence, id: testId(sequence) };
  }

  /** Appends an event; the shard is not told. Answers its sequence. */
  event(executionId: string, path: string, more: Partial<EventBody> = {}): number {
    return this.#append(eventRecord(this.#next(), { executionId, path, ...more }));
  }

  change(executionId: string, status: ExecutionStatus | null, tags: readonly string[] = []): number {
    const resulting = status ?? this.#executions.get(executionId)?.status ?? 'pending';
    const number = executionStatuses.indexOf(resulting) + 1;
    const statusChanged = this.#executions.get(executionId)?.status !== resulting;
    return this.#append(changeRecord(this.#next(), { executionId, status: number, tags, statusChanged }));
  }

  /** Writes so much of others' events that the window holds nothing of what was there. */
  lap(): void {
    const target = this.writer.head().offset + this.writer.capacityBytes + 65_536;
    while (this.writer.head().offset < target) this.event(strangerId, 'noise.bin', { uri: 'u'.repeat(4_000) });
  }

  /** The journal is another one from here on: the window is empty behind `sequence`. */
  restart(sequence: number): void {
    this.writer.reset(sequence as Sequence);
    this.records = [];
    this.#executions.clear();
  }

  handle(messages: readonly ShardMessage[], drain: ShardTask['drain'] = null): void {
    this.shard.handle({ messages, drain, postedMs: this.clock.monotonicMs() });
  }

  /** One drain to the head, if a record of interest is waiting. */
  drain(): void {
    const from = this.#drainFrom;
    this.#drainFrom = null;
    if (from !== null) this.handle([], { from, to: this.head() });
  }

  connect(request: Partial<StreamRequest> & Pick<StreamRequest, 'values'>): Client {
    const socket = new FakeSocket();
    const whole: StreamRequest = {
      filter: openFilter,
      timeoutMs: 300_000,
      keepOpen: false,
      controlEvents: true,
      cursor: { kind: 'live' },
      address: '127.0.0.1',
      ...request,
    };
    const events = this.shard.openStream(whole, socket);
    const join = this.take('join');
    const drain = (writes = Number.POSITIVE_INFINITY): void => {
      socket.blocked = false;
      socket.room = writes;
      events.onWritable();
    };
    return { socket, request: whole, events, key: join?.session ?? -1, drain };
  }

  /** The owner's answer as of the head, not yet handed to the shard. */
  joined(client: Client, answer: Answer = {}): ShardMessage {
    const at = this.head();
    const from = this.#drainFrom ?? this.writer.head();
    this.#drainFrom = null;
    for (const value of client.request.values) this.#interest.add(value);
    return {
      kind: 'joined',
      session: client.key,
      from,
      at,
      values: client.request.values.map((value) => this.resolve(value)),
      start: this.at(answer.start ?? at.sequence),
      gap: answer.gap ?? null,
      fromEarliest: answer.fromEarliest ?? false,
      mayBeComplete: answer.mayBeComplete ?? false,
      mayBeCompletePlain: answer.mayBeCompletePlain ?? answer.mayBeComplete ?? false,
    };
  }

  /** A client that joins with nothing in between. */
  join(request: Partial<StreamRequest> & Pick<StreamRequest, 'values'>, answer: Answer = {}): Client {
    const client = this.connect(request);
    this.handle([this.joined(client, answer)]);
    this.clock.settle();
    return client;
  }

  resync(values: readonly string[], gap: ViewGap | null = null): void {
    this.#drainFrom = null;
    this.handle([{ kind: 'resync', at: this.head(), values: values.map((value) => this.resolve(value)), gap }]);
    this.clock.settle();
  }

  resolve(value: string): ResolvedValue {
    const own = this.#executions.get(value);
    if (own !== undefined) {
      return { value, known: true, executions: [{ executionId: value, status: own.status, since: 0 as Sequence }] };
    }
    const executions = [...this.#executions]
      .filter(([, { tags }]) => tags.has(value))
      .map(([executionId, { status, tags }]) => ({ executionId, status, since: tags.get(value) ?? (0 as Sequence) }));
    return { value, known: executions.length > 0, executions };
  }

  /** What the bus would answer to a request for history. */
  block(report: Report<'read-history'>, bytesMax = historyBlockBytes): Extract<HistoryOutcome, { kind: 'block' }> {
    const builder = new HistoryBlockBuilder(new ArrayBuffer(bytesMax), new RecordEncoder());
    let through: number = report.after;
    for (const record of this.records) {
      if (record.sequence <= report.after || record.sequence > report.until.sequence) continue;
      const id = record.event?.executionId;
      if (id !== undefined && report.executionIds.includes(id) && !builder.append(readerOn(record))) {
        return blockOf(builder, this.at(through));
      }
      through = record.sequence;
    }
    return blockOf(builder, this.at(through));
  }

  /** Answers requests for history until there are none; answers how many there were. */
  serveHistory(bytesMax?: number): number {
    for (let served = 0; ; served += 1) {
      const report = this.take('read-history');
      if (report === null) return served;
      this.handle([{ kind: 'history', ticket: report.ticket, outcome: this.block(report, bytesMax) }]);
      this.clock.settle();
    }
  }

  /** The oldest report of a kind that was not taken; null when there is none. */
  take<Kind extends ShardReport['kind']>(kind: Kind): Report<Kind> | null {
    for (;;) {
      const message = receiveMessageOnPort(this.#channel.port1) as { message: ShardReport } | undefined;
      if (message === undefined) break;
      this.#reports.push(message.message);
    }
    const index = this.#reports.findIndex((report) => report.kind === kind);
    return index < 0 ? null : (this.#reports.splice(index, 1)[0] as Report<Kind>);
  }

  #next(): number {
    return this.writer.head().sequence + 1;
  }

  #append(record: RecordBody): number {
    const before = this.writer.head();
    this.writer.append(readerOn(record));
    this.records.push(record);
    const executionId = record.event?.executionId ?? record.change?.executionId ?? '';
    let execution = this.#executions.get(executionId);
    if (execution === undefined) {
      execution = { status: 'running', tags: new Map() };
      this.#executions.set(executionId, execution);
    }
    if (record.change !== undefined) {
      execution.status = executionStatuses[record.change.status - 1] ?? 'running';
      for (const tag of record.change.tags ?? []) {
        if (!execution.tags.has(tag)) execution.tags.set(tag, record.sequence as Sequence);
      }
    }
    const names = [executionId, ...execution.tags.keys()];
    if (names.some((name) => this.#interest.has(name))) this.#drainFrom ??= before;
    return record.sequence;
  }
}

/** Nobody watches it. */
export const strangerId = '0190b6a2-0000-4f00-9a3b-000000000000';

export function executionOf(number: number): string {
  return `0190b6a2-7c1e-4f00-9a3b-${number.toString(16).padStart(12, '0')}`;
}

function blockOf(builder: HistoryBlockBuilder, through: JournalPosition): Extract<HistoryOutcome, { kind: 'block' }> {
  const { buffer, length } = builder.block();
  return { kind: 'block', bytes: buffer, length, through };
}
