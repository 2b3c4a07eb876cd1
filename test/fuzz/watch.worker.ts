import { writeSync } from 'node:fs';
import { workerData } from 'node:worker_threads';

/** The other side of watch.ts. */
const { shared, target, stuckMs } = workerData as { shared: SharedArrayBuffer; target: string; stuckMs: number };
const words = new Uint32Array(shared);
let seen = Atomics.load(words, 1);

setInterval(() => {
  const now = Atomics.load(words, 1);
  if (now === seen) {
    const seed = Atomics.load(words, 0);
    writeSync(
      2,
      `✘ ${target}: no case was begun for ${stuckMs} ms; the last one: npm run fuzz -- --target ${target} --seed ${seed} --cases 1\n`,
    );
    // This thread alone cannot end the process in order: the other one holds its loop.
    process.kill(process.pid, 'SIGKILL');
  }
  seen = now;
}, stuckMs);
