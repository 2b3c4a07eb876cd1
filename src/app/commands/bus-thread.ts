import { Worker } from 'node:worker_threads';
import type { BusReport } from '../../contract/bus-thread.ts';
import { assert } from '../../core/assert.ts';
import { StartError } from '../../core/failure.ts';
import type { Log } from '../../observe/log.ts';
import { workerEntries } from '../worker-entries.ts';

/** A bus that serves from its own thread. */
export interface RunningBus {
  readonly port: number;
  /** Ends calls in progress, flushes and closes the journal; resolves when the thread has ended. Twice is fine. */
  stop(): Promise<void>;
  /** Settles when the thread ended without being asked to; never rejects. */
  readonly failed: Promise<Error>;
}

/**
 * Starts the bus in a worker thread.
 *
 * @param settings BusSettings, plain data
 * @param entry    the thread's compiled module, when it is not the bus's own
 * Fails with a StartError when the port is taken, the data directory cannot be used or the journal is damaged.
 */
export async function startBus(
  settings: object,
  log: Pick<Log, 'warn'>,
  entry: URL = workerEntries.bus,
): Promise<RunningBus> {
  const worker = new Worker(entry, { workerData: settings });
  let stopping = false;
  let reported: string | null = null;
  const exited = new Promise<number>((resolve) => worker.once('exit', resolve));
  const crashed = new Promise<Error>((resolve) =>
    worker.once('error', (cause) => {
      resolve(new StartError(`the bus's thread broke: ${cause.message}`, 1, { cause }));
    }),
  );
  const failed = new Promise<Error>((resolve) => {
    void crashed.then(resolve);
    worker.on('message', (report: BusReport) => {
      if (report.kind === 'failed') reported = report.message;
      if (report.kind === 'warning') log.warn({ part: 'bus' }, report.message);
    });
    void exited.then((code) => {
      if (!stopping) resolve(new StartError(reported ?? `the bus's thread ended by itself (code ${code})`, 1));
    });
  });
  const stop = async (): Promise<void> => {
    stopping = true;
    worker.postMessage({ kind: 'stop' });
    await exited;
  };
  const first = new Promise<BusReport>((resolve) => {
    worker.on('message', (report: BusReport) => {
      if (report.kind === 'ready' || report.kind === 'failed') resolve(report);
    });
  });
  const outcome = await Promise.race([first, failed]);
  if (outcome instanceof Error) throw outcome;
  if (outcome.kind === 'failed') {
    stopping = true;
    throw new StartError(outcome.message, outcome.exitCode);
  }
  assert(outcome.kind === 'ready', 'the first word of the bus is ready or failed');
  return { port: outcome.port, stop, failed };
}
