import type { ShardIndex } from '../core/sequence.ts';

/** Where the interest map looks up who has a tag. */
export interface TagMembers {
  members(tag: string): ReadonlyMap<string, number> | undefined;
}

/**
 * Which shards want the records of an execution: one bit a shard.
 *
 * Kept as a finished mask per execution, so that the question asked once per record is one look-up; the work is done when interest or membership changes.
 */
export class InterestMap {
  /** Bits of the shards that have the value itself, execution or tag. */
  readonly #named = new Map<string, number>();
  /** Bits for an execution: its own and those of its tags. */
  readonly #executions = new Map<string, number>();
  readonly #byShard: Set<string>[] = [];
  readonly #registry: TagMembers;
  /** The tags of an execution that somebody watches, to take a mask back. */
  readonly #watchedTags = new Map<string, string[]>();

  constructor(registry: TagMembers, shards: number) {
    this.#registry = registry;
    for (let shard = 0; shard < shards; shard += 1) this.#byShard.push(new Set());
  }

  /** 0: nobody. Cost: one look-up. */
  maskOf(executionId: string): number {
    return this.#executions.get(executionId) ?? 0;
  }

  values(shard: ShardIndex): Iterable<string> {
    return this.#byShard[shard] ?? [];
  }

  /** Idempotent. Cost: O(members) for a tag. */
  add(shard: ShardIndex, value: string): void {
    const bit = 1 << shard;
    const before = this.#named.get(value) ?? 0;
    this.#named.set(value, before | bit);
    this.#byShard[shard]?.add(value);
    const members = this.#registry.members(value);
    if (members === undefined) {
      this.#executions.set(value, this.maskOf(value) | bit);
      return;
    }
    for (const executionId of members.keys()) {
      this.#executions.set(executionId, this.maskOf(executionId) | bit);
      if (before === 0) this.#link(executionId, value);
    }
  }

  remove(shard: ShardIndex, value: string): void {
    const after = (this.#named.get(value) ?? 0) & ~(1 << shard);
    if (after === 0) this.#named.delete(value);
    else this.#named.set(value, after);
    this.#byShard[shard]?.delete(value);
    this.#recompute(value);
    const members = this.#registry.members(value);
    if (members === undefined) return;
    for (const executionId of members.keys()) {
      if (after === 0) this.#unlink(executionId, value);
      this.#recompute(executionId);
    }
  }

  /** An execution got tags: from this record on, whoever watches one of them wants it. Call before the record's mask is asked for. */
  onTagged(executionId: string, tags: readonly string[]): void {
    for (const tag of tags) {
      const mask = this.#named.get(tag) ?? 0;
      if (mask === 0) continue;
      this.#link(executionId, tag);
      this.#executions.set(executionId, this.maskOf(executionId) | mask);
    }
  }

  /** The registry has forgotten the execution. */
  forget(executionId: string): void {
    this.#watchedTags.delete(executionId);
    this.#recompute(executionId);
  }

  /** The registry was replaced: masks are made anew from it. */
  rebuild(): void {
    const named = [...this.#byShard.entries()].map(([shard, values]) => [shard, [...values]] as const);
    this.#named.clear();
    this.#executions.clear();
    this.#watchedTags.clear();
    for (const [shard, values] of named) {
      for (const value of values) this.add(shard as ShardIndex, value);
    }
  }

  #recompute(executionId: string): void {
    let mask = this.#named.get(executionId) ?? 0;
    for (const tag of this.#watchedTags.get(executionId) ?? []) mask |= this.#named.get(tag) ?? 0;
    if (mask === 0) this.#executions.delete(executionId);
    else this.#executions.set(executionId, mask);
  }

  #link(executionId: string, tag: string): void {
    const tags = this.#watchedTags.get(executionId);
    if (tags === undefined) this.#watchedTags.set(executionId, [tag]);
    else if (!tags.includes(tag)) tags.push(tag);
  }

  #unlink(executionId: string, tag: string): void {
    const tags = this.#watchedTags.get(executionId)?.filter((other) => other !== tag) ?? [];
    if (tags.length === 0) this.#watchedTags.delete(executionId);
    else this.#watchedTags.set(executionId, tags);
  }
}
