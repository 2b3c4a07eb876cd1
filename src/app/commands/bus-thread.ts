import { Worker } from 'node:worker_threads';
import { unreachable } from '../../core/assert.ts';
import { StartError } from '../../core/failure.ts';
import type { JournalCounts } from '../../observe/journal-metrics.ts';

/** What the bus's thread says of itself. After `failed` or `stopped` it ends. */
type BusReport =
  | { readonly kind: 'ready'; readonly port: number }
  | { readonly kind: 'failed'; readonly message: string; readonly exitCode: 1 | 2 }
  | { readonly kind: 'warning'; readonly message: string }
  | { readonly kind: 'stats'; readonly stats: JournalCounts }
  | { readonly kind: 'stopped' };

/** A bus that serves from its own thread. */
export interface RunningBus {
  readonly port: number;
  /** Null when the thread ended meanwhile. */
  stats(): Promise<JournalCounts | null>;
  /** Ends calls in progress, flushes and closes the journal; resolves when the thread has ended. Twice is fine. */
  stop(): Promise<void>;
  /** Settles when the thread ended without being asked to; never rejects. */
  readonly failed: Promise<Error>;
}

/** One thread and what is waited for from it. */
class BusThread {
  readonly worker: Worker;
  readonly ready: Promise<number>;
  readonly failed: Promise<Error>;
  readonly exited: Promise<number>;
  stopping = false;
  #settleReady: (port: number) => void = () => undefined;
  #settleFailed: (error: Error) => void = () => undefined;
  readonly #asking: ((stats: JournalCounts | null) => void)[] = [];

  constructor(entry: URL, settings: object, onWarning: (message: string) => void) {
    this.ready = new Promise((resolve) => {
      this.#settleReady = resolve;
    });
    this.failed = new Promise((resolve) => {
      this.#settleFailed = resolve;
    });
    this.worker = new Worker(entry, { workerData: settings });
    this.worker.on('message', (report: BusReport) => {
      this.#receive(report, onWarning);
    });
    this.worker.on('error', (cause) => {
      this.#settleFailed(new StartError(`the bus's thread broke: ${cause.message}`, 1, { cause }));
    });
    this.exited = new Promise((resolve) => {
      this.worker.once('exit', (code) => {
        for (const answer of this.#asking.splice(0)) answer(null);
        // Settled already when the thread said why.
        if (!this.stopping) this.#settleFailed(new StartError(`the bus's thread ended by itself (code ${code})`, 1));
        resolve(code);
      });
    });
  }

  ask(): Promise<JournalCounts | null> {
    return new Promise((resolve) => {
      this.#asking.push(resolve);
      this.worker.postMessage({ kind: 'stats' });
    });
  }

  #receive(report: BusReport, onWarning: (message: string) => void): void {
    switch (report.kind) {
      case 'ready':
        this.#settleReady(report.port);
        break;
      case 'failed':
        this.#settleFailed(new StartError(report.message, report.exitCode));
        break;
      case 'warning':
        onWarning(report.message);
        break;
      case 'stats':
        this.#asking.shift()?.(report.stats);
        break;
      case 'stopped':
        break;
      default:
        unreachable(report);
    }
  }
}

/**
 * Starts the bus in a worker thread.
 *
 * @param entry     the thread's compiled module
 * @param settings  plain data for it
 * @param onWarning one sentence that an operator must see, at any time
 * Fails with a StartError when the port is taken, the data directory cannot be used or the journal is damaged.
 */
export async function startBus(
  entry: URL,
  settings: object,
  onWarning: (message: string) => void,
): Promise<RunningBus> {
  const thread = new BusThread(entry, settings, onWarning);
  const outcome = await Promise.race([thread.ready, thread.failed]);
  if (typeof outcome !== 'number') throw outcome;
  let over = false;
  void thread.exited.then(() => {
    over = true;
  });
  return {
    port: outcome,
    failed: thread.failed,
    stats: () => (over ? Promise.resolve(null) : thread.ask()),
    async stop() {
      thread.stopping = true;
      thread.worker.postMessage({ kind: 'stop' });
      await thread.exited;
    },
  };
}
