import type { Cancel, Clock } from '../core/clock.ts';
import { shardGivenUpMs, shardPingMs, shardUnresponsiveMs } from '../core/limits.ts';
import type { Mailbox } from './mailbox.ts';

export interface WatchdogDependencies {
  readonly clock: Clock;
  readonly mailboxes: readonly Mailbox[];
  /** Signs of life of a shard in the middle of a task: a number that only rises. */
  readonly beats: (shard: number) => number;
  /** It has been silent for `shardUnresponsiveMs`, or has answered again after that. */
  readonly onResponsive: (shard: number, responsive: boolean) => void;
  /** It has been silent for `shardGivenUpMs`. Told once; whatever it does later is too late. */
  readonly onGivenUp: (shard: number) => void;
}

interface Seen {
  task: number | null;
  beats: number;
  silentMs: number;
  givenUp: boolean;
}

/**
 * Asks each shard for a sign of life every `shardPingMs`, also when nobody wants anything of it, and measures how long it has given none: the same
 * task, and no batch of it finished. A shard that works through a long task is not silent.
 *
 * Measured in its own steps, each at most two periods: while the main thread itself was held (a stopped process, a starved machine), no shard is to blame.
 */
export class Watchdog {
  readonly #with: WatchdogDependencies;
  readonly #seen: Seen[];
  readonly #timer: Cancel;
  #lastMs: number;

  constructor(dependencies: WatchdogDependencies) {
    this.#with = dependencies;
    this.#seen = dependencies.mailboxes.map(() => ({ task: null, beats: 0, silentMs: 0, givenUp: false }));
    this.#lastMs = dependencies.clock.monotonicMs();
    this.#timer = dependencies.clock.every(shardPingMs, () => {
      this.#look();
    });
  }

  close(): void {
    this.#timer();
  }

  responsive(shard: number): boolean {
    return (this.#seen[shard]?.silentMs ?? 0) < shardUnresponsiveMs && this.#with.mailboxes[shard]?.lost !== true;
  }

  /** It will not be heard of again: silent for too long, or its thread is gone. */
  hopeless(shard: number): boolean {
    return this.#seen[shard]?.givenUp === true || this.#with.mailboxes[shard]?.lost === true;
  }

  #look(): void {
    const nowMs = this.#with.clock.monotonicMs();
    const stepMs = Math.min(nowMs - this.#lastMs, shardPingMs * 2);
    this.#lastMs = nowMs;
    for (const [shard, seen] of this.#seen.entries()) this.#lookAt(shard, seen, stepMs);
  }

  #lookAt(shard: number, seen: Seen, stepMs: number): void {
    const { mailboxes, beats, onResponsive, onGivenUp } = this.#with;
    const mailbox = mailboxes[shard];
    if (mailbox === undefined || mailbox.lost || seen.givenUp) return;
    const before = seen.silentMs;
    const task = mailbox.outstandingTask;
    const beat = beats(shard);
    if (task === null || task !== seen.task || beat !== seen.beats) seen.silentMs = 0;
    else seen.silentMs += stepMs;
    seen.task = task;
    seen.beats = beat;
    if (task === null) mailbox.ping();
    const was = before < shardUnresponsiveMs;
    const is = seen.silentMs < shardUnresponsiveMs;
    if (was !== is) onResponsive(shard, is);
    if (seen.silentMs < shardGivenUpMs) return;
    seen.givenUp = true;
    onGivenUp(shard);
  }
}
