import type { ResolvedValue, ShardReport } from '../contract/shard-messages.ts';
import type { CursorRequest, StreamRefusal } from '../contract/stream.ts';
import type { BusCalls, JournalDescription } from '../contract/upstream.ts';
import type { WindowStatus } from '../contract/window.ts';
import type { Clock } from '../core/clock.ts';
import type { EventId } from '../core/event-id.ts';
import { BusError } from '../core/failure.ts';
import { firstFillWaitMs, streamExecutionsMax, verifyWaitMs } from '../core/limits.ts';
import type { Sequence, ShardIndex } from '../core/sequence.ts';
import type { ExecutionRegistry } from '../executions/registry.ts';
import type { Gate } from './gate.ts';
import type { PositionWaiters } from './position-waiters.ts';
import type { ShardMail } from './shard-mail.ts';
import { atHead, beforeOldest, completenessOf, gapOf, placedHere, type Start, startOf } from './stream-start.ts';

type JoinRequest = Extract<ShardReport, { kind: 'join' }>;

export interface JoinDeskDependencies {
  readonly registry: ExecutionRegistry;
  readonly interest: { add(shard: ShardIndex, value: string): void };
  readonly window: WindowStatus;
  readonly bus: BusCalls;
  readonly clock: Clock;
  readonly waiters: PositionWaiters;
  /** Open from the window's first fill on. */
  readonly filled: Gate;
  /** Open while the stream from the bus is. */
  readonly connected: Gate;
  /** The newest description of the journal. */
  readonly journal: () => JournalDescription | null;
  readonly headId: () => EventId;
  readonly onFault: (fault: unknown) => void;
}

interface Join {
  readonly request: JoinRequest;
  readonly mailbox: ShardMail;
  readonly shard: ShardIndex;
  readonly abort: AbortController;
  /** It presents a position: it was watching before, so it is never turned away because the bus is. */
  readonly returning: boolean;
  waiting: boolean;
}

/**
 * The registry owner's side of a join (docs/ARCHITECTURE.md, "Join"):
 *
 *   1. hold until the window's first fill;
 *   2. a value that is unknown here is verified against the bus: a description asked for after the request came in, passed by the upstream;
 *   3. place the cursor, in the window or by the bus, and wait until the router has that position;
 *   4. in one synchronous step: register the interest, read members and status, answer, all as of the head H.
 *
 * Whatever takes longer than `verifyWaitMs` for a returning client (or one whose executions are known) opens the stream meanwhile.
 */
export class JoinDesk {
  readonly #with: JoinDeskDependencies;
  readonly #joins = new Map<string, Join>();

  constructor(dependencies: JoinDeskDependencies) {
    this.#with = dependencies;
  }

  get pending(): number {
    return this.#joins.size;
  }

  join(shard: ShardIndex, mailbox: ShardMail, request: JoinRequest): void {
    if (this.#joinAtOnce(shard, mailbox, request)) return;
    const kind = request.cursor.kind;
    const returning = kind === 'after' || kind === 'malformed';
    const join: Join = { request, mailbox, shard, abort: new AbortController(), returning, waiting: false };
    const key = joinKey(shard, request.session);
    this.#joins.set(key, join);
    this.#run(join)
      .catch((fault: unknown) => {
        this.#with.onFault(fault);
        this.#refuse(join, { kind: 'unavailable' });
      })
      .finally(() => {
        this.#joins.delete(key);
      });
  }

  /** Most need nothing of the bus: without a timer, an abort and four promises each, a storm of joins leaves 1.2 KB of garbage less behind for every one. */
  #joinAtOnce(shard: ShardIndex, mailbox: ShardMail, request: JoinRequest): boolean {
    if (!this.#with.filled.isOpen || this.#unknown(request).length > 0) return false;
    const placed = placedHere(this.#with.window, request.cursor);
    if (placed === null) return false;
    try {
      this.#answer({ shard, mailbox, request }, placed);
    } catch (fault) {
      this.#with.onFault(fault);
      mailbox.post({ kind: 'refused', session: request.session, refusal: { kind: 'unavailable' } });
    }
    return true;
  }

  /** The client went before it was answered. */
  cancel(shard: ShardIndex, session: number): void {
    this.#joins.get(joinKey(shard, session))?.abort.abort();
  }

  async #run(join: Join): Promise<void> {
    const patience = this.#with.clock.after(verifyWaitMs, () => {
      if (join.returning || this.#unknown(join.request).length === 0) this.#openMeanwhile(join);
    });
    try {
      if (!(await this.#awaitFill(join))) return;
      if (!(await this.#verify(join))) return;
      const start = await this.#place(join);
      if (start === null || join.abort.signal.aborted) return;
      this.#answer(join, start);
    } finally {
      patience();
    }
  }

  #openMeanwhile(join: Join): void {
    if (join.waiting || join.abort.signal.aborted) return;
    // Before the first fill nothing is known of anybody: only who was here before is let in.
    if (!join.returning && !this.#with.filled.isOpen) return;
    join.waiting = true;
    join.mailbox.post({ kind: 'wait', session: join.request.session });
  }

  #refuse(join: Join, refusal: StreamRefusal): void {
    if (join.abort.signal.aborted) return;
    join.mailbox.post({ kind: 'refused', session: join.request.session, refusal });
  }

  async #awaitFill(join: Join): Promise<boolean> {
    const { filled, clock } = this.#with;
    if (filled.isOpen) return true;
    if (join.returning) return filled.opened(join.abort.signal);
    const limit = new AbortController();
    const cancel = clock.after(firstFillWaitMs, () => {
      limit.abort();
    });
    const open = await filled.opened(AbortSignal.any([join.abort.signal, limit.signal]));
    cancel();
    if (!open) this.#refuse(join, { kind: 'unavailable' });
    return open;
  }

  /** False when the join has been answered with a refusal, or its client has gone. */
  async #verify(join: Join): Promise<boolean> {
    for (;;) {
      if (join.abort.signal.aborted) return false;
      if (this.#unknown(join.request).length === 0) return true;
      if (await this.#catchUpWithBus(join)) {
        const unknown = this.#unknown(join.request);
        if (unknown.length === 0) return true;
        this.#refuse(join, { kind: 'unknown-executions', values: unknown });
        return false;
      }
      if (!join.returning) {
        this.#refuse(join, { kind: 'unavailable' });
        return false;
      }
      this.#openMeanwhile(join);
      await this.#reconnection(join);
    }
  }

  /** True once this router has seen everything that the bus had when it was asked; false when that took longer than `verifyWaitMs`. */
  async #catchUpWithBus(join: Join): Promise<boolean> {
    const { bus, clock, waiters } = this.#with;
    const startMs = clock.monotonicMs();
    try {
      const journal = await bus.describe(null, verifyWaitMs);
      const left = Math.max(0, verifyWaitMs - (clock.monotonicMs() - startMs));
      return await waiters.until(journal.newest.sequence, left, join.abort.signal);
    } catch (failure) {
      if (failure instanceof BusError) return false;
      throw failure;
    }
  }

  /** The next time that the stream from the bus is opened; at once if it is open and the call merely failed, after a moment. */
  async #reconnection(join: Join): Promise<void> {
    const { connected, clock } = this.#with;
    const limit = new AbortController();
    const cancel = clock.after(verifyWaitMs, () => {
      limit.abort();
    });
    if (connected.isOpen) await connected.next(AbortSignal.any([join.abort.signal, limit.signal]));
    else await connected.opened(join.abort.signal);
    cancel();
  }

  async #place(join: Join): Promise<Start | null> {
    const { waiters } = this.#with;
    const { cursor } = join.request;
    if (cursor.kind === 'live') return atHead;
    if (cursor.kind === 'malformed') {
      return { start: null, gap: gapOf('malformed', cursor.text, await this.#described()) };
    }
    for (;;) {
      if (join.abort.signal.aborted) return null;
      const life = waiters.restarts;
      const start = placedHere(this.#with.window, cursor) ?? (await this.#placed(cursor));
      if (start === null) {
        this.#openMeanwhile(join);
        await this.#reconnection(join);
        continue;
      }
      const sequence = start.start?.sequence ?? (0 as Sequence);
      // Placed by a bus that is ahead of this router: its position is waited for, and started after.
      // If the journal is replaced meanwhile the place is one in the old, and has to be asked for again.
      if ((await waiters.until(sequence, null, join.abort.signal)) && waiters.restarts === life) return start;
    }
  }

  /** null: the bus could not say. */
  async #placed(cursor: Extract<CursorRequest, { kind: 'after' | 'earliest' }>): Promise<Start | null> {
    const { bus } = this.#with;
    try {
      const journal = await bus.describe(cursor.kind === 'after' ? cursor.id : null, verifyWaitMs);
      if (cursor.kind === 'earliest') return { start: beforeOldest(journal), gap: null };
      return startOf(cursor.id, journal);
    } catch (failure) {
      if (failure instanceof BusError) return null;
      throw failure;
    }
  }

  /** The journal as it is now, or as the bus described it last: then what is the oldest may be a few seconds old. */
  async #described(): Promise<JournalDescription | null> {
    try {
      return await this.#with.bus.describe(null, verifyWaitMs);
    } catch (failure) {
      if (failure instanceof BusError) return this.#with.journal();
      throw failure;
    }
  }

  #unknown(request: JoinRequest): string[] {
    return request.values.filter((value) => !this.#with.registry.knows(value));
  }

  /** Step 4: nothing awaits in here. */
  #answer(join: Pick<Join, 'request' | 'mailbox' | 'shard'>, placed: Start): void {
    const { interest, window, headId, registry } = this.#with;
    const { request, mailbox, shard } = join;
    const refuse = (refusal: StreamRefusal): void => {
      mailbox.post({ kind: 'refused', session: request.session, refusal });
    };
    const unknown = this.#unknown(request);
    if (unknown.length > 0) {
      refuse({ kind: 'unknown-executions', values: unknown });
      return;
    }
    const values = request.values.map((value) => this.resolve(value));
    const count = values.reduce((sum, value) => sum + value.executions.length, 0);
    if (count > streamExecutionsMax) {
      refuse({ kind: 'too-many-executions', count, max: streamExecutionsMax });
      return;
    }
    for (const value of request.values) interest.add(shard, value);
    const start = placed.start ?? { sequence: window.head().sequence, id: headId() };
    mailbox.postJoined({
      session: request.session,
      values,
      start,
      gap: placed.gap,
      fromEarliest: request.cursor.kind === 'earliest',
      ...completenessOf(registry, request.cursor, placed, values),
    });
  }

  /** One value as of the head. Cost: O(members). */
  resolve(value: string): ResolvedValue {
    const { registry } = this.#with;
    const facts = registry.get(value);
    if (facts !== undefined) {
      return { value, known: true, executions: [{ executionId: value, status: facts.status, since: 0 as Sequence }] };
    }
    const members = registry.members(value);
    if (members === undefined) return { value, known: false, executions: [] };
    const executions = [...members].map(([executionId, since]) => ({
      executionId,
      status: registry.get(executionId)?.status ?? ('running' as const),
      since: since as Sequence,
    }));
    return { value, known: true, executions };
  }
}

function joinKey(shard: ShardIndex, session: number): string {
  return `${shard}:${session}`;
}
