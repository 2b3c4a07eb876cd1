import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { systemClock } from '../../core/clock.ts';
import { createLog } from '../../observe/log.ts';
import type { Configuration } from '../configuration/options.ts';
import { randomFraction } from '../shard-thread.ts';
import type { ChildExit } from './restart-policy.ts';
import { type SupervisedChild, Supervisor } from './supervisor.ts';

/** Said to a child by its supervisor, and to nobody else: whatever the options say, this one serves. */
export const supervisedFlag = '--supervised';

const signals = ['SIGINT', 'SIGTERM'] as const;

function startChild(words: readonly string[]): SupervisedChild {
  const [, program = ''] = process.argv;
  const child = spawn(process.execPath, [...process.execArgv, program, ...words], {
    // The fourth is a line that breaks when this process ends, however it does: the child watches it.
    stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
  });
  const exited = new Promise<ChildExit>((resolve) => {
    child.once('error', () => {
      resolve({ code: 1, signal: null });
    });
    child.once('close', (code, signal) => {
      resolve({ code, signal });
    });
  });
  return {
    pid: child.pid,
    kill: (signal) => void child.kill(signal),
    onLine: (listener) => {
      if (child.stdout !== null) createInterface({ input: child.stdout }).on('line', listener);
    },
    exited,
  };
}

/**
 * `--supervise`: runs the same command as a child, and again when it breaks. Answers the exit code of the last child.
 *
 * @param words the command line as it was given; what it says of `--supervise` is overridden
 */
export async function supervise(words: readonly string[], configuration: Configuration): Promise<number> {
  const log = createLog({ level: configuration['log-level'], pretty: process.stderr.isTTY }).child({
    part: 'supervisor',
  });
  process.stdout.on('error', () => undefined);
  let begun = false;
  const supervisor = new Supervisor({
    clock: systemClock,
    log,
    random: randomFraction,
    start: (ports) => {
      // A journal takes a new identity once: each further one would be a gap to every client.
      const given = begun ? words.filter((word) => word !== '--restored') : words;
      begun = true;
      return startChild([...given, ...ports, supervisedFlag]);
    },
    write: (line) => void process.stdout.write(`${line}\n`),
  });
  const onSignal = (signal: NodeJS.Signals): void => {
    supervisor.signal(signal);
  };
  for (const signal of signals) process.on(signal, onSignal);
  try {
    return await supervisor.run();
  } finally {
    for (const signal of signals) process.off(signal, onSignal);
  }
}

/** For the child: calls `onGone` once when its supervisor has ended. The answer stops watching. */
export function watchSupervisor(onGone: () => void): () => void {
  if (!process.connected) {
    onGone();
    return () => undefined;
  }
  process.once('disconnect', onGone);
  return () => {
    process.off('disconnect', onGone);
    if (process.connected) process.disconnect();
  };
}
