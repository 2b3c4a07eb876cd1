import { mkdirSync, writeFileSync } from 'node:fs';
import { cpus, release, totalmem } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { systemClock } from '../src/core/clock.ts';

/** What a figure was measured on; stands in every result. */
export interface MachineCard {
  readonly cores: number;
  readonly model: string;
  readonly memoryGiB: number;
  readonly kernel: string;
  readonly node: string;
  readonly v8: string;
}

/** One figure: the median of several runs, with the spread that says whether to believe it. */
export interface Figure {
  readonly name: string;
  readonly unit: string;
  readonly median: number;
  readonly min: number;
  readonly max: number;
  readonly runs: number;
}

/** A timed piece of work: does `operations` of what is counted in one call. */
export interface Work {
  readonly name: string;
  readonly operations: number;
  run(): void;
}

const runsCounted = 7;
const runsWarm = 2;

export function machineCard(): MachineCard {
  const processors = cpus();
  return {
    cores: processors.length,
    model: processors[0]?.model.trim() ?? 'unknown',
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    kernel: release(),
    node: process.version,
    v8: process.versions.v8,
  };
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((one, other) => one - other);
  const middle = Math.floor(sorted.length / 2);
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? upper) + upper) / 2;
}

/** Runs the work a few times to warm the compiler, then `runsCounted` times; answers operations per second. */
export function measure(work: Work): Figure {
  for (let run = 0; run < runsWarm; run += 1) work.run();
  const rates: number[] = [];
  for (let run = 0; run < runsCounted; run += 1) {
    const start = systemClock.monotonicMs();
    work.run();
    rates.push((work.operations / (systemClock.monotonicMs() - start)) * 1_000);
  }
  return figure(work.name, 'per second', rates);
}

export function figure(name: string, unit: string, values: readonly number[]): Figure {
  return {
    name,
    unit,
    median: median(values),
    min: Math.min(...values),
    max: Math.max(...values),
    runs: values.length,
  };
}

/** Prints the figures and writes them with the machine card to `<out>/<bench>.json`. `--out` defaults to bench/results. */
export function report(bench: string, figures: readonly Figure[]): void {
  const { values } = parseArgs({ options: { out: { type: 'string', default: join('bench', 'results') } } });
  for (const { name, unit, median: middle, min, max, runs } of figures) {
    process.stdout.write(
      `${name.padEnd(56)} ${shown(middle).padStart(14)} ${unit}  (${shown(min)} to ${shown(max)}, ${runs} runs)\n`,
    );
  }
  mkdirSync(values.out, { recursive: true });
  const file = join(values.out, `${bench}.json`);
  writeFileSync(file, `${JSON.stringify({ bench, machine: machineCard(), figures }, null, 2)}\n`);
  process.stdout.write(`${file}\n`);
}

const number = new Intl.NumberFormat('en', { maximumFractionDigits: 1 });
function shown(value: number): string {
  return number.format(value);
}
