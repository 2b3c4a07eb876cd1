import { existsSync, unlinkSync, writeFileSync } from 'node:fs';
import { isMainThread, workerData } from 'node:worker_threads';

/**
 * Loaded with `--import` into every thread of the real program, for tests of what no request can bring about. A shard's thread that finds the file
 * named by TROUBLE_FILE followed by `.spin`, `.exit` or `.throw` takes it away and does so: turns in a circle for ever, ends, or throws out of a callback.
 * The bus's thread does so for `.spin-bus`. With `.check` there, the check of a journal takes a minute.
 */
const file = process.env['TROUBLE_FILE'] ?? '';

class Trouble extends Error {
  override readonly name = 'Trouble';
}

const acts: Readonly<Record<string, () => void>> = {
  spin: () => {
    for (;;);
  },
  'spin-bus': () => {
    for (;;);
  },
  exit: () => {
    process.exit(3);
  },
  throw: () => {
    throw new Trouble('asked for');
  },
};

if (isMainThread && existsSync(`${file}.check`) && (process.argv[1] ?? '').includes('journal-child')) {
  writeFileSync(`${file}.checking`, String(process.pid));
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 60_000);
}

/** The bus's thread has its settings; a shard's thread gets its setup as a task. */
const isBus = typeof workerData === 'object' && workerData !== null && 'dataDirectory' in workerData;

if (!isMainThread && file !== '') {
  setInterval(() => {
    for (const [name, act] of Object.entries(acts)) {
      if (isBus !== (name === 'spin-bus') || !existsSync(`${file}.${name}`)) continue;
      try {
        unlinkSync(`${file}.${name}`);
      } catch {
        // Another thread was first.
        continue;
      }
      act();
    }
  }, 20).unref();
}
