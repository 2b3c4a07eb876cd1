import type { MessagePort, Transferable } from 'node:worker_threads';
import type { Position, ShardReply, ShardReport, ShardTask } from '../contract/shard-messages.ts';
import type { BusCalls, JournalDescription, UpstreamFlow, UpstreamSink, ViewChange } from '../contract/upstream.ts';
import { unreachable } from '../core/assert.ts';
import type { Clock } from '../core/clock.ts';
import { type EventId, formatEventId, type JournalTag } from '../core/event-id.ts';
import { type Sequence, type ShardIndex, sequenceNone } from '../core/sequence.ts';
import type { ExecutionRegistry } from '../executions/registry.ts';
import { AdmissionDesk } from '../registrar/admission-desk.ts';
import { ControlDesk } from '../registrar/control-desk.ts';
import { Gate } from '../registrar/gate.ts';
import { HistoryDesk } from '../registrar/history-desk.ts';
import { JoinDesk } from '../registrar/join-desk.ts';
import { PositionWaiters } from '../registrar/position-waiters.ts';
import { FlowControl } from './flow-control.ts';
import { Intake, type WindowSink } from './intake.ts';
import { InterestMap } from './interest.ts';
import { Mailbox } from './mailbox.ts';
import { type HealthAnswer, healthOf, type ReadinessAnswer, readinessOf } from './status.ts';

/** One shard's thread as the dispatcher reaches it. */
export interface ShardLink {
  run(task: ShardTask, transfer: Transferable[]): Promise<ShardReply>;
  /** The main thread's end of the port that the shard reports on. */
  readonly reports: MessagePort;
  /** The other end, handed over with `start`. */
  readonly up: MessagePort;
}

export interface DispatcherDependencies {
  readonly shards: readonly ShardLink[];
  readonly window: WindowSink;
  readonly registry: ExecutionRegistry;
  readonly bus: BusCalls;
  readonly flow: UpstreamFlow;
  readonly clock: Clock;
  readonly connectionsMax: number;
  /** 0: no limit. */
  readonly connectionsPerAddressMax: number;
  readonly publishRate: number;
  readonly onFault: (what: string, fault: unknown) => void;
  readonly onShardLost: (shard: number, fault: unknown) => void;
  readonly onPublished: (seconds: number, entries: number) => void;
  /** The stream from the bus was held back for so long. */
  readonly onHeldBack: (milliseconds: number) => void;
}

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
  readonly #drained: (() => void)[] = [];
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
    this.#history = new HistoryDesk(bus, clock, (fault) => {
      onFault('history', fault);
    });
    this.#control = new ControlDesk({
      ...shared,
      health: () => this.health(),
      readiness: () => this.readiness(),
      publishRate: dependencies.publishRate,
      onPublished: dependencies.onPublished,
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
          this.#with.onFault(`report ${report.kind} of shard ${shard}`, fault);
        }
      });
      this.#mailboxes[shard]?.post({ kind: 'start', up: link.up, at: this.#intake.head() }, [link.up]);
    }
  }

  /** Ends every stream in order; settles when all shards have said so. */
  async drainStreams(): Promise<void> {
    this.#draining = true;
    const drained = this.#mailboxes.map(
      (mailbox) =>
        new Promise<void>((resolve) => {
          this.#drained.push(resolve);
          mailbox.post({ kind: 'shutdown' });
        }),
    );
    await Promise.all(drained);
  }

  close(): void {
    this.#flow.close();
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

  gauges(): {
    readonly joins: number;
    readonly historyQueued: number;
    readonly streams: number;
    readonly mailboxDepth: readonly number[];
  } {
    return {
      joins: this.#joins.pending,
      historyQueued: this.#history.queued,
      streams: this.#admission.streams,
      mailboxDepth: this.#mailboxes.map((mailbox) => mailbox.depth),
    };
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
      case 'call':
        this.#answer(mailbox, report);
        return;
      case 'lapped':
        this.#resync(shard, null);
        return;
      case 'drained':
        this.#drained.pop()?.();
        return;
      default:
        unreachable(report);
    }
  }

  #answer(mailbox: Mailbox, report: Extract<ShardReport, { kind: 'call' }>): void {
    const { call, request } = report;
    this.#control.call(request).then(
      (answer) => {
        mailbox.post({ kind: 'answer', call, answer });
      },
      (fault: unknown) => {
        this.#with.onFault(`call ${request.kind}`, fault);
        const answer = { kind: 'failed', code: 'internal', detail: 'Internal error', faults: [] } as const;
        mailbox.post({ kind: 'answer', call, answer });
      },
    );
  }

  #resync(shard: ShardIndex, gap: ViewChange['gap']): void {
    const mailbox = this.#mailboxes[shard];
    if (mailbox === undefined) return;
    mailbox.forgetDrain();
    const values = [...this.#interest.values(shard)].map((value) => this.#joins.resolve(value));
    mailbox.post({ kind: 'resync', at: this.#intake.head(), values, gap });
  }

  health(): HealthAnswer {
    return healthOf(this.#mailboxes, this.#with.clock.monotonicMs());
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
