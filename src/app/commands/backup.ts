import { resolve } from 'node:path';
import { backupJournal } from '../../bus/check/backup-journal.ts';
import { systemClock } from '../../core/clock.ts';
import { StartError } from '../../core/failure.ts';
import type { Configuration } from '../configuration/options.ts';
import { commandLine } from '../project.ts';
import { exitCodeOf } from '../supervision/restart-policy.ts';

const signals = ['SIGINT', 'SIGTERM'] as const;

/**
 * `rivulet bus --backup <file>`: a consistent copy of the journal, also of one that a running bus writes to.
 *
 * Fails with a StartError when there is no journal, the file exists, or the copy cannot be made. After a signal nothing is left behind.
 */
export async function backup(configuration: Configuration, file: string): Promise<number> {
  if (configuration.engine !== 'lmdb') {
    throw new StartError(
      `engine: '${configuration.engine}' is not allowed; allowed: lmdb, the only one with a file to copy`,
      2,
    );
  }
  const target = resolve(file);
  const abort = new AbortController();
  const onSignal = (signal: NodeJS.Signals): void => {
    abort.abort(signal);
  };
  for (const signal of signals) process.on(signal, onSignal);
  const mebibytes = (bytes: number): string => (bytes / 1_048_576).toFixed(1);
  try {
    const { records, newestId, bytes } = await backupJournal(resolve(configuration['data-dir']), target, {
      clock: systemClock,
      signal: abort.signal,
      onProgress: (written, bytesMax) => {
        process.stderr.write(`copied ${mebibytes(written)} of at most ${mebibytes(bytesMax)} MiB\n`);
      },
    });
    process.stdout.write(
      `copied: ${records} records up to ${newestId}, ${bytes} bytes, to ${target}\n` +
        `to go back to it: stop the bus, put it in place of journal.mdb in the data directory, start once with ${commandLine('bus --restored')}\n`,
    );
    return 0;
  } catch (error) {
    if (!abort.signal.aborted) throw error;
    return exitCodeOf({ code: null, signal: abort.signal.reason as NodeJS.Signals });
  } finally {
    for (const signal of signals) process.off(signal, onSignal);
  }
}
