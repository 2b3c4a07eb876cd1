import type { JournalPosition } from '../../src/contract/shard-messages.ts';
import type { JournalDescription, UpstreamSink, ViewChange } from '../../src/contract/upstream.ts';
import type { EventId } from '../../src/core/event-id.ts';
import { sequenceNone } from '../../src/core/sequence.ts';
import { RecordReader } from '../../src/wire/record/record-reader.ts';

/** Takes what the upstream hands over and keeps it all. Waiting is on a condition, looked at after each call. */
export class FakeSink implements UpstreamSink {
  /** Since the last view. */
  records: { readonly sequence: number; readonly id: EventId; readonly executionId: string }[] = [];
  readonly views: ViewChange[] = [];
  readonly forgottenIds: string[] = [];
  readonly presents: ReadonlySet<string>[] = [];
  readonly connections: boolean[] = [];
  readonly descriptions: JournalDescription[] = [];
  fills = 0;
  /** Records that came when the fill was said to be complete. */
  recordsAtFill = -1;
  #position: JournalPosition = { sequence: sequenceNone, id: '' as EventId };
  readonly #reader = new RecordReader();
  readonly #waiters = new Set<() => void>();

  get sequences(): number[] {
    return this.records.map(({ sequence }) => sequence);
  }

  batch(bytes: Buffer): JournalPosition {
    const reader = this.#reader;
    reader.reset(bytes);
    while (reader.next()) {
      const { sequence, id, executionId } = reader;
      this.records.push({ sequence, id, executionId });
      this.#position = { sequence, id };
    }
    this.#look();
    return this.#position;
  }

  view(change: ViewChange): void {
    this.views.push(change);
    this.records = [];
    this.#position = change.start;
    this.#look();
  }

  forgotten(executionIds: readonly string[]): void {
    this.forgottenIds.push(...executionIds);
    this.#look();
  }

  present(executionIds: ReadonlySet<string>): void {
    this.presents.push(executionIds);
    this.#look();
  }

  filled(): void {
    this.fills += 1;
    this.recordsAtFill = this.records.length;
    this.#look();
  }

  connected(connected: boolean): void {
    this.connections.push(connected);
    this.#look();
  }

  described(journal: JournalDescription): void {
    this.descriptions.push(journal);
    this.#look();
  }

  until(condition: (sink: this) => boolean): Promise<void> {
    return new Promise((resolve) => {
      const look = (): void => {
        if (!condition(this)) return;
        this.#waiters.delete(look);
        resolve();
      };
      this.#waiters.add(look);
      look();
    });
  }

  #look(): void {
    for (const look of this.#waiters) look();
  }
}
