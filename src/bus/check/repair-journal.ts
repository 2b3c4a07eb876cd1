import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Clock } from '../../core/clock.ts';
import { StartError } from '../../core/failure.ts';
import { repairMsMax, repairRunsMax } from '../../core/limits.ts';
import { journalFileName } from '../engine/lmdb-store.ts';
import { type ChildEnd, runChild } from './child-run.ts';
import { lockDirectory } from './directory-lock.ts';
import { rowsPerCommit } from './journal-copy.ts';

export interface RepairReport {
  readonly records: number;
  readonly executions: number;
  /** True when every part was read to its end; false when something is missing. */
  readonly complete: boolean;
  /** Where the damaged file is kept. */
  readonly keptAs: string;
}

const lockSuffix = '-lock';

/**
 * Copies what is readable of a journal into a new one with a new tag and puts it in the old one's place; the damaged file stays beside it
 * under another name. Nothing is deleted. Throws StartError when the directory is in use or has no journal.
 */
export async function repairJournal(directory: string, clock: Clock): Promise<RepairReport> {
  const lock = lockDirectory(directory);
  try {
    const path = join(directory, journalFileName);
    if (!existsSync(path)) throw new StartError(`there is no journal to repair in ${directory}`, 1);
    const target = join(directory, 'repair');
    rmSync(target, { recursive: true, force: true });
    mkdirSync(target);
    const copied = await copyParts(directory, target, clock);
    const stamp = new Date(clock.wallMs()).toISOString().replaceAll(/[:.]/g, '-');
    const keptAs = `${path}.damaged-${stamp}`;
    renameSync(path, keptAs);
    rmSync(`${path}${lockSuffix}`, { force: true });
    renameSync(join(target, journalFileName), path);
    rmSync(target, { recursive: true, force: true });
    return { ...copied, keptAs };
  } finally {
    lock.release();
  }
}

async function copyParts(directory: string, target: string, clock: Clock): Promise<Omit<RepairReport, 'keptAs'>> {
  const run = (...task: string[]): Promise<ChildEnd> => runChild(task, { clock, timeMs: repairMsMax });
  const meta = await run('copy-meta', directory, target);
  const known = isDone(meta);
  if (!known) {
    // The run before may have died with a half of it.
    rmSync(target, { recursive: true, force: true });
    mkdirSync(target);
    mustBeDone(await run('begin-new', target));
  }
  const allRecords = await copyAllRecords(directory, target, run);
  let executions = await run('copy-executions', directory, target);
  const allExecutions = isDone(executions);
  if (!allExecutions) executions = mustBeDone(await run('fold-executions', target));
  const sources = await run('copy-sources', directory, target);
  const end = mustBeDone(await run('finish', target, known ? 'known' : 'new'));
  return {
    records: rowsOf(end),
    executions: rowsOf(executions),
    complete: known && allRecords && allExecutions && isDone(sources),
  };
}

/**
 * Runs the copy again behind each place that ended it: first record by record up to that place, then past it, in steps that double until
 * something is readable again. False when something was passed over, or the runs were used up.
 */
async function copyAllRecords(
  directory: string,
  target: string,
  run: (...task: string[]) => Promise<ChildEnd>,
): Promise<boolean> {
  let after = 0;
  let step = 1;
  let singly = false;
  for (let runs = 0; runs < repairRunsMax; runs += 1) {
    const end = await run('copy-records', directory, target, String(after), String(singly ? 1 : rowsPerCommit));
    if (isDone(end)) return runs === 0;
    // Opening it is what ends the process: no place in it is readable.
    if (end.reports.length === 0) return false;
    const before = after;
    for (const report of end.reports) if (report.kind === 'copied') after = Math.max(after, report.through);
    const progress = after > before;
    if (progress) step = 1;
    if (singly) {
      after += step;
      step *= 2;
    }
    singly = !(singly && progress);
  }
  return false;
}

function isDone(end: ChildEnd): boolean {
  return end.death === null && end.reports.at(-1)?.kind === 'done';
}

function rowsOf(end: ChildEnd): number {
  const report = end.reports.at(-1);
  return report?.kind === 'done' ? report.rows : 0;
}

/** For parts that do not read the damaged file. */
function mustBeDone(end: ChildEnd): ChildEnd {
  if (isDone(end)) return end;
  throw new StartError(`the repair could not write its copy: ${end.death ?? 'no answer'}`, 1);
}
