import { mkdirSync, writeFileSync } from 'node:fs';
import { cpus, loadavg, release, totalmem } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

/** What a figure was measured on; stands in every result. */
export interface MachineCard {
  readonly cores: number;
  readonly model: string;
  readonly memoryGiB: number;
  readonly kernel: string;
  readonly node: string;
  readonly v8: string;
  /** Over the last minute, when the figures were written: far above 1, the caches were not ours alone. */
  readonly load: number;
  /** Nanoseconds of a byte in a plain copying loop just now: what to divide by before comparing with another hour or machine. */
  readonly loopNsPerByte: number;
}

/** One figure: the median of several runs, with the spread that says whether to believe it. */
export interface Figure {
  readonly name: string;
  readonly unit: string;
  /** Whose it is, where several were measured: a row of the table; the name is its column. */
  readonly of?: string;
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
    kernel: release().split('-')[0] ?? '',
    node: process.version,
    v8: process.versions.v8,
    load: loadavg()[0] ?? Number.NaN,
    loopNsPerByte: loopNsPerByte(),
  };
}

function loopNsPerByte(): number {
  const from = new Uint8Array(65_536);
  const into = new Uint8Array(from.length);
  const rounds = 400;
  const copy = (): void => {
    for (let round = 0; round < rounds; round += 1) {
      for (let index = 0; index < from.length; index += 1) into[index] = from[index] as number; // both have the length
    }
  };
  copy();
  const start = process.cpuUsage();
  copy();
  const { user, system } = process.cpuUsage(start);
  return ((user + system) * 1_000) / (rounds * from.length);
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((one, other) => one - other);
  const middle = Math.floor(sorted.length / 2);
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? upper) + upper) / 2;
}

/**
 * Runs the work a few times to warm the compiler, then `runsCounted` times; answers operations per second of processor time of the
 * whole process (collector included). Not of wall time: a neighbour on the machine would then be in the figure.
 */
export function measure(work: Work): Figure {
  for (let run = 0; run < runsWarm; run += 1) work.run();
  const rates: number[] = [];
  for (let run = 0; run < runsCounted; run += 1) {
    const start = process.cpuUsage();
    work.run();
    const { user, system } = process.cpuUsage(start);
    rates.push((work.operations / (user + system)) * 1_000_000);
  }
  return figure(work.name, 'per CPU second', rates);
}

export function figure(name: string, unit: string, values: readonly number[], of?: string): Figure {
  return {
    name,
    unit,
    ...(of === undefined ? {} : { of }),
    median: median(values),
    min: Math.min(...values),
    max: Math.max(...values),
    runs: values.length,
  };
}

/** Prints the figures and writes them with the machine card to `<out>/<bench>.json`. `--out` defaults to bench/results. */
export function report(bench: string, figures: readonly Figure[]): void {
  const { values } = parseArgs({
    strict: false,
    options: { out: { type: 'string', default: join('bench', 'results') } },
  });
  for (const { name, unit, median: middle, min, max, runs } of figures) {
    process.stdout.write(
      `${name.padEnd(56)} ${shown(middle).padStart(14)} ${unit}  (${shown(min)} to ${shown(max)}, ${runs} runs)\n`,
    );
  }
  const out = String(values.out);
  mkdirSync(out, { recursive: true });
  const file = join(out, `${bench}.json`);
  const machine = machineCard();
  writeFileSync(file, `${JSON.stringify({ bench, machine, figures }, null, 2)}\n`);
  process.stdout.write(`load ${shown(machine.load)}, a plain loop takes ${shown(machine.loopNsPerByte)} ns a byte\n`);
  process.stdout.write(`${file}\n`);
}

const number = new Intl.NumberFormat('en', { maximumFractionDigits: 1 });
function shown(value: number): string {
  return number.format(value);
}
