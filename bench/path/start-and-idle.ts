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
  readonly bytesPerStream: number;
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
      const before = router.residentBytes();
      const seconds = Number(values.seconds);
      const running = open(streams, seconds);
      await running.ready;
      const cpuBefore = router.cpuSeconds();
      await sleep(systemClock, (seconds - 1) * 1_000);
      const bytesPerStream = (router.residentBytes() - before) / streams;
      const cpuShare = (router.cpuSeconds() - cpuBefore) / (seconds - 1);
      const { connectMs } = await running.done;
      return { bytesPerStream, streamsPerSecond: (streams / connectMs) * 1_000, cpuShare };
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
    figure(`resident memory a stream, ${streams} idle`, 'bytes', [idle.bytesPerStream]),
    figure('streams opened', 'per second', [idle.streamsPerSecond]),
    figure(`router CPU, ${streams} idle streams with heartbeats`, 'cores', [idle.cpuShare]),
  ],
  [{ starts, idle }],
);
