import type { ReadRange } from '../../../contract/journal.ts';
import { toSequence } from '../../../core/sequence.ts';
import { lastSequence } from '../../../executions/entry.ts';
import type { ExecutionRegistry } from '../../../executions/registry.ts';
import { beginsWithSequence, isChangeRecord, peekBody } from '../../../wire/record/record-codec.ts';
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

/** What is read from. */
export interface ReadSource {
  readonly store: JournalStore;
  readonly registry: ExecutionRegistry;
  /** A repair may have left holes between the records; without one each hole is damage. */
  readonly holes: boolean;
}

export interface Reading {
  readonly records: number;
  /** Everything that matches up to there was taken. */
  readonly through: number;
  /** The record behind `through` must be there and is not, or is another: reading cannot go on. */
  readonly damagedAt: number | null;
}

interface Progress {
  readonly through: number;
  readonly damagedAt: number | null;
}

/**
 * Reads a range whose end is flushed, in one synchronous piece.
 * Cost: the records of the range, or with executions at most a look and a seek for each that may match, and the records that do.
 */
export function readRecords(source: ReadSource, range: ReadRange, take: (record: Uint8Array) => void): Reading {
  const taking = new Taking(range, take);
  const progress =
    range.executionIds === null
      ? readAll(source, range, taking)
      : readExecutions(source, new Set(candidates(source.registry, range.executionIds, range)), range, taking);
  return { records: taking.records, ...progress };
}

/** The record at a sequence. LMDB does not notice a page of something else: one that does not begin with its own sequence is no record. */
function soundRecord(store: JournalStore, sequence: number): Uint8Array | null {
  const record = store.record(sequence);
  return record !== null && beginsWithSequence(record, sequence) ? record : null;
}

const whole = (range: ReadRange): Progress => ({ through: Math.max(range.after, range.until), damagedAt: null });

function readAll(source: ReadSource, range: ReadRange, taking: Taking): Progress {
  const { store, holes } = source;
  let through: number = range.after;
  while (through < range.until) {
    const record = soundRecord(store, through + 1);
    if (record === null) {
      const next = store.head(through + 1);
      if (!holes || next?.sequence === through + 1) return { through, damagedAt: through + 1 };
      if (next === null || next.sequence > range.until) break;
      through = next.sequence - 1;
    } else {
      const wanted = !range.eventsOnly || !isChangeRecord(record);
      if (wanted && !taking.offer(record)) return { through, damagedAt: null };
      through += 1;
    }
  }
  return whole(range);
}

/**
 * First the next records themselves, as many as there are executions to seek: where a tag of thousands of executions is most of the journal,
 * they fill the read, and the bus is not held up by a seek for each. Then the index.
 */
function readExecutions(
  source: ReadSource,
  executionIds: ReadonlySet<string>,
  range: ReadRange,
  taking: Taking,
): Progress {
  let through: number = range.after;
  for (let looks = 0; looks < executionIds.size && through < range.until; looks += 1) {
    const record = soundRecord(source.store, through + 1);
    // A hole: the index knows whose it was.
    if (record === null) break;
    const { executionId, isChange } = peekBody(record);
    const wanted = executionIds.has(executionId) && !(range.eventsOnly && isChange);
    if (wanted && !taking.offer(record)) return { through, damagedAt: null };
    through += 1;
  }
  if (through >= range.until) return whole(range);
  return readIndexed(source.store, executionIds, { ...range, after: toSequence(through) }, taking);
}

/** A row of the index whose record is not there is damage, after a repair too: that one indexes what it keeps. */
function readIndexed(
  store: JournalStore,
  executionIds: ReadonlySet<string>,
  range: ReadRange,
  taking: Taking,
): Progress {
  const merge = new IndexMerge(store, executionIds, range.after, range.eventsOnly);
  let through: number = range.after;
  for (let sequence = merge.next(); sequence !== null && sequence <= range.until; sequence = merge.next()) {
    const record = soundRecord(store, sequence);
    if (record === null) return { through: sequence - 1, damagedAt: sequence };
    if (!taking.offer(record)) return { through, damagedAt: null };
    through = sequence;
  }
  return whole(range);
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
