import { execFileSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';

/** Output of a program, or null when it failed or is not there. */
function run(program: string, ...words: readonly string[]): string | null {
  try {
    return execFileSync(program, words, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] }).trim();
  } catch {
    return null;
  }
}

/**
 * Says loudly that a test cannot run here. In a pipeline (CI) that is a failure when only a program is missing: it can be installed.
 */
function lacks(t: ExecutionContext, what: string, installable: boolean): void {
  const words = `NOT CHECKED HERE: ${what}`;
  if (installable && process.env['CI'] === 'true') t.fail(words);
  else {
    t.log(words);
    t.pass();
  }
}

/** True when limits of a running process cannot be changed here; said already. */
export function lacksLimits(t: ExecutionContext): boolean {
  if (run('prlimit', '--version') !== null) return false;
  lacks(t, 'prlimit (util-linux) is not installed', true);
  return true;
}

/** No file of the process may grow above so many bytes; null lifts that. */
export function limitFileSize(pid: number | undefined, bytes: number | null): void {
  const soft = bytes === null ? 'unlimited' : String(bytes);
  execFileSync('prlimit', ['--pid', String(pid), `--fsize=${soft}:unlimited`]);
}

export interface SmallDisk {
  readonly directory: string;
  /** Leaves nothing free; the answer gives it back. */
  fill(): () => void;
  /** The file system finds an error of its own and turns read-only, as `errors=remount-ro` says. */
  turnReadOnly(): void;
  /** Detached, checked and attached again, writable. */
  repair(): void;
}

/** A file system of its own in a file, for the length of a test; null, said loudly, where that is not possible. */
export function smallDisk(t: ExecutionContext, base: string, bytes: number): SmallDisk | null {
  const image = join(base, 'disk.img');
  const directory = join(base, 'disk');
  mkdirSync(directory);
  const mount = (): boolean => run('mount', '-o', 'loop,errors=remount-ro', image, directory) !== null;
  const make = (): boolean =>
    run('truncate', '-s', String(bytes), image) !== null && run('mkfs.ext4', '-q', image) !== null;
  const isRoot = process.getuid?.() === 0;
  const hasProgram = run('mkfs.ext4', '-V') !== null;
  if (!isRoot || !hasProgram || !make() || !mount()) {
    if (!isRoot) lacks(t, 'only root may mount a disk', false);
    else if (hasProgram) lacks(t, 'loop devices cannot be mounted here', false);
    else lacks(t, 'mkfs.ext4 (e2fsprogs) is not installed', true);
    return null;
  }
  t.teardown(() => run('umount', directory));
  return {
    directory,
    fill() {
      const file = join(directory, 'fill');
      run('dd', 'if=/dev/zero', `of=${file}`, 'bs=64k');
      return () => run('rm', file);
    },
    turnReadOnly() {
      const device = run('findmnt', '-no', 'SOURCE', directory)?.replace('/dev/', '') ?? '';
      run('sh', '-c', `echo 1 > /sys/fs/ext4/${device}/trigger_fs_error`);
    },
    repair() {
      run('umount', directory);
      run('e2fsck', '-fy', image);
      if (!mount()) throw new RangeError('the repaired disk cannot be mounted');
    },
  };
}
