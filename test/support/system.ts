import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { openSse, type SseClient, type SseOptions } from './sse-client.ts';
import { until } from './until.ts';

const program = fileURLToPath(new URL('../../src/app/main.js', import.meta.url));

class SystemError extends Error {
  override readonly name = 'SystemError';
}

/** Whoever starts a program ends it: a test's `t`, or `ownerOf(test)` for one that all tests of a file share. */
export interface Owner {
  teardown(finish: () => unknown): void;
}

/** An owner for `test.before`, where `t.teardown` is not allowed. */
export function ownerOf(test: { readonly after: { always(run: () => Promise<void>): void } }): Owner {
  const finishers: (() => unknown)[] = [];
  test.after.always(async () => {
    for (const finish of finishers.reverse()) await finish();
  });
  return {
    teardown(finish) {
      finishers.push(finish);
    },
  };
}

/** One run of the real program as a process of its own. */
export class System {
  readonly process: ChildProcess;
  readonly ready: Readonly<Record<string, string>>;
  /** What it has written so far. */
  readonly out: () => string;
  readonly stderr: () => string;

  constructor(
    child: ChildProcess,
    ready: Readonly<Record<string, string>>,
    written: { readonly out: () => string; readonly error: () => string },
  ) {
    this.process = child;
    this.ready = ready;
    this.out = written.out;
    this.stderr = written.error;
  }

  get http(): string {
    return this.ready['http'] ?? '';
  }

  get grpc(): string {
    return this.ready['grpc'] ?? '';
  }

  get ops(): string {
    return `http://${this.ready['ops'] ?? ''}`;
  }

  sse(query: NonNullable<SseOptions['query']>, headers: Record<string, string> = {}): Promise<SseClient> {
    return openSse(this.http, { query, headers });
  }

  fetch(path: string, init?: RequestInit): Promise<Response> {
    return fetch(new URL(path, this.http), init);
  }

  async json(path: string): Promise<Record<string, unknown>> {
    return (await (await this.fetch(path)).json()) as Record<string, unknown>;
  }

  /** PUT an execution; the answer's body. */
  async put(
    execution: string,
    body: Record<string, unknown>,
  ): Promise<{ status: number; body: Record<string, unknown> }> {
    const response = await this.fetch(`/api/v1/executions/${execution}`, {
      method: 'PUT',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
    return { status: response.status, body: (await response.json()) as Record<string, unknown> };
  }

  /** POST events; answers their ids, or fails with the body of the refusal. */
  async publish(...events: readonly Record<string, unknown>[]): Promise<string[]> {
    const response = await this.post({ events });
    const body = (await response.json()) as { ids?: string[] };
    if (response.status !== 202 || body.ids === undefined) {
      throw new SystemError(`publish: ${response.status} ${JSON.stringify(body)}`);
    }
    return body.ids;
  }

  /** Publishes `count` events of about `bytes` each, in full batches; answers their ids. */
  async publishMany(execution: string, count: number, bytes = 400, prefix = 'e'): Promise<string[]> {
    const fill = Math.max(0, bytes - 300);
    const metadata: Record<string, string> = {};
    for (let left = fill, key = 0; left > 0 && key < 32; left -= 1000, key += 1) {
      metadata[`k${key}`] = 'x'.repeat(Math.min(1000, left));
    }
    const perBatch = Math.max(1, Math.min(1000, Math.floor(900_000 / (bytes + 200))));
    const ids: string[] = [];
    for (let from = 0; from < count; from += perBatch) {
      const batch = Array.from({ length: Math.min(perBatch, count - from) }, (_, index) => ({
        execution_id: execution,
        stage: 'load',
        path: `${prefix}${from + index}`,
        metadata,
      }));
      ids.push(...(await this.publish(...batch)));
    }
    return ids;
  }

  /** The value of a metric without labels, or of all its series together; 0 when there is none. */
  async metric(name: string, labels: Readonly<Record<string, string>> = {}): Promise<number> {
    const text = await (await fetch(`${this.ops}/metrics`)).text();
    const wanted = Object.entries(labels).map(([key, value]) => `${key}="${value}"`);
    let sum = 0;
    for (const line of text.split('\n')) {
      const found = /^([a-z_]+)(?:\{(.*)\})? (\S+)$/.exec(line);
      if (found?.[1] !== name) continue;
      if (wanted.every((label) => found[2]?.includes(label) ?? false)) sum += Number(found[3]);
    }
    return sum;
  }

  untilMetric(
    name: string,
    labels: Readonly<Record<string, string>>,
    condition: (value: number) => boolean,
  ): Promise<void> {
    return until(async () => condition(await this.metric(name, labels)), `${name} ${JSON.stringify(labels)}`);
  }

  /** Settles when `/readyz` answers so. */
  untilReady(status: string): Promise<void> {
    return until(async () => (await this.json('/readyz'))['status'] === status, `/readyz says ${status}`);
  }

  post(body: unknown): Promise<Response> {
    return this.fetch('/api/v1/storage/events', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: typeof body === 'string' ? body : JSON.stringify(body),
    });
  }

  exited(): Promise<{ code: number | null; signal: NodeJS.Signals | null }> {
    return new Promise((resolve) => {
      if (this.process.exitCode !== null || this.process.signalCode !== null) {
        resolve({ code: this.process.exitCode, signal: this.process.signalCode });
        return;
      }
      this.process.once('exit', (code, signal) => {
        resolve({ code, signal });
      });
    });
  }

  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<{ code: number | null; signal: NodeJS.Signals | null }> {
    this.process.kill(signal);
    return this.exited();
  }
}

/** Starts the program; settles when it prints its ready line, rejects with its standard error when it ends before. */
export function startProgram(t: Owner, args: readonly string[], env: Record<string, string> = {}): Promise<System> {
  const child = spawn(process.execPath, [program, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { PATH: process.env['PATH'] ?? '', ...env },
  });
  let errors = '';
  child.stderr.setEncoding('utf8');
  child.stderr.on('data', (text: string) => {
    errors = (errors + text).slice(-20_000);
  });
  t.teardown(async () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const gone = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await gone;
  });
  return new Promise((resolve, reject) => {
    const lines = createInterface({ input: child.stdout });
    let out = '';
    lines.on('line', (line) => {
      out += `${line}\n`;
      if (!line.startsWith('rivulet ready ')) return;
      const parts = line.slice('rivulet ready '.length).split(' ');
      const ready = Object.fromEntries(
        parts.map((part): [string, string] => {
          const at = part.indexOf('=');
          return [part.slice(0, at), part.slice(at + 1)];
        }),
      );
      resolve(new System(child, ready, { out: () => out, error: () => errors }));
    });
    child.once('exit', (code, signal) => {
      reject(new SystemError(`the program ended before it was ready: ${code ?? signal ?? ''}\n${errors}`));
    });
  });
}

export async function temporaryDirectory(t: Owner): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'rivulet-test-'));
  t.teardown(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

/** `rivulet up` on free ports with a data directory of its own. */
export async function startSystem(t: Owner, args: readonly string[] = []): Promise<System> {
  return startUp(t, await temporaryDirectory(t), args);
}

/** `rivulet up` on free ports and the journal in `directory`. */
export function startUp(t: Owner, directory: string, args: readonly string[] = []): Promise<System> {
  return startProgram(t, [
    'up',
    '--port=0',
    '--bus-port=0',
    '--ops-port=0',
    `--data-dir=${directory}`,
    '--shards=2',
    '--window-bytes=8MiB',
    ...args,
  ]);
}
