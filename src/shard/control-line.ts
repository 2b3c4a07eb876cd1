import type { ControlAnswer, ControlCall, ControlDoor } from '../contract/control.ts';
import type { ShardReport } from '../contract/shard-messages.ts';
import { shardRequestsMax } from '../core/limits.ts';

/** The shard's end of the calls to the main thread: numbered, bounded, each answered once. */
export class ControlLine implements ControlDoor {
  readonly #report: (report: ShardReport) => void;
  readonly #pending = new Map<number, (answer: ControlAnswer) => void>();
  #nextCall = 1;

  constructor(report: (report: ShardReport) => void) {
    this.#report = report;
  }

  call(request: ControlCall): Promise<ControlAnswer> {
    if (this.#pending.size >= shardRequestsMax) {
      return Promise.resolve({ kind: 'overloaded', detail: `${shardRequestsMax} calls of this shard are waiting` });
    }
    const call = this.#nextCall;
    this.#nextCall += 1;
    return new Promise((resolve) => {
      this.#pending.set(call, resolve);
      this.#report({ kind: 'call', call, request });
    });
  }

  onAnswer(call: number, answer: ControlAnswer): void {
    const resolve = this.#pending.get(call);
    this.#pending.delete(call);
    resolve?.(answer);
  }
}
