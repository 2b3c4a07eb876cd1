import { AggregatorRegistry, collectDefaultMetrics, Registry } from 'prom-client';
import { faultsMetric, latencyBoundsSeconds } from './shard-metrics.ts';
import { LabelledTally, type MetricValues, probe, SpreadTally, Tally } from './tally.ts';

/** What the main thread answers when the metrics are asked for. Values unknown yet are NaN, which Prometheus takes. */
export interface RouterProbes {
  /** Share of the window that holds records, 0 to 1. */
  readonly windowFill: number;
  /** The newest sequence in the window. */
  readonly windowSequence: number;
  /** Records that the bus has and this router has not, as far as it knows. */
  readonly upstreamLag: number;
  readonly upstreamConnected: boolean;
  /** Executions that the registry holds. */
  readonly executions: number;
  readonly shardsResponsive: number;
}

/** The journal as the bus described it last. */
export interface JournalProbes {
  readonly oldestSequence: number;
  readonly newestSequence: number;
  readonly retainedBytes: number;
}

/** What the main thread of a router counts, and where the counts of all threads are put together. */
export interface RouterMetrics {
  /** From a publish's arrival to its acknowledgement as durable. */
  published(milliseconds: number): void;
  upstreamReconnected(): void;
  /** An exception on the main thread was contained; `what` is of a closed set. */
  faulted(what: string): void;
  /** The upstream was held back for a shard that was half a window behind. */
  heldBack(milliseconds: number): void;
  /** The text format of Prometheus: this thread's metrics and those that the shards collected. */
  text(shards: readonly MetricValues[], journal: JournalProbes | null): Promise<string>;
}

function journalValues(journal: JournalProbes): Promise<MetricValues> {
  const registry = new Registry();
  const named = (name: string, help: string) => ({ name: `rivulet_journal_${name}`, help, registry });
  probe(named('oldest_sequence', 'Sequence of the oldest record kept; 0 when none is.'), () => journal.oldestSequence);
  probe(named('newest_sequence', 'Sequence of the last record stamped.'), () => journal.newestSequence);
  probe(named('retained_bytes', 'Bytes of the records kept.'), () => journal.retainedBytes);
  return registry.getMetricsAsJSON();
}

function probeRouter(registry: Registry, read: () => RouterProbes): void {
  const named = (name: string, help: string) => ({ name: `rivulet_${name}`, help, registry });
  probe(named('window_fill_ratio', 'Share of the window that holds records.'), () => read().windowFill);
  probe(named('window_sequence', 'Newest sequence in the window.'), () => read().windowSequence);
  probe(named('upstream_lag_records', 'Records that the bus has and this router has not.'), () => read().upstreamLag);
  probe(named('upstream_connected', '1 while the subscription to the bus is in force.'), () =>
    read().upstreamConnected ? 1 : 0,
  );
  probe(named('executions', 'Executions in the registry.'), () => read().executions);
  probe(named('shards_responsive', 'Shards that answered their last call in time.'), () => read().shardsResponsive);
}

/** @param probes read each time the metrics are collected */
export function routerMetrics(probes: () => RouterProbes): RouterMetrics {
  const registry = new Registry();
  const named = (name: string, help: string) => ({ name: `rivulet_${name}`, help, registry });
  const publishSeconds = new SpreadTally({
    ...named('publish_seconds', 'From the arrival of a publish over HTTP to its acknowledgement as durable.'),
    bounds: latencyBoundsSeconds,
  });
  const holdSeconds = new SpreadTally({
    ...named('upstream_hold_seconds', 'How long the bus was held back for a shard that was behind.'),
    bounds: latencyBoundsSeconds,
  });
  const faults = new LabelledTally(named(faultsMetric.name, faultsMetric.help), ['what']);
  const reconnects = new Tally(named('upstream_reconnects_total', 'Subscriptions to the bus after the first.'));
  probeRouter(registry, probes);
  collectDefaultMetrics({ register: registry });
  return {
    published: (milliseconds) => {
      publishSeconds.observe(milliseconds / 1000);
    },
    heldBack: (milliseconds) => {
      holdSeconds.observe(milliseconds / 1000);
    },
    faulted: (what) => {
      faults.add({ what });
    },
    upstreamReconnected: () => {
      reconnects.total += 1;
    },
    async text(shards, journal) {
      const own = await registry.getMetricsAsJSON();
      const all = [own, ...shards, ...(journal === null ? [] : [await journalValues(journal)])];
      return AggregatorRegistry.aggregate(all).metrics();
    },
  };
}
