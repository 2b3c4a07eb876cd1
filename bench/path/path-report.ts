import { mkdirSync, writeFileSync } from 'node:fs';
import { loadavg } from 'node:os';
import { dirname } from 'node:path';
import { type Figure, machineCard } from '../harness.ts';
import { projectFile } from '../project-file.ts';
import type { Result, Unmeasured } from '../report/result.ts';
import { pinningCard } from './pinning.ts';

const number = new Intl.NumberFormat('en', { maximumFractionDigits: 2 });

/** What a bench hands over beside its figures. */
export interface Account {
  readonly runs: readonly object[];
  /** Of peers and packages. */
  readonly versions?: readonly string[];
  readonly unmeasured?: readonly Unmeasured[];
}

/**
 * Prints the figures; writes them, each run, the machine, the versions of peers, the pinning and the command to bench/results/<bench>.json. A figure without
 * a run is left out: what was not measured is not printed.
 */
export function reportPath(bench: string, figures: readonly Figure[], { runs, versions, unmeasured }: Account): void {
  const measured = figures.filter(({ runs: count }) => count > 0);
  for (const { name, unit, of, median, min, max, runs: count } of measured) {
    const spread = count > 1 ? `  (${number.format(min)} to ${number.format(max)}, ${count} runs)` : '';
    const title = of === undefined ? name : `${name}, ${of}`;
    process.stdout.write(`${title.padEnd(58)} ${number.format(median).padStart(12)} ${unit}${spread}\n`);
  }
  for (const { what, reason } of unmeasured ?? []) process.stdout.write(`NOT MEASURED: ${what}: ${reason}\n`);
  const command = `node ${process.argv.slice(1).join(' ').replace(projectFile(''), '')}`;
  const result: Result = {
    bench,
    at: new Date().toISOString(),
    command,
    machine: machineCard(),
    loadAverage: loadavg(),
    pinning: pinningCard,
    versions: versions ?? [],
    figures: measured,
    unmeasured: unmeasured ?? [],
    runs,
  };
  const file = `bench/results/${bench}.json`;
  mkdirSync(dirname(projectFile(file)), { recursive: true });
  writeFileSync(projectFile(file), `${JSON.stringify(result, null, 2)}\n`);
  process.stdout.write(`${file}\n`);
}
