import type { UpstreamFlow } from '../contract/upstream.ts';
import type { WindowStatus } from '../contract/window.ts';
import type { Cancel, Clock } from '../core/clock.ts';
import { flowCheckMs, holdBackMsMax } from '../core/limits.ts';
import type { Mailbox } from './mailbox.ts';

export interface FlowControlDependencies {
  readonly window: WindowStatus;
  readonly flow: UpstreamFlow;
  readonly clock: Clock;
  readonly mailboxes: readonly Mailbox[];
  readonly onHeldBack: (milliseconds: number) => void;
}

/**
 * Holds the stream from the bus back while a shard has to read from more than half a window ago, for `holdBackMsMax` at most: a shard that is stuck, or
 * slower for good, is lapped in the end and reads its journal. Parked sessions are no part of a shard's drain, so they never hold anything.
 */
export class FlowControl {
  readonly #with: FlowControlDependencies;
  readonly #timer: Cancel;
  #heldSinceMs: number | null = null;

  constructor(dependencies: FlowControlDependencies) {
    this.#with = dependencies;
    this.#timer = dependencies.clock.every(flowCheckMs, () => {
      this.check();
    });
  }

  /** After each batch and each task, and on a timer for the bound. */
  check(): void {
    const { flow, clock, onHeldBack } = this.#with;
    const nowMs = clock.monotonicMs();
    const since = this.#heldSinceMs;
    if (!this.#behind()) {
      if (since === null) return;
      this.#heldSinceMs = null;
      flow.release();
      onHeldBack(nowMs - since);
    } else if (since === null) {
      this.#heldSinceMs = nowMs;
      flow.hold();
    } else if (nowMs - since >= holdBackMsMax) {
      flow.release();
    }
  }

  close(): void {
    this.#timer();
  }

  #behind(): boolean {
    const { window, mailboxes } = this.#with;
    const oldest = window.head().offset - window.capacityBytes / 2;
    return mailboxes.some((mailbox) => mailbox.pendingOffset !== null && mailbox.pendingOffset < oldest);
  }
}
