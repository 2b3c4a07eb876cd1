import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { projectFile } from '../project-file.ts';
import { BenchError } from './bench-error.ts';
import { pinned, worldCore } from './pinning.ts';

/** What the load client (load.c) saw. */
export interface LoadReport {
  /** Storage events received, all streams. */
  readonly frames: number;
  readonly owed: number;
  readonly bytes: number;
  readonly reads: number;
  readonly lost: number;
  readonly duplicated: number;
  /** Events that a stream was not owed. */
  readonly stray: number;
  readonly broken: number;
  /** Streams that had every event. */
  readonly complete: number;
  /** From the first event on any stream to the last on the last. */
  readonly seconds: number;
  /** From the first connect to the last `ready`. */
  readonly connectMs: number;
  readonly cpuSeconds: number;
  readonly latencyMaxUs: number;
  /** Upper edge in microseconds, count; rising. */
  readonly histogram: readonly (readonly [number, number])[];
}

/** Streams that ask for different things: index I of its execution is owed to a stream when bit I modulo `cycle` of its mask is set. */
export interface LoadPlan {
  /** Of lines `<mask> <target>`, one a stream. */
  readonly file: string;
  readonly cycle: number;
}

export interface LoadOptions {
  readonly port: number;
  /** Path and query, of all streams when there is no plan. */
  readonly target: string;
  readonly plan?: LoadPlan;
  readonly streams: number;
  /** Storage events owed to each stream; 0: only hold the streams open. */
  readonly events: number;
  readonly idleSeconds?: number;
  readonly secondsMax: number;
  /** Split over so many processes, to see whether the client is the limit. */
  readonly processes?: number;
  /** What says that a stream is open: the frame `event: ready` (default), or the first comment. */
  readonly readyBy?: 'frame' | 'comment';
  /** So many streams at most wait for their `ready` at a time; without it, all. */
  readonly opening?: number;
  /** A file for each delivery's index and latency: see arrivals.ts. For one process. */
  readonly arrivals?: string;
  /** Deliveries that are one step of the progress; without it, one for each stream. */
  readonly grain?: number;
  /** n steps have been received; of the slowest process. */
  readonly onProgress?: (events: number) => void;
}

export interface RunningLoad {
  readonly ready: Promise<void>;
  readonly done: Promise<LoadReport>;
  /** Before it is done: the run is given up. */
  stop(): void;
}

const binary = projectFile('build/bench/path/load');

/** Once, before the first run. Fails when there is no C compiler. */
export function compileLoadClient(): void {
  compileC('load');
}

/** Compiles bench/path/<name>.c; answers the binary. */
export function compileC(name: string): string {
  const compiled = projectFile(`build/bench/path/${name}`);
  mkdirSync(projectFile('build/bench/path'), { recursive: true });
  const words = ['-O2', '-Wall', '-Wextra', '-o', compiled, projectFile(`bench/path/${name}.c`)];
  execFileSync('cc', words, { stdio: 'inherit' });
  return compiled;
}

/** Opens the streams; `ready` once each of them has its `ready` frame. A run that lost or duplicated anything is void: `done` rejects. */
export function startLoad(options: LoadOptions): RunningLoad {
  const processes = options.processes ?? 1;
  const progress: number[] = Array.from({ length: processes }, () => 0);
  const parts = progress.map((_, index) =>
    startOne(options, Math.floor((options.streams + index) / processes), (events) => {
      progress[index] = events;
      options.onProgress?.(Math.min(...progress));
    }),
  );
  return {
    ready: Promise.all(parts.map((part) => part.ready)).then(() => undefined),
    done: Promise.all(parts.map((part) => part.done))
      .then(merge)
      .then(checked),
    stop: () => {
      for (const part of parts) part.stop();
    },
  };
}

function startOne(options: LoadOptions, streams: number, onProgress: (events: number) => void): RunningLoad {
  const words = wordsOf(options, streams);
  const child: ChildProcess = spawn(...pinned(worldCore, binary, words), { stdio: ['ignore', 'pipe', 'inherit'] });
  let sayReady: () => void = () => undefined;
  let report: LoadReport | null = null;
  const ended = new BenchError('the load client ended before it was done');
  const done = new Promise<LoadReport>((resolve, reject) => {
    child.once('close', () => {
      if (report === null) reject(ended);
      else resolve(report);
    });
  });
  const ready = new Promise<void>((resolve, reject) => {
    sayReady = resolve;
    child.once('close', () => {
      reject(ended);
    });
  });
  if (child.stdout !== null) {
    createInterface({ input: child.stdout }).on('line', (line) => {
      const space = line.indexOf(' ');
      if (line === 'ready') sayReady();
      else if (line.startsWith('at ')) onProgress(Number(line.slice(space + 1)));
      else if (line.startsWith('done ')) report = JSON.parse(line.slice(space + 1)) as LoadReport;
    });
  }
  const stop = (): void => {
    child.kill('SIGKILL');
  };
  return { ready, done, stop };
}

function wordsOf(options: LoadOptions, streams: number): string[] {
  const { port, target, plan, events, idleSeconds = 0, secondsMax, readyBy = 'frame' } = options;
  const said = {
    port,
    target,
    streams,
    events,
    plan: plan?.file,
    cycle: plan?.cycle,
    'idle-seconds': idleSeconds,
    'seconds-max': secondsMax,
    'ready-by': readyBy,
    opening: options.opening,
    arrivals: options.arrivals,
    grain: options.grain,
  };
  return Object.entries(said).flatMap(([name, value]) => (value === undefined ? [] : [`${name}=${value}`]));
}

function merge(reports: readonly LoadReport[]): LoadReport {
  const sum = (read: (report: LoadReport) => number): number =>
    reports.reduce((total, report) => total + read(report), 0);
  const most = (read: (report: LoadReport) => number): number => Math.max(...reports.map(read));
  const buckets = new Map<number, number>();
  for (const { histogram } of reports) {
    for (const [top, count] of histogram) buckets.set(top, (buckets.get(top) ?? 0) + count);
  }
  return {
    frames: sum((one) => one.frames),
    owed: sum((one) => one.owed),
    bytes: sum((one) => one.bytes),
    reads: sum((one) => one.reads),
    lost: sum((one) => one.lost),
    duplicated: sum((one) => one.duplicated),
    stray: sum((one) => one.stray),
    broken: sum((one) => one.broken),
    complete: sum((one) => one.complete),
    seconds: most((one) => one.seconds),
    connectMs: most((one) => one.connectMs),
    cpuSeconds: sum((one) => one.cpuSeconds),
    latencyMaxUs: most((one) => one.latencyMaxUs),
    histogram: [...buckets].sort(([one], [other]) => one - other),
  };
}

function checked(report: LoadReport): LoadReport {
  const { frames, owed, lost, duplicated, stray, broken } = report;
  if ((owed > 0 && frames !== owed) || lost > 0 || duplicated > 0 || stray > 0 || broken > 0) {
    throw new BenchError(
      `void: ${frames} of ${owed} events came, ${lost} lost, ${duplicated} twice, ${stray} not asked for, ${broken} streams broken`,
    );
  }
  return report;
}

/** The latency in milliseconds that `share` (0 to 1) of the events stayed within; never flattered, at most 0.8 % too high. */
export function percentileMs(report: LoadReport, share: number): number {
  const target = Math.ceil(report.frames * share);
  let seen = 0;
  for (const [top, count] of report.histogram) {
    seen += count;
    // The upper edge of the last bucket may lie above the largest value.
    if (seen >= target) return Math.min(top, report.latencyMaxUs) / 1_000;
  }
  return Number.NaN;
}
