import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { systemClock } from '../../src/core/clock.ts';
import { projectFile } from '../project-file.ts';
import { BenchError } from './bench-error.ts';
import { pinned } from './pinning.ts';

/** A server as a process of its own. */
export class ServerProcess {
  readonly child: ChildProcess;
  /** What its ready line says: `http`, `grpc`, `ops`, or `port`. */
  readonly ready: Readonly<Record<string, string>>;
  /** From the spawn to the ready line. */
  readonly startMs: number;

  constructor(child: ChildProcess, ready: Readonly<Record<string, string>>, startMs: number) {
    this.child = child;
    this.ready = ready;
    this.startMs = startMs;
  }

  get port(): number {
    return Number(this.ready['port'] ?? new URL(this.ready['http'] ?? '').port);
  }

  /** User and system time of all its threads; steps of 10 ms. */
  cpuSeconds(): number {
    const stat = readFileSync(`/proc/${this.child.pid ?? 0}/stat`, 'latin1');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return (Number(fields[11]) + Number(fields[12])) / ticksPerSecond;
  }

  residentBytes(): number {
    const status = readFileSync(`/proc/${this.child.pid ?? 0}/status`, 'latin1');
    return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1] ?? Number.NaN) * 1024;
  }

  /** A counter of /metrics, summed over labels, or over the series that have this one (`reason="stalled"`); 0 when it is not there. */
  async counter(name: string, label = ''): Promise<number> {
    const text = await (await fetch(`http://${this.ready['ops'] ?? ''}/metrics`)).text();
    let sum = 0;
    for (const line of text.split('\n')) {
      if (line.startsWith(`${name} `) || (line.startsWith(`${name}{`) && line.includes(label)))
        sum += Number(line.slice(line.lastIndexOf(' ') + 1));
    }
    return sum;
  }

  send(line: string): void {
    this.child.stdin?.write(`${line}\n`);
  }

  async stop(): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    const gone = new Promise((resolve) => this.child.once('exit', resolve));
    this.child.kill('SIGTERM');
    await gone;
  }
}

/** USER_HZ: 100 on every Linux that Node runs on. */
const ticksPerSecond = 100;

const readyPrefix = 'rivulet ready ';

/** Starts a compiled module on a core; settles at its ready line. `nodeArgs` are for Node itself: `--cpu-prof`. */
export function startServer(
  core: number,
  module: string,
  args: readonly string[],
  nodeArgs: readonly string[] = [],
): Promise<ServerProcess> {
  return startProgram(core, process.execPath, [...nodeArgs, projectFile(module), ...args]);
}

/** Starts any program that prints such a ready line. */
export function startProgram(core: number, command: string, words: readonly string[]): Promise<ServerProcess> {
  const startedMs = systemClock.monotonicMs();
  const child = spawn(...pinned(core, command, words), { stdio: ['pipe', 'pipe', 'inherit'] });
  // A bench that fails leaves no server behind.
  const kill = (): void => {
    child.kill('SIGKILL');
  };
  process.once('exit', kill);
  child.once('exit', () => process.off('exit', kill));
  return new Promise((resolve, reject) => {
    createInterface({ input: child.stdout }).on('line', (line) => {
      if (!line.startsWith(readyPrefix)) return;
      const parts = line.slice(readyPrefix.length).split(' ');
      const ready = Object.fromEntries(parts.map((part) => part.split(/=(.*)/s).slice(0, 2))) as Record<string, string>;
      resolve(new ServerProcess(child, ready, systemClock.monotonicMs() - startedMs));
    });
    child.once('exit', (code) => {
      reject(new BenchError(`${[command, ...words].join(' ')} ended before it was ready: ${code ?? 'by a signal'}`));
    });
  });
}

export const program = 'build/src/app/main.js';

export function startBus(
  core: number,
  dataDirectory: string,
  nodeArgs: readonly string[] = [],
): Promise<ServerProcess> {
  const words = ['bus', '--bus-port=0', `--data-dir=${dataDirectory}`, '--log-level=warn'];
  return startServer(core, program, words, nodeArgs);
}

export function startRouter(
  core: number,
  bus: ServerProcess,
  args: readonly string[] = [],
  nodeArgs: readonly string[] = [],
): Promise<ServerProcess> {
  const own = [`--bus=${bus.ready['grpc'] ?? ''}`, '--port=0', '--ops-port=0', '--shards=1', '--log-level=warn'];
  return startServer(core, program, ['router', ...own, ...args], nodeArgs);
}

/** A directory for the time of a bench. */
export async function withDirectory<Result>(work: (directory: string) => Promise<Result>): Promise<Result> {
  const directory = mkdtempSync(join(tmpdir(), 'rivulet-bench-'));
  try {
    return await work(directory);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}
