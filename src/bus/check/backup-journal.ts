import {
  closeSync,
  existsSync,
  fsyncSync,
  linkSync,
  mkdtempSync,
  openSync,
  renameSync,
  rmSync,
  statSync,
  unlinkSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import type { Clock } from '../../core/clock.ts';
import { StartError } from '../../core/failure.ts';
import { progressMs, repairMsMax } from '../../core/limits.ts';
import { journalFileName } from '../engine/lmdb-store.ts';
import { type ChildReport, runChild } from './child-run.ts';

export interface BackupReport {
  readonly records: number;
  /** The newest record in the copy. */
  readonly newestId: string;
  readonly bytes: number;
}

export interface BackupRun {
  readonly clock: Clock;
  /** Aborted: nothing is left behind. */
  readonly signal: AbortSignal;
  /** Bytes written so far, of at most so many; now and then. */
  readonly onProgress: (bytes: number, bytesMax: number) => void;
}

/**
 * Copies the journal of a directory into a new file, also while a bus serves and writes it: LMDB's own copy, of one snapshot. The copy appears whole, checked
 * and flushed, or not at all; an existing file is never touched. (On a file system without hard links its name is taken first, empty, for the moment
 * that a rename takes.) Throws StartError.
 *
 * The snapshot pins the pages that it needs while it is copied: a journal that is written to at full speed grows by as much in that time.
 */
export async function backupJournal(directory: string, file: string, run: BackupRun): Promise<BackupReport> {
  const source = join(directory, journalFileName);
  if (!existsSync(source)) throw new StartError(`there is no journal to copy in ${directory}`, 1);
  refuseExisting(file);
  const partial = makePartial(file);
  try {
    const report = await copyAndCheck(directory, partial, run);
    putInPlace(join(partial, journalFileName), file);
    return report;
  } finally {
    rmSync(partial, { recursive: true, force: true });
  }
}

function refuseExisting(file: string): void {
  if (existsSync(file)) throw new StartError(`${file} exists already and is left as it is: name another file`, 1);
}

/** Beside the file: on the same file system, so that it can be linked there. */
function makePartial(file: string): string {
  try {
    return mkdtempSync(`${file}.partial-`);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new StartError(`${dirname(file)} cannot be written to: ${reason}`, 1, { cause });
  }
}

async function copyAndCheck(directory: string, partial: string, run: BackupRun): Promise<BackupReport> {
  const { clock, signal, onProgress } = run;
  const copy = join(partial, journalFileName);
  const bytesMax = statSync(join(directory, journalFileName)).size;
  const cancel = clock.every(progressMs, () => {
    if (existsSync(copy)) onProgress(statSync(copy).size, bytesMax);
  });
  try {
    const bounds = { clock, signal, timeMs: repairMsMax };
    const copied = await runChild(['backup', directory, partial], bounds);
    const report = copied.reports.at(-1);
    if (report?.kind !== 'backed-up') throw notCopied(copied.death, report);
    const checked = (await runChild(['check', partial], bounds)).reports.at(-1);
    if (checked?.kind !== 'checked' || checked.fault !== null) {
      throw notCopied('the copy did not pass the check', checked);
    }
    return { records: report.records, newestId: report.newestId, bytes: statSync(copy).size };
  } finally {
    cancel();
  }
}

function notCopied(death: string | null, report: ChildReport | undefined): StartError {
  const fault = report?.kind === 'checked' ? report.fault : null;
  const reasons = [death, fault].filter((reason) => reason !== null);
  return new StartError(`the journal could not be copied: ${reasons.join(': ') || 'no answer'}`, 1);
}

function putInPlace(copy: string, file: string): void {
  flush(copy);
  try {
    // A link, not a rename: a file that has appeared meanwhile is not replaced.
    linkSync(copy, file);
  } catch {
    // It exists, or the file system has no hard links (FAT, some network and user-space ones), which each says in its own way.
    refuseExisting(file);
    renameInto(copy, file);
  }
  flushDirectory(dirname(file));
}

/** Takes the name, which fails when somebody else has it, then puts the copy in place of the empty file that is ours. */
function renameInto(copy: string, file: string): void {
  let taken = false;
  try {
    closeSync(openSync(file, 'wx'));
    taken = true;
    renameSync(copy, file);
  } catch (cause) {
    if (taken) unlinkSync(file);
    else refuseExisting(file);
    throw new StartError(`${file} cannot be written: ${String(cause)}`, 1, { cause });
  }
}

/** Where a directory can be flushed: the copy itself is safe already, only its name may be lost with the power. */
function flushDirectory(path: string): void {
  try {
    flush(path);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error)) throw error;
    if (!['EINVAL', 'ENOSYS', 'ENOTSUP', 'EOPNOTSUPP', 'EISDIR', 'EPERM'].includes(String(error.code))) throw error;
  }
}

function flush(path: string): void {
  const descriptor = openSync(path, 'r');
  fsyncSync(descriptor);
  closeSync(descriptor);
}
