import { mkdirSync, writeFileSync } from 'node:fs';
import { loadavg } from 'node:os';
import { type Figure, machineCard } from '../harness.ts';
import { projectFile } from '../project-file.ts';
import { pinningCard } from './pinning.ts';

const number = new Intl.NumberFormat('en', { maximumFractionDigits: 2 });

/** Prints the figures; writes them, each run, the machine, the versions of peers, the pinning and the command to bench/results/<bench>.json. */
export function reportPath(
  bench: string,
  figures: readonly Figure[],
  runs: readonly object[],
  versions: readonly string[] = [],
): void {
  for (const { name, unit, median, min, max, runs: count } of figures) {
    const spread = count > 1 ? `  (${number.format(min)} to ${number.format(max)}, ${count} runs)` : '';
    process.stdout.write(`${name.padEnd(58)} ${number.format(median).padStart(12)} ${unit}${spread}\n`);
  }
  const command = `node ${process.argv.slice(1).join(' ').replace(projectFile(''), '')}`;
  const result = {
    bench,
    command,
    machine: machineCard(),
    loadAverage: loadavg(),
    pinning: pinningCard,
    versions,
    figures,
    runs,
  };
  mkdirSync(projectFile('bench/results'), { recursive: true });
  const file = `bench/results/${bench}.json`;
  writeFileSync(projectFile(file), `${JSON.stringify(result, null, 2)}\n`);
  process.stdout.write(`${file}\n`);
}
