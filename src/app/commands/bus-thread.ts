import { Worker } from 'node:worker_threads';
import type { BusCommand, BusReport } from '../../contract/bus-thread.ts';
import type { JournalStats } from '../../contract/journal.ts';
import { unreachable } from '../../core/assert.ts';
import { systemClock } from '../../core/clock.ts';
import { StartError, StuckThreadError } from '../../core/failure.ts';
import { shardGivenUpMs, threadComplaintMs } from '../../core/limits.ts';
import type { Log } from '../../observe/log.ts';
import { BusWatchdog } from '../supervision/bus-watchdog.ts';
import { workerEntries } from '../worker-entries.ts';

/** A bus that serves from its own thread. */
export interface RunningBus {
  readonly port: number;
  /** Null when the thread has ended, or does not answer. However many ask meanwhile, the thread is asked once. */
  stats(): Promise<JournalStats | null>;
  /** False when it has given no sign of life for `shardUnresponsiveMs`. */
  responsive(): boolean;
  /** Ends calls in progress, flushes and closes the journal; resolves when the thread has ended. Twice is fine. Rejects with a StuckThreadError when it was given up. */
  stop(): Promise<void>;
  /** Settles when the thread ended without being asked to, or has been silent for `shardGivenUpMs`; never rejects. */
  readonly failed: Promise<Error>;
}

/** One thread and what is waited for from it. */
class BusThread {
  readonly worker: Worker;
  readonly ready: Promise<number>;
  readonly failed: Promise<Error>;
  readonly exited: Promise<number>;
  stopping = false;
  stuck = false;
  #watchdog: BusWatchdog | null = null;
  #settleReady: (port: number) => void = () => undefined;
  #settleFailed: (error: Error) => void = () => undefined;
  /** The counts that are being asked for. */
  #stats: Promise<JournalStats | null> | null = null;
  #settleStats: (stats: JournalStats | null) => void = () => undefined;

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
        this.#watchdog?.close();
        this.#answerStats(null);
        // Settled already when the thread said why.
        if (!this.stopping) this.#settleFailed(new StartError(`the bus's thread ended by itself (code ${code})`, 1));
        resolve(code);
      });
    });
  }

  tell(command: BusCommand): void {
    this.worker.postMessage(command);
  }

  get responsive(): boolean {
    return this.#watchdog?.responsive !== false;
  }

  stats(): Promise<JournalStats | null> {
    if (!this.responsive) return Promise.resolve(null);
    this.#stats ??= new Promise((resolve) => {
      this.#settleStats = resolve;
      this.tell({ kind: 'stats' });
    });
    return this.#stats;
  }

  #answerStats(stats: JournalStats | null): void {
    this.#settleStats(stats);
    this.#stats = null;
  }

  /** From ready to stop: a start may take long, and a stop has its own limit. */
  watch(log: Pick<Log, 'warn'>): void {
    this.#watchdog = new BusWatchdog({
      clock: systemClock,
      ask: () => {
        this.tell({ kind: 'ping' });
      },
      onResponsive: (responsive) => {
        log.warn({ part: 'bus' }, responsive ? "the bus's thread answers again" : "the bus's thread does not answer");
        if (!responsive) this.#answerStats(null);
      },
      onGivenUp: () => {
        this.stuck = true;
        this.#settleFailed(new StartError(`the bus's thread has not answered for ${shardGivenUpMs} ms`, 1));
      },
    });
  }

  async stop(): Promise<void> {
    // It would not hear it, and with sockets open it cannot be ended from here.
    if (this.stuck) throw new StuckThreadError(["the bus's thread"]);
    this.#watchdog?.close();
    this.stopping = true;
    this.tell({ kind: 'stop' });
    await this.exited;
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
        this.#answerStats(report.stats);
        break;
      case 'pong':
        this.#watchdog?.answered();
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
  thread.watch(log);
  let over = false;
  void thread.exited.then(() => {
    over = true;
  });
  return {
    port: outcome,
    failed: thread.failed,
    stats: () => (over ? Promise.resolve(null) : thread.stats()),
    responsive: () => thread.responsive,
    stop: () => thread.stop(),
  };
}
