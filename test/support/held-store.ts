import type { StoreBatch } from '../../src/bus/engine/journal-store.ts';
import { MemoryStore } from '../../src/bus/engine/memory-store.ts';
import type { AppendError } from '../../src/core/failure.ts';

/** A memory store whose commits are visible to reads at once, as LMDB's may be, but flushed only when the test says so. */
export class HeldStore extends MemoryStore {
  readonly #waiting: { readonly release: () => void; readonly fail: (error: AppendError) => void }[] = [];
  held = false;
  /** Batches that reached the store. */
  commits = 0;

  override async commit(batch: StoreBatch): Promise<void> {
    this.commits += 1;
    if (!this.held) {
      await super.commit(batch);
      return;
    }
    await new Promise<void>((resolve, reject) => {
      this.#waiting.push({
        release: () => {
          resolve(super.commit(batch));
        },
        fail: reject,
      });
    });
  }

  /** Lets the commit under way be flushed. */
  release(): void {
    this.#waiting.shift()?.release();
  }

  /** The commit under way did not happen. */
  fail(error: AppendError): void {
    this.#waiting.shift()?.fail(error);
  }
}

/** The same, but what is being committed can be read before it is flushed. */
export class EarlyStore extends HeldStore {
  override async commit(batch: StoreBatch): Promise<void> {
    await MemoryStore.prototype.commit.call(this, batch);
    // What the flush adds is nothing.
    await super.commit({ ...batch, records: [], executions: [], sources: [], trim: null });
  }
}
