import type { ControlAnswer, ReadinessReport } from '../contract/control.ts';
import type { Position } from '../contract/shard-messages.ts';
import type { JournalDescription } from '../contract/upstream.ts';
import type { Watchdog } from './watchdog.ts';

export type HealthAnswer = Extract<ControlAnswer, { kind: 'health' }>;
export type ReadinessAnswer = Extract<ControlAnswer, { kind: 'readiness' }>;

/** Alive: every shard has given a sign of life within `shardUnresponsiveMs`, and so has the bus; null: it is another process. */
export function healthOf(shardCount: number, watchdog: Watchdog, busResponsive: boolean | null): HealthAnswer {
  const shards = Array.from({ length: shardCount }, (_, shard) => ({ shard, responsive: watchdog.responsive(shard) }));
  const healthy = busResponsive !== false && shards.every(({ responsive }) => responsive);
  const bus = busResponsive === null ? {} : { bus: { responsive: busResponsive } };
  return { kind: 'health', healthy, report: { status: healthy ? 'ok' : 'failing', shards, ...bus } };
}

export interface RouterFacts {
  readonly draining: boolean;
  /** The first fill is complete. */
  readonly filled: boolean;
  /** The stream from the bus is open. */
  readonly connected: boolean;
  readonly head: Position;
  /** As described last. */
  readonly journal: JournalDescription | null;
}

/** Ready: the window is filled, the bus is there, and nobody has asked it to stop. */
export function readinessOf(facts: RouterFacts): ReadinessAnswer {
  const { connected, filled, head, journal } = facts;
  const damaged = journal?.damagedSequence ?? null;
  const status = statusOf(facts);
  const report: ReadinessReport = {
    status,
    upstream: connected ? 'connected' : 'connecting',
    last_event_id: filled ? head.id : null,
    lag: Math.max(0, (journal?.newest.sequence ?? head.sequence) - head.sequence),
    ...(damaged === null ? {} : { damaged_sequence: damaged }),
  };
  return { kind: 'readiness', ready: status === 'ready', report };
}

function statusOf({ draining, filled, connected, journal }: RouterFacts): ReadinessReport['status'] {
  if (draining) return 'draining';
  if (!connected && (journal?.damagedSequence ?? null) !== null) return 'journal-damaged';
  if (!filled) return 'filling';
  return connected ? 'ready' : 'bus-away';
}
