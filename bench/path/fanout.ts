import { randomUUID } from 'node:crypto';
import { parseArgs } from 'node:util';
import { systemClock } from '../../src/core/clock.ts';
import { createBusClient } from '../../src/wire/bus/bus-client.ts';
import { type Figure, figure } from '../harness.ts';
import { projectFile } from '../project-file.ts';
import { executionSource, feedPaced, feedSaturated } from './feed.ts';
import {
  compileC,
  compileLoadClient,
  type LoadOptions,
  type LoadReport,
  percentileMs,
  startLoad,
} from './load-client.ts';
import { reportPath } from './path-report.ts';
import { pinSelf, serverCore, worldCore } from './pinning.ts';
import {
  type ServerProcess,
  startBus,
  startProgram,
  startRouter,
  startServer,
  withDirectory,
} from './server-process.ts';
import type { Work } from './work.ts';

/**
 * Topology fan-out: one publisher → bus → router → N streams of one execution, against the bare uWebSockets.js loop and a raw `send()` loop in C, which
 * is what the kernel of the machine allows; alternating.
 *
 *   saturated   `ahead` batches of `batch` events are under way at any time; the router gathers as many into a write as it likes, and the peers then
 *               write as many at a time
 *   paced       `rate` events a second, one by one, latency from the time each was due
 */
interface Run {
  readonly peer: 'rivulet' | 'bare' | 'raw';
  readonly work: Work;
  readonly deliveriesPerSecond: number;
  readonly deliveriesPerCpuSecond: number;
  readonly eventsPerWrite: number;
  readonly parks: number;
  readonly serverCpuShare: number;
  readonly clientCpuShare: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly p999Ms: number;
  readonly maxMs: number;
}

const { values } = parseArgs({
  options: {
    mode: { type: 'string', default: 'saturated' },
    streams: { type: 'string', default: '1000' },
    batch: { type: 'string', default: '8' },
    ahead: { type: 'string', default: '3' },
    rate: { type: 'string', default: '50' },
    events: { type: 'string', default: '' },
    /** Saturated, before the first paced run: until V8 has compiled a path that carries only some hundred events a second, its compiler is what is measured. */
    'warm-events': { type: 'string', default: '20000' },
    runs: { type: 'string', default: '5' },
    'load-processes': { type: 'string', default: '1' },
    /** Shards of the router, still all on its one core: what a second one costs. */
    shards: { type: 'string', default: '1' },
    name: { type: 'string', default: '' },
    /** For Node, in the router: `--node-arg=--cpu-prof` writes a profile of each of its threads. */
    'node-arg': { type: 'string', multiple: true, default: [] },
  },
});
const mode = values.mode === 'paced' ? 'paced' : 'saturated';
const streams = Number(values.streams);
const batch = Number(values.batch);
const rate = Number(values.rate);
const events = values.events === '' ? (mode === 'paced' ? rate * 10 : 1_000 + batch * 250) : Number(values.events);
const secondsMax = 120;
const address = (server: ServerProcess): string => server.ready['grpc'] ?? '';

interface Counts {
  readonly cpuSeconds: number;
  readonly writes: number;
  readonly parks: number;
}

async function countsOf(server: ServerProcess, peer: Run['peer']): Promise<Counts> {
  const counter = (name: string): Promise<number> => (peer === 'rivulet' ? server.counter(name) : Promise.resolve(0));
  const [writes, parks] = [await counter('rivulet_writes_total'), await counter('rivulet_parks_total')];
  return { cpuSeconds: server.cpuSeconds(), writes, parks };
}

interface Measured {
  readonly events: number;
  readonly peer: Run['peer'];
  readonly report: LoadReport;
  readonly before: Counts;
  readonly after: Counts;
  readonly wallSeconds: number;
  /** What a peer was told; the router's is counted. */
  readonly toldEventsPerWrite: number;
}

function runOf({ peer, events: published, report, before, after, wallSeconds, toldEventsPerWrite }: Measured): Run {
  const cpuSeconds = after.cpuSeconds - before.cpuSeconds;
  return {
    peer,
    // One execution, one filter: an event matches once.
    work: {
      events: published,
      matches: published,
      deliveries: report.frames,
      writes: after.writes - before.writes,
      connections: streams,
      seconds: wallSeconds,
      cpuSeconds,
    },
    deliveriesPerSecond: report.frames / report.seconds,
    deliveriesPerCpuSecond: report.frames / cpuSeconds,
    eventsPerWrite: peer === 'rivulet' ? report.frames / (after.writes - before.writes) : toldEventsPerWrite,
    parks: after.parks - before.parks,
    serverCpuShare: cpuSeconds / wallSeconds,
    clientCpuShare: report.cpuSeconds / wallSeconds,
    p50Ms: percentileMs(report, 0.5),
    p99Ms: percentileMs(report, 0.99),
    p999Ms: percentileMs(report, 0.999),
    maxMs: report.latencyMaxUs / 1_000,
  };
}

const load = (
  server: ServerProcess,
  target: string,
  owed: number,
  onProgress: (events: number) => void = () => undefined,
): LoadOptions => ({
  port: server.port,
  target,
  streams,
  events: owed,
  secondsMax,
  processes: Number(values['load-processes']),
  onProgress,
});

async function runRivulet(bus: ServerProcess, router: ServerProcess, how = mode, owed = events): Promise<Run> {
  const client = createBusClient(address(bus), { clock: systemClock });
  const executionId = randomUUID();
  const feed = { client, executionId, events: owed };
  try {
    // Known before anybody asks for it.
    await client.publish({ entries: [{ change: { execution_id: executionId, status: 2, tags: [] } }] });
    const pump = feedSaturated(executionSource(feed), { perBatch: batch, ahead: Number(values.ahead) });
    const target = `/api/v1/storage/events?execution_id=${executionId}&timeout=3600`;
    const running = startLoad(load(router, target, owed, how === 'saturated' ? pump.onReceived : undefined));
    await running.ready;
    const before = await countsOf(router, 'rivulet');
    const startMs = systemClock.monotonicMs();
    if (how === 'saturated') pump.start();
    else await feedPaced(executionSource(feed), rate);
    const report = await Promise.race([running.done, pump.failed]);
    const wallSeconds = (systemClock.monotonicMs() - startMs) / 1_000;
    const after = await countsOf(router, 'rivulet');
    return runOf({ peer: 'rivulet', events: owed, report, before, after, wallSeconds, toldEventsPerWrite: 0 });
  } finally {
    client.close();
  }
}

async function runPeer(peer: 'bare' | 'raw', server: ServerProcess, eventsPerWrite: number): Promise<Run> {
  const running = startLoad(load(server, '/', events));
  await running.ready;
  const before = await countsOf(server, peer);
  const startMs = systemClock.monotonicMs();
  server.send(mode === 'saturated' ? `saturated ${events} ${eventsPerWrite}` : `paced ${events} ${rate}`);
  const report = await running.done;
  const wallSeconds = (systemClock.monotonicMs() - startMs) / 1_000;
  const after = await countsOf(server, peer);
  const toldEventsPerWrite = mode === 'paced' ? 1 : eventsPerWrite;
  return runOf({ peer, events, report, before, after, wallSeconds, toldEventsPerWrite });
}

function shown(run: Run): void {
  const round = (value: number): string => value.toFixed(2);
  const rates = `${Math.round(run.deliveriesPerSecond)}/s  ${Math.round(run.deliveriesPerCpuSecond)}/cpu-s  ${round(run.eventsPerWrite)} ev/write`;
  const cores = `cpu server ${round(run.serverCpuShare)} client ${round(run.clientCpuShare)}`;
  // A saturated peer sends what it has in memory: nothing of it was ever due.
  const latency =
    mode === 'saturated' && run.peer !== 'rivulet'
      ? ''
      : `  p50 ${round(run.p50Ms)} p99 ${round(run.p99Ms)} p99.9 ${round(run.p999Ms)} max ${round(run.maxMs)} ms`;
  process.stdout.write(`  ${run.peer.padEnd(8)} ${rates}  parks ${run.parks}  ${cores}${latency}\n`);
}

const titles: Readonly<Record<Run['peer'], string>> = {
  rivulet: 'Rivulet',
  bare: 'bare uWebSockets.js',
  raw: 'raw `send()` in C',
};

function figuresOf(runs: readonly Run[]): Figure[] {
  const of = (peer: Run['peer'], read: (run: Run) => number): number[] =>
    runs.filter((run) => run.peer === peer).map(read);
  const both = (name: string, unit: string, read: (run: Run) => number): Figure[] =>
    (['rivulet', 'bare', 'raw'] as const).map((peer) => figure(name, unit, of(peer, read), titles[peer]));
  if (mode === 'paced') {
    return [
      ...both('p50', 'ms', (run) => run.p50Ms),
      ...both('p99', 'ms', (run) => run.p99Ms),
      ...both('p99.9', 'ms', (run) => run.p999Ms),
      ...both('server CPU', 'cores', (run) => run.serverCpuShare),
    ];
  }
  const bare = runs.filter((run) => run.peer === 'bare');
  const ratio = (read: (run: Run) => number): number[] =>
    of('rivulet', read).map((value, index) => value / read(bare[index] ?? (runs[0] as Run)));
  return [
    ...both('deliveries', 'per second', (run) => run.deliveriesPerSecond),
    ...both('deliveries of a server CPU second', '', (run) => run.deliveriesPerCpuSecond),
    ...both('events a write', '', (run) => run.eventsPerWrite),
    figure(
      'ratio to bare, by time',
      '',
      ratio((run) => run.deliveriesPerSecond),
    ),
    figure(
      'ratio to bare, by server CPU',
      '',
      ratio((run) => run.deliveriesPerCpuSecond),
    ),
    figure('load client CPU, at most', 'cores', [Math.max(...runs.map((run) => run.clientCpuShare))]),
  ];
}

pinSelf();
compileLoadClient();
await withDirectory(async (directory) => {
  const bus = await startBus(worldCore, directory);
  const router = await startRouter(serverCore, bus, [`--shards=${values.shards}`], values['node-arg']);
  const bare = await startServer(serverCore, 'build/bench/path/bare-uws.js', []);
  const raw = await startProgram(serverCore, compileC('raw-send'), []);
  const runs: Run[] = [];
  try {
    process.stdout.write(`fan-out ${mode}: ${streams} streams, ${events} events, from ${projectFile('')}\n`);
    if (mode === 'paced') shown(await runRivulet(bus, router, 'saturated', Number(values['warm-events'])));
    for (let run = 0; run <= Number(values.runs); run += 1) {
      const rivulet = await runRivulet(bus, router);
      const peers = [
        await runPeer('bare', bare, rivulet.eventsPerWrite),
        await runPeer('raw', raw, rivulet.eventsPerWrite),
      ];
      for (const one of [rivulet, ...peers]) shown(one);
      // The first round warms all up.
      if (run > 0) runs.push(rivulet, ...peers);
    }
  } finally {
    for (const server of [raw, bare, router, bus]) await server.stop();
  }
  const name =
    values.name === '' ? (mode === 'paced' ? `fanout-paced-${rate}` : `fanout-saturated-${batch}`) : values.name;
  reportPath(name, figuresOf(runs), { runs });
});
