import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { Clock } from '../../core/clock.ts';

/** What a child says, one JSON text a line. */
export type ChildReport =
  /** The check came to its end. */
  | { readonly kind: 'checked'; readonly fault: string | null }
  /** An error that is no damage: permissions, no such device. */
  | { readonly kind: 'unreadable'; readonly reason: string }
  /** The damaged file could be opened. */
  | { readonly kind: 'opened' }
  /** Records up to here are safe in the new journal. */
  | { readonly kind: 'copied'; readonly through: number }
  /** The copy of a live journal is written. */
  | { readonly kind: 'backed-up'; readonly records: number; readonly newestId: string }
  /** A part came to its end; how many rows it has. */
  | { readonly kind: 'done'; readonly rows: number };

export interface ChildEnd {
  readonly reports: readonly ChildReport[];
  /** Null: it came to its end by itself. */
  readonly death: string | null;
  /** Somebody stopped it from outside; that says nothing about the journal. */
  readonly interrupted: boolean;
}

/** Signals that people and supervisors send; damage shows as SIGBUS, SIGSEGV or SIGABRT. */
const outsideSignals: readonly (string | null)[] = ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGQUIT', 'SIGKILL'];

/** The entry beside this file, whatever it was compiled to. */
const entry = fileURLToPath(
  new URL(import.meta.url.endsWith('.ts') ? './journal-child.ts' : './journal-child.js', import.meta.url),
);

export interface ChildBounds {
  readonly clock: Clock;
  /** Killed after this. */
  readonly timeMs: number;
  /** Killed when it is aborted. */
  readonly signal?: AbortSignal | undefined;
}

/** Runs one task of journal-child in a process of its own. Never rejects for what happens in the child. */
export function runChild(task: readonly string[], bounds: ChildBounds): Promise<ChildEnd> {
  const { clock, timeMs, signal } = bounds;
  return new Promise((resolve) => {
    const reports: ChildReport[] = [];
    const child = spawn(process.execPath, [entry, ...task], { stdio: ['ignore', 'pipe', 'pipe'] });
    let lastWords = '';
    child.stderr.on('data', (bytes: Buffer) => {
      lastWords = (lastWords + bytes.toString()).slice(-4_096);
    });
    createInterface({ input: child.stdout }).on('line', (line) => {
      reports.push(JSON.parse(line) as ChildReport);
    });
    let late = false;
    const cancelTime = clock.after(timeMs, () => {
      late = true;
      child.kill('SIGKILL');
    });
    const onAbort = (): void => {
      child.kill('SIGKILL');
    };
    signal?.addEventListener('abort', onAbort);
    if (signal?.aborted === true) onAbort();
    const cancel = (): void => {
      cancelTime();
      signal?.removeEventListener('abort', onAbort);
    };
    child.on('error', (error) => {
      cancel();
      resolve({ reports, death: error.message, interrupted: true });
    });
    child.on('close', (code, signal) => {
      cancel();
      const interrupted = !late && outsideSignals.includes(signal);
      resolve({ reports, death: code === 0 ? null : deathText({ code, signal, late, lastWords }), interrupted });
    });
  });
}

function deathText(end: { code: number | null; signal: string | null; late: boolean; lastWords: string }): string {
  if (end.late) return 'reading it did not come to an end';
  if (end.signal !== null) return `reading it ended the process with ${end.signal}`;
  const said = /(?:Error|MDB_\w+): ?(.*)/.exec(end.lastWords)?.[0];
  return said ?? `reading it ended the process with code ${end.code ?? -1}`;
}
