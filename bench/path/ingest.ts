import { randomUUID } from 'node:crypto';
import { parseArgs } from 'node:util';
import { systemClock } from '../../src/core/clock.ts';
import type { EventId } from '../../src/core/event-id.ts';
import { Intake } from '../../src/dispatch/intake.ts';
import { InterestMap } from '../../src/dispatch/interest.ts';
import { ExecutionRegistry } from '../../src/executions/registry.ts';
import { createWindow } from '../../src/window/window-memory.ts';
import { WindowWriter } from '../../src/window/window-writer.ts';
import { type BusClient, createBusClient } from '../../src/wire/bus/bus-client.ts';
import { figure } from '../harness.ts';
import { feedBulk } from './feed.ts';
import { reportPath } from './path-report.ts';
import { pinSelf, serverCore } from './pinning.ts';
import { type ServerProcess, startBus, withDirectory } from './server-process.ts';

/**
 * Into the bus, and from it into the window. The bus has core 0, this process core 1.
 *
 *   publish   batches over one gRPC PublishStream, 32 on the way; a batch counts when it is durable (flushed)
 *   window    gRPC Subscribe from the oldest record on, decoded into a window of 64 MiB, folded into a registry, looked up in the interest map
 */
const { values } = parseArgs({
  options: {
    events: { type: 'string', default: '200000' },
    batch: { type: 'string', default: '64' },
    runs: { type: 'string', default: '5' },
    /** For Node, in the bus: `--node-arg=--cpu-prof` writes a profile. */
    'node-arg': { type: 'string', multiple: true, default: [] },
  },
});
const events = Number(values.events);
const batch = Number(values.batch);
const batchesInFlight = 32;

interface Run {
  readonly work: 'publish' | 'window';
  readonly perSecond: number;
  readonly perBusCpuSecond: number;
  readonly perOwnCpuSecond: number;
}

async function timed(
  work: Run['work'],
  bus: ServerProcess,
  count: number,
  action: () => Promise<unknown>,
): Promise<Run> {
  const before = { ms: systemClock.monotonicMs(), own: process.cpuUsage(), bus: bus.cpuSeconds() };
  await action();
  const own = process.cpuUsage(before.own);
  const run = {
    work,
    perSecond: (count / (systemClock.monotonicMs() - before.ms)) * 1_000,
    perBusCpuSecond: count / (bus.cpuSeconds() - before.bus),
    perOwnCpuSecond: (count / (own.user + own.system)) * 1e6,
  };
  process.stdout.write(`  ${JSON.stringify(run)}\n`);
  return run;
}

/** Reads `records` from the oldest on into a new window. */
function readIntoWindow(client: BusClient, records: number): Promise<void> {
  const window = new WindowWriter(createWindow(64 * 2 ** 20));
  const registry = new ExecutionRegistry();
  const interest = new InterestMap(registry, 1);
  const intake = new Intake({ window, registry, interest, mailboxes: [], onSkipped: () => undefined }, '' as EventId);
  let left = records;
  return new Promise((resolve, reject) => {
    const subscription = client.subscribe(
      { oldest: true },
      {
        onBatch: (bytes) => {
          left -= intake.batch(bytes);
          if (left > 0) return;
          subscription.cancel();
          resolve();
        },
        onEnd: reject,
      },
    );
  });
}

pinSelf();
await withDirectory(async (directory) => {
  const bus = await startBus(serverCore, directory, values['node-arg']);
  const client = createBusClient(bus.ready['grpc'] ?? '', { clock: systemClock });
  const runs: Run[] = [];
  let stored = 0;
  try {
    process.stdout.write(`ingest: ${events} events in batches of ${batch}, ${batchesInFlight} on the way\n`);
    for (let run = 0; run <= Number(values.runs); run += 1) {
      const publish = await timed('publish', bus, events, () =>
        feedBulk({ client, executionId: randomUUID(), events }, batch, batchesInFlight),
      );
      stored += events;
      const records = Math.min(stored, events * 2);
      const window = await timed('window', bus, records, () => readIntoWindow(client, records));
      if (run > 0) runs.push(publish, window);
    }
  } finally {
    client.close();
    await bus.stop();
  }
  const of = (work: Run['work'], read: (run: Run) => number): number[] =>
    runs.filter((run) => run.work === work).map(read);
  reportPath(
    'ingest',
    [
      figure(
        'publish durable',
        'events per second',
        of('publish', (run) => run.perSecond),
      ),
      figure(
        'publish durable',
        'events per bus CPU second',
        of('publish', (run) => run.perBusCpuSecond),
      ),
      figure(
        'publish, the publisher itself',
        'events per its CPU second',
        of('publish', (run) => run.perOwnCpuSecond),
      ),
      figure(
        'bus to window',
        'records per second',
        of('window', (run) => run.perSecond),
      ),
      figure(
        'bus to window, the router side',
        'records per its CPU second',
        of('window', (run) => run.perOwnCpuSecond),
      ),
      figure(
        'bus to window, the bus side',
        'records per its CPU second',
        of('window', (run) => run.perBusCpuSecond),
      ),
    ],
    { runs },
  );
});
