import type { Position } from '../contract/shard-messages.ts';
import type { WindowMark, WindowStatus } from '../contract/window.ts';
import { type EventId, formatEventId, type JournalTag } from '../core/event-id.ts';
import type { Sequence } from '../core/sequence.ts';
import { EventSums } from '../executions/event-sums.ts';
import type { ExecutionRegistry } from '../executions/registry.ts';
import { RecordReader } from '../wire/record/record-reader.ts';
import { UuidTexts } from '../wire/record/uuid-texts.ts';
import { WireError } from '../wire/record/wire-error.ts';
import type { InterestMap } from './interest.ts';
import type { Mailbox } from './mailbox.ts';

/** The window as the intake writes it. */
export interface WindowSink extends WindowStatus {
  append(reader: RecordReader): WindowMark;
  reset(at: Sequence): WindowMark;
}

export interface IntakeDependencies {
  readonly window: WindowSink;
  readonly registry: ExecutionRegistry;
  readonly interest: InterestMap;
  readonly mailboxes: readonly Pick<Mailbox, 'interest'>[];
  /** A record that no window can hold was left out; its bus has broken the limits of the contract. */
  readonly onSkipped: (fault: WireError) => void;
}

/**
 * The path of a record on the main thread: decoded in place, appended to the window, folded into the registry, asked for in the interest map.
 * The mailboxes are flushed by the caller once the batch is whole. Cost: one to two microseconds and one mark a record.
 */
export class Intake {
  readonly #with: IntakeDependencies;
  readonly #reader = new RecordReader();
  readonly #executionIds = new UuidTexts();
  readonly #sums: EventSums;
  #head: Position;

  constructor(dependencies: IntakeDependencies, origin: EventId) {
    this.#with = dependencies;
    this.#sums = new EventSums(dependencies.registry);
    this.#head = { ...dependencies.window.head(), id: origin };
  }

  head(): Position {
    return this.#head;
  }

  /** One encoded RecordBatch. Answers how many records were in it. Fails: WireError; the records before the fault are taken. */
  batch(bytes: Buffer): number {
    try {
      return this.#records(bytes);
    } finally {
      this.#sums.settle(bytes);
    }
  }

  /** The window starts anew behind a position. */
  restart(sequence: Sequence, id: EventId): void {
    this.#head = { ...this.#with.window.reset(sequence), id };
  }

  #records(bytes: Buffer): number {
    const { window, interest } = this.#with;
    const reader = this.#reader;
    reader.reset(bytes);
    let count = 0;
    let timeMs = 0;
    let tag = 0 as JournalTag;
    let mark = window.head();
    while (reader.next()) {
      const before = mark;
      const after = this.#append(reader);
      if (after === null) continue;
      mark = after;
      const executionId = this.#executionIds.textAt(reader.spans.view, reader.executionIdStart);
      if (reader.isEvent) this.#sums.add(executionId, reader);
      else this.#change(executionId, bytes);
      const mask = interest.maskOf(executionId);
      if (mask !== 0) this.#wake(mask, before);
      ({ timeMs, tag } = reader);
      count += 1;
    }
    if (count > 0) this.#head = { ...mark, id: formatEventId(timeMs, mark.sequence, tag) };
    return count;
  }

  /** Null when the record is larger than the contract allows: it is left out, or the stream would break at it again and again. */
  #append(reader: RecordReader): WindowMark | null {
    try {
      return this.#with.window.append(reader);
    } catch (fault) {
      if (!(fault instanceof WireError) || fault.code !== 'record-too-large') throw fault;
      this.#with.onSkipped(fault);
      return null;
    }
  }

  /** The registry must know the events before it: those after the end of an execution are counted apart. */
  #change(executionId: string, batch: Buffer): void {
    const { registry, interest } = this.#with;
    const { change, sequence, timeMs, id } = this.#reader;
    if (change === null) return;
    this.#sums.settle(batch);
    registry.applyChange(executionId, { sequence, timeMs, id }, { ...change, reason: change.reason ?? '' });
    if (change.tags.length > 0) interest.onTagged(executionId, change.tags);
  }

  #wake(mask: number, before: WindowMark): void {
    const { mailboxes } = this.#with;
    for (let shard = 0; shard < mailboxes.length; shard += 1) {
      if ((mask & (1 << shard)) !== 0) mailboxes[shard]?.interest(before);
    }
  }
}
