import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { hold, type StressContext } from '../scenario.ts';

export interface HealthSetup {
  readonly base: string;
  readonly everyMs: number;
}

export interface HealthReport {
  readonly asked: number;
  readonly answered: number;
  readonly slowestMs: number;
  /** What was not a 200, in words. */
  readonly bad: readonly string[];
}

/** Ten times a second: often enough to meet a loop that is held for a moment. */
const everyMs = 100;

/** Asks /healthz ten times a second from now on. What it answers waits for every answer under way, fails unless each was 200, and says the slowest. */
export function askHealth(context: StressContext, base: string): () => Promise<HealthReport> {
  const worker = new Worker(new URL('./health.worker.js', import.meta.url), {
    workerData: { base, everyMs } satisfies HealthSetup,
  });
  context.teardown(() => worker.terminate());
  return async () => {
    worker.postMessage('stop');
    const [report] = (await once(worker, 'message')) as [HealthReport];
    hold(
      report.bad.length === 0,
      `/healthz: ${report.bad.length} of ${report.asked} were not 200: ${report.bad[0] ?? ''}`,
    );
    context.checked('answers of /healthz', report.answered);
    context.log(`/healthz: ${report.answered} answers, all 200, the slowest after ${Math.round(report.slowestMs)} ms`);
    return report;
  };
}
