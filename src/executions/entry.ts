import type { ExecutionFacts, TagFact } from '../contract/journal.ts';
import { type ExecutionStatus, isTerminal } from '../core/execution.ts';

/** ExecutionFacts while they are being folded. */
export type ExecutionEntry = { -readonly [Key in keyof ExecutionFacts]: ExecutionFacts[Key] };

/** Where a record stands; `timeMs` is its append time. */
export interface RecordPlace {
  readonly sequence: number;
  readonly id: string;
  readonly timeMs: number;
}

/** What a change record says, settled by the bus. */
export interface ChangeFacts {
  /** The status that results. */
  readonly status: ExecutionStatus;
  readonly statusChanged: boolean;
  /** Those that are new. */
  readonly tags: readonly string[];
  readonly reason: string;
}

/** Several events of one execution, in order, with none of its changes between them. */
export interface EventSum {
  readonly first: { readonly sequence: number; readonly timeMs: number };
  readonly last: RecordPlace;
  readonly events: number;
  /** Sizes added up; 0 for an event without one. */
  readonly bytes: number;
  readonly firstTime: string;
  readonly lastTime: string;
}

/** An execution that its first record is about to name. One named by events or tags alone is `running`. */
export function newEntry(executionId: string, sequence: number, timeMs: number): ExecutionEntry {
  return {
    executionId,
    status: 'running',
    tags: [],
    reason: '',
    createdSequence: sequence,
    createdMs: timeMs,
    statusSequence: 0,
    lastChangeSequence: 0,
    lastChangeId: '',
    lastEventSequence: 0,
    events: 0,
    bytes: 0,
    lateEvents: 0,
    firstEventTime: '',
    lastEventTime: '',
    changedMs: timeMs,
    lastId: '',
  };
}

/** Sequence of the last record that named it. */
export function lastSequence(entry: ExecutionFacts): number {
  return Math.max(entry.lastChangeSequence, entry.lastEventSequence);
}

/** Sequence of the terminal change, or 0. */
export function terminalSequence(entry: ExecutionFacts): number {
  return isTerminal(entry.status) ? entry.statusSequence : 0;
}

/** One storage event. Allocates nothing. `size` is 0 when the event has none. */
export function foldEvent(entry: ExecutionEntry, at: RecordPlace, size: number, eventTime: string): void {
  entry.lastEventSequence = at.sequence;
  entry.lastId = at.id;
  entry.changedMs = at.timeMs;
  entry.events += 1;
  entry.bytes += size;
  if (isTerminal(entry.status)) entry.lateEvents += 1;
  if (entry.events === 1) entry.firstEventTime = eventTime;
  entry.lastEventTime = eventTime;
}

/** The same as `foldEvent` for each of them. */
export function foldEvents(entry: ExecutionEntry, sum: EventSum): void {
  const { last, events } = sum;
  entry.lastEventSequence = last.sequence;
  entry.lastId = last.id;
  entry.changedMs = last.timeMs;
  if (entry.events === 0) entry.firstEventTime = sum.firstTime;
  entry.events += events;
  entry.bytes += sum.bytes;
  if (isTerminal(entry.status)) entry.lateEvents += events;
  entry.lastEventTime = sum.lastTime;
}

/** One change. The array of tags is replaced, never grown in place: older copies of the entry may share it. */
export function foldChange(entry: ExecutionEntry, at: RecordPlace, change: ChangeFacts): void {
  entry.lastChangeSequence = at.sequence;
  entry.lastChangeId = at.id;
  entry.lastId = at.id;
  entry.changedMs = at.timeMs;
  if (change.statusChanged) {
    entry.status = change.status;
    entry.statusSequence = at.sequence;
    entry.reason = change.reason;
  }
  if (change.tags.length > 0) {
    entry.tags = [...entry.tags, ...change.tags.map((tag): TagFact => ({ tag, sequence: at.sequence }))];
  }
}
