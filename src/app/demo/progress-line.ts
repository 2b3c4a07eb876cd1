import type { Clock } from '../../core/clock.ts';
import { progressMs } from '../../core/limits.ts';

export interface ProgressOutput {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(text: string): unknown;
}

/** `[12/41] boost/summary/README.md`: one line that rewrites itself on a terminal, a line a second elsewhere. */
export class ProgressLine {
  readonly #clock: Clock;
  readonly #total: number;
  readonly #output: ProgressOutput;
  #done = 0;
  #saidMs = Number.NEGATIVE_INFINITY;

  constructor(clock: Clock, total: number, output: ProgressOutput) {
    this.#clock = clock;
    this.#total = total;
    this.#output = output;
  }

  step(what: string): void {
    this.#done += 1;
    const line = `[${this.#done}/${this.#total}] ${what}`;
    if (this.#output.isTTY === true) {
      this.#output.write(`\r\u001b[K${line.slice(0, (this.#output.columns ?? 80) - 1)}`);
      return;
    }
    const nowMs = this.#clock.monotonicMs();
    if (nowMs - this.#saidMs < progressMs && this.#done < this.#total) return;
    this.#saidMs = nowMs;
    this.#output.write(`${line}\n`);
  }

  end(): void {
    if (this.#output.isTTY === true) this.#output.write('\n');
  }
}
