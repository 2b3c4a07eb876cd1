import type { ResolvedValue, WatchedExecution } from '../contract/shard-messages.ts';
import { type ExecutionStatus, isTerminal } from '../core/execution.ts';
import type { Sequence } from '../core/sequence.ts';
import type { TrieRoot } from './index/prefix-trie.ts';

/**
 * One value of `execution_id` that some stream of this shard has: an execution or a tag. Shared by all of them; it lives from the first `join` that names
 * it to the last stream that leaves.
 */
export interface WatchedValue<Stream> {
  readonly value: string;
  /** Streams that have it, joining ones included. */
  refs: number;
  /** The owner's answer has arrived; from then on the drain keeps it exact as of the shard's position. */
  resolved: boolean;
  /** False: no record names it (any more). It counts as not over. */
  known: boolean;
  /** Its executions, with the sequence from which their events belong to it. */
  readonly members: Map<string, Sequence>;
  /** How many members are not terminal. */
  open: number;
  /** Streams past their join. */
  readonly streams: Set<Stream>;
  /** Where the filters of its live streams stand in the index; 0 while there are none. */
  root: TrieRoot;
}

/** One execution that a value of this shard reaches. */
export interface WatchedEntry<Stream> {
  status: ExecutionStatus;
  readonly values: WatchedValue<Stream>[];
}

/**
 * The executions and tags that this shard watches, as of its drain position.
 *
 * Trusts: answers of the owner are applied when the shard stands exactly at their sequence, and changes in record order. Then membership and status are
 * facts about that position (invariant S1 in docs/ARCHITECTURE.md).
 */
export class WatchTable<Stream> {
  readonly #values = new Map<string, WatchedValue<Stream>>();
  readonly #executions = new Map<string, WatchedEntry<Stream>>();

  get valueCount(): number {
    return this.#values.size;
  }

  get executionCount(): number {
    return this.#executions.size;
  }

  execution(executionId: string): WatchedEntry<Stream> | undefined {
    return this.#executions.get(executionId);
  }

  /** Takes a reference for a stream that is about to join. */
  retain(value: string): WatchedValue<Stream> {
    let watched = this.#values.get(value);
    if (watched === undefined) {
      watched = {
        value,
        refs: 0,
        resolved: false,
        known: false,
        members: new Map(),
        open: 0,
        streams: new Set(),
        root: 0,
      };
      this.#values.set(value, watched);
    }
    watched.refs += 1;
    return watched;
  }

  /** Gives one back; true when it was the last, and the owner has to be told. Cost: O(members) then. */
  release(watched: WatchedValue<Stream>): boolean {
    watched.refs -= 1;
    if (watched.refs > 0) return false;
    this.#clear(watched);
    this.#values.delete(watched.value);
    return true;
  }

  /** Takes the owner's answer over, unless the value is already kept exact. */
  resolve(answer: ResolvedValue): void {
    const watched = this.#values.get(answer.value);
    if (watched === undefined || watched.resolved) return;
    watched.resolved = true;
    watched.known = answer.known;
    for (const execution of answer.executions) this.#addMember(watched, execution);
  }

  /** Takes a new view over, in place of all that was known: first everything is forgotten, or an execution that two values reach kept its old status. */
  restart(answers: readonly ResolvedValue[]): void {
    for (const { value } of answers) {
      const watched = this.#values.get(value);
      if (watched !== undefined) this.#clear(watched);
    }
    for (const answer of answers) this.resolve(answer);
  }

  /**
   * Applies a change record: the status that results, and the tags that were new. Answers the values whose members are all over since this record.
   */
  applyChange(change: {
    readonly executionId: string;
    readonly status: ExecutionStatus;
    readonly tags: readonly string[];
    readonly sequence: Sequence;
  }): WatchedValue<Stream>[] {
    const over: WatchedValue<Stream>[] = [];
    const { executionId, status, sequence } = change;
    this.#applyStatus(executionId, status, over);
    this.#join(executionId, { executionId, status, since: 0 as Sequence }, over);
    for (const tag of change.tags) this.#join(tag, { executionId, status, since: sequence }, over);
    return over;
  }

  #applyStatus(executionId: string, status: ExecutionStatus, over: WatchedValue<Stream>[]): void {
    const entry = this.#executions.get(executionId);
    if (entry === undefined || entry.status === status) return;
    const wasOver = isTerminal(entry.status);
    entry.status = status;
    if (!isTerminal(status) || wasOver) return;
    for (const watched of entry.values) {
      watched.open -= 1;
      if (watched.open === 0) over.push(watched);
    }
  }

  /** An execution begins to belong to a value. It may be over with this very record: a value that was unknown (the journal was replaced) is over then. */
  #join(value: string, execution: WatchedExecution, over: WatchedValue<Stream>[]): void {
    const watched = this.#values.get(value);
    if (watched?.resolved !== true || watched.members.has(execution.executionId)) return;
    watched.known = true;
    this.#addMember(watched, execution);
    if (watched.open === 0) over.push(watched);
  }

  /** A storage event names an execution: it is running if nothing was known of it. */
  applyEvent(executionId: string): void {
    // Asked once an event: nothing is made before the answer is known.
    const named = this.#values.get(executionId);
    if (named?.resolved !== true || named.members.has(executionId)) return;
    this.#join(executionId, { executionId, status: 'running', since: 0 as Sequence }, []);
  }

  #addMember(watched: WatchedValue<Stream>, execution: WatchedExecution): void {
    watched.members.set(execution.executionId, execution.since);
    let entry = this.#executions.get(execution.executionId);
    if (entry === undefined) {
      entry = { status: execution.status, values: [] };
      this.#executions.set(execution.executionId, entry);
    }
    entry.values.push(watched);
    if (!isTerminal(entry.status)) watched.open += 1;
  }

  #clear(watched: WatchedValue<Stream>): void {
    for (const executionId of watched.members.keys()) {
      const entry = this.#executions.get(executionId);
      if (entry === undefined) continue;
      const index = entry.values.indexOf(watched);
      if (index >= 0) entry.values.splice(index, 1);
      if (entry.values.length === 0) this.#executions.delete(executionId);
    }
    watched.members.clear();
    watched.open = 0;
    watched.resolved = false;
    watched.known = false;
  }
}

/** True when every execution of the values is over. A value that nothing names (any more) is not. */
export function allOver<Stream>(values: readonly WatchedValue<Stream>[]): boolean {
  for (const watched of values) {
    if (watched.open > 0 || !watched.known) return false;
  }
  return true;
}
