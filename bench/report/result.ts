import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Figure, MachineCard } from '../harness.ts';

/** Something that was to be measured and was not: not installed, or its run was void. */
export interface Unmeasured {
  readonly what: string;
  readonly reason: string;
}

/** What a path bench writes: bench/results/<bench>.json. */
export interface Result {
  readonly bench: string;
  /** When it was written, ISO 8601. */
  readonly at: string;
  readonly command: string;
  readonly machine: MachineCard;
  /** Over 1, 5 and 15 minutes: above 2 on two cores, somebody else was measured too. */
  readonly loadAverage: readonly number[];
  readonly pinning: string;
  readonly versions: readonly string[];
  readonly figures: readonly Figure[];
  readonly unmeasured: readonly Unmeasured[];
  readonly runs: readonly object[];
}

/** All results in a folder, in the order of their names; none when there is no such folder. */
export function readResults(folder: string): Result[] {
  if (!existsSync(folder)) return [];
  const names = readdirSync(folder).filter((name) => name.endsWith('.json'));
  return names.sort().map((name) => JSON.parse(readFileSync(join(folder, name), 'utf8')) as Result);
}

/** The figure of that name, and of whom; undefined when it was not measured. */
export function figureOf({ figures }: Result, name: string, of?: string): Figure | undefined {
  return figures.find((figure) => figure.name === name && figure.of === of);
}
