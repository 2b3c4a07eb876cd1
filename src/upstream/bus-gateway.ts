import type { HistoryOutcome, JournalPosition } from '../contract/shard-messages.ts';
import type {
  BusCalls,
  CursorPlacement,
  HistoryRequest,
  JournalDescription,
  PublishEntry,
  PublishReceipt,
} from '../contract/upstream.ts';
import type { Clock } from '../core/clock.ts';
import { type EventId, eventIdParts, formatEventId, type JournalTag } from '../core/event-id.ts';
import { executionStatuses } from '../core/execution.ts';
import { BusError } from '../core/failure.ts';
import { busExecutionIdsMax, describeShareMs } from '../core/limits.ts';
import { sequenceNone, toSequence } from '../core/sequence.ts';
import type { BusClient } from '../wire/bus/bus-client.ts';
import { type DescribeResponseMessage, type PublishEntryMessage, verdictNumbers } from '../wire/bus/bus-messages.ts';
import { HistoryBlockBuilder } from '../wire/frame/history-block.ts';
import { RecordEncoder } from '../wire/frame/record-encoder.ts';
import { RecordReader } from '../wire/record/record-reader.ts';
import { WireError } from '../wire/record/wire-error.ts';
import { HistoryBuffers } from './history-buffers.ts';
import { type JournalView, otherJournal } from './journal-view.ts';

interface Asking {
  readonly answer: Promise<JournalDescription>;
  readonly sentMs: number;
}

/** The calls that the dispatcher makes, in the words of the domain. */
export class BusGateway implements BusCalls {
  readonly #client: BusClient;
  readonly #view: JournalView;
  readonly #clock: Clock;
  readonly #buffers = new HistoryBuffers();
  readonly #encoder = new RecordEncoder();
  /** A batch is read in one piece, so that reads which take turns may share it. */
  readonly #reader = new RecordReader();
  /** The last call for the journal's ends, while it is under way. */
  #asking: Asking | null = null;
  /** What those wait for who asked after it was sent: one call for all of them. */
  #next: Promise<JournalDescription> | null = null;

  constructor(client: BusClient, view: JournalView, clock: Clock) {
    this.#client = client;
    this.#view = view;
    this.#clock = clock;
  }

  async publish(entries: readonly PublishEntry[]): Promise<PublishReceipt> {
    const isCertain = this.#view.writing();
    const response = await this.#client.publish({ entries: entries.map(entryMessage) });
    const receipt = { ids: response.ids as readonly EventId[], lastSequence: toSequence(response.last_sequence) };
    const isOfView = async (waitMs: number): Promise<boolean> =>
      isCertain(receipt) || (await this.#holds(receipt.ids.at(-1), waitMs));
    return { ...receipt, isOfView };
  }

  async #holds(id: EventId | undefined, waitMs: number): Promise<boolean> {
    if (id === undefined) return false;
    try {
      return this.#view.holds(id, await this.describe(id, waitMs));
    } catch (failure) {
      if (failure instanceof BusError) return false;
      throw failure;
    }
  }

  /**
   * The answer is always of a call that was sent after this one was made. Without a cursor one call serves everybody who asks while another is under
   * way, however many join at once on what nobody knows; a call that is slow is waited for no longer than `describeShareMs`.
   */
  describe(cursor: string | null, deadlineMs: number): Promise<JournalDescription> {
    if (cursor !== null) return this.#describe(cursor, deadlineMs);
    if (this.#asking === null) return this.#ask(deadlineMs);
    this.#next ??= this.#askBehind(this.#asking, deadlineMs);
    return this.#next;
  }

  async #askBehind(before: Asking, deadlineMs: number): Promise<JournalDescription> {
    const sinceMs = this.#clock.monotonicMs();
    await this.#endOf(before);
    this.#next = null;
    return this.#ask(deadlineMs - (this.#clock.monotonicMs() - sinceMs));
  }

  /** Its answer, whatever it is, or the moment when it has been under way for `describeShareMs`. */
  #endOf({ answer, sentMs }: Asking): Promise<void> {
    return new Promise((resolve) => {
      const cancel = this.#clock.after(Math.max(0, sentMs + describeShareMs - this.#clock.monotonicMs()), resolve);
      const end = (): void => {
        cancel();
        resolve();
      };
      answer.then(end, end);
    });
  }

  #ask(deadlineMs: number): Promise<JournalDescription> {
    const asking = { answer: this.#describe('', deadlineMs), sentMs: this.#clock.monotonicMs() };
    const end = (): void => {
      if (this.#asking === asking) this.#asking = null;
    };
    this.#asking = asking;
    asking.answer.then(end, end);
    return asking.answer;
  }

  async #describe(cursor: string, deadlineMs: number): Promise<JournalDescription> {
    const isOfView = this.#view.asking();
    const journal = descriptionOf(await this.#client.describe(cursor, deadlineMs));
    if (!isOfView(journal)) throw otherJournal();
    return journal;
  }

  /** One block: what matches in (after, until], about `bytesMax`, and never more than `historyBlockBytes`. */
  async history(request: HistoryRequest, unwanted?: AbortSignal): Promise<HistoryOutcome> {
    // Executions that nobody has: nothing to read, and an empty list would mean all.
    if (request.executionIds.length === 0) {
      return { kind: 'block', bytes: new ArrayBuffer(0), length: 0, through: request.until };
    }
    const buffer = this.#buffers.take();
    try {
      const outcome = await this.#read(request, buffer, unwanted);
      // Its records are of another life of the journal than the place that it leads up to, or of another journal.
      if (outcome.kind === 'block' && tagOf(outcome.through) !== tagOf(request.until)) {
        await this.describe(null, historyDescribeMs);
      }
      return outcome;
    } catch (failure) {
      this.#buffers.giveBack(buffer);
      if (!(failure instanceof BusError && failure.code === 'too-old')) throw failure;
      return this.#tooOld();
    }
  }

  giveBack(bytes: ArrayBuffer): void {
    this.#buffers.giveBack(bytes);
  }

  async #read(request: HistoryRequest, buffer: ArrayBuffer, unwanted?: AbortSignal): Promise<HistoryOutcome> {
    const { executionIds, after, until, bytesMax } = request;
    const builder = new HistoryBlockBuilder(buffer, this.#encoder);
    const reader = this.#reader;
    let through: JournalPosition | null = null;
    const asked = {
      after_sequence: after,
      until_sequence: until.sequence,
      // More than the bus takes in one call: read all, and the shard leaves out what is not watched.
      execution_ids: executionIds.length > busExecutionIdsMax ? [] : executionIds,
      // Frames are up to twice as large as records.
      limit_bytes: bytesMax / 2,
      events_only: true,
    };
    const batches = this.#client.read(asked, unwanted);
    try {
      for await (const batch of batches) {
        const taken = appendBatch(builder, reader, batch);
        through = taken.through ?? through;
        if (taken.full) return blockOf(builder, through);
      }
    } catch (failure) {
      // What lies before the damage is whole: the next read begins right at it, and is refused.
      if (!(failure instanceof BusError && failure.code === 'damaged') || through === null) throw failure;
    }
    return blockOf(builder, through);
  }

  async #tooOld(): Promise<HistoryOutcome> {
    const { oldest, newest } = await this.describe(null, historyDescribeMs);
    // Everything may be gone.
    if (oldest === null) return { kind: 'too-old', resumeAfter: newest, oldestAvailable: null };
    return { kind: 'too-old', resumeAfter: justBefore(oldest), oldestAvailable: oldest.id };
  }
}

interface Taken {
  /** The last place that the block is complete up to; null: no more than before the batch. */
  readonly through: JournalPosition | null;
  readonly full: boolean;
}

/** As many of a batch's records as the block has room for. The text of an id is made for the last one only. */
function appendBatch(builder: HistoryBlockBuilder, reader: RecordReader, batch: Buffer): Taken {
  const last = { timeMs: 0, sequence: sequenceNone, tag: 0 as JournalTag };
  const through = (): JournalPosition | null =>
    last.sequence === sequenceNone
      ? null
      : { sequence: last.sequence, id: formatEventId(last.timeMs, last.sequence, last.tag) };
  reader.reset(batch);
  while (reader.next()) {
    if (!appendIfSound(builder, reader)) return { through: through(), full: true };
    last.timeMs = reader.timeMs;
    last.sequence = reader.sequence;
    last.tag = reader.tag;
  }
  if (reader.throughId === null) return { through: through(), full: false };
  return { through: { sequence: reader.throughSequence, id: reader.throughId }, full: false };
}

/** False when the block is full. A record larger than the contract allows is left out here as it is in the window. */
function appendIfSound(builder: HistoryBlockBuilder, reader: RecordReader): boolean {
  try {
    return builder.append(reader);
  } catch (fault) {
    if (fault instanceof WireError && fault.code === 'record-too-large') return true;
    throw fault;
  }
}

function blockOf(builder: HistoryBlockBuilder, through: JournalPosition | null): HistoryOutcome {
  if (through === null) throw new BusError('internal', 'the bus ended a read without a position');
  const { buffer, length } = builder.block();
  return { kind: 'block', bytes: buffer, length, through };
}

function tagOf({ id }: JournalPosition): JournalTag {
  return eventIdParts(id).tag;
}

const historyDescribeMs = 2_000;

/** The position just before a kept record. Its own record may be gone: an id is made that sorts between the two and that retention has passed. */
export function justBefore(position: JournalPosition): JournalPosition {
  const { timeMs, tag } = eventIdParts(position.id);
  const sequence = toSequence(position.sequence - 1);
  return { sequence, id: formatEventId(timeMs, sequence, tag) };
}

export function descriptionOf(response: DescribeResponseMessage): JournalDescription {
  const origin = { sequence: toSequence(0), id: response.origin_id as EventId };
  const newest =
    response.newest_sequence === 0
      ? origin
      : { sequence: toSequence(response.newest_sequence), id: response.newest_id as EventId };
  return {
    journalId: response.journal_id,
    journalTag: response.journal_tag as JournalTag,
    origin,
    oldest:
      response.oldest_sequence === 0
        ? null
        : { sequence: toSequence(response.oldest_sequence), id: response.oldest_id as EventId },
    newest,
    retainedBytes: response.retained_bytes,
    damagedSequence: response.damaged_sequence === 0 ? null : toSequence(response.damaged_sequence),
    placement: placementOf(response),
  };
}

function placementOf(response: DescribeResponseMessage): CursorPlacement | null {
  const { placement } = response;
  if (placement === null || placement === undefined) return null;
  const at = { sequence: toSequence(placement.sequence), id: placement.id as EventId };
  for (const verdict of ['placed', 'expired', 'unknown-position', 'malformed'] as const) {
    if (verdictNumbers[verdict] === placement.verdict) return { verdict, at };
  }
  throw new BusError('internal', `the bus gave a verdict that is not in the contract: ${placement.verdict}`);
}

function entryMessage(entry: PublishEntry): PublishEntryMessage {
  if (entry.kind === 'event') return { event: entry.event };
  const { executionId, status, tags, reason } = entry;
  return {
    change: {
      execution_id: executionId,
      status: status === null ? 0 : executionStatuses.indexOf(status) + 1,
      tags,
      ...(reason === null ? {} : { reason }),
    },
  };
}
