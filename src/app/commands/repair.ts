import { resolve } from 'node:path';
import { repairJournal } from '../../bus/check/repair-journal.ts';
import { systemClock } from '../../core/clock.ts';
import type { Configuration } from '../configuration/options.ts';
import { commandLine } from '../project.ts';

/** `rivulet bus --repair`: says what was saved, what was kept aside and how to go on. Answers the exit code. */
export async function repair(configuration: Configuration): Promise<number> {
  const directory = resolve(configuration['data-dir']);
  const report = await repairJournal(directory, systemClock);
  const extent = report.complete ? 'all of it could be read' : 'the rest could not be read';
  process.stdout.write(
    `repaired ${directory}: ${report.records} records and ${report.executions} executions saved, ${extent}\n` +
      `the damaged file is kept as ${report.keptAs}\n` +
      `the journal has a new identity; start it with: ${commandLine('bus')}, or ${commandLine('up')}\n`,
  );
  return 0;
}
