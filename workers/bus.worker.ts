import { parentPort, workerData } from 'node:worker_threads';
import { type BusSettings, type RunningBus, startBus } from '../src/bus/start-bus.ts';
import type { BusCommand, BusReport } from '../src/contract/bus-thread.ts';
import { assert } from '../src/core/assert.ts';
import { StartError } from '../src/core/failure.ts';

/** The bus's thread: starts it, says so, and on `stop` closes it in order. */
const port = parentPort;
assert(port !== null, 'the bus worker is a thread');
const report = (message: BusReport): void => {
  port.postMessage(message);
};
const onWarning = (message: string): void => {
  report({ kind: 'warning', message });
};
const abandoned = new AbortController();
let running: RunningBus | null = null;

async function stop(bus: RunningBus): Promise<void> {
  await bus.stop();
  report({ kind: 'stopped' });
  process.exit(0); // Ends this thread, also when a peer holds a socket open.
}

port.on('message', (command: BusCommand) => {
  if (running === null) abandoned.abort();
  else if (command.kind === 'stop') void stop(running);
  else report(command.kind === 'ping' ? { kind: 'pong' } : { kind: 'stats', stats: running.journal.stats() });
});
startBus(workerData as BusSettings, { onWarning, abandoned: abandoned.signal }).then(
  (bus) => {
    running = bus;
    report({ kind: 'ready', port: bus.port });
  },
  (error: unknown) => {
    const message = error instanceof Error ? error.message : String(error);
    report({ kind: 'failed', message, exitCode: error instanceof StartError ? error.exitCode : 1 });
    port.close();
  },
);
