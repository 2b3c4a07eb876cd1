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

/** Runs the checks one after another, the slow ones beside them; results are told in the order of the list. */
export async function runChecks<D extends Door>(
  checks: readonly Check<D>[],
  open: () => D,
  options: RunOptions,
): Promise<readonly CheckResult[]> {
  const { timeoutMs, slow, onResult } = options;
  const beside = new Map<Check<D>, Promise<CheckResult>>();
  if (slow) {
    for (const check of checks.filter((one) => one.slow === true)) {
      beside.set(check, runCheck(check, open, timeoutMs));
    }
  }
  const results: CheckResult[] = [];
  for (const check of checks) {
    const { id, section } = check;
    const skipped = check.slow === true && !slow;
    const result: CheckResult = skipped
      ? { id, section, outcome: 'skip', reason: 'slow; run it with --slow', ms: 0 }
      : await (beside.get(check) ?? runCheck(check, open, timeoutMs));
    results.push(result);
    onResult(result);
  }
  return results;
}
