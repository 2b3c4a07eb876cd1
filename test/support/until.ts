import { setTimeout as sleep } from 'node:timers/promises';

/** Every wait of a test ends: below ava's own limit, so that what was waited for is said. */
export const patienceMs = 30_000;

export class PatienceError extends Error {
  override readonly name = 'PatienceError';
}

/** Asks until the answer is yes. For conditions that only asking can tell: a metric, a readiness. */
export async function until(condition: () => boolean | Promise<boolean>, what: string): Promise<void> {
  const startMs = performance.now();
  while (!(await condition())) {
    if (performance.now() - startMs > patienceMs) throw new PatienceError(`not within ${patienceMs} ms: ${what}`);
    await sleep(20);
  }
}
