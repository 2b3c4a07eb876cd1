import { type Check, CheckFailure, CheckSkipped, type Door } from './check.ts';

export interface CheckResult {
  readonly id: string;
  readonly section: string;
  readonly outcome: 'pass' | 'fail' | 'skip';
  /** Why it failed or was skipped. */
  readonly reason?: string;
  readonly expected?: unknown;
  readonly got?: unknown;
  readonly ms: number;
}

export interface RunOptions {
  /** Of one check. */
  readonly timeoutMs: number;
  readonly slow: boolean;
  readonly onResult: (result: CheckResult) => void;
}

/** One check with a door of its own, to its end or its time-out. Never rejects. */
async function runCheck<D extends Door>(check: Check<D>, open: () => D, timeoutMs: number): Promise<CheckResult> {
  const { id, section } = check;
  const startMs = performance.now();
  const door = open();
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      const what = `not within ${timeoutMs} ms`;
      reject(new CheckFailure(what, { expected: door.waiting ?? 'an answer', got: 'nothing' }));
    }, timeoutMs);
  });
  const run = check.run(door);
  // After its time-out a check still ends, when its door closes under it.
  run.catch(() => undefined);
  const place = (): { id: string; section: string; ms: number } => ({
    id,
    section,
    ms: Math.round(performance.now() - startMs),
  });
  try {
    await Promise.race([run, late]);
    return { ...place(), outcome: 'pass' };
  } catch (error) {
    if (error instanceof CheckSkipped) return { ...place(), outcome: 'skip', reason: error.message };
    if (error instanceof CheckFailure) {
      return { ...place(), outcome: 'fail', reason: error.message, expected: error.expected, got: error.got };
    }
    return { ...place(), outcome: 'fail', reason: error instanceof Error ? error.message : String(error) };
  } finally {
    clearTimeout(timer);
    door.close();
  }
}

/** Checks under way at once, the slow ones apart: each has names of its own, and most of a check is waiting. */
const checksAtOnce = 4;

/** Runs the checks, a few at once, the slow ones beside them; results are told in the order of the list. */
export async function runChecks<D extends Door>(
  checks: readonly Check<D>[],
  open: () => D,
  options: RunOptions,
): Promise<readonly CheckResult[]> {
  const { timeoutMs, slow, onResult } = options;
  const results: CheckResult[] = [];
  const early = new Map<number, CheckResult>();
  const tell = (index: number, result: CheckResult): void => {
    early.set(index, result);
    for (let next = early.get(results.length); next !== undefined; next = early.get(results.length)) {
      results.push(next);
      onResult(next);
    }
  };
  const runAt = async (index: number, check: Check<D>): Promise<void> => {
    tell(index, await runCheck(check, open, timeoutMs));
  };
  const beside: Promise<void>[] = [];
  const queue: (readonly [number, Check<D>])[] = [];
  for (const [index, check] of checks.entries()) {
    const { id, section } = check;
    if (check.slow !== true) queue.push([index, check]);
    else if (slow) beside.push(runAt(index, check));
    else tell(index, { id, section, outcome: 'skip', reason: 'slow; run it with --slow', ms: 0 });
  }
  const hand = async (): Promise<void> => {
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) await runAt(...next);
  };
  await Promise.all([...beside, ...Array.from({ length: checksAtOnce }, hand)]);
  return results;
}
