import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { ExecutionContext } from 'ava';
import { openSse, type SseClient, type SseOptions } from './sse-client.ts';

const program = fileURLToPath(new URL('../../src/app/main.js', import.meta.url));

class SystemError extends Error {
  override readonly name = 'SystemError';
}

/** One run of the real program as a process of its own. */
export class System {
  readonly process: ChildProcess;
  readonly ready: Readonly<Record<string, string>>;
  readonly stderr: () => string;

  constructor(child: ChildProcess, ready: Readonly<Record<string, string>>, stderr: () => string) {
    this.process = child;
    this.ready = ready;
    this.stderr = stderr;
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
export function startProgram(
  t: ExecutionContext,
  args: readonly string[],
  env: Record<string, string> = {},
): Promise<System> {
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
    lines.on('line', (line) => {
      if (!line.startsWith('rivulet ready ')) return;
      const parts = line.slice('rivulet ready '.length).split(' ');
      const ready: Record<string, string> = {};
      for (const part of parts) {
        const [name = '', value = ''] = part.split(/=(.*)/s);
        ready[name] = value;
      }
      resolve(new System(child, ready, () => errors));
    });
    child.once('exit', (code, signal) => {
      reject(new SystemError(`the program ended before it was ready: ${code ?? signal ?? ''}\n${errors}`));
    });
  });
}

export async function temporaryDirectory(t: ExecutionContext): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'rivulet-test-'));
  t.teardown(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

/** `rivulet up` on free ports with a data directory of its own. */
export async function startSystem(t: ExecutionContext, args: readonly string[] = []): Promise<System> {
  const directory = await temporaryDirectory(t);
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
