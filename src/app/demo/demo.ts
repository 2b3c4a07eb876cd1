import { randomUUID } from 'node:crypto';
import { resolve } from 'node:path';
import { type Clock, sleep, systemClock } from '../../core/clock.ts';
import { BusError, StartError } from '../../core/failure.ts';
import { FileStorage } from '../../storage/file-storage.ts';
import type { EventPublisher } from '../../storage/publisher.ts';
import type { Invocation } from '../command-line.ts';
import { commandLine } from '../project.ts';
import { openPublisher, type Target, targetOf, targetText } from '../publishing/target.ts';
import { documentsIn, projectDocuments, type SourceDocument } from './documents.ts';
import { jobsOf, outcomeText, reasonText } from './jobs.ts';
import { type Job, runPipeline, stepsOf } from './pipeline.ts';
import { ProgressLine } from './progress-line.ts';

/** The tag that finds every run: the README's curl line watches it. */
const demoTag = 'demo';

/** The person pressed Ctrl-C: what still runs is cancelled. */
class InterruptedError extends Error {
  override readonly name = 'InterruptedError';
}

interface Run {
  readonly publisher: EventPublisher;
  readonly storage: FileStorage;
  readonly clock: Clock;
  readonly paceMs: number;
  readonly progress: ProgressLine;
  readonly interrupted: () => boolean;
}

/** How one execution ended, as it was published. */
export interface Outcome {
  readonly executionId: string;
  readonly status: 'completed' | 'failed' | 'cancelled';
  readonly reason: string | null;
}

async function endOf(job: Job, run: Run): Promise<Outcome> {
  const { executionId } = job;
  const pauseMs = run.paceMs / stepsOf(job);
  const startMs = run.clock.monotonicMs();
  let steps = 0;
  try {
    await runPipeline(job, {
      storage: run.storage,
      async afterStep(stage, path) {
        steps += 1;
        run.progress.step(`${stage}/${path}`);
        // Against the start, not the last step, so that the work's own time is part of the pace.
        await sleep(run.clock, Math.max(0, startMs + pauseMs * steps - run.clock.monotonicMs()));
        if (run.interrupted()) throw new InterruptedError('interrupted');
      },
    });
    return { executionId, status: 'completed', reason: null };
  } catch (error) {
    const status = error instanceof InterruptedError ? 'cancelled' : 'failed';
    return { executionId, status, reason: reasonText(error) };
  }
}

async function runJob(job: Job, run: Run): Promise<Outcome> {
  const change = (status: 'running' | Outcome['status'], reason: string | null): Promise<readonly string[]> =>
    run.publisher.publish([
      {
        kind: 'change',
        change: { execution_id: job.executionId, status, ...(reason === null ? {} : { reason }) },
      },
    ]);
  await change('running', null);
  const outcome = await endOf(job, run);
  await change(outcome.status, outcome.reason);
  return outcome;
}

/** All of them pending before any work, so that a subscription made at once finds them. */
async function register(jobs: readonly Job[], publisher: EventPublisher, target: Target): Promise<void> {
  try {
    await publisher.publish(
      jobs.map(({ executionId }) => ({
        kind: 'change',
        change: { execution_id: executionId, status: 'pending', tags: [demoTag] },
      })),
    );
  } catch (error) {
    if (!(error instanceof BusError) || error.code !== 'unavailable') throw error;
    throw new StartError(`no server answers at ${targetText(target)}; start one with: ${commandLine('up')}`, 1, {
      cause: error,
    });
  }
}

function announce(jobs: readonly Job[], url: string, documents: readonly SourceDocument[]): void {
  const lines = [
    `${jobs.length} executions over ${documents.length} documents, tag ${demoTag}:`,
    ...jobs.map(({ executionId, documents: share }) => `  ${executionId}  ${share.map(({ name }) => name).join(', ')}`),
    'watch them, now or afterwards:',
    `  curl -N '${url}/api/v1/storage/events?execution_id=${demoTag}&last_event_id=earliest'`,
    `or open ${url}/`,
  ];
  process.stdout.write(`${lines.join('\n')}\n`);
}

async function runAll(jobs: readonly Job[], run: Run): Promise<number> {
  try {
    const outcomes = await Promise.all(jobs.map((job) => runJob(job, run)));
    run.progress.end();
    process.stdout.write(outcomes.map((outcome) => `${outcomeText(outcome)}\n`).join(''));
    if (run.interrupted()) return 130;
    return outcomes.every(({ status }) => status === 'completed') ? 0 : 1;
  } catch (error) {
    run.progress.end();
    if (!(error instanceof BusError)) throw error;
    throw new StartError(`the run was cut short, the bus went away: ${error.message}`, 1, { cause: error });
  }
}

/** `rivulet demo`: three executions of a document pipeline at once. Exit code 1 when one of them failed. */
export async function demo(invocation: Invocation): Promise<number> {
  const { configuration } = invocation;
  const documents =
    configuration.input === '' ? await projectDocuments() : await documentsIn(resolve(configuration.input));
  const jobs = jobsOf(documents, randomUUID);
  const target = targetOf(invocation, 'http');
  const publisher = await openPublisher(target);
  let interrupted = false;
  const interrupt = (): void => {
    interrupted = true;
  };
  process.once('SIGINT', interrupt);
  try {
    await register(jobs, publisher, target);
    announce(jobs, configuration.url, documents);
    const total = jobs.reduce((sum, job) => sum + stepsOf(job), 0);
    return await runAll(jobs, {
      publisher,
      storage: new FileStorage({ root: configuration.output, publisher, clock: systemClock }),
      clock: systemClock,
      paceMs: configuration.pace * 1000,
      progress: new ProgressLine(systemClock, total, process.stderr),
      interrupted: () => interrupted,
    });
  } finally {
    process.off('SIGINT', interrupt);
    await publisher.close();
  }
}
