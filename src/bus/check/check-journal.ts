import { join } from 'node:path';
import type { Clock } from '../../core/clock.ts';
import { StartError } from '../../core/failure.ts';
import { checkMsMax } from '../../core/limits.ts';
import { journalFileName } from '../engine/lmdb-store.ts';
import { runChild } from './child-run.ts';

/**
 * Has the journal of a directory opened and walked in a process of its own, since damage can end the process that meets it.
 * Given up when `signal` is aborted. Throws StartError, naming the file and the way out. Changes nothing. A directory without a journal is fine.
 */
export async function checkJournal(directory: string, clock: Clock, signal?: AbortSignal): Promise<void> {
  const path = join(directory, journalFileName);
  const { reports, death, interrupted } = await runChild(['check', directory], {
    clock,
    timeMs: checkMsMax,
    signal,
  });
  if (interrupted) throw new StartError(`the check of the journal ${path} did not run to its end: ${death ?? ''}`, 1);
  const report = reports.at(-1);
  if (report?.kind === 'unreadable') throw new StartError(`the journal ${path} cannot be read: ${report.reason}`, 1);
  const fault = report?.kind === 'checked' ? report.fault : (death ?? 'the check gave no answer');
  if (fault === null) return;
  throw new StartError(
    `the journal ${path} is damaged (${fault}); nothing was changed: run \`rivulet bus --repair --data-dir ${directory}\` to keep what is readable`,
    1,
  );
}
