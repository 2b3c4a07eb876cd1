import { historyBlockBytes, historyBuffersKeptMax } from '../core/limits.ts';

/**
 * The memory of blocks of history: it goes to a shard with the block, and comes back when the block is spent.
 *
 * Fresh memory for each block would be garbage that V8 hardly sees: a buffer is a small object to it, and it lets about 64 MiB of them
 * lie in each thread before it looks. 1,000 clients that came back at once left 30 MiB in the main thread alone.
 */
export class HistoryBuffers {
  readonly #kept: ArrayBuffer[] = [];

  get kept(): number {
    return this.#kept.length;
  }

  /** `historyBlockBytes` of whatever was there. */
  take(): ArrayBuffer {
    return this.#kept.pop() ?? new ArrayBuffer(historyBlockBytes);
  }

  /** Of another size it is left to the garbage: a record that was larger than a block. */
  giveBack(buffer: ArrayBuffer): void {
    if (buffer.byteLength !== historyBlockBytes || this.#kept.length >= historyBuffersKeptMax) return;
    this.#kept.push(buffer);
  }
}
