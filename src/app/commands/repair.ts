import { resolve } from 'node:path';
import { repairJournal } from '../../bus/check/repair-journal.ts';
import { systemClock } from '../../core/clock.ts';
import { StartError } from '../../core/failure.ts';
import type { Configuration } from '../configuration/options.ts';
import { commandLine } from '../project.ts';

/**
 * `rivulet bus --repair`: copies what is readable of the journal into a new one in its place; nothing is deleted.
 *
 * Answers 0 also when something was lost: the line says so. Fails with a StartError when the directory is in use or holds no journal.
 */
export async function repair(configuration: Configuration): Promise<number> {
  if (configuration.engine !== 'lmdb') {
    throw new StartError(
      `engine: '${configuration.engine}' is not allowed; allowed: lmdb, the only one with a file to repair`,
      2,
    );
  }
  const directory = resolve(configuration['data-dir']);
  const report = await repairJournal(directory, systemClock);
  const verdict = report.complete ? 'everything was readable' : 'what could not be read is missing';
  process.stdout.write(
    `repaired: ${report.records} records and ${report.executions} executions were kept, ${verdict}\n` +
      `the damaged file is ${report.keptAs}; start the bus with: ${commandLine(`bus --data-dir ${directory}`)}\n`,
  );
  return 0;
}
