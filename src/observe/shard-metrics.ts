import { Registry } from 'prom-client';
import { LabelledTally, type MetricValues, probe, probeEach, SpreadTally, Tally } from './tally.ts';

/** On one machine a delivery takes a fraction of a millisecond to a few; a catch-up takes seconds. */
export const latencyBoundsSeconds: readonly number[] = [
  0.0005, 0.001, 0.002, 0.003, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30,
];

/** One name for all threads: their counts are added up. */
export const faultsMetric = {
  name: 'faults_total',
  help: 'Exceptions that were contained, by the message or callback that they came out of.',
} as const;

/** What a shard answers when its metrics are asked for. */
export interface ShardProbes {
  /** Open streams. */
  readonly connections: number;
  /** Streams by state. */
  readonly sessions: Readonly<Record<string, number>>;
  /** Distinct filters, each matched once. */
  readonly groups: number;
  /** Executions that this shard is woken for. */
  readonly executions: number;
}

/**
 * What one shard counts: its observer and its edge's. Lives in the shard's thread, written only there; `collect` is the one way out.
 *
 * Reasons and routes are words of closed sets (contract/, edge/); they become labels as they are.
 */
export interface ShardMetrics {
  /** One write to one socket. */
  delivered(frames: number, bytes: number): void;
  /** From the append of an event to its hand-over to the sockets of one group. */
  latency(milliseconds: number): void;
  mailboxWait(milliseconds: number): void;
  ended(reason: string): void;
  disconnected(reason: string): void;
  gap(reason: string): void;
  parked(): void;
  answered(route: string, status: number): void;
  failed(error: unknown, correlationId: string): void;
  /** An exception was contained; `what` is of a closed set. */
  faulted(what: string): void;
  /** Plain data that may cross threads. */
  collect(): Promise<MetricValues>;
}

interface Counts {
  readonly deliveries: Tally;
  readonly writes: Tally;
  readonly bytes: Tally;
  readonly parks: Tally;
  readonly failures: Tally;
  readonly latency: SpreadTally;
  readonly mailboxWait: SpreadTally;
  readonly ends: LabelledTally<'reason'>;
  readonly disconnects: LabelledTally<'reason'>;
  readonly gaps: LabelledTally<'reason'>;
  readonly faults: LabelledTally<'what'>;
  readonly requests: LabelledTally<'route' | 'status'>;
}

function makeCounts(registry: Registry, shard: number): Counts {
  const named = (name: string, help: string) => ({ name: `rivulet_${name}`, help, registry });
  const bounds = latencyBoundsSeconds;
  const labels = { shard: String(shard) };
  return {
    deliveries: new Tally(named('deliveries_total', 'Frames written to sockets.')),
    writes: new Tally(named('writes_total', 'Writes that carried those frames; the quotient is the size of a batch.')),
    bytes: new Tally(named('delivered_bytes_total', 'Bytes written to streams.')),
    parks: new Tally(named('parks_total', 'Times a stream was parked because its client was slow.')),
    failures: new Tally(named('request_failures_total', 'Requests that failed on a defect of our own.')),
    latency: new SpreadTally({
      ...named('delivery_latency_seconds', 'From the append of an event to its write on the sockets of a group.'),
      bounds,
    }),
    mailboxWait: new SpreadTally({
      ...named('mailbox_wait_seconds', "From a shard's call to its start on it."),
      bounds,
      labels,
    }),
    ends: new LabelledTally(named('stream_ends_total', 'Streams that the server ended.'), ['reason']),
    disconnects: new LabelledTally(named('disconnects_total', 'Streams that broke.'), ['reason']),
    gaps: new LabelledTally(named('gaps_total', 'Cursors that could not be honoured, said in band or not.'), [
      'reason',
    ]),
    faults: new LabelledTally(named(faultsMetric.name, faultsMetric.help), ['what']),
    requests: new LabelledTally(named('http_requests_total', 'Responses whose head was written.'), ['route', 'status']),
  };
}

function probeShard(registry: Registry, read: () => ShardProbes): void {
  const named = (name: string, help: string) => ({ name: `rivulet_${name}`, help, registry });
  probe(named('connections', 'Open streams.'), () => read().connections);
  probeEach(named('sessions', 'Streams by state.'), 'state', () => read().sessions);
  probe(named('filter_groups', 'Distinct filters, each matched once.'), () => read().groups);
  probe(
    named('watched_executions', 'Executions that a shard is woken for, summed over the shards.'),
    () => read().executions,
  );
}

/** @param probes read each time the metrics are collected, on the shard's own thread */
export function shardMetrics(shard: number, probes: () => ShardProbes): ShardMetrics {
  const registry = new Registry();
  const counts = makeCounts(registry, shard);
  probeShard(registry, probes);
  return {
    delivered(frames, bytes) {
      counts.deliveries.total += frames;
      counts.writes.total += 1;
      counts.bytes.total += bytes;
    },
    latency: (milliseconds) => {
      counts.latency.observe(milliseconds / 1000);
    },
    mailboxWait: (milliseconds) => {
      counts.mailboxWait.observe(milliseconds / 1000);
    },
    ended: (reason) => {
      counts.ends.add({ reason });
    },
    disconnected: (reason) => {
      counts.disconnects.add({ reason });
    },
    gap: (reason) => {
      counts.gaps.add({ reason });
    },
    parked: () => {
      counts.parks.total += 1;
    },
    answered: (route, status) => {
      counts.requests.add({ route, status: String(status) });
    },
    faulted: (what) => {
      counts.faults.add({ what });
    },
    failed: () => {
      counts.failures.total += 1;
    },
    collect: () => registry.getMetricsAsJSON(),
  };
}
