import type { ExecutionFacts } from '../contract/journal.ts';
import type { ExecutionStatus } from '../core/execution.ts';
import {
  type ChangeFacts,
  type EventSum,
  type ExecutionEntry,
  foldChange,
  foldEvent,
  foldEvents,
  lastSequence,
  newEntry,
  type RecordPlace,
  terminalSequence,
} from './entry.ts';
import { SortedIds } from './sorted-ids.ts';

/** A page of executions, by ascending id. */
export interface ExecutionPage {
  readonly executions: readonly ExecutionFacts[];
  /** Pass as `after` for the next page; null: there is none. */
  readonly next: string | null;
}

export interface PageRequest {
  /** Ids above this; '' from the start. */
  readonly after: string;
  readonly limit: number;
  readonly tag: string | null;
  readonly status: ExecutionStatus | null;
}

/**
 * Executions and their tags, folded over the records of the journal in order.
 *
 * A record that an execution has already seen (its sequence is not above the execution's last) changes nothing, so a snapshot that is
 * newer than the position from which records are applied does no harm. Records of one execution come in ascending order.
 */
export class ExecutionRegistry {
  readonly #entries = new Map<string, ExecutionEntry>();
  /** Per tag: execution id to the sequence at which it got the tag. */
  readonly #members = new Map<string, Map<string, number>>();
  readonly #ids = new SortedIds();

  get size(): number {
    return this.#entries.size;
  }

  get(executionId: string): ExecutionFacts | undefined {
    return this.#entries.get(executionId);
  }

  /** In no order. Facts from here are live: apply* changes them in place, `replace` does not. */
  values(): IterableIterator<ExecutionFacts> {
    return this.#entries.values();
  }

  /** The executions that have a tag, and since which sequence; undefined when nothing has it. Live: do not keep it. */
  members(tag: string): ReadonlyMap<string, number> | undefined {
    return this.#members.get(tag);
  }

  /** True once a record named the execution or gave the tag. */
  knows(value: string): boolean {
    return this.#entries.has(value) || this.#members.has(value);
  }

  /** The greatest sequence of the terminal changes of these executions; null when one of them is unknown or not over. */
  greatestTerminal(executionIds: Iterable<string>): number | null {
    let greatest = 0;
    for (const executionId of executionIds) {
      const entry = this.#entries.get(executionId);
      const sequence = entry === undefined ? 0 : terminalSequence(entry);
      if (sequence === 0) return null;
      greatest = Math.max(greatest, sequence);
    }
    return greatest;
  }

  /** One storage event. `size`: 0 when absent. Answers whether the execution is new. Reads `at` and keeps nothing of it: reuse it; allocates for a new execution only. */
  applyEvent(executionId: string, at: RecordPlace, size: number, eventTime: string): boolean {
    const known = this.#entries.get(executionId);
    if (known !== undefined) {
      if (at.sequence > lastSequence(known)) foldEvent(known, at, size, eventTime);
      return false;
    }
    foldEvent(this.#create(executionId, at.sequence, at.timeMs), at, size, eventTime);
    return true;
  }

  /** Sequence of the last record that named the execution; 0 for one that is not known. */
  lastSequenceOf(executionId: string): number {
    const known = this.#entries.get(executionId);
    return known === undefined ? 0 : lastSequence(known);
  }

  /** Events of one execution, all of them above `lastSequenceOf` it. Keeps the texts and nothing else of `sum`. */
  applyEvents(executionId: string, sum: EventSum): void {
    const { sequence, timeMs } = sum.first;
    foldEvents(this.#entries.get(executionId) ?? this.#create(executionId, sequence, timeMs), sum);
  }

  /** One change of status or tags. Answers whether the execution is new. */
  applyChange(executionId: string, at: RecordPlace, change: ChangeFacts): boolean {
    const known = this.#entries.get(executionId);
    if (known !== undefined && at.sequence <= lastSequence(known)) return false;
    const entry = known ?? this.#create(executionId, at.sequence, at.timeMs);
    foldChange(entry, at, change);
    for (const tag of change.tags) this.#join(tag, executionId, at.sequence);
    return known === undefined;
  }

  /** Puts facts in place of what was known of that execution; the registry owns them from now on unless it is only ever given new ones. */
  replace(facts: ExecutionFacts): void {
    const known = this.#entries.get(facts.executionId);
    if (known === undefined) this.#ids.add(facts.executionId);
    this.#entries.set(facts.executionId, facts);
    const tagsBefore = known?.tags.length ?? 0;
    for (const { tag, sequence } of facts.tags.slice(tagsBefore)) this.#join(tag, facts.executionId, sequence);
  }

  /** A part of a snapshot: facts that are older than what is known are left out. */
  loadSnapshot(facts: Iterable<ExecutionFacts>): void {
    for (const one of facts) {
      const known = this.#entries.get(one.executionId);
      if (known === undefined || lastSequence(known) < lastSequence(one)) this.replace({ ...one });
    }
  }

  forget(executionId: string): boolean {
    const entry = this.#entries.get(executionId);
    if (entry === undefined) return false;
    this.#entries.delete(executionId);
    this.#ids.delete(executionId);
    for (const { tag } of entry.tags) {
      const members = this.#members.get(tag);
      members?.delete(executionId);
      if (members?.size === 0) this.#members.delete(tag);
    }
    return true;
  }

  /** For a journal that was replaced by another. */
  clear(): void {
    for (const executionId of [...this.#entries.keys()]) this.forget(executionId);
  }

  /** Cost: the executions passed over; with a tag, its members. */
  page(request: PageRequest): ExecutionPage {
    const executions: ExecutionFacts[] = [];
    for (const executionId of this.#candidates(request)) {
      const entry = this.#entries.get(executionId);
      if (entry === undefined || (request.status !== null && entry.status !== request.status)) continue;
      if (executions.length === request.limit) return { executions, next: executions.at(-1)?.executionId ?? null };
      executions.push(entry);
    }
    return { executions, next: null };
  }

  #candidates(request: PageRequest): Iterable<string> {
    if (request.tag === null) return this.#ids.after(request.after);
    const members = this.#members.get(request.tag);
    return members === undefined ? [] : [...members.keys()].filter((id) => id > request.after).sort();
  }

  #create(executionId: string, sequence: number, timeMs: number): ExecutionEntry {
    const entry = newEntry(executionId, sequence, timeMs);
    this.#entries.set(executionId, entry);
    this.#ids.add(executionId);
    return entry;
  }

  #join(tag: string, executionId: string, sequence: number): void {
    let members = this.#members.get(tag);
    if (members === undefined) {
      members = new Map();
      this.#members.set(tag, members);
    }
    if (!members.has(executionId)) members.set(executionId, sequence);
  }
}
