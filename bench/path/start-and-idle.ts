import { randomUUID } from 'node:crypto';
import { parseArgs } from 'node:util';
import { sleep, systemClock } from '../../src/core/clock.ts';
import { createBusClient } from '../../src/wire/bus/bus-client.ts';
import { figure } from '../harness.ts';
import { compileLoadClient, startLoad } from './load-client.ts';
import { reportPath } from './path-report.ts';
import { pinSelf, serverCore, worldCore } from './pinning.ts';
import { program, startBus, startRouter, startServer, withDirectory } from './server-process.ts';

/** From the spawn of `rivulet up` to its ready line on an empty data directory; and what an idle stream costs: resident memory, accepts, heartbeats. */
const { values } = parseArgs({
  options: {
    streams: { type: 'string', default: '5000' },
    runs: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '35' },
  },
});
const streams = Number(values.streams);

function startOnce(): Promise<number> {
  return withDirectory(async (directory) => {
    const words = ['up', '--port=0', '--bus-port=0', '--ops-port=0', `--data-dir=${directory}`, '--log-level=warn'];
    const server = await startServer(serverCore, program, words);
    await server.stop();
    return server.startMs;
  });
}

interface Idle {
  /** Of the first `streams`: with the heap that V8 takes beforehand. */
  readonly bytesPerFirstStream: number;
  /** Of as many again beside them: what one more costs. */
  readonly bytesPerNextStream: number;
  readonly streamsPerSecond: number;
  readonly cpuShare: number;
}

function idleOnce(): Promise<Idle> {
  return withDirectory(async (directory) => {
    const bus = await startBus(worldCore, directory);
    const router = await startRouter(serverCore, bus);
    const client = createBusClient(bus.ready['grpc'] ?? '', { clock: systemClock });
    try {
      const executionId = randomUUID();
      await client.publish({ entries: [{ change: { execution_id: executionId, status: 2, tags: [] } }] });
      const target = `/api/v1/storage/events?execution_id=${executionId}&timeout=3600`;
      const open = (count: number, idleSeconds: number) =>
        startLoad({ port: router.port, target, streams: count, events: 0, idleSeconds, secondsMax: 120 });
      // Code and heap that any first streams would bring are not the cost of one.
      await open(200, 0.2).done;
      await sleep(systemClock, 1_000);
      const seconds = Number(values.seconds);
      const empty = router.residentBytes();
      const first = open(streams, seconds * 2 + 30);
      // It ends when the router does, which breaks its streams.
      const firstOver = first.done.catch(() => null);
      await first.ready;
      await sleep(systemClock, 5_000);
      const half = router.residentBytes();
      const next = open(streams, seconds);
      await next.ready;
      await sleep(systemClock, 2_000);
      const cpuBefore = router.cpuSeconds();
      await sleep(systemClock, (seconds - 3) * 1_000);
      const idle = {
        bytesPerFirstStream: (half - empty) / streams,
        bytesPerNextStream: (router.residentBytes() - half) / streams,
        cpuShare: (router.cpuSeconds() - cpuBefore) / (seconds - 3),
      };
      const { connectMs } = await next.done;
      await router.stop();
      await firstOver;
      return { ...idle, streamsPerSecond: (streams / connectMs) * 1_000 };
    } finally {
      client.close();
      await router.stop();
      await bus.stop();
    }
  });
}

pinSelf();
compileLoadClient();
const starts: number[] = [];
for (let run = 0; run < Number(values.runs); run += 1) starts.push(await startOnce());
const idle = await idleOnce();
reportPath(
  'start-and-idle',
  [
    figure('start of `up` to its ready line, one core', 'ms', starts),
    figure(`resident memory a stream, all in, the first ${streams}`, 'bytes', [idle.bytesPerFirstStream]),
    figure(`resident memory a stream, all in, ${streams} more`, 'bytes', [idle.bytesPerNextStream]),
    figure('streams opened', 'per second', [idle.streamsPerSecond]),
    figure(`router CPU, ${streams * 2} idle streams with heartbeats`, 'cores', [idle.cpuShare]),
  ],
  { runs: [{ starts, idle }] },
);
