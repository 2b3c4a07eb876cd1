import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { projectRoot } from './source-files.ts';
import type { Owner } from './system.ts';

export interface CommandResult {
  readonly code: number | null;
  readonly out: string;
  readonly error: string;
}

export interface CommandSetting {
  readonly environment?: Readonly<Record<string, string>>;
  readonly input?: string | Uint8Array;
  readonly directory?: string;
  /** Flags of Node.js itself. */
  readonly node?: readonly string[];
}

/** A folder of the test's own, gone when it ends. */
export function ownDirectory(t: Owner): string {
  const path = mkdtempSync(join(tmpdir(), 'rivulet-test-'));
  t.teardown(() => {
    rmSync(path, { recursive: true, force: true });
  });
  return path;
}

/** Runs the real command line in a process of its own, by default in an empty folder and without any RIVULET_ variable. */
export function runCommand(t: Owner, words: readonly string[], setting: CommandSetting = {}): Promise<CommandResult> {
  const main = join(projectRoot, 'build/src/app/main.js');
  const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith('RIVULET_'));
  const child = spawn(process.execPath, [...(setting.node ?? []), main, ...words], {
    cwd: setting.directory ?? ownDirectory(t),
    env: { ...Object.fromEntries(inherited), ...setting.environment },
  });
  t.teardown(() => child.kill('SIGKILL'));
  let out = '';
  let error = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    out += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    error += text;
  });
  child.stdin.on('error', () => undefined);
  child.stdin.end(setting.input ?? '');
  return new Promise((resolve) =>
    child.once('close', (code) => {
      resolve({ code, out, error });
    }),
  );
}
