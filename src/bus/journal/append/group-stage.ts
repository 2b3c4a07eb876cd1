import type { ExecutionFacts, JournalEntry, JournalInput, PlainEvents } from '../../../contract/journal.ts';
import { extensionOf, normalizeTime, type StorageEvent, type StorageEventInput } from '../../../core/event.ts';
import { type EventId, eventIdsOf, type JournalTag } from '../../../core/event-id.ts';
import { type ExecutionStatus, isTerminal } from '../../../core/execution.ts';
import { AppendError } from '../../../core/failure.ts';
import { executionTagsMax } from '../../../core/limits.ts';
import { type Sequence, toSequence } from '../../../core/sequence.ts';
import { type ExecutionEntry, foldChange, foldEvent, newEntry } from '../../../executions/entry.ts';
import { encodeChangeRecord, encodeEventRecord } from '../../../wire/record/record-codec.ts';
import type { SourceKey, StoredRecord, StoredSource } from '../../engine/journal-store.ts';
import { inputHash } from './input-hash.ts';

/** What the stage looks up behind itself: all that is committed. */
export interface Committed {
  execution(executionId: string): ExecutionFacts | undefined;
  /** Null also when the key has left the idempotency window. */
  source(key: SourceKey): StoredSource | null;
}

/** Where the next record goes. */
export interface Tip {
  readonly sequence: number;
  readonly totalBytes: number;
}

export interface StagedBatch {
  readonly ids: readonly EventId[];
  readonly lastSequence: number;
}

type EventEntry = Extract<JournalEntry, { kind: 'event' }>;
type ChangeEntry = Extract<JournalEntry, { kind: 'change' }>;

interface SourceRow {
  readonly key: SourceKey;
  readonly source: StoredSource;
}

/** One batch while it is being staged: thrown away as a whole when an entry is refused. */
interface Draft {
  readonly records: StoredRecord[];
  readonly executions: Map<string, ExecutionEntry>;
  readonly sources: Map<string, SourceRow>;
  readonly ids: EventId[];
  sequence: number;
  totalBytes: number;
  lastSequence: number;
}

/**
 * One group of batches on its way into one commit. Batches see what those before them in the group did; a refused one leaves no trace.
 *
 * Three layers answer "what is this execution now": the batch, the group, what is committed. An entry is copied when a layer first touches
 * it, so committed facts never change in place (executions() hands them out).
 */
export class GroupStage {
  readonly records: StoredRecord[] = [];
  readonly executions = new Map<string, ExecutionEntry>();
  readonly sources = new Map<string, SourceRow>();
  readonly #committed: Committed;
  readonly #idOf: (sequence: Sequence) => EventId;
  readonly #timeMs: number;
  #tip: Tip;

  /** `timeMs`: of every record of the group, not below the newest one's. */
  constructor(committed: Committed, tag: JournalTag, timeMs: number, tip: Tip) {
    this.#committed = committed;
    this.#idOf = eventIdsOf(timeMs, tag);
    this.#timeMs = timeMs;
    this.#tip = tip;
  }

  get tip(): Tip {
    return this.#tip;
  }

  /** Entries have no faults (entry-faults.ts). Throws AppendError; then nothing of the batch is staged. */
  add(entries: JournalInput): StagedBatch {
    if ('kind' in entries) return this.#addPlain(entries);
    const draft: Draft = {
      records: [],
      executions: new Map(),
      sources: new Map(),
      ids: [],
      sequence: this.#tip.sequence,
      totalBytes: this.#tip.totalBytes,
      lastSequence: 0,
    };
    for (const [index, entry] of entries.entries()) {
      if (entry.kind === 'event') this.#event(draft, entry, index);
      else this.#change(draft, entry, index);
    }
    for (const record of draft.records) this.records.push(record);
    for (const [executionId, entry] of draft.executions) this.executions.set(executionId, entry);
    for (const [key, row] of draft.sources) this.sources.set(key, row);
    this.#tip = { sequence: draft.sequence, totalBytes: draft.totalBytes };
    return { ids: draft.ids, lastSequence: draft.lastSequence };
  }

  /** Nothing of it can be refused, so it needs no draft. */
  #addPlain(events: PlainEvents): StagedBatch {
    const { sequence: before, totalBytes } = this.#tip;
    const ids: EventId[] = [];
    const time = new Date(this.#timeMs).toISOString();
    let offset = totalBytes;
    let entry: ExecutionEntry | null = null;
    for (let index = 0; index < events.length; index += 1) {
      const event = events.at(index);
      const { executionId } = event;
      const sequence = before + 1 + index;
      const id = this.#idOf(toSequence(sequence));
      const bytes = events.record(index, sequence, id, time);
      this.records.push({ sequence, offset, timeMs: this.#timeMs, executionId, isChange: false, bytes });
      offset += bytes.length;
      if (entry?.executionId !== executionId) entry = this.#groupEntry(executionId, sequence);
      foldEvent(entry, { sequence, id, timeMs: this.#timeMs }, event.size, event.time === '' ? time : event.time);
      ids.push(id);
    }
    this.#tip = { sequence: before + events.length, totalBytes: offset };
    return { ids, lastSequence: this.#tip.sequence };
  }

  /** The group's own copy; a new execution begins with `sequence`. */
  #groupEntry(executionId: string, sequence: number): ExecutionEntry {
    const own = this.executions.get(executionId);
    if (own !== undefined) return own;
    const known = this.#committed.execution(executionId);
    const entry = known === undefined ? newEntry(executionId, sequence, this.#timeMs) : { ...known };
    this.executions.set(executionId, entry);
    return entry;
  }

  #event(draft: Draft, { event }: EventEntry, index: number): void {
    const executionId = event.execution_id.toLowerCase();
    const key = event.source_id === undefined ? null : { executionId, sourceId: event.source_id };
    const hash = key === null ? '' : inputHash(event);
    if (key !== null && this.#repeats(draft, key, hash, index)) return;
    const sequence = draft.sequence + 1;
    const id = this.#idOf(toSequence(sequence));
    const stamped = stamp(event, executionId, this.#timeMs);
    this.#append(draft, executionId, encodeEventRecord(sequence, id, stamped), false);
    const at = { sequence, id, timeMs: this.#timeMs };
    foldEvent(this.#entry(draft, executionId), at, event.size ?? 0, stamped.time);
    if (key !== null) draft.sources.set(sourceText(key), { key, source: { ...at, hash } });
    draft.ids.push(id);
  }

  /** True when the event was published before: its id is the answer. */
  #repeats(draft: Draft, key: SourceKey, hash: string, index: number): boolean {
    const text = sourceText(key);
    const known = (draft.sources.get(text) ?? this.sources.get(text))?.source ?? this.#committed.source(key);
    if (known === null) return false;
    if (known.hash !== hash) {
      const detail = `entries[${index}].event.source_id: was published before with different input, as ${known.id}`;
      throw new AppendError('source-id-conflict', detail);
    }
    draft.ids.push(known.id);
    draft.lastSequence = Math.max(draft.lastSequence, known.sequence);
    return true;
  }

  #change(draft: Draft, change: ChangeEntry, index: number): void {
    const executionId = change.executionId.toLowerCase();
    const known = this.#lookUp(draft, executionId);
    const statusChanged = changesStatus(known, change.status);
    if (statusChanged && known !== undefined && isTerminal(known.status)) {
      const detail = `entries[${index}].change.status: execution ${executionId} is ${known.status}, which is final`;
      throw new AppendError('terminal-final', detail);
    }
    const has = new Set(known?.tags.map(({ tag }) => tag));
    const tags = [...new Set(change.tags)].filter((tag) => !has.has(tag));
    if (has.size + tags.length > executionTagsMax) {
      const reason = `an execution has at most ${executionTagsMax} tags`;
      const faults = [{ field: ['entries', index, 'change', 'tags'], reason }];
      throw new AppendError('tags-exceeded', `entries[${index}].change.tags: ${reason}`, { faults });
    }
    if (known !== undefined && !statusChanged && tags.length === 0) {
      draft.ids.push(known.lastChangeId as EventId);
      draft.lastSequence = Math.max(draft.lastSequence, known.lastChangeSequence);
      return;
    }
    const sequence = draft.sequence + 1;
    const id = this.#idOf(toSequence(sequence));
    const status = (statusChanged ? change.status : known?.status) ?? 'running';
    const facts = { status, statusChanged, tags, reason: statusChanged ? change.reason : '' };
    const time = new Date(this.#timeMs).toISOString();
    this.#append(draft, executionId, encodeChangeRecord(sequence, id, { executionId, ...facts, time }), true);
    foldChange(this.#entry(draft, executionId), { sequence, id, timeMs: this.#timeMs }, facts);
    draft.ids.push(id);
  }

  #append(draft: Draft, executionId: string, bytes: Uint8Array, isChange: boolean): void {
    draft.sequence += 1;
    draft.lastSequence = draft.sequence;
    const { sequence, totalBytes: offset } = draft;
    draft.records.push({ sequence, offset, timeMs: this.#timeMs, executionId, isChange, bytes });
    draft.totalBytes += bytes.length;
  }

  #lookUp(draft: Draft, executionId: string): ExecutionFacts | undefined {
    return (
      draft.executions.get(executionId) ?? this.executions.get(executionId) ?? this.#committed.execution(executionId)
    );
  }

  /** The batch's own copy. Its record has just been appended, so a new execution begins with it. */
  #entry(draft: Draft, executionId: string): ExecutionEntry {
    const own = draft.executions.get(executionId);
    if (own !== undefined) return own;
    const known = this.#lookUp(draft, executionId);
    const entry = known === undefined ? newEntry(executionId, draft.sequence, this.#timeMs) : { ...known };
    draft.executions.set(executionId, entry);
    return entry;
  }
}

/** One known by events or tags alone is `running`, but nobody has said so yet. */
function changesStatus(known: ExecutionFacts | undefined, status: ExecutionStatus | null): boolean {
  if (status === null || known === undefined) return status !== null;
  return known.status !== status || known.statusSequence === 0;
}

const sourceText = (key: SourceKey): string => `${key.executionId}/${key.sourceId}`;

function stamp(event: StorageEventInput, executionId: string, timeMs: number): StorageEvent {
  const given = event.time === undefined ? null : normalizeTime(event.time);
  const time = given ?? new Date(timeMs).toISOString();
  const extension = extensionOf(event.path);
  return { ...event, execution_id: executionId, time, ...(extension === undefined ? {} : { extension }) };
}
