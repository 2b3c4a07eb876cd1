import type { Clock } from '../../core/clock.ts';
import { StuckThreadError } from '../../core/failure.ts';
import { shutdownMs, signalRepeatMs } from '../../core/limits.ts';
import type { Log } from '../../observe/log.ts';

/** Why a server stops. */
export type End =
  | { readonly kind: 'signal'; readonly signal: NodeJS.Signals }
  | { readonly kind: 'supervisor-gone' }
  | { readonly kind: 'failed'; readonly error: Error }
  | { readonly kind: 'defect'; readonly error: Error };

/** The exit code of a defect: EX_SOFTWARE of sysexits. */
export const exitDefect = 70;

const stopSignals = ['SIGINT', 'SIGTERM'] as const;

interface Part {
  readonly name: string;
  readonly stop: () => Promise<void>;
}

/**
 * The life of a serving process: what has been started, in order; what ends it; closing in the opposite order.
 *
 * A first signal, a failed part or a defect begins the close. A second signal ends the process at once, by the signal itself: `process.exit`
 * would tear down threads with open sockets, and those abort the process with a core. From the first signal on the process has `shutdownMs` left,
 * also when it comes while a part is still starting.
 */
export class Lifecycle {
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #parts: Part[] = [];
  readonly #ended: Promise<End>;
  readonly #abandon = new AbortController();
  #end: (end: End) => void = () => undefined;
  #endedAlready = false;
  #signalledAtMs: number | null = null;
  /** Takes back the kill of a stop that takes too long; null before anything has ended the process. */
  #cancelOverdue: (() => void) | null = null;

  constructor(clock: Clock, log: Log) {
    this.#clock = clock;
    this.#log = log;
    this.#ended = new Promise((resolve) => {
      this.#end = (end) => {
        this.#endedAlready = true;
        this.#abandon.abort();
        resolve(end);
      };
    });
    for (const signal of stopSignals) process.on(signal, this.#onSignal);
    process.on('uncaughtException', this.#onDefect);
  }

  /** True once something has ended it: whoever is still starting parts stops doing so. */
  get ending(): boolean {
    return this.#endedAlready;
  }

  /** Aborted once something has ended it: a start that takes long is broken off. */
  get ended(): AbortSignal {
    return this.#abandon.signal;
  }

  /** A part that runs now: stopped in its turn, and its failure ends the process. */
  add(name: string, stop: () => Promise<void>, failed?: Promise<Error>): void {
    this.#parts.push({ name, stop });
    void failed?.then((error) => {
      if (!this.#endedAlready) this.#end({ kind: 'failed', error });
    });
  }

  /** Nobody would start it again, nor stop it: it ends as by a signal. */
  supervisorGone(): void {
    this.#limitStop();
    if (!this.#endedAlready) this.#end({ kind: 'supervisor-gone' });
  }

  /** Waits for the end, then closes everything. Answers the exit code. */
  async untilEnd(): Promise<number> {
    const end = await this.#ended;
    switch (end.kind) {
      case 'signal':
        this.#log.info({ signal: end.signal }, 'stopping');
        break;
      case 'supervisor-gone':
        this.#log.error({}, 'stopping: the supervisor has gone');
        break;
      case 'failed':
        this.#log.fatal({ error: end.error }, `stopping: ${end.error.message}`);
        break;
      case 'defect':
        this.#log.fatal({ error: end.error }, 'stopping after a defect');
        break;
    }
    await this.close();
    if (end.kind === 'signal' || end.kind === 'supervisor-gone') return 0;
    return end.kind === 'failed' ? 1 : exitDefect;
  }

  /** Stops the parts, the last started first. A part that fails to stop does not keep the others from it. */
  async close(): Promise<void> {
    this.#endedAlready = true;
    this.#limitStop();
    let stuck = false;
    for (const part of this.#parts.splice(0).reverse()) {
      try {
        await part.stop();
        this.#log.debug({ part: part.name }, 'stopped');
      } catch (error) {
        stuck ||= error instanceof StuckThreadError;
        this.#log.error({ part: part.name, error }, 'could not be stopped in order');
      }
    }
    if (stuck) this.#kill('everything else is closed; killing the process');
    this.#cancelOverdue?.();
    for (const signal of stopSignals) process.off(signal, this.#onSignal);
    process.off('uncaughtException', this.#onDefect);
  }

  readonly #onSignal = (signal: NodeJS.Signals): void => {
    const nowMs = this.#clock.monotonicMs();
    if (this.#signalledAtMs === null) {
      this.#signalledAtMs = nowMs;
      // From the signal on: a part that is still starting (the check of a large journal) counts, and may never come back.
      this.#limitStop();
      if (!this.#endedAlready) this.#end({ kind: 'signal', signal });
      return;
    }
    if (nowMs - this.#signalledAtMs < signalRepeatMs) return;
    this.#log.warn({ signal }, 'stopped at once by a second signal');
    process.removeAllListeners(signal);
    process.kill(process.pid, signal);
  };

  readonly #onDefect = (error: unknown): void => {
    const cause = error instanceof Error ? error : new TypeError(`thrown: ${String(error)}`);
    if (this.#endedAlready) this.#log.error({ error: cause }, 'a defect while stopping');
    else this.#end({ kind: 'defect', error: cause });
  };

  #limitStop(): void {
    this.#cancelOverdue ??= this.#clock.after(shutdownMs, this.#onOverdue, { background: true });
  }

  readonly #onOverdue = (): void => {
    this.#kill('did not stop in time; killing the process');
  };

  // A stuck thread with open sockets cannot be closed in order, and leaving it open aborts; the supervisor sees 137.
  #kill(message: string): void {
    this.#log.fatal({}, message);
    process.kill(process.pid, 'SIGKILL');
  }
}
