import { get } from 'node:http';
import { parentPort, workerData } from 'node:worker_threads';
import type { HealthReport, HealthSetup } from './health.ts';

/** Asks /healthz on a thread of its own: the loop of a thread with thousands of clients would measure itself. */

const { everyMs } = workerData as HealthSetup;
let base = (workerData as HealthSetup).base;
const report = { asked: 0, answered: 0, slowestMs: 0, bad: [] as string[] };

function ask(): void {
  const startMs = performance.now();
  report.asked += 1;
  const asked = get(new URL('/healthz', base), { agent: false, timeout: 30_000 }, (response) => {
    let text = '';
    response.setEncoding('utf8');
    response.on('data', (chunk: string) => {
      text += chunk;
    });
    response.on('end', () => {
      report.answered += 1;
      report.slowestMs = Math.max(report.slowestMs, performance.now() - startMs);
      if (response.statusCode !== 200) report.bad.push(`status ${response.statusCode ?? 0}: ${text}`);
    });
  });
  asked.on('timeout', () => {
    asked.destroy();
  });
  asked.on('error', (error) => {
    report.answered += 1;
    report.bad.push(error.message);
  });
}

let timer = setInterval(ask, everyMs);
parentPort?.on('message', (message: { readonly base: string } | 'stop') => {
  clearInterval(timer);
  if (message !== 'stop') {
    base = message.base;
    timer = setInterval(ask, everyMs);
    return;
  }
  const answer = setInterval(() => {
    if (report.answered < report.asked) return;
    clearInterval(answer);
    parentPort?.postMessage(report satisfies HealthReport);
    parentPort?.close();
  }, 10);
});
