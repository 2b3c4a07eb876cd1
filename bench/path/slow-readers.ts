import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import { sleep, systemClock } from '../../src/core/clock.ts';
import { type BusClient, createBusClient } from '../../src/wire/bus/bus-client.ts';
import { figure, median } from '../harness.ts';
import { BenchError } from './bench-error.ts';
import { benchEntry, nowNs } from './bench-event.ts';
import { executionSource, feedBulk, feedPaced } from './feed.ts';
import { compileC, compileLoadClient, percentileMs, startLoad } from './load-client.ts';
import { reportPath } from './path-report.ts';
import { pinned, pinSelf, serverCore, worldCore } from './pinning.ts';
import { type ServerProcess, startBus, startRouter, withDirectory } from './server-process.ts';

/**
 * Topology slow readers: one router, and through it
 *
 *   the flow       `events` events of 330 bytes (500 MB of frames), at an even pace over `seconds`; `readers` clients watch it and never read
 *   the healthy    `healthy` clients of another execution, `rate` events a second, latency from the time each was due
 *
 * Alternating runs with the never-readers and without; all else is the same, the flow too. Each run has a router, a bus and a journal of its own, and a
 * window that the flow has filled before the first reading. The never-readers are closed by the router after 60 s and come back with the last id that they had.
 */
interface Run {
  readonly readers: number;
  readonly flowBytes: number;
  readonly flowSeconds: number;
  readonly residentBeforeMiB: number;
  readonly residentMedianMiB: number;
  readonly residentPeakMiB: number;
  readonly residentAfterMiB: number;
  readonly kernelMiB: number;
  readonly parked: number;
  readonly stalled: number;
  readonly reopened: number;
  readonly resumed: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
  readonly routerCpuShare: number;
}

const { values } = parseArgs({
  options: {
    readers: { type: 'string', default: '1000' },
    events: { type: 'string', default: '1516000' },
    seconds: { type: 'string', default: '140' },
    healthy: { type: 'string', default: '100' },
    rate: { type: 'string', default: '50' },
    runs: { type: 'string', default: '2' },
    'receive-buffer': { type: 'string', default: '4096' },
    /** Each second to standard error: router CPU so far, resident and kernel memory, events that the healthy had. */
    trace: { type: 'boolean', default: false },
    /** For Node, in the router: `--node-arg=--cpu-prof`. */
    'node-arg': { type: 'string', multiple: true, default: [] },
  },
});
const [events, seconds, rate] = [Number(values.events), Number(values.seconds), Number(values.rate)];
const frameBytes = 330;
const perBatch = 100;
const MiB = 1_048_576;
/** After the router's 60 s, a nudge late and with time for the kernel's buffers to fill first; spread as sleeping tabs are. */
const reopen = { afterSeconds: 76, spreadSeconds: 8 };

/** Pages that TCP holds in this network namespace. */
function kernelMiB(): number {
  const pages = /^TCP: .* mem (\d+)$/m.exec(readFileSync('/proc/net/sockstat', 'latin1'))?.[1];
  return (Number(pages) * 4_096) / MiB;
}

/** Batches at their times; at most 16 on the way, so a bus that is slower stretches the flow instead of piling it up. */
async function flow(client: BusClient, executionId: string): Promise<void> {
  const pipe = client.publishPipe();
  const waiting: Promise<unknown>[] = [];
  const startMs = systemClock.monotonicMs();
  for (let first = 0; first < events; first += perBatch) {
    const waitMs = startMs + (first / events) * seconds * 1_000 - systemClock.monotonicMs();
    if (waitMs > 1) await sleep(systemClock, waitMs);
    const count = Math.min(perBatch, events - first);
    const entries = Array.from({ length: count }, (_, index) => benchEntry(executionId, first + index, nowNs()));
    waiting.push(pipe.publish({ entries }));
    if (waiting.length >= 16) await waiting.shift();
  }
  pipe.end();
  await Promise.all(waiting);
}

class NeverReaders {
  readonly #child: ChildProcess;
  readonly #lines: AsyncIterator<string>;

  constructor(port: number, target: string) {
    const { afterSeconds, spreadSeconds } = reopen;
    const words = [port, target, values.readers, values['receive-buffer'], afterSeconds, spreadSeconds].map(String);
    this.#child = spawn(...pinned(worldCore, compileC('never-read'), words), { stdio: ['pipe', 'pipe', 'inherit'] });
    if (this.#child.stdout === null) throw new BenchError('no output');
    this.#lines = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]();
  }

  async opened(): Promise<void> {
    await this.#lines.next();
  }

  async end(): Promise<{ reopened: number; resumed: number }> {
    this.#child.stdin?.end();
    const line = (await this.#lines.next()).value as string | undefined;
    if (line?.startsWith('done ') !== true) throw new BenchError('the never-readers failed: the run is void');
    return JSON.parse(line.slice(5)) as { reopened: number; resumed: number };
  }
}

/** Readings four times a second, until stopped. */
function watchMemory(router: ServerProcess): { readings: number[]; stop: () => void } {
  const readings: number[] = [];
  const stop = systemClock.every(250, () => {
    readings.push(router.residentBytes() / MiB);
  });
  return { readings, stop };
}

async function residentMiB(router: ServerProcess): Promise<number> {
  const memory = watchMemory(router);
  await sleep(systemClock, 4_000);
  memory.stop();
  return median(memory.readings);
}

async function oneRun(withReaders: boolean): Promise<Run> {
  return withDirectory(async (directory) => {
    const bus = await startBus(worldCore, directory);
    const router = await startRouter(serverCore, bus, [], values['node-arg']);
    const client = createBusClient(bus.ready['grpc'] ?? '', { clock: systemClock });
    try {
      return await measured(router, client, withReaders);
    } finally {
      client.close();
      await router.stop();
      await bus.stop();
    }
  });
}

async function measured(router: ServerProcess, client: BusClient, withReaders: boolean): Promise<Run> {
  const [flowId, healthyId] = [randomUUID(), randomUUID()];
  const target = (id: string): string => `/api/v1/storage/events?execution_id=${id}&timeout=3600&keep_open=true`;
  for (const id of [flowId, healthyId]) {
    await client.publish({ entries: [{ change: { execution_id: id, status: 2, tags: [] } }] });
  }
  // Fills the window (64 MiB), so that its pages are resident before and after.
  await feedBulk({ client, executionId: flowId, events: 220_000 }, 200, 8);
  const healthyEvents = Math.floor(rate * seconds);
  let received = 0;
  const healthy = startLoad({
    port: router.port,
    target: target(healthyId),
    streams: Number(values.healthy),
    events: healthyEvents,
    secondsMax: seconds * 4,
    onProgress: (count) => {
      received = count;
    },
  });
  await healthy.ready;
  const before = await residentMiB(router);
  const readers = withReaders ? new NeverReaders(router.port, target(flowId)) : null;
  await readers?.opened();
  const memory = watchMemory(router);
  const [cpu, startMs] = [router.cpuSeconds(), systemClock.monotonicMs()];
  const paced = feedPaced(executionSource({ client, executionId: healthyId, events: healthyEvents }), rate);
  let kernel = 0;
  const watching = systemClock.every(1_000, () => {
    kernel = Math.max(kernel, kernelMiB());
    if (!values.trace) return;
    const [used, resident] = [router.cpuSeconds() - cpu, router.residentBytes() / MiB];
    process.stderr.write(
      `${((systemClock.monotonicMs() - startMs) / 1_000).toFixed(1)} s: cpu ${used.toFixed(1)} s, ${resident.toFixed(0)} MiB, kernel ${kernelMiB().toFixed(0)} MiB, healthy ${received}\n`,
    );
  });
  await flow(client, flowId);
  const flowSeconds = (systemClock.monotonicMs() - startMs) / 1_000;
  await paced;
  const report = await healthy.done;
  const routerCpuShare = (router.cpuSeconds() - cpu) / ((systemClock.monotonicMs() - startMs) / 1_000);
  memory.stop();
  watching();
  const after = await residentMiB(router);
  const parked = await router.counter('rivulet_parks_total');
  const stalled = await router.counter('rivulet_disconnects_total', 'reason="stalled"');
  const { reopened, resumed } = (await readers?.end()) ?? { reopened: 0, resumed: 0 };
  const run: Run = {
    readers: withReaders ? Number(values.readers) : 0,
    flowBytes: events * frameBytes,
    flowSeconds,
    residentBeforeMiB: before,
    residentMedianMiB: median(memory.readings),
    residentPeakMiB: Math.max(...memory.readings),
    residentAfterMiB: after,
    kernelMiB: kernel,
    parked,
    stalled,
    reopened,
    resumed,
    p50Ms: percentileMs(report, 0.5),
    p99Ms: percentileMs(report, 0.99),
    maxMs: report.latencyMaxUs / 1_000,
    routerCpuShare,
  };
  process.stdout.write(`  ${JSON.stringify(run)}\n`);
  return run;
}

pinSelf();
compileLoadClient();
process.stdout.write(`slow readers: ${values.readers}, ${events} events of ${frameBytes} bytes in ${seconds} s\n`);
const runs: Run[] = [];
for (let round = 0; round < Number(values.runs); round += 1) {
  runs.push(await oneRun(false), await oneRun(true));
}
const of = (withReaders: boolean, read: (run: Run) => number): number[] =>
  runs.filter((run) => run.readers > 0 === withReaders).map(read);
const growth = (run: Run): number => Math.max(run.residentMedianMiB, run.residentAfterMiB) - run.residentBeforeMiB;
const cost = of(true, growth).map((one, index) => one - (of(false, growth)[index] ?? 0));
reportPath(
  'slow-readers',
  [
    figure('resident memory that the never-readers cost', 'MiB', cost),
    figure('growth of resident memory with them', 'MiB', of(true, growth)),
    figure('growth without', 'MiB', of(false, growth)),
    figure(
      'peak above before, with',
      'MiB',
      of(true, (run) => run.residentPeakMiB - run.residentBeforeMiB),
    ),
    figure(
      'peak above before, without',
      'MiB',
      of(false, (run) => run.residentPeakMiB - run.residentBeforeMiB),
    ),
    figure(
      'p99 of the healthy, with',
      'ms',
      of(true, (run) => run.p99Ms),
    ),
    figure(
      'p99 of the healthy, without',
      'ms',
      of(false, (run) => run.p99Ms),
    ),
    figure(
      'closed for want of progress',
      'a run',
      of(true, (run) => run.stalled),
    ),
    figure(
      'came back with their last id',
      'a run',
      of(true, (run) => run.resumed),
    ),
    figure(
      'router CPU, with',
      'cores',
      of(true, (run) => run.routerCpuShare),
    ),
    figure(
      'router CPU, without',
      'cores',
      of(false, (run) => run.routerCpuShare),
    ),
    figure(
      'TCP memory of the kernel at most, with',
      'MiB',
      of(true, (run) => run.kernelMiB),
    ),
  ],
  { runs },
);
