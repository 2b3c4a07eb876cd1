import type { ControlAnswer, ControlCall, ExecutionView } from '../contract/control.ts';
import type { ExecutionFacts } from '../contract/journal.ts';
import type { BusCalls, PublishEntry } from '../contract/upstream.ts';
import type { Clock } from '../core/clock.ts';
import { type EventId, eventIdParts, parseUuid } from '../core/event-id.ts';
import { BusError } from '../core/failure.ts';
import { verifyWaitMs, visibleWaitMs, writeBytesInFlightMax, writesInFlightMax } from '../core/limits.ts';
import { publishBurst, TokenBucket } from '../core/token-bucket.ts';
import { foldChange, newEntry } from '../executions/entry.ts';
import type { ExecutionRegistry } from '../executions/registry.ts';
import type { PositionWaiters } from './position-waiters.ts';

export interface ControlDeskDependencies {
  readonly registry: ExecutionRegistry;
  readonly bus: BusCalls;
  readonly clock: Clock;
  readonly waiters: PositionWaiters;
  readonly headId: () => EventId;
  readonly health: () => Extract<ControlAnswer, { kind: 'health' }>;
  readonly readiness: () => Extract<ControlAnswer, { kind: 'readiness' }>;
  /** Events and changes a second over HTTP; 0: no limit. */
  readonly publishRate: number;
  /** Seconds from the call to the acknowledgement of a write. */
  readonly onPublished: (seconds: number, entries: number) => void;
}

/** The main thread's side of everything of the HTTP API but the stream. */
export class ControlDesk {
  readonly #with: ControlDeskDependencies;
  #writes = 0;
  #bytes = 0;
  #stopping = false;
  /** Told, of a router that stops, when the last write in flight is answered. */
  #onDrained: () => void = () => undefined;
  readonly #bucket: TokenBucket | null;

  constructor(dependencies: ControlDeskDependencies) {
    this.#with = dependencies;
    const { publishRate, clock } = dependencies;
    this.#bucket =
      publishRate === 0 ? null : new TokenBucket(publishRate, publishBurst(publishRate), clock.monotonicMs());
  }

  /** From now on no write is begun; settles when those that are in flight have their answers. Call once. */
  drain(): Promise<void> {
    return new Promise((resolve) => {
      this.#stopping = true;
      this.#onDrained = resolve;
      if (this.#writes === 0) resolve();
    });
  }

  /** Never rejects for a failure of the bus: that is an answer. */
  async call(call: ControlCall): Promise<ControlAnswer> {
    try {
      return await this.#call(call);
    } catch (failure) {
      if (!(failure instanceof BusError)) throw failure;
      const { code, faults, retryAfterMs } = failure;
      return { kind: 'failed', code, detail: failure.message, faults, retryAfterMs };
    }
  }

  async #call(call: ControlCall): Promise<ControlAnswer> {
    switch (call.kind) {
      case 'publish': {
        const entries = call.events.map((event): PublishEntry => ({ kind: 'event', event }));
        const written = await this.#write(entries, call.bytes);
        return 'kind' in written ? written : { kind: 'published', ids: written.ids, visible: written.visible };
      }
      case 'change-execution':
        return this.#change(call);
      case 'get-execution':
        return this.#get(call.executionId);
      case 'list-executions':
        return this.#list(call);
      case 'health':
        return this.#with.health();
      case 'readiness':
        return this.#with.readiness();
    }
  }

  async #change(call: Extract<ControlCall, { kind: 'change-execution' }>): Promise<ControlAnswer> {
    const { executionId, status, tags, reason } = call;
    const before = this.#with.headId();
    const written = await this.#write([{ kind: 'change', executionId, status, tags, reason }], 0);
    if ('kind' in written) return written;
    const facts = this.#with.registry.get(executionId);
    if (written.visible && facts !== undefined) {
      // Not the head: an event between the change and this answer would lie behind it. A change that changed nothing has an old id of its own.
      const own = written.ids[0] ?? before;
      const execution = { ...this.#view(facts), last_event_id: own > before ? own : before };
      return { kind: 'execution', execution, visible: true };
    }
    return { kind: 'execution', execution: this.#expected(call, written.ids[0], facts), visible: false };
  }

  /**
   * An execution whose change is durable and not yet visible here: what is known of it, with the change applied as the bus did.
   *
   * Its position is the change's own, which lies ahead of this router: a stream with that cursor waits for it.
   */
  #expected(
    call: Extract<ControlCall, { kind: 'change-execution' }>,
    id: EventId | undefined,
    known: ExecutionFacts | undefined,
  ): ExecutionView {
    const place = {
      sequence: 0,
      id: id ?? '',
      timeMs: id === undefined ? this.#with.clock.wallMs() : eventIdParts(id).timeMs,
    };
    const entry = known === undefined ? newEntry(call.executionId, 0, place.timeMs) : { ...known };
    const has = new Set(entry.tags.map(({ tag }) => tag));
    foldChange(entry, place, {
      status: call.status ?? entry.status,
      statusChanged: call.status !== null && call.status !== entry.status,
      tags: call.tags.filter((tag) => !has.has(tag)),
      reason: call.reason ?? '',
    });
    const view = this.#view(entry);
    return id === undefined ? view : { ...view, last_event_id: id };
  }

  /** An execution that is unknown here is verified against the bus before it is said not to exist. */
  async #get(executionId: string): Promise<ControlAnswer> {
    const { registry, bus, waiters } = this.#with;
    if (registry.get(executionId) === undefined) {
      const journal = await bus.describe(null, verifyWaitMs);
      const passed = await waiters.until(journal.newest.sequence, verifyWaitMs);
      if (!passed && registry.get(executionId) === undefined) {
        throw new BusError('unavailable', 'This router is behind the bus');
      }
    }
    const facts = registry.get(executionId);
    return facts === undefined
      ? { kind: 'not-found' }
      : { kind: 'execution', execution: this.#view(facts), visible: true };
  }

  #list(call: Extract<ControlCall, { kind: 'list-executions' }>): ControlAnswer {
    const { tag, status, limit, cursor } = call;
    // Ours are the last id of a page; anything else would be compared as text and answer some page, or an empty last one.
    if (cursor !== null && parseUuid(cursor) === null) return { kind: 'bad-cursor' };
    const page = this.#with.registry.page({ after: cursor ?? '', limit, tag, status });
    return { kind: 'executions', executions: page.executions.map((facts) => this.#view(facts)), nextCursor: page.next };
  }

  /** Durable, and visible to the next request on any shard unless this router is behind for longer than `visibleWaitMs`. */
  async #write(
    entries: readonly PublishEntry[],
    bytes: number,
  ): Promise<
    { readonly ids: readonly EventId[]; readonly visible: boolean } | Extract<ControlAnswer, { kind: 'overloaded' }>
  > {
    const { bus, clock, waiters } = this.#with;
    if (this.#stopping) throw new BusError('unavailable', 'This router is shutting down');
    if (this.#writes >= writesInFlightMax || this.#bytes + bytes > writeBytesInFlightMax) {
      return { kind: 'overloaded', detail: `${this.#writes} writes with ${this.#bytes} bytes are in flight` };
    }
    const waitMs = this.#bucket?.take(entries.length, clock.monotonicMs()) ?? 0;
    if (waitMs > 0) {
      const detail = `More than ${this.#with.publishRate} events and changes a second are published here`;
      throw new BusError('throttled', detail, [], { retryAfterMs: waitMs });
    }
    this.#writes += 1;
    this.#bytes += bytes;
    try {
      const startMs = clock.monotonicMs();
      const receipt = await bus.publish(entries);
      this.#with.onPublished((clock.monotonicMs() - startMs) / 1_000, entries.length);
      const visibleByMs = clock.monotonicMs() + visibleWaitMs;
      const passed = await waiters.until(receipt.lastSequence, visibleWaitMs);
      // Asked after the wait: the position that was passed may be one of a journal that has taken the place of the other meanwhile.
      const visible = passed && (await receipt.isOfView(visibleByMs - clock.monotonicMs()));
      return { ids: receipt.ids, visible };
    } finally {
      this.#writes -= 1;
      this.#bytes -= bytes;
      if (this.#writes === 0) this.#onDrained();
    }
  }

  #view(facts: ExecutionFacts): ExecutionView {
    return {
      execution_id: facts.executionId,
      status: facts.status,
      tags: facts.tags.map(({ tag }) => tag),
      ...(facts.reason === '' ? {} : { reason: facts.reason }),
      created_at: new Date(facts.createdMs).toISOString(),
      changed_at: new Date(facts.changedMs).toISOString(),
      events: facts.events,
      bytes: facts.bytes,
      late_events: facts.lateEvents,
      ...(facts.firstEventTime === '' ? {} : { first_event_time: facts.firstEventTime }),
      ...(facts.lastEventTime === '' ? {} : { last_event_time: facts.lastEventTime }),
      last_event_id: this.#with.headId(),
    };
  }
}
