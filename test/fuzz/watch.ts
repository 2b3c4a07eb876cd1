import { Worker } from 'node:worker_threads';
import type { CaseNote } from './campaign.ts';

/** A case that takes so long holds the loop for ever: no input may, and no pause of the machine does. */
const stuckMs = 60_000;

/**
 * Watches the cases of this thread from another: a loop without an end could say nothing itself. It names the seed of the last case and ends the
 * process with 1.
 */
export function watchCases(target: string): { readonly note: CaseNote; stop(): Promise<void> } {
  const shared = new SharedArrayBuffer(8);
  const words = new Uint32Array(shared);
  const watch = new Worker(new URL('./watch.worker.js', import.meta.url), { workerData: { shared, target, stuckMs } });
  watch.unref();
  return {
    note(caseSeed) {
      Atomics.store(words, 0, caseSeed);
      Atomics.add(words, 1, 1);
    },
    async stop() {
      await watch.terminate();
    },
  };
}
