import { execFileSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import type { Owner } from './system.ts';

/** Why something cannot be checked on this machine, and whether a program that can be installed is all that is missing. */
export interface Lack {
  readonly what: string;
  readonly installable: boolean;
}

/** Whether a lack is a failure: in a pipeline (CI), where what is missing can be installed. */
export function isFailure({ installable }: Lack): boolean {
  return installable && process.env['CI'] === 'true';
}

/** Output of a program, or null when it failed or is not there. */
function run(program: string, ...words: readonly string[]): string | null {
  try {
    return execFileSync(program, words, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] }).trim();
  } catch {
    return null;
  }
}

/** Says loudly that a test cannot run here. */
function lacks(t: ExecutionContext, lack: Lack): void {
  const words = `NOT CHECKED HERE: ${lack.what}`;
  if (isFailure(lack)) t.fail(words);
  else {
    t.log(words);
    t.pass();
  }
}

/** Why limits of a running process cannot be changed here; null when they can. */
export function lackOfLimits(): Lack | null {
  return run('prlimit', '--version') === null
    ? { what: 'prlimit (util-linux) is not installed', installable: true }
    : null;
}

/** True when limits of a running process cannot be changed here; said already. */
export function lacksLimits(t: ExecutionContext): boolean {
  const lack = lackOfLimits();
  if (lack !== null) lacks(t, lack);
  return lack !== null;
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
  const disk = makeSmallDisk(t, base, bytes);
  if (!('what' in disk)) return disk;
  lacks(t, disk);
  return null;
}

/** A file system of its own in a file, for as long as its owner lives; or why that is not possible here. */
export function makeSmallDisk(owner: Owner, base: string, bytes: number): SmallDisk | Lack {
  const image = join(base, 'disk.img');
  const directory = join(base, 'disk');
  mkdirSync(directory);
  const mount = (): boolean => run('mount', '-o', 'loop,errors=remount-ro', image, directory) !== null;
  const make = (): boolean =>
    run('truncate', '-s', String(bytes), image) !== null && run('mkfs.ext4', '-q', image) !== null;
  const isRoot = process.getuid?.() === 0;
  const hasProgram = run('mkfs.ext4', '-V') !== null;
  if (!isRoot || !hasProgram || !make() || !mount()) {
    if (!isRoot) return { what: 'only root may mount a disk', installable: false };
    if (hasProgram) return { what: 'loop devices cannot be mounted here', installable: false };
    return { what: 'mkfs.ext4 (e2fsprogs) is not installed', installable: true };
  }
  owner.teardown(() => run('umount', directory));
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
