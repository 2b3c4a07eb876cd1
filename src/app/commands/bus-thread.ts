import { Worker } from 'node:worker_threads';
import type { BusCommand, BusReport } from '../../contract/bus-thread.ts';
import type { JournalStats } from '../../contract/journal.ts';
import { unreachable } from '../../core/assert.ts';
import { systemClock } from '../../core/clock.ts';
import { StartError } from '../../core/failure.ts';
import { threadComplaintMs } from '../../core/limits.ts';
import type { Log } from '../../observe/log.ts';
import { workerEntries } from '../worker-entries.ts';

/** A bus that serves from its own thread. */
export interface RunningBus {
  readonly port: number;
  /** Null when the thread ended meanwhile. */
  stats(): Promise<JournalStats | null>;
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
  readonly #asking: ((stats: JournalStats | null) => void)[] = [];

  constructor(entry: URL, settings: object, onWarning: (message: string) => void) {
    this.ready = new Promise((resolve) => {
      this.#settleReady = resolve;
    });
    this.failed = new Promise((resolve) => {
      this.#settleFailed = resolve;
    });
    this.worker = new Worker(entry, { workerData: settings, stderr: true });
    this.#relayComplaints(onWarning);
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

  tell(command: BusCommand): void {
    this.worker.postMessage(command);
  }

  ask(): Promise<JournalStats | null> {
    return new Promise((resolve) => {
      this.#asking.push(resolve);
      this.tell({ kind: 'stats' });
    });
  }

  /** LMDB prints each commit that failed, stack and all, hundreds a second on a full disk: an operator gets a sentence now and then. */
  #relayComplaints(onWarning: (message: string) => void): void {
    let quietUntilMs = 0;
    this.worker.stderr.setEncoding('utf8').on('data', (text: string) => {
      const nowMs = systemClock.monotonicMs();
      if (nowMs < quietUntilMs) return;
      quietUntilMs = nowMs + threadComplaintMs;
      onWarning(`the bus's thread says: ${text.split('\n', 1).join()}`);
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
 * @param settings BusSettings, plain data
 * @param log      takes what an operator must see, at any time
 * @param abandoned aborted when nobody wants the start any more; then it fails soon, also in the middle of a long check
 * @param entry    the thread's compiled module, when it is not the bus's own
 * Fails with a StartError when the port is taken, the data directory cannot be used or the journal is damaged.
 */
export async function startBus(
  settings: object,
  log: Pick<Log, 'warn'>,
  { abandoned, entry = workerEntries.bus }: { readonly abandoned?: AbortSignal; readonly entry?: URL } = {},
): Promise<RunningBus> {
  const thread = new BusThread(entry, settings, (message) => {
    log.warn({ part: 'bus' }, message);
  });
  const giveUp = (): void => {
    thread.tell({ kind: 'stop' });
  };
  abandoned?.addEventListener('abort', giveUp);
  if (abandoned?.aborted === true) giveUp();
  const outcome = await Promise.race([thread.ready, thread.failed]);
  abandoned?.removeEventListener('abort', giveUp);
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
      thread.tell({ kind: 'stop' });
      await thread.exited;
    },
  };
}
