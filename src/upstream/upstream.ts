import type { JournalPosition, ViewGap } from '../contract/shard-messages.ts';
import type { JournalDescription, UpstreamFlow, UpstreamSink } from '../contract/upstream.ts';
import type { Cancel, Clock } from '../core/clock.ts';
import type { EventId } from '../core/event-id.ts';
import { BusError } from '../core/failure.ts';
import { describeEveryMs, upstreamBackoffMs } from '../core/limits.ts';
import { type Sequence, sequenceNone } from '../core/sequence.ts';
import type { BusClient, BusSubscription } from '../wire/bus/bus-client.ts';
import type { PositionMessage } from '../wire/bus/bus-messages.ts';
import { RecordReader } from '../wire/record/record-reader.ts';
import { Backoff } from './backoff.ts';
import { descriptionOf, justBefore } from './bus-gateway.ts';
import { type JournalView, otherJournal } from './journal-view.ts';
import { RegistryFeed, type RegistrySnapshot } from './registry-feed.ts';

export interface UpstreamDependencies {
  readonly client: BusClient;
  readonly sink: UpstreamSink;
  /** Kept here, asked by the calls. */
  readonly view: JournalView;
  readonly clock: Clock;
  readonly random: () => number;
  /** How much of the newest history the window is filled with. */
  readonly fillBytes: number;
  readonly onReconnected: () => void;
  readonly onTrouble: (what: string, failure: unknown) => void;
}

/** Where the next subscription starts. */
type Resume =
  /** Nothing is known: the registry, then the newest `fillBytes`. */
  | { readonly kind: 'fill' }
  /** After the last record that was handed over. */
  | { readonly kind: 'after'; readonly position: JournalPosition }
  /** The position is not one of this journal, or no longer: the registry, then from its sequence on, with a gap for everybody. */
  | { readonly kind: 'anew'; readonly reason: ViewGap['reason'] };

/** What begins anew with a subscription that does not go on after the last. */
interface NewView {
  readonly resume: Exclude<Resume, { kind: 'after' }>;
  readonly journal: JournalDescription;
  readonly snapshot: RegistrySnapshot;
}

/**
 * The gRPC client of the stream from the bus: it connects, resumes after the last sequence, and begins anew when the journal is another one.
 *
 *   fill ──▶ after ◀──┐ connection lost, backoff
 *             │       │
 *             ├───────┘
 *             └─ OUT_OF_RANGE: overtaken, ABORTED: journal_replaced ──▶ anew ──▶ after
 */
export class Upstream implements UpstreamFlow {
  readonly #with: UpstreamDependencies;
  readonly #backoff: Backoff;
  readonly #reader = new RecordReader();
  readonly #registry: RegistryFeed;
  #resume: Resume = { kind: 'fill' };
  #position: JournalPosition = { sequence: sequenceNone, id: '' as EventId };
  #subscription: BusSubscription | null = null;
  /** The first fill is complete at this sequence; null once it is. */
  #fillUntil: Sequence | null = sequenceNone;
  #held = false;
  #stopped = false;
  #connectedOnce = false;
  #endPause: () => void = () => undefined;
  #endSubscription: (failure: BusError) => void = () => undefined;
  readonly #describing: Cancel;

  constructor(dependencies: UpstreamDependencies) {
    this.#with = dependencies;
    const { base, cap } = upstreamBackoffMs;
    this.#backoff = new Backoff(base, cap, dependencies.random);
    this.#registry = new RegistryFeed(dependencies.client, dependencies.sink, dependencies.onTrouble);
    this.#describing = dependencies.clock.every(describeEveryMs, () => {
      if (this.#subscription !== null) void this.#describeAgain();
    });
  }

  /** Runs until `stop`, and settles then. */
  async run(): Promise<void> {
    while (!this.#isStopped()) {
      try {
        await this.#once();
      } catch (failure) {
        if (this.#isStopped()) return;
        this.#lost(failure);
      }
      await this.#pause(this.#backoff.next());
    }
  }

  stop(): void {
    this.#stopped = true;
    this.#describing();
    this.#endPause();
    this.#subscription?.cancel();
    this.#endSubscription(new BusError('unavailable', 'the upstream was stopped'));
    this.#registry.stop();
  }

  hold(): void {
    this.#held = true;
    this.#subscription?.pause();
  }

  release(): void {
    this.#held = false;
    this.#subscription?.resume();
  }

  /** One connection, from description to loss. Rejects when it ends. */
  async #once(): Promise<void> {
    const { client, sink } = this.#with;
    const journal = descriptionOf(await client.describe());
    sink.described(journal);
    const resume = this.#resume;
    if (resume.kind === 'after') {
      await this.#registry.refresh();
      const from = { after: { sequence: resume.position.sequence, id: resume.position.id } };
      await this.#subscribe(from, journal, null);
      return;
    }
    const snapshot = await this.#registry.load();
    await this.#subscribe(this.#startOf(resume, snapshot.asOf), journal, { resume, journal, snapshot });
  }

  #startOf(resume: NewView['resume'], asOf: Sequence): PositionMessage {
    if (resume.kind === 'fill') return { last_bytes: this.#with.fillBytes };
    // From just where the registry stands, so that the two are exact together; what lies before is read from the journal.
    return { after: { sequence: asOf, id: '' } };
  }

  #subscribe(from: PositionMessage, journal: JournalDescription, view: NewView | null): Promise<void> {
    const { client, sink } = this.#with;
    let begun = false;
    return new Promise((_resolve, reject) => {
      this.#endSubscription = reject;
      this.#subscription = client.subscribe(from, {
        onBatch: (bytes) => {
          try {
            if (!begun) {
              begun = true;
              this.#begin(bytes, journal, view);
            }
            this.#take(bytes);
          } catch (failure) {
            this.#subscription?.cancel();
            reject(failure instanceof Error ? failure : new BusError('internal', String(failure)));
          }
        },
        onEnd: (failure) => {
          this.#subscription = null;
          sink.connected(false);
          reject(failure);
        },
      });
      if (this.#held) this.#subscription.pause();
    });
  }

  /** The first message of a subscription says where it starts. */
  #begin(bytes: Buffer, journal: JournalDescription, view: NewView | null): void {
    const { sink, onReconnected } = this.#with;
    this.#backoff.reset();
    if (view !== null) this.#newView(this.#throughOf(bytes) ?? view.journal.origin, view);
    // The bus has taken our position as one of its own: the journal that it described just before is the one that we are in.
    else this.#with.view.begin(journal, this.#position.sequence);
    if (this.#connectedOnce) onReconnected();
    this.#connectedOnce = true;
    sink.connected(true);
  }

  #newView(start: JournalPosition, view: NewView): void {
    const { resume, journal, snapshot } = view;
    const oldest = journal.oldest;
    let gap: ViewGap | null = null;
    if (resume.kind === 'anew') {
      const resumeAfter = resume.reason === 'overtaken' && oldest !== null ? justBefore(oldest) : start;
      gap = { reason: resume.reason, oldestAvailable: oldest?.id ?? null, resumeAfter };
      // Replaced before the first fill was over: what it was to reach was a position of the old journal.
      if (this.#fillUntil !== null) this.#fillUntil = start.sequence;
    } else {
      this.#fillUntil = Math.max(snapshot.asOf, journal.newest.sequence) as Sequence;
    }
    this.#position = start;
    this.#resume = { kind: 'after', position: start };
    this.#with.view.begin(journal, start.sequence);
    this.#with.sink.view({ start, executions: snapshot.executions, gap });
  }

  #throughOf(bytes: Buffer): JournalPosition | null {
    const reader = this.#reader;
    reader.reset(bytes);
    while (reader.next());
    return reader.throughId === null ? null : { sequence: reader.throughSequence, id: reader.throughId };
  }

  #take(bytes: Buffer): void {
    const { sink } = this.#with;
    const head = sink.batch(bytes);
    if (head.sequence > this.#position.sequence) {
      this.#position = head;
      this.#resume = { kind: 'after', position: head };
      this.#with.view.advance(head.sequence);
    }
    if (this.#fillUntil !== null && this.#position.sequence >= this.#fillUntil) {
      this.#fillUntil = null;
      sink.filled();
    }
  }

  /** Asked after an await, where the compiler would believe the answer from before it. */
  #isStopped(): boolean {
    return this.#stopped;
  }

  #pause(delayMs: number): Promise<void> {
    return new Promise((resolve) => {
      const cancel = this.#with.clock.after(delayMs, resolve);
      this.#endPause = () => {
        cancel();
        resolve();
      };
    });
  }

  #lost(failure: unknown): void {
    const { sink, onTrouble } = this.#with;
    this.#subscription = null;
    sink.connected(false);
    onTrouble('upstream', failure);
    if (!(failure instanceof BusError) || this.#resume.kind !== 'after') return;
    if (failure.code === 'too-old') this.#resume = { kind: 'anew', reason: 'overtaken' };
    if (failure.code === 'identity') this.#resume = { kind: 'anew', reason: 'journal_replaced' };
  }

  /** The stream is of a journal that is no longer there, and has not been told: it hangs in the network. */
  #leave(): void {
    this.#subscription?.cancel();
    this.#endSubscription(otherJournal());
  }

  async #describeAgain(): Promise<void> {
    const isOfView = this.#with.view.asking();
    const asked = this.#subscription;
    try {
      const journal = descriptionOf(await this.#with.client.describe());
      if (isOfView(journal)) this.#with.sink.described(journal);
      else if (asked === this.#subscription) this.#leave();
    } catch (failure) {
      this.#with.onTrouble('describe', failure);
    }
  }
}
