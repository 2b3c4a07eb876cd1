import { randomUUID } from 'node:crypto';
import { parseArgs } from 'node:util';
import { systemClock } from '../../src/core/clock.ts';
import { createBusClient } from '../../src/wire/bus/bus-client.ts';
import { figure } from '../harness.ts';
import { feedBulk } from './feed.ts';
import { compileLoadClient, startLoad } from './load-client.ts';
import { reportPath } from './path-report.ts';
import { pinSelf, serverCore, worldCore } from './pinning.ts';
import { type ServerProcess, startBus, startRouter, withDirectory } from './server-process.ts';

/**
 * Topology replay: N clients connect with `last_event_id=earliest` and are each owed every one of the execution's events.
 *
 *   window    the events are still in the router's window
 *   journal   other traffic has pushed them out of a small window: they come from the bus in blocks of history
 */
type Source = 'window' | 'journal';

const { values } = parseArgs({
  options: {
    streams: { type: 'string', default: '1000' },
    events: { type: 'string', default: '10000' },
    runs: { type: 'string', default: '3' },
    name: { type: 'string', default: 'replay' },
  },
});
const streams = Number(values.streams);
const events = Number(values.events);
const fillerEvents = 16_000;
const routerArgs: Record<Source, string[]> = { window: ['--window-bytes=64MiB'], journal: ['--window-bytes=4MiB'] };

interface Run {
  readonly source: Source;
  readonly eventsPerSecond: number;
  readonly eventsPerCpuSecond: number;
  readonly busCpuSeconds: number;
  readonly clientCpuSeconds: number;
  readonly eventsPerWrite: number;
  readonly seconds: number;
}

async function oneRun(bus: ServerProcess, router: ServerProcess, source: Source, executionId: string): Promise<Run> {
  const target = `/api/v1/storage/events?execution_id=${executionId}&last_event_id=earliest&timeout=3600&keep_open=true`;
  const [cpu, busCpu, writes] = [router.cpuSeconds(), bus.cpuSeconds(), await router.counter('rivulet_writes_total')];
  const startMs = systemClock.monotonicMs();
  const report = await startLoad({ port: router.port, target, streams, events, secondsMax: 180 }).done;
  // From the first connect on; the client waits 200 ms at the end for what might come twice.
  const seconds = (systemClock.monotonicMs() - startMs) / 1_000 - 0.2;
  return {
    source,
    eventsPerSecond: report.frames / seconds,
    eventsPerCpuSecond: report.frames / (router.cpuSeconds() - cpu),
    busCpuSeconds: bus.cpuSeconds() - busCpu,
    clientCpuSeconds: report.cpuSeconds,
    eventsPerWrite: report.frames / ((await router.counter('rivulet_writes_total')) - writes),
    seconds,
  };
}

async function runsOf(source: Source): Promise<Run[]> {
  return withDirectory(async (directory) => {
    const bus = await startBus(worldCore, directory);
    const router = await startRouter(serverCore, bus, routerArgs[source]);
    const client = createBusClient(bus.ready['grpc'] ?? '', { clock: systemClock });
    try {
      const executionId = randomUUID();
      await feedBulk({ client, executionId, events }, 200, 8);
      if (source === 'journal') await feedBulk({ client, executionId: randomUUID(), events: fillerEvents }, 200, 8);
      const runs: Run[] = [];
      for (let run = 0; run <= Number(values.runs); run += 1) {
        const one = await oneRun(bus, router, source, executionId);
        process.stdout.write(`  ${JSON.stringify(one)}\n`);
        if (run > 0) runs.push(one);
      }
      return runs;
    } finally {
      client.close();
      await router.stop();
      await bus.stop();
    }
  });
}

pinSelf();
compileLoadClient();
process.stdout.write(`replay: ${streams} clients owed ${events} events each\n`);
const runs = [...(await runsOf('window')), ...(await runsOf('journal'))];
const of = (source: Source, read: (run: Run) => number): number[] =>
  runs.filter((run) => run.source === source).map(read);
const journalToWindow = of('journal', (run) => run.eventsPerCpuSecond).map(
  (rate, index) => rate / (of('window', (run) => run.eventsPerCpuSecond)[index] ?? Number.NaN),
);
reportPath(
  values.name,
  [
    ...(['window', 'journal'] as const).flatMap((source) => [
      figure(
        'events replayed',
        'per second',
        of(source, (run) => run.eventsPerSecond),
        `from the ${source}`,
      ),
      figure(
        'events of a router CPU second',
        '',
        of(source, (run) => run.eventsPerCpuSecond),
        `from the ${source}`,
      ),
      figure(
        'events a write',
        '',
        of(source, (run) => run.eventsPerWrite),
        `from the ${source}`,
      ),
    ]),
    figure('journal to window, by router CPU', '', journalToWindow),
  ],
  { runs },
);
