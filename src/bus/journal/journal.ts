import type * as port from '../../contract/journal.ts';
import type { Cancel, Clock } from '../../core/clock.ts';
import type { EventId, JournalTag } from '../../core/event-id.ts';
import { AppendError, InvalidInputError, type JournalDamagedError } from '../../core/failure.ts';
import { type Sequence, toSequence } from '../../core/sequence.ts';
import { ExecutionRegistry } from '../../executions/registry.ts';
import type { JournalIdentity, JournalState, JournalStore, SourceKey, StoredSource } from '../engine/journal-store.ts';
import { AgeClock } from './age-clock.ts';
import { AppendQueue, type PendingAppend } from './append/append-queue.ts';
import { batchFaults } from './append/entry-faults.ts';
import { GroupStage } from './append/group-stage.ts';
import { groupBatch, sweepBatch } from './append/store-batches.ts';
import type { JournalSettings } from './journal-settings.ts';
import { Listeners } from './listeners.ts';
import { placeCursor } from './placement.ts';
import { Damages } from './read/damages.ts';
import { readRecords } from './read/journal-read.ts';
import { lastHolding } from './retention.ts';
import { StoredPositions } from './stored-positions.ts';

/**
 * The rules of the journal, once for every engine: stamping, finality, idempotency, visibility, retention.
 *
 * One thing writes at a time: a group of appends or a step of retention. Appends that arrive meanwhile make the next group. A group is
 * judged only when the one before it is flushed, so nobody is answered from what may still fail.
 */
export class Journal implements port.EventJournal {
  readonly #store: JournalStore;
  readonly #clock: Clock;
  readonly #settings: JournalSettings;
  readonly #identity: JournalIdentity;
  readonly #registry = new ExecutionRegistry();
  readonly #ageClock: AgeClock;
  readonly #positions: StoredPositions;
  readonly #queue = new AppendQueue();
  readonly #advances = new Listeners<[]>();
  readonly #damages: Damages;
  readonly #changes = new Listeners<[port.ExecutionsChange]>();
  /** What is flushed; everything that is answered is answered from it. */
  #state: JournalState;
  /** Records up to here may be gone already: raised before a trim begins, so that no read takes a vanished record for a hole. */
  #floor: number;
  /** The end of the line of writers. */
  #lastTurn: Promise<void> = Promise.resolve();
  #pumping = false;
  #closed = false;
  #failed: AppendError | null = null;
  #commits = 0;
  #executionsForgotten = 0;
  #executionsSweptMs = Number.NEGATIVE_INFINITY;

  /** Use openJournal. */
  constructor(
    store: JournalStore,
    clock: Clock,
    settings: JournalSettings,
    loaded: { readonly identity: JournalIdentity; readonly state: JournalState },
  ) {
    this.#store = store;
    this.#positions = new StoredPositions(store);
    this.#damages = new Damages(store.place);
    this.#clock = clock;
    this.#settings = settings;
    this.#identity = loaded.identity;
    this.#state = loaded.state;
    this.#floor = loaded.state.horizonSequence;
    this.#ageClock = new AgeClock(loaded.state.ageMs, clock.monotonicMs());
    for (const facts of store.executions()) this.#registry.replace(facts);
  }

  append(entries: port.JournalInput, bytes: number): Promise<port.AppendReceipt> {
    const faults = batchFaults(entries, bytes);
    if (faults.length > 0) return Promise.reject(new InvalidInputError(faults));
    const refusal = this.#failed ?? (this.#closed ? new AppendError('journal-closed', 'the journal is closed') : null);
    if (refusal !== null) return Promise.reject(refusal);
    const receipt = this.#queue.offer(entries, bytes);
    if (!this.#pumping) void this.#pump();
    return receipt;
  }

  describe(): port.JournalDescription {
    const [identity, state, settings, floor] = [this.#identity, this.#state, this.#settings, this.#floor];
    const damagedSequence = toSequence(this.#damages.firstAbove(floor));
    return { ...this.#positions.describe({ identity, state, settings, tag: this.#tag, floor }), damagedSequence };
  }

  async place(cursor: string): Promise<port.CursorPlacement> {
    // A trim under way has taken records that the state still counts as kept.
    while (this.#floor !== this.#state.horizonSequence) await this.#lastTurn;
    return placeCursor(this.#positions.view(this.#identity, this.#state), cursor);
  }

  idAt(sequence: Sequence): Promise<EventId | null> {
    return Promise.resolve(this.#positions.idAt(this.#state, sequence));
  }

  hasTag(tag: JournalTag): boolean {
    return this.#identity.tags.some((life) => life.tag === tag);
  }

  beforeLastBytes(bytes: number): Promise<Sequence> {
    const from = this.#state.totalBytes - bytes;
    const last = lastHolding(this.#store, this.#state, (head) => head.offset < from);
    return Promise.resolve(toSequence(Math.max(last?.sequence ?? 0, this.#floor)));
  }

  read(range: port.ReadRange, take: (record: Uint8Array) => void): Promise<port.ReadResult> {
    if (range.after < this.#floor) {
      return Promise.resolve({ kind: 'trimmed', oldest: toSequence(this.#floor + 1) });
    }
    const until = Math.min(range.until, this.#state.newestSequence);
    const source = { store: this.#store, registry: this.#registry, holes: this.#identity.repaired };
    const { records, through, damagedAt } = readRecords(source, { ...range, until: toSequence(until) }, take);
    const damage = damagedAt === null ? null : this.#damages.found(damagedAt);
    // What lies before the place is whole, and is read first.
    if (damage !== null && records === 0) return Promise.reject(damage);
    return Promise.resolve({
      kind: 'read',
      records,
      through: toSequence(through),
      throughId: this.#positions.idAt(this.#state, through) ?? '',
    });
  }

  execution(executionId: string): port.ExecutionFacts | undefined {
    return this.#registry.get(executionId);
  }

  executions(): { asOf: Sequence; facts: readonly port.ExecutionFacts[] } {
    return { asOf: toSequence(this.#state.newestSequence), facts: [...this.#registry.values()] };
  }

  onAdvance(listener: () => void): Cancel {
    return this.#advances.add(listener);
  }

  onDamage(listener: (damage: JournalDamagedError) => void): Cancel {
    return this.#damages.onFound(listener);
  }

  onExecutions(listener: (change: port.ExecutionsChange) => void): Cancel {
    return this.#changes.add(listener);
  }

  sweep(): Promise<boolean> {
    return this.#inTurn(() => this.#sweepOnce());
  }

  stats(): port.JournalStats {
    return {
      records: this.#state.newestSequence - this.#state.horizonSequence,
      executions: this.#registry.size,
      sources: this.#state.sources,
      sourcesForgotten: this.#state.sourcesForgotten,
      executionsForgotten: this.#executionsForgotten,
      commits: this.#commits,
      pendingAppends: this.#queue.length,
      pendingBytes: this.#queue.byteLength,
      clockAlarm: this.#ageClock.alarm,
    };
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    while (this.#queue.length > 0) await this.#inTurn(() => this.#commitGroup());
    await this.#inTurn(() => this.#store.close());
  }

  get #tag(): JournalTag {
    return this.#identity.tags.at(-1)?.tag ?? (0 as JournalTag);
  }

  /** Runs after every writer before it. */
  async #inTurn<Result>(run: () => Promise<Result>): Promise<Result> {
    const turn = this.#lastTurn.then(run);
    this.#lastTurn = turn.then(
      () => undefined,
      () => undefined, // Its own caller is told.
    );
    return turn;
  }

  async #pump(): Promise<void> {
    this.#pumping = true;
    while (this.#queue.length > 0) await this.#inTurn(() => this.#commitGroup());
    this.#pumping = false;
  }

  /** Judges, commits and answers one group. Never rejects: each append has its own answer. */
  async #commitGroup(): Promise<void> {
    const group = this.#queue.take();
    if (group.length === 0) return;
    try {
      await this.#judgeAndCommit(group);
    } catch (error) {
      for (const append of group) append.reject(error);
    }
  }

  async #judgeAndCommit(group: readonly PendingAppend[]): Promise<void> {
    if (this.#failed !== null) throw this.#failed;
    this.#ageClock.advance(this.#clock.wallMs(), this.#clock.monotonicMs());
    const timeMs = Math.max(this.#clock.wallMs(), this.#state.newestMs);
    const stage = new GroupStage(
      { execution: (id) => this.#registry.get(id), source: (key) => this.#source(key) },
      this.#tag,
      timeMs,
      { sequence: this.#state.newestSequence, totalBytes: this.#state.totalBytes },
    );
    const answers: (() => void)[] = [];
    for (const append of group) {
      try {
        const { ids, lastSequence } = stage.add(append.entries);
        answers.push(() => {
          append.resolve({ ids, lastSequence: toSequence(lastSequence) });
        });
      } catch (error) {
        append.reject(error);
      }
    }
    if (stage.records.length > 0) {
      const batch = groupBatch(this.#context(), stage);
      await this.#commit(batch);
      this.#publishChange([...stage.executions.values()], batch.executionsForgotten);
      this.#advances.tell();
    }
    for (const answer of answers) answer();
  }

  async #sweepOnce(): Promise<boolean> {
    if (this.#failed !== null) throw this.#failed;
    const monotonicMs = this.#clock.monotonicMs();
    this.#ageClock.advance(this.#clock.wallMs(), monotonicMs);
    const { batch, more, executionsSwept } = sweepBatch(this.#context(), monotonicMs - this.#executionsSweptMs);
    if (executionsSwept) this.#executionsSweptMs = monotonicMs;
    if (batch === null) return false;
    this.#floor = batch.state.horizonSequence;
    try {
      await this.#commit(batch);
    } finally {
      this.#floor = this.#state.horizonSequence;
    }
    if (batch.executionsForgotten.length > 0) this.#publishChange([], batch.executionsForgotten);
    return more;
  }

  async #commit(batch: Parameters<JournalStore['commit']>[0]): Promise<void> {
    try {
      await this.#store.commit(batch);
    } catch (error) {
      this.#judgeFailure();
      throw error;
    }
    this.#commits += 1;
    this.#state = batch.state;
  }

  /** After a commit that failed: if the store is not where it was, nothing that follows could be trusted. */
  #judgeFailure(): void {
    let stored: number | null;
    try {
      stored = this.#store.load()?.state.newestSequence ?? null;
    } catch {
      stored = null;
    }
    if (stored !== this.#state.newestSequence) {
      this.#failed = new AppendError('journal-failed', 'the journal failed in the middle of a write; restart the bus');
    }
  }

  #publishChange(changed: readonly port.ExecutionFacts[], forgotten: readonly string[]): void {
    for (const facts of changed) this.#registry.replace(facts);
    for (const executionId of forgotten) this.#registry.forget(executionId);
    this.#executionsForgotten += forgotten.length;
    this.#changes.tell({ asOf: toSequence(this.#state.newestSequence), changed, forgotten });
  }

  #context(): Parameters<typeof groupBatch>[0] {
    return {
      store: this.#store,
      state: this.#state,
      settings: this.#settings,
      registry: this.#registry,
      ageMs: this.#ageClock.nowMs,
    };
  }

  #source(key: SourceKey): StoredSource | null {
    const stored = this.#store.source(key);
    return stored !== null && this.#ageClock.nowMs - stored.timeMs <= this.#settings.idempotencyAgeMs ? stored : null;
  }
}
