import { parseArgs } from 'node:util';
import { systemClock } from '../../src/core/clock.ts';
import { type Figure, figure, median } from '../harness.ts';
import { reportPath } from './path-report.ts';
import { pinSelf, serverCore } from './pinning.ts';
import { Publisher } from './publisher.ts';
import { type ServerProcess, startBus, withDirectory } from './server-process.ts';

/**
 * Durable publishes over gRPC. The bus has core 0, this process core 1.
 *
 *   batches      batches over one PublishStream, 32 on the way
 *   one by one   one event a request over 64 PublishStreams, one on the way on each
 *
 * Each saturated, then paced at half of what that came to: there the time from when a request was due to its acknowledgement.
 */
const { values } = parseArgs({
  options: {
    events: { type: 'string', default: '300000' },
    batch: { type: 'string', default: '64' },
    runs: { type: 'string', default: '3' },
    /** `batches` or `singles`: just that. */
    only: { type: 'string', default: '' },
    'skip-paced': { type: 'boolean', default: false },
    /** For Node, in the bus: `--node-arg=--cpu-prof` writes a profile. */
    'node-arg': { type: 'string', multiple: true, default: [] },
  },
});
/** A single costs ten times an event of a batch. */
const singlesShare = 10;
const pacedSeconds = 4;

interface Shape {
  readonly name: string;
  readonly perRequest: number;
  readonly events: number;
  readonly streams: number;
  /** Requests on the way on each stream while saturated. */
  readonly window: number;
  /** Streams while paced, where one is on the way on each. */
  readonly pacedStreams: number;
}

const events = Number(values.events);
const shapes: readonly Shape[] = [
  { name: 'batches', perRequest: Number(values.batch), events, streams: 1, window: 32, pacedStreams: 32 },
  { name: 'singles', perRequest: 1, events: events / singlesShare, streams: 64, window: 1, pacedStreams: 64 },
].filter(({ name }) => values.only === '' || values.only === name);

interface Run {
  readonly shape: string;
  readonly perSecond: number;
  readonly perBusCpuSecond: number;
  readonly ownCores: number;
  readonly p50Ms?: number;
  readonly p99Ms?: number;
  readonly p999Ms?: number;
}

async function saturated(bus: ServerProcess, publisher: Publisher, shape: Shape): Promise<Run> {
  const before = { ms: systemClock.monotonicMs(), cpu: bus.cpuSeconds(), own: process.cpuUsage() };
  const requests = Math.ceil(shape.events / shape.perRequest);
  await publisher.saturate(requests, shape.streams, shape.window);
  const seconds = (systemClock.monotonicMs() - before.ms) / 1_000;
  const own = process.cpuUsage(before.own);
  const published = requests * shape.perRequest;
  return {
    shape: shape.name,
    perSecond: published / seconds,
    perBusCpuSecond: published / (bus.cpuSeconds() - before.cpu),
    ownCores: (own.user + own.system) / 1e6 / seconds,
  };
}

async function paced(publisher: Publisher, shape: Shape, eventsPerSecond: number): Promise<object> {
  const perSecond = eventsPerSecond / shape.perRequest;
  const latencies = await publisher.pace(Math.ceil(perSecond * pacedSeconds), shape.pacedStreams, perSecond);
  latencies.sort();
  const at = (share: number): number =>
    latencies[Math.min(latencies.length - 1, Math.floor(latencies.length * share))] ?? 0;
  return { p50Ms: at(0.5), p99Ms: at(0.99), p999Ms: at(0.999) };
}

function figuresOf(name: string, runs: readonly Run[]): Figure[] {
  const figures = [
    figure(
      name,
      'events per second',
      runs.map((run) => run.perSecond),
    ),
    figure(
      name,
      'events per bus CPU second',
      runs.map((run) => run.perBusCpuSecond),
    ),
  ];
  for (const key of ['p50Ms', 'p99Ms', 'p999Ms'] as const) {
    const found = runs.flatMap((run) => run[key] ?? []);
    if (found.length > 0) figures.push(figure(`${name} at half of that, acknowledgement`, key, found));
  }
  return figures;
}

pinSelf();
const runs: Run[] = [];
await withDirectory(async (directory) => {
  const bus = await startBus(serverCore, directory, values['node-arg']);
  try {
    for (const shape of shapes) {
      const publisher = new Publisher(bus.ready['grpc'] ?? '', shape.perRequest);
      await saturated(bus, publisher, shape); // compiles
      const own: Run[] = [];
      for (let run = 0; run < Number(values.runs); run += 1) {
        const full = await saturated(bus, publisher, shape);
        const half = values['skip-paced'] ? {} : await paced(publisher, shape, full.perSecond / 2);
        own.push({ ...full, ...half });
        process.stdout.write(`  ${JSON.stringify(own.at(-1))}\n`);
      }
      process.stdout.write(`${shape.name}: ${Math.round(median(own.map((run) => run.perSecond)))} events a second\n`);
      runs.push(...own);
      publisher.close();
    }
  } finally {
    await bus.stop();
  }
});
const named = (name: string): readonly Run[] => runs.filter((run) => run.shape === name);
reportPath(
  'publish',
  shapes.flatMap(({ name }) => figuresOf(name, named(name))),
  { runs },
);
