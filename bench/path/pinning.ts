import { execFileSync } from 'node:child_process';
import { availableParallelism } from 'node:os';

/**
 * Who runs where: the server under test has core 0 for all its threads; everything that stands for the rest of the world (load client, publisher,
 * and for the router also the bus) has core 1. Without `taskset` or a second core nothing is pinned, and the results say so.
 */
export const serverCore = 0;
export const worldCore = 1;

const able = availableParallelism() >= 2 && hasTaskset();

function hasTaskset(): boolean {
  try {
    execFileSync('taskset', ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    process.stderr.write('taskset is not here: nothing is pinned, the ratios are worth less\n');
    return false;
  }
}

/** The words before a command that put all its threads on one core. */
export function pinned(core: number, command: string, args: readonly string[]): [string, string[]] {
  return able ? ['taskset', ['-c', String(core), command, ...args]] : [command, [...args]];
}

/** Puts this process, which publishes, and whatever it starts without words of its own, on the core of the world. */
export function pinSelf(): void {
  if (able) execFileSync('taskset', ['-acp', String(worldCore), String(process.pid)], { stdio: 'ignore' });
}

export const pinningCard = able
  ? `server under test: core ${serverCore}, all threads; load client, publisher and (beside a router) the bus: core ${worldCore}`
  : 'nothing pinned';
