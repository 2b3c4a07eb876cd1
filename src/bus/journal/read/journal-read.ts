import type { ReadRange } from '../../../contract/journal.ts';
import { toSequence } from '../../../core/sequence.ts';
import { lastSequence } from '../../../executions/entry.ts';
import type { ExecutionRegistry } from '../../../executions/registry.ts';
import { isChangeRecord, peekBody } from '../../../wire/record/record-codec.ts';
import type { JournalStore } from '../../engine/journal-store.ts';
import { IndexMerge } from './index-merge.ts';

/** Hands records to their reader until one does not fit. */
class Taking {
  records = 0;
  #bytes = 0;
  readonly #range: ReadRange;
  readonly #take: (record: Uint8Array) => void;

  constructor(range: ReadRange, take: (record: Uint8Array) => void) {
    this.#range = range;
    this.#take = take;
  }

  /** False when the limits are reached; the first record always fits. */
  offer(record: Uint8Array): boolean {
    const bytes = this.#bytes + record.length;
    if (this.records > 0 && (bytes > this.#range.limitBytes || this.records >= this.#range.limitRecords)) return false;
    this.#take(record);
    this.records += 1;
    this.#bytes = bytes;
    return true;
  }
}

/**
 * Reads a range whose end is flushed, in one synchronous piece. `through`: everything that matches up to there was taken.
 * Cost: the records of the range, or with executions at most a look and a seek for each that may match, and the records that do.
 */
export function readRecords(
  store: JournalStore,
  registry: ExecutionRegistry,
  range: ReadRange,
  take: (record: Uint8Array) => void,
): { readonly records: number; readonly through: number } {
  const taking = new Taking(range, take);
  const through =
    range.executionIds === null
      ? readAll(store, range, taking)
      : readExecutions(store, new Set(candidates(registry, range.executionIds, range)), range, taking);
  return { records: taking.records, through };
}

function readAll(store: JournalStore, range: ReadRange, taking: Taking): number {
  let through: number = range.after;
  while (through < range.until) {
    const record = store.record(through + 1);
    if (record === null) {
      const next = store.head(through + 1);
      if (next === null || next.sequence > range.until) break;
      through = next.sequence - 1;
    } else {
      const wanted = !range.eventsOnly || !isChangeRecord(record);
      if (wanted && !taking.offer(record)) return through;
      through += 1;
    }
  }
  return Math.max(range.after, range.until);
}

/**
 * First the next records themselves, as many as there are executions to seek: where a tag of thousands of executions is most of the journal,
 * they fill the read, and the bus is not held up by a seek for each. Then the index.
 */
function readExecutions(
  store: JournalStore,
  executionIds: ReadonlySet<string>,
  range: ReadRange,
  taking: Taking,
): number {
  let through: number = range.after;
  for (let looks = 0; looks < executionIds.size && through < range.until; looks += 1) {
    const record = store.record(through + 1);
    if (record === null) break;
    const { executionId, isChange } = peekBody(record);
    const wanted = executionIds.has(executionId) && !(range.eventsOnly && isChange);
    if (wanted && !taking.offer(record)) return through;
    through += 1;
  }
  if (through >= range.until) return Math.max(range.after, range.until);
  return readIndexed(store, executionIds, { ...range, after: toSequence(through) }, taking);
}

function readIndexed(store: JournalStore, executionIds: ReadonlySet<string>, range: ReadRange, taking: Taking): number {
  const merge = new IndexMerge(store, executionIds, range.after, range.eventsOnly);
  let through: number = range.after;
  for (let sequence = merge.next(); sequence !== null && sequence <= range.until; sequence = merge.next()) {
    const record = store.record(sequence);
    if (record !== null && !taking.offer(record)) return through;
    through = sequence;
  }
  return Math.max(range.after, range.until);
}

/** Executions that can have a record in the range. One that the registry has forgotten may still have records. */
function* candidates(
  registry: ExecutionRegistry,
  executionIds: readonly string[],
  range: ReadRange,
): Generator<string, void> {
  for (const executionId of executionIds) {
    const facts = registry.get(executionId);
    const outside = facts !== undefined && (lastSequence(facts) <= range.after || facts.createdSequence > range.until);
    if (!outside) yield executionId;
  }
}
