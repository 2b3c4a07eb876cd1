import { closeSync, openSync, rmSync, statfsSync, statSync, writeSync } from 'node:fs';
import { AppendError } from '../../core/failure.ts';
import { commitBytesMax, diskReserveBytes } from '../../core/limits.ts';

/** lmdb-js rejects with a wrapper whose `commitError` is a promise that rejects with the reason. */
export async function rootCause(error: unknown): Promise<unknown> {
  if (!(error instanceof Error) || !('commitError' in error)) return error;
  try {
    await error.commitError;
    return error;
  } catch (cause) {
    return cause;
  }
}

/** Throws `journal-full` when the disk has nothing above its reserve. Cost: one look at the file system, microseconds. */
export function refuseWithoutRoom(file: string): void {
  if (freeBytes(file) < diskReserveBytes) throw new AppendError('journal-full', 'the disk of the journal is full');
}

/** Infinite where nobody can say: a file system that counts no blocks, or a file that was deleted under its journal. */
function freeBytes(file: string): number {
  try {
    const { blocks, bavail, bsize } = statfsSync(file);
    return blocks === 0 ? Number.POSITIVE_INFINITY : bavail * bsize;
  } catch {
    return Number.POSITIVE_INFINITY;
  }
}

const noRoom = /no space|ENOSPC|MAP_FULL|quota|EDQUOT|too large|EFBIG/i;
const noWriting = /read-only|EROFS|EACCES|EPERM|permission|not permitted/i;

/** A commit that did not happen, in the journal's words. `file`: the journal's own. */
export function appendErrorOf(cause: unknown, file: string): AppendError {
  const message = cause instanceof Error ? cause.message : String(cause);
  // LMDB calls a write that the disk took only in part an input/output error: what stopped it is asked for.
  const reason = /input\/output|EIO/i.test(message) ? `${message}; ${growthFault(file) ?? ''}` : message;
  if (noRoom.test(reason)) return new AppendError('journal-full', 'the disk of the journal is full', { cause });
  if (noWriting.test(reason)) {
    return new AppendError('journal-read-only', 'the disk of the journal is read-only', { cause });
  }
  return new AppendError('journal-failed', `the journal could not be written: ${message}`, { cause });
}

const probeBytes = 4_096;

/** Why a file beside this one cannot grow to where this one ends and a page further; null when it can. Leaves nothing behind. */
function growthFault(file: string): string | null {
  const probe = `${file}.room`;
  try {
    if (freeBytes(file) < commitBytesMax) return 'ENOSPC';
    const descriptor = openSync(probe, 'w');
    try {
      writeSync(descriptor, Buffer.alloc(probeBytes), 0, probeBytes, statSync(file).size);
    } finally {
      closeSync(descriptor);
    }
    return null;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  } finally {
    rmSync(probe, { force: true });
  }
}

/**
 * Asks the disk with a write of our own before LMDB writes: lmdb 3.5.6 overruns a buffer of 100 bytes with its message for a write that fails
 * (mdb.c, mdb_page_flush), and the process may end by SIGABRT at any time after. It cannot help a commit that is on its way when the disk turns.
 *
 * access(2) would not do: ext4 refuses writes after an error of its own without calling itself read-only (Linux 6.14 and later).
 * Cost: one byte into the page cache, 2 µs. Holds one descriptor, of a file without a name.
 */
export class WriteProbe {
  readonly #file: string;
  #descriptor: number | null = null;

  /** `file`: the journal's own; the probe is made beside it. */
  constructor(file: string) {
    this.#file = file;
  }

  /** Throws `journal-read-only`. Whatever else is wrong, as a disk too full for the probe, is not its business. */
  refuseOnReadOnlyDisk(): void {
    try {
      this.#descriptor ??= nameless(`${this.#file}.probe`);
      writeSync(this.#descriptor, oneByte, 0, 1, 0);
    } catch (cause) {
      if (cause instanceof Error && 'code' in cause && cause.code === 'EROFS') throw appendErrorOf(cause, this.#file);
    }
  }

  close(): void {
    if (this.#descriptor !== null) closeSync(this.#descriptor);
    this.#descriptor = null;
  }
}

const oneByte = Buffer.alloc(1);

function nameless(file: string): number {
  const descriptor = openSync(file, 'w');
  rmSync(file, { force: true });
  return descriptor;
}
