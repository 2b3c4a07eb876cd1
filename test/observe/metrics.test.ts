import test from 'ava';
import { journalText } from '../../src/observe/journal-metrics.ts';
import { type RouterProbes, routerMetrics } from '../../src/observe/router-metrics.ts';
import { type ShardProbes, shardMetrics } from '../../src/observe/shard-metrics.ts';

const routerProbes: RouterProbes = {
  windowFill: 0.5,
  windowSequence: 9,
  upstreamLag: 2,
  upstreamConnected: true,
  executions: 4,
  shardsResponsive: 2,
};

const shardProbes = (connections: number): ShardProbes => ({
  connections,
  sessions: { live: connections },
  groups: 1,
  executions: 1,
});

/** `name{labels}` to value. */
function samplesOf(text: string): Map<string, number> {
  return new Map(
    text
      .split('\n')
      .filter((line) => line !== '' && !line.startsWith('#'))
      .map((line) => {
        const at = line.lastIndexOf(' ');
        return [line.slice(0, at), Number(line.slice(at + 1))];
      }),
  );
}

test('the counts of all threads are added up, those with a shard label stay apart', async (t) => {
  const [first, second] = [shardMetrics(0, () => shardProbes(2)), shardMetrics(1, () => shardProbes(3))];
  first.delivered(3, 300);
  second.delivered(4, 5);
  first.latency(2);
  second.latency(100);
  second.latency(60_000);
  first.mailboxWait(1);
  second.mailboxWait(7);
  first.ended('timeout');
  second.ended('timeout');
  second.disconnected('stalled');
  second.gap('expired');
  first.parked();
  first.answered('events', 200);
  second.answered('events', 200);
  second.answered('events', 404);
  const main = routerMetrics(() => routerProbes);
  main.published(3);
  // What crosses a thread is cloned.
  const collected = structuredClone([await first.collect(), await second.collect()]);
  const samples = samplesOf(await main.text(collected, { oldestSequence: 1, newestSequence: 8, retainedBytes: 900 }));
  const expected: Readonly<Record<string, number>> = {
    rivulet_connections: 5,
    'rivulet_sessions{state="live"}': 5,
    rivulet_deliveries_total: 7,
    rivulet_delivered_bytes_total: 305,
    'rivulet_delivery_latency_seconds_bucket{le="0.001"}': 0,
    'rivulet_delivery_latency_seconds_bucket{le="0.002"}': 1,
    'rivulet_delivery_latency_seconds_bucket{le="0.1"}': 2,
    'rivulet_delivery_latency_seconds_bucket{le="30"}': 2,
    'rivulet_delivery_latency_seconds_bucket{le="+Inf"}': 3,
    rivulet_delivery_latency_seconds_count: 3,
    'rivulet_mailbox_wait_seconds_count{shard="0"}': 1,
    'rivulet_mailbox_wait_seconds_sum{shard="1"}': 0.007,
    'rivulet_stream_ends_total{reason="timeout"}': 2,
    'rivulet_disconnects_total{reason="stalled"}': 1,
    'rivulet_gaps_total{reason="expired"}': 1,
    rivulet_parks_total: 1,
    'rivulet_http_requests_total{route="events",status="200"}': 2,
    'rivulet_http_requests_total{route="events",status="404"}': 1,
    rivulet_publish_seconds_count: 1,
    rivulet_window_fill_ratio: 0.5,
    rivulet_window_sequence: 9,
    rivulet_upstream_lag_records: 2,
    rivulet_upstream_connected: 1,
    rivulet_journal_oldest_sequence: 1,
    rivulet_journal_newest_sequence: 8,
    rivulet_journal_retained_bytes: 900,
  };
  for (const [name, value] of Object.entries(expected)) t.is(samples.get(name), value, name);
  t.true(samples.has('process_resident_memory_bytes'));
});

// Without this a scrape would count everything again that the one before had counted.
test('collecting twice answers the same', async (t) => {
  const shard = shardMetrics(0, () => shardProbes(1));
  shard.delivered(3, 300);
  shard.latency(2);
  shard.ended('timeout');
  t.deepEqual(await shard.collect(), await shard.collect());
});

test('the text is what Prometheus parses: a type for each metric, one sample a line', async (t) => {
  const text = await routerMetrics(() => routerProbes).text(
    [await shardMetrics(0, () => shardProbes(1)).collect()],
    null,
  );
  for (const line of text.split('\n')) {
    t.regex(
      line,
      /^(?:|# (?:HELP|TYPE) .+|[a-z_:][a-z_:\d]*(?:\{(?:[a-z_]+="[^"]*",?)+\})? (?:[-+\d.e]+|NaN|\+Inf))$/i,
    );
  }
  t.true(text.includes('# TYPE rivulet_delivery_latency_seconds histogram\n'));
  t.true(text.includes('# TYPE rivulet_deliveries_total counter\n'));
  t.false(text.includes('rivulet_journal_'));
});

// Both stand in one answer of `up`: a name twice would make Prometheus refuse all of it.
test("the journal's own counts share no name with the router's", async (t) => {
  const journal = await journalText({
    records: 1,
    executions: 2,
    sources: 3,
    sourcesForgotten: 4,
    executionsForgotten: 5,
    commits: 6,
    pendingAppends: 7,
    pendingBytes: 8,
    clockAlarm: true,
  });
  const place = { oldestSequence: 1, newestSequence: 8, retainedBytes: 900 };
  const router = await routerMetrics(() => routerProbes).text(
    [await shardMetrics(0, () => shardProbes(1)).collect()],
    place,
  );
  const own = samplesOf(journal);
  t.is(own.get('rivulet_journal_clock_alarm'), 1);
  t.is(own.get('rivulet_journal_pending_bytes'), 8);
  t.deepEqual(
    [...own.keys()].filter((name) => samplesOf(router).has(name)),
    [],
  );
});
