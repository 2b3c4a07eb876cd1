import type { Position, ShardReport } from '../contract/shard-messages.ts';
import type { JournalDescription, UpstreamSink, ViewChange } from '../contract/upstream.ts';
import { unreachable } from '../core/assert.ts';
import { type EventId, formatEventId, type JournalTag } from '../core/event-id.ts';
import { type Sequence, type ShardIndex, sequenceNone } from '../core/sequence.ts';
import { AdmissionDesk } from '../registrar/admission-desk.ts';
import { ControlDesk } from '../registrar/control-desk.ts';
import { Gate } from '../registrar/gate.ts';
import { HistoryDesk } from '../registrar/history-desk.ts';
import { JoinDesk } from '../registrar/join-desk.ts';
import { PositionWaiters } from '../registrar/position-waiters.ts';
import type { DispatcherDependencies } from './dispatcher-dependencies.ts';
import { FlowControl } from './flow-control.ts';
import { Intake } from './intake.ts';
import { InterestMap } from './interest.ts';
import { Mailbox } from './mailbox.ts';
import { type HealthAnswer, healthOf, type ReadinessAnswer, readinessOf } from './status.ts';
import { Watchdog } from './watchdog.ts';

const internalFailure = { kind: 'failed', code: 'internal', detail: 'Internal error', faults: [] } as const;

/** The main thread's actor: takes what the upstream hands over, wakes the shards that want it, and answers their reports. */
export class Dispatcher implements UpstreamSink {
  readonly #with: DispatcherDependencies;
  readonly #interest: InterestMap;
  readonly #mailboxes: readonly Mailbox[];
  readonly #intake: Intake;
  readonly #waiters: PositionWaiters;
  readonly #filled = new Gate();
  readonly #connected = new Gate();
  readonly #joins: JoinDesk;
  readonly #history: HistoryDesk;
  readonly #control: ControlDesk;
  readonly #admission: AdmissionDesk;
  /** Those that have yet to say that their streams have ended. */
  readonly #undrained = new Map<number, () => void>();
  readonly #watchdog: Watchdog;
  #journal: JournalDescription | null = null;
  #draining = false;
  readonly #flow: FlowControl;

  constructor(dependencies: DispatcherDependencies) {
    this.#with = dependencies;
    const { shards, window, registry, bus, clock, onFault } = dependencies;
    this.#interest = new InterestMap(registry, shards.length);
    this.#mailboxes = shards.map(
      (link, index) =>
        new Mailbox({
          run: (task, transfer) => link.run(task, transfer),
          head: () => this.#intake.head(),
          clock,
          onLost: (fault) => {
            this.#drained(index);
            dependencies.onShardLost(index, fault);
          },
          onIdle: () => {
            this.#flow.check();
          },
        }),
    );
    this.#intake = new Intake(
      {
        window,
        registry,
        interest: this.#interest,
        mailboxes: this.#mailboxes,
        onSkipped: (fault) => {
          onFault('record', fault);
        },
      },
      formatEventId(0, sequenceNone, 0 as JournalTag),
    );
    this.#waiters = new PositionWaiters(clock, sequenceNone);
    const shared = { registry, bus, clock, waiters: this.#waiters, headId: (): EventId => this.#intake.head().id };
    this.#joins = new JoinDesk({
      ...shared,
      interest: this.#interest,
      window,
      filled: this.#filled,
      connected: this.#connected,
      journal: () => this.#journal,
      onFault: (fault) => {
        onFault('join', fault);
      },
    });
    const historyFailed = (fault: unknown): void => {
      onFault('history', fault);
    };
    this.#history = new HistoryDesk({ bus, clock, backoff: dependencies.backoff, onFault: historyFailed });
    this.#control = new ControlDesk({
      ...shared,
      health: () => this.health(),
      readiness: () => this.readiness(),
      publishRate: dependencies.publishRate,
      onPublished: dependencies.onPublished,
    });
    this.#watchdog = new Watchdog({
      clock,
      mailboxes: this.#mailboxes,
      beats: (shard) => shards[shard]?.beats() ?? 0,
      onResponsive: dependencies.onShardResponsive,
      onGivenUp: (shard) => {
        this.#drained(shard);
        dependencies.onShardGivenUp(shard);
      },
    });
    this.#admission = new AdmissionDesk(dependencies.connectionsMax, dependencies.connectionsPerAddressMax);
    const { flow, onHeldBack } = dependencies;
    this.#flow = new FlowControl({ window, flow, clock, mailboxes: this.#mailboxes, onHeldBack });
  }

  /** Gives every shard its way up. Call once, before connections are accepted. */
  start(): void {
    for (const [index, link] of this.#with.shards.entries()) {
      const shard = index as ShardIndex;
      link.reports.on('message', (report: ShardReport) => {
        try {
          this.#receive(shard, report);
        } catch (fault) {
          this.#faulted(shard, report, fault);
        }
      });
      this.#mailboxes[shard]?.post({ kind: 'start', up: link.up, at: this.#intake.head() }, [link.up]);
    }
  }

  /** Ends every stream in order; settles when all shards have said so that can be reached. */
  async drainStreams(): Promise<void> {
    this.#draining = true;
    const drained = this.#mailboxes.map((mailbox, shard) => {
      if (this.#watchdog.hopeless(shard)) return Promise.resolve();
      return new Promise<void>((resolve) => {
        this.#undrained.set(shard, resolve);
        mailbox.post({ kind: 'shutdown' });
      });
    });
    await Promise.all(drained);
  }

  /** Begins no write any more; settles when those in flight are answered, and the shards have the answers. */
  async drainWrites(): Promise<void> {
    await this.#control.drain();
    await Promise.all(this.#mailboxes.map((mailbox) => mailbox.emptied()));
  }

  #drained(shard: number): void {
    this.#undrained.get(shard)?.();
    this.#undrained.delete(shard);
  }

  close(): void {
    this.#flow.close();
    this.#watchdog.close();
    this.#history.close();
    for (const mailbox of this.#mailboxes) mailbox.close();
    for (const link of this.#with.shards) link.reports.close();
  }

  position(): Position {
    return this.#intake.head();
  }

  /** The journal as the bus described it last. */
  journal(): JournalDescription | null {
    return this.#journal;
  }

  /** Streams that were let in and have not left. */
  get streams(): number {
    return this.#admission.streams;
  }

  batch(bytes: Buffer): Position {
    if (this.#intake.batch(bytes) > 0) {
      for (const mailbox of this.#mailboxes) mailbox.flush();
      this.#waiters.advance(this.#intake.head().sequence);
      this.#flow.check();
    }
    return this.#intake.head();
  }

  present(executionIds: ReadonlySet<string>, asOf: Sequence): void {
    const gone: string[] = [];
    for (const facts of this.#with.registry.values()) {
      if (facts.createdSequence <= asOf && !executionIds.has(facts.executionId)) gone.push(facts.executionId);
    }
    this.forgotten(gone);
  }

  forgotten(executionIds: readonly string[]): void {
    for (const executionId of executionIds) {
      this.#with.registry.forget(executionId);
      this.#interest.forget(executionId);
    }
  }

  view(change: ViewChange): void {
    const { registry } = this.#with;
    registry.clear();
    registry.loadSnapshot(change.executions);
    this.#intake.restart(change.start.sequence, change.start.id);
    this.#interest.rebuild();
    this.#waiters.restart(change.start.sequence);
    for (const shard of this.#mailboxes.keys()) this.#resync(shard as ShardIndex, change.gap);
  }

  filled(): void {
    this.#filled.set(true);
  }

  connected(connected: boolean): void {
    this.#connected.set(connected);
  }

  described(journal: JournalDescription): void {
    this.#journal = journal;
  }

  #receive(shard: ShardIndex, report: ShardReport): void {
    const mailbox = this.#mailboxes[shard];
    if (mailbox === undefined) return;
    switch (report.kind) {
      case 'join': {
        const refusal = this.#draining
          ? ({ kind: 'shutting-down' } as const)
          : this.#admission.enter(shard, report.session, report.address);
        if (refusal !== null) mailbox.post({ kind: 'refused', session: report.session, refusal });
        else this.#joins.join(shard, mailbox, report);
        return;
      }
      case 'leave':
        this.#joins.cancel(shard, report.session);
        this.#admission.leave(shard, report.session);
        for (const value of report.release) this.#interest.remove(shard, value);
        return;
      case 'read-history':
        this.#history.ask(mailbox, report);
        return;
      case 'drop-history':
        this.#history.drop(mailbox, report.ticket);
        return;
      case 'history-spent':
        this.#with.bus.giveBack(report.bytes);
        return;
      case 'call':
        void this.#answer(mailbox, report);
        return;
      case 'lapped':
        this.#resync(shard, null);
        return;
      case 'drained':
        this.#drained(shard);
        return;
      default:
        unreachable(report);
    }
  }

  /** Whoever waits for an answer to what threw gets one. */
  #faulted(shard: ShardIndex, report: ShardReport, fault: unknown): void {
    this.#with.onFault(report.kind, fault);
    const mailbox = this.#mailboxes[shard];
    if (report.kind === 'join') {
      mailbox?.post({ kind: 'refused', session: report.session, refusal: { kind: 'unavailable' } });
    } else if (report.kind === 'call') {
      mailbox?.post({ kind: 'answer', call: report.call, answer: internalFailure });
    }
  }

  async #answer(mailbox: Mailbox, { call, request }: Extract<ShardReport, { kind: 'call' }>): Promise<void> {
    const answer = await this.#control.call(request).catch((fault: unknown) => {
      this.#with.onFault('call', fault);
      return internalFailure;
    });
    mailbox.post({ kind: 'answer', call, answer });
  }

  #resync(shard: ShardIndex, gap: ViewChange['gap']): void {
    const mailbox = this.#mailboxes[shard];
    if (mailbox === undefined) return;
    mailbox.forgetDrain();
    const values = [...this.#interest.values(shard)].map((value) => this.#joins.resolve(value));
    mailbox.post({ kind: 'resync', at: this.#intake.head(), values, gap });
  }

  health(): HealthAnswer {
    return healthOf(this.#mailboxes.length, this.#watchdog, this.#with.busResponsive());
  }

  readiness(): ReadinessAnswer {
    return readinessOf({
      draining: this.#draining,
      filled: this.#filled.isOpen,
      connected: this.#connected.isOpen,
      head: this.#intake.head(),
      journal: this.#journal,
    });
  }
}
