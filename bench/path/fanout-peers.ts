import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { sleep, systemClock } from '../../src/core/clock.ts';
import { type Figure, figure } from '../harness.ts';
import { nowNs } from './bench-event.ts';
import { feedPaced, feedSaturated, type Source } from './feed.ts';
import { compileLoadClient, type LoadReport, percentileMs, startLoad } from './load-client.ts';
import { reportPath } from './path-report.ts';
import { nchan } from './peers/nchan.ts';
import { betterSse, nodeHttp } from './peers/node-peers.ts';
import type { Peer, RunningPeer } from './peers/peer.ts';
import { pushpin } from './peers/pushpin.ts';
import { rivulet } from './peers/rivulet.ts';
import { pinSelf } from './pinning.ts';
import { withDirectory } from './server-process.ts';

/**
 * Topology fan-out, the whole system: one publisher → server → N streams, Rivulet against the servers that others use for it, one after another in each
 * round. Rivulet's way includes the bus and the flushed journal; the others' is memory only.
 *
 *   saturated   at most `batch` x `ahead` events are published and not yet received by all; throughput is from the first publish to the last delivery
 *   paced       `rate` events a second, latency from the time each was due (coordinated omission corrected)
 */
interface Run {
  readonly peer: string;
  readonly deliveriesPerSecond: number;
  readonly deliveriesPerCpuSecond: number;
  readonly clientCpuShare: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly p999Ms: number;
  readonly maxMs: number;
  /** From the time an event was due to the publish answer that covers it; the answer means durable for Rivulet only. */
  readonly answerP50Ms: number;
  readonly answerP99Ms: number;
}

const { values } = parseArgs({
  options: {
    mode: { type: 'string', default: 'saturated' },
    streams: { type: 'string', default: '1000' },
    batch: { type: 'string', default: '8' },
    ahead: { type: 'string', default: '3' },
    rate: { type: 'string', default: '100' },
    events: { type: 'string', default: '2000' },
    runs: { type: 'string', default: '3' },
    /** Some of the peers only, by name. */
    peer: { type: 'string', multiple: true, default: [] },
    'load-processes': { type: 'string', default: '1' },
    name: { type: 'string', default: '' },
  },
});
const paced = values.mode === 'paced';
const streams = Number(values.streams);
const events = Number(values.events);
const rate = Number(values.rate);
/** Pushpin subscribes a stream after it has sent the origin's answer; nothing may be published before. The same for all. */
const settleMs = 500;

const all: readonly Peer[] = [rivulet, nodeHttp, betterSse, nchan, pushpin];

/** A source whose answers are timed. */
function timed(source: Source, answersMs: number[]): Source {
  return {
    events: source.events,
    end: () => {
      source.end();
    },
    publish: async (first, due) => {
      const answer = await source.publish(first, due);
      const at = nowNs();
      for (const dueNs of due) answersMs.push(Number(at - dueNs) / 1e6);
      return answer;
    },
  };
}

function shareOf(sorted: readonly number[], share: number): number {
  return sorted[Math.ceil(sorted.length * share) - 1] ?? Number.NaN;
}

async function runOf(name: string, server: RunningPeer): Promise<Run> {
  const answersMs: number[] = [];
  const source = timed(server.source(events), answersMs);
  const pump = feedSaturated(source, { perBatch: Number(values.batch), ahead: Number(values.ahead) });
  const running = startLoad({
    port: server.port,
    target: server.target,
    readyBy: server.readyBy,
    streams,
    events,
    secondsMax: 120,
    processes: Number(values['load-processes']),
    onProgress: paced ? () => undefined : pump.onReceived,
  });
  // When `ready` fails, `done` does too: the one that is awaited tells of it, and the peers are stopped.
  running.done.catch(() => undefined);
  await running.ready;
  await sleep(systemClock, settleMs);
  const cpuBefore = server.cpuSeconds();
  const startMs = systemClock.monotonicMs();
  if (!paced) pump.start();
  const fed = paced ? feedPaced(source, rate) : pump.failed;
  // Of the feed only the failure counts: its end is not the end of the deliveries.
  const report = await Promise.race([running.done, fed.then(() => running.done)]);
  const seconds = wholeSeconds(report, systemClock.monotonicMs() - startMs);
  const cpuSeconds = server.cpuSeconds() - cpuBefore;
  const answers = answersMs.sort((one, other) => one - other);
  return {
    peer: name,
    deliveriesPerSecond: report.frames / seconds,
    deliveriesPerCpuSecond: report.frames / cpuSeconds,
    clientCpuShare: report.cpuSeconds / seconds,
    p50Ms: percentileMs(report, 0.5),
    p99Ms: percentileMs(report, 0.99),
    p999Ms: percentileMs(report, 0.999),
    maxMs: report.latencyMaxUs / 1_000,
    answerP50Ms: shareOf(answers, 0.5),
    answerP99Ms: shareOf(answers, 0.99),
  };
}

/** From the first publish to the last delivery: the client waits 200 ms at the end for what might come twice. */
function wholeSeconds(report: LoadReport, elapsedMs: number): number {
  return Math.max(report.seconds, (elapsedMs - 200) / 1_000);
}

function shown(run: Run): void {
  const ms = (value: number): string => value.toFixed(2);
  process.stdout.write(
    `  ${run.peer.padEnd(10)} ${Math.round(run.deliveriesPerSecond)}/s  ${Math.round(run.deliveriesPerCpuSecond)}/cpu-s  client ${ms(run.clientCpuShare)}` +
      `  p50 ${ms(run.p50Ms)} p99 ${ms(run.p99Ms)} p99.9 ${ms(run.p999Ms)} max ${ms(run.maxMs)}  answered p50 ${ms(run.answerP50Ms)} p99 ${ms(run.answerP99Ms)} ms\n`,
  );
}

function figuresOf(runs: readonly Run[], names: readonly string[]): Figure[] {
  const of = (name: string, read: (run: Run) => number): number[] => runs.filter(({ peer }) => peer === name).map(read);
  const read = (run: Run): number => (paced ? run.p99Ms : run.deliveriesPerSecond);
  const own = of(rivulet.name, read);
  const ratios = names
    .filter((name) => name !== rivulet.name && own.length > 0)
    .map((name) =>
      figure(
        paced ? `p99, rivulet to ${name}` : `deliveries, rivulet to ${name}`,
        '',
        of(name, read).map((value, round) => (own[round] ?? Number.NaN) / value),
      ),
    );
  return [
    ...names.flatMap((name) => [
      figure(
        `deliveries, ${name}`,
        'per second',
        of(name, (run) => run.deliveriesPerSecond),
      ),
      figure(
        `p99, ${name}`,
        'ms',
        of(name, (run) => run.p99Ms),
      ),
      figure(
        `p99.9, ${name}`,
        'ms',
        of(name, (run) => run.p999Ms),
      ),
    ]),
    ...ratios,
  ];
}

function chosen(): Peer[] {
  const wanted = all.filter(({ name }) => values.peer.length === 0 || values.peer.includes(name));
  return wanted.filter((peer) => {
    const install = peer.missing();
    if (install !== null)
      process.stderr.write(`SKIPPED: ${peer.name} is not here, nothing of it is measured: ${install}\n`);
    return install === null;
  });
}

// So that the peers end with it.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));

pinSelf();
compileLoadClient();
await withDirectory(async (directory) => {
  const peers = chosen();
  const running: { readonly name: string; readonly server: RunningPeer }[] = [];
  const runs: Run[] = [];
  try {
    for (const [index, peer] of peers.entries()) {
      const own = join(directory, String(index));
      mkdirSync(own);
      running.push({ name: peer.name, server: await peer.start(own) });
    }
    for (let round = 0; round <= Number(values.runs); round += 1) {
      for (const { name, server } of running) {
        const run = await runOf(name, server);
        shown(run);
        // The first round warms all up.
        if (round > 0) runs.push(run);
      }
    }
  } finally {
    for (const { server } of running) await server.stop();
  }
  const versions = running.map(({ name, server }) => `${name} ${server.version}`);
  process.stdout.write(`${versions.join('; ')}\n`);
  const name = values.name === '' ? `fanout-peers-${paced ? 'paced' : 'saturated'}` : values.name;
  reportPath(
    name,
    figuresOf(
      runs,
      running.map((one) => one.name),
    ),
    { runs, versions },
  );
});
