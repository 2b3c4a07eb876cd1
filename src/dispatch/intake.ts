import type { Position } from '../contract/shard-messages.ts';
import type { WindowMark, WindowStatus } from '../contract/window.ts';
import { type EventId, formatEventId, type JournalTag } from '../core/event-id.ts';
import type { Sequence } from '../core/sequence.ts';
import type { ExecutionRegistry } from '../executions/registry.ts';
import { RecordReader } from '../wire/record/record-reader.ts';
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
 * The mailboxes are flushed by the caller once the batch is whole. Cost: about a microsecond a record, no object a record.
 */
export class Intake {
  readonly #with: IntakeDependencies;
  readonly #reader = new RecordReader();
  /** Reused: the registry keeps nothing of it but the numbers and the text. */
  readonly #place = { sequence: 0, id: '', timeMs: 0 };
  #head: Position;

  constructor(dependencies: IntakeDependencies, origin: EventId) {
    this.#with = dependencies;
    this.#head = { ...dependencies.window.head(), id: origin };
  }

  head(): Position {
    return this.#head;
  }

  /** One encoded RecordBatch. Answers how many records were in it. */
  batch(bytes: Buffer): number {
    const { window } = this.#with;
    const reader = this.#reader;
    reader.reset(bytes);
    let count = 0;
    let timeMs = 0;
    let tag = 0 as JournalTag;
    while (reader.next()) {
      const before = window.head();
      if (!this.#append(reader)) continue;
      this.#fold(reader);
      const mask = this.#with.interest.maskOf(reader.executionId);
      if (mask !== 0) this.#wake(mask, before);
      ({ timeMs, tag } = reader);
      count += 1;
    }
    if (count > 0) {
      const mark = window.head();
      this.#head = { ...mark, id: formatEventId(timeMs, mark.sequence, tag) };
    }
    return count;
  }

  /** The window starts anew behind a position. */
  restart(sequence: Sequence, id: EventId): void {
    this.#head = { ...this.#with.window.reset(sequence), id };
  }

  /** False when the record is larger than the contract allows: it is left out, or the stream would break at it again and again. */
  #append(reader: RecordReader): boolean {
    try {
      this.#with.window.append(reader);
      return true;
    } catch (fault) {
      if (!(fault instanceof WireError) || fault.code !== 'record-too-large') throw fault;
      this.#with.onSkipped(fault);
      return false;
    }
  }

  #fold(reader: RecordReader): void {
    const { registry, interest } = this.#with;
    const place = this.#place;
    place.sequence = reader.sequence;
    place.timeMs = reader.timeMs;
    place.id = reader.id;
    if (reader.isEvent) {
      registry.applyEvent(reader.executionId, place, reader.size ?? 0, reader.time);
      return;
    }
    const change = reader.change;
    if (change === null) return;
    registry.applyChange(reader.executionId, place, { ...change, reason: change.reason ?? '' });
    if (change.tags.length > 0) interest.onTagged(reader.executionId, change.tags);
  }

  #wake(mask: number, before: WindowMark): void {
    const { mailboxes } = this.#with;
    for (let shard = 0; shard < mailboxes.length; shard += 1) {
      if ((mask & (1 << shard)) !== 0) mailboxes[shard]?.interest(before);
    }
  }
}
