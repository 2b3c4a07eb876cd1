import type { Cancel, Clock } from '../../core/clock.ts';
import { shardGivenUpMs, shardPingMs, shardUnresponsiveMs } from '../../core/limits.ts';

export interface BusWatchdogDependencies {
  readonly clock: Clock;
  /** Asks for a sign of life; `answered` is called when it comes. */
  readonly ask: () => void;
  /** It has been silent for `shardUnresponsiveMs`, or has answered again after that. */
  readonly onResponsive: (responsive: boolean) => void;
  /** It has been silent for `shardGivenUpMs`. Told once, and nothing is told after it. */
  readonly onGivenUp: () => void;
}

/**
 * Asks the bus's thread for a sign of life, with the times that shards have (dispatch/watchdog.ts). It has no long tasks: what it does in one go takes
 * milliseconds, and LMDB flushes on a thread of its own.
 *
 * One question at a time, so that nothing piles up at a thread that is stuck. Silence is measured in its own steps, each at most two periods: while this
 * thread itself was held, the other is not to blame.
 */
export class BusWatchdog {
  readonly #with: BusWatchdogDependencies;
  readonly #timer: Cancel;
  #lastMs: number;
  #silentMs = 0;
  #asking = false;

  constructor(dependencies: BusWatchdogDependencies) {
    this.#with = dependencies;
    this.#lastMs = dependencies.clock.monotonicMs();
    this.#timer = dependencies.clock.every(shardPingMs, () => {
      this.#look();
    });
  }

  close(): void {
    this.#timer();
  }

  answered(): void {
    this.#asking = false;
  }

  get responsive(): boolean {
    return this.#silentMs < shardUnresponsiveMs;
  }

  #look(): void {
    const nowMs = this.#with.clock.monotonicMs();
    const stepMs = Math.min(nowMs - this.#lastMs, shardPingMs * 2);
    this.#lastMs = nowMs;
    const was = this.responsive;
    if (this.#asking) {
      this.#silentMs += stepMs;
    } else {
      this.#silentMs = 0;
      this.#asking = true;
      this.#with.ask();
    }
    if (was !== this.responsive) this.#with.onResponsive(this.responsive);
    if (this.#silentMs < shardGivenUpMs) return;
    this.close();
    this.#with.onGivenUp();
  }
}
