import { randomUUID } from 'node:crypto';
import { existsSync, linkSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { StartError } from '../../core/failure.ts';

const lockFileName = 'bus.lock';
/** Attempts to take over the lock of a process that has gone, while others try the same. */
const takeOverAttempts = 5;

export interface DirectoryLock {
  release(): void;
}

/** Who holds a lock. `start` tells a process from a later one that was given the same id; null where the system does not say. */
interface Holder {
  readonly pid: number;
  readonly start: string | null;
}

/**
 * Makes the data directory this process's own. A lock left by a process that was killed is taken over.
 *
 * The file appears with its content (written aside, then linked), so nobody reads half a lock. Throws StartError, one sentence, exit 1.
 */
export function lockDirectory(directory: string): DirectoryLock {
  const path = join(directory, lockFileName);
  try {
    makeDirectory(directory);
    const own = join(directory, `${lockFileName}.${randomUUID()}`);
    writeFileSync(own, JSON.stringify(ownHolder()), { flag: 'wx' });
    try {
      for (let attempt = 0; attempt < takeOverAttempts; attempt += 1) {
        if (tryLink(own, path)) {
          return {
            release: () => {
              rmSync(path, { force: true });
            },
          };
        }
        const holder = readHolder(path);
        if (holder !== null && isAlive(holder)) {
          throw new StartError(`data directory ${directory} is in use by process ${holder.pid}`, 1);
        }
        rmSync(path, { force: true });
      }
    } finally {
      rmSync(own, { force: true });
    }
  } catch (cause) {
    if (cause instanceof StartError) throw cause;
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new StartError(`data directory ${directory} is not writable: ${reason}`, 1, { cause });
  }
  throw new StartError(`data directory ${directory} is being started by another process`, 1);
}

/** With its parents. Node's own `recursive` turns in a circle for ever, deaf to signals, where a parent exists and takes no child (/proc). */
function makeDirectory(directory: string): void {
  if (existsSync(directory)) return;
  const parent = dirname(directory);
  if (parent !== directory) makeDirectory(parent);
  try {
    mkdirSync(directory);
  } catch (error) {
    if (codeOf(error) !== 'EEXIST') throw error;
  }
}

/** False when the lock exists already. */
function tryLink(own: string, path: string): boolean {
  try {
    linkSync(own, path);
    return true;
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false;
    throw error;
  }
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : '';
}

/** Null when there is no lock any more, or none that can be read. */
function readHolder(path: string): Holder | null {
  try {
    const { pid, start } = JSON.parse(readFileSync(path, 'utf8')) as Partial<Holder>;
    return typeof pid === 'number' ? { pid, start: start ?? null } : null;
  } catch {
    return null;
  }
}

function ownHolder(): Holder {
  return { pid: process.pid, start: startOf(process.pid) };
}

/** When a process started, as the system tells it apart: boot and clock ticks (Linux); null elsewhere. */
function startOf(pid: number): string | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const ticks = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? '';
    return `${readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()}/${ticks}`;
  } catch {
    return null;
  }
}

function isAlive(holder: Holder): boolean {
  try {
    process.kill(holder.pid, 0);
  } catch (error) {
    return codeOf(error) === 'EPERM';
  }
  return holder.start === null || startOf(holder.pid) === holder.start;
}
