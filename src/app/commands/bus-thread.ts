import { Worker } from 'node:worker_threads';
import { StartError } from '../../core/failure.ts';

/** What the bus's thread says of itself. */
type BusReport =
  | { readonly kind: 'ready'; readonly port: number }
  | { readonly kind: 'failed'; readonly message: string; readonly exitCode: 1 | 2 };

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
 * @param entry    the thread's compiled module
 * @param settings plain data for it
 * Fails with a StartError when the port is taken, the data directory cannot be used or the journal is damaged.
 */
export async function startBus(entry: URL, settings: object): Promise<RunningBus> {
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
  const first = new Promise<BusReport>((resolve) => worker.once('message', resolve));
  const outcome = await Promise.race([first, failed]);
  if (outcome instanceof Error) throw outcome;
  if (outcome.kind === 'failed') {
    stopping = true;
    throw new StartError(outcome.message, outcome.exitCode);
  }
  return { port: outcome.port, stop, failed };
}
