import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { sleep, systemClock } from '../../src/core/clock.ts';
import { type BusClient, createBusClient } from '../../src/wire/bus/bus-client.ts';
import { type Figure, figure } from '../harness.ts';
import { executionSource, feedSaturated, type Source } from './feed.ts';
import { FilterField, filtersAnExecution, matchesOfTenEvents } from './filter-field.ts';
import { compileLoadClient, type LoadOptions, startLoad } from './load-client.ts';
import { reportPath } from './path-report.ts';
import { pinSelf, serverCore, worldCore } from './pinning.ts';
import { type ServerProcess, startBus, startRouter, withDirectory } from './server-process.ts';
import type { Work } from './work.ts';

/**
 * Topology many filters, against one filter, alternating in one router.
 *
 *   many   a stream for each of 10 x `executions` distinct filters, each event meeting 1 to 10 of them
 *   one    as many streams of one execution without a filter, one event at a time: every event goes to all of them, in a write of its own, so that the
 *          cost of a delivery is compared at one event a write
 */
type Shape = 'many filters' | 'one filter';

interface Run {
  readonly shape: Shape;
  readonly work: Work;
  readonly deliveriesPerSecond: number;
  readonly cpuMicrosADelivery: number;
  readonly eventsPerWrite: number;
  readonly clientCpuShare: number;
}

const { values } = parseArgs({
  options: {
    executions: { type: 'string', default: '1000' },
    /** Of each execution, in the shape of many filters. */
    events: { type: 'string', default: '60' },
    'one-events': { type: 'string', default: '40' },
    /** Events under way. */
    ahead: { type: 'string', default: '640' },
    runs: { type: 'string', default: '3' },
    name: { type: 'string', default: 'many-filters' },
    /** For Node, in the router: `--node-arg=--cpu-prof`. */
    'node-arg': { type: 'string', multiple: true, default: [] },
  },
});
const field = new FilterField(Number(values.executions));
const { streams } = field;
const perExecution = Number(values.events);
const oneId = randomUUID();

interface Shaped {
  readonly shape: Shape;
  readonly source: Source;
  readonly matches: number;
  readonly perBatch: number;
  readonly ahead: number;
  /** Events that a step of the client's progress stands for. */
  readonly eventsAStep: number;
  readonly asked: Pick<LoadOptions, 'target' | 'plan' | 'events' | 'grain'>;
}

async function measured(router: ServerProcess, shaped: Shaped): Promise<Run> {
  const { shape, source, matches, perBatch, ahead, eventsAStep, asked } = shaped;
  const pump = feedSaturated(source, { perBatch, ahead });
  const running = startLoad({
    ...asked,
    port: router.port,
    streams,
    secondsMax: 120,
    onProgress: (steps) => {
      pump.onReceived(steps * eventsAStep);
    },
  });
  running.done.catch(() => undefined);
  try {
    await running.ready;
    // What opening ten thousand streams leaves behind is not the cost of a delivery.
    await sleep(systemClock, 1_000);
    const [cpu, writes] = [router.cpuSeconds(), await router.counter('rivulet_writes_total')];
    const startMs = systemClock.monotonicMs();
    pump.start();
    const report = await Promise.race([running.done, pump.failed]);
    const seconds = (systemClock.monotonicMs() - startMs) / 1_000 - 0.2;
    const work: Work = {
      events: source.events,
      matches,
      deliveries: report.frames,
      writes: (await router.counter('rivulet_writes_total')) - writes,
      connections: streams,
      seconds,
      cpuSeconds: router.cpuSeconds() - cpu,
    };
    const run: Run = {
      shape,
      work,
      deliveriesPerSecond: report.frames / seconds,
      cpuMicrosADelivery: (work.cpuSeconds / report.frames) * 1e6,
      eventsPerWrite: report.frames / work.writes,
      clientCpuShare: report.cpuSeconds / seconds,
    };
    process.stdout.write(`  ${JSON.stringify(run)}\n`);
    return run;
  } finally {
    running.stop();
  }
}

function many(client: BusClient, directory: string): Shaped {
  const source = field.source(client, perExecution);
  const tenEvents = { perBatch: filtersAnExecution, eventsAStep: filtersAnExecution };
  return {
    ...tenEvents,
    shape: 'many filters',
    source,
    matches: (source.events / filtersAnExecution) * matchesOfTenEvents,
    ahead: Number(values.ahead) / filtersAnExecution,
    asked: {
      target: '/',
      plan: field.writePlan(join(directory, 'plan')),
      events: perExecution,
      grain: matchesOfTenEvents,
    },
  };
}

function one(client: BusClient): Shaped {
  const events = Number(values['one-events']);
  return {
    shape: 'one filter',
    source: executionSource({ client, executionId: oneId, events }),
    matches: events,
    perBatch: 1,
    ahead: 1,
    eventsAStep: 1,
    asked: { target: `/api/v1/storage/events?execution_id=${oneId}&timeout=3600`, events },
  };
}

function figuresOf(runs: readonly Run[]): Figure[] {
  const of = (shape: Shape, read: (run: Run) => number): number[] =>
    runs.filter((run) => run.shape === shape).map(read);
  const costs = of('one filter', (run) => run.cpuMicrosADelivery);
  return [
    ...(['many filters', 'one filter'] as const).flatMap((shape) => [
      figure(
        'deliveries',
        'per second',
        of(shape, (run) => run.deliveriesPerSecond),
        shape,
      ),
      figure(
        'router CPU a delivery',
        'µs',
        of(shape, (run) => run.cpuMicrosADelivery),
        shape,
      ),
      figure(
        'events a write',
        '',
        of(shape, (run) => run.eventsPerWrite),
        shape,
      ),
    ]),
    figure(
      'cost of a delivery, many filters to one',
      '',
      of('many filters', (run) => run.cpuMicrosADelivery).map((cost, round) => cost / (costs[round] ?? Number.NaN)),
    ),
    figure('load client CPU, at most', 'cores', [Math.max(...runs.map((run) => run.clientCpuShare))]),
  ];
}

pinSelf();
compileLoadClient();
await withDirectory(async (directory) => {
  const bus = await startBus(worldCore, directory);
  const router = await startRouter(serverCore, bus, [], values['node-arg']);
  const client = createBusClient(bus.ready['grpc'] ?? '', { clock: systemClock });
  const runs: Run[] = [];
  try {
    process.stdout.write(`many filters: ${streams} streams, ${field.executionIds.length} executions\n`);
    await field.announce(client);
    await client.publish({ entries: [{ change: { execution_id: oneId, status: 2, tags: [] } }] });
    for (let round = 0; round <= Number(values.runs); round += 1) {
      const pair = [await measured(router, many(client, directory)), await measured(router, one(client))];
      // The first round warms all up.
      if (round > 0) runs.push(...pair);
    }
  } finally {
    client.close();
    await router.stop();
    await bus.stop();
  }
  reportPath(values.name, figuresOf(runs), { runs });
});
