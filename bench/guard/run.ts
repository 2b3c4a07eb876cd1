import { readFileSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { BenchError } from '../path/bench-error.ts';
import { runBench } from '../path/bench-process.ts';
import { projectFile } from '../project-file.ts';
import { figureOf, type Result } from '../report/result.ts';
import { type Guarded, judge } from './judge.ts';

/**
 * `npm run bench:guard`: short runs, and their ratios against bench/baseline.json; exit code 1 when one is worse by more than its band. By hand, on a machine
 * that has nothing else to do. `--renew` writes what was measured as the new baseline, with the bands that there are.
 */
const { values } = parseArgs({ options: { renew: { type: 'boolean', default: false } } });

const benches: readonly (readonly [name: string, words: readonly string[]])[] = [
  ['fanout', ['--batch=1', '--runs=3', '--events=1000', '--name=guard/fanout-1']],
  ['fanout', ['--batch=8', '--runs=3', '--events=3000', '--name=guard/fanout-8']],
  ['many-filters', ['--executions=200', '--events=100', '--one-events=100', '--runs=3', '--name=guard/many-filters']],
  ['replay', ['--streams=100', '--runs=3', '--name=guard/replay']],
];

const baselineFile = projectFile('bench/baseline.json');

function measuredOf({ bench, figure }: Guarded): number {
  const result = JSON.parse(readFileSync(projectFile(`bench/results/${bench}.json`), 'utf8')) as Result;
  const median = figureOf(result, figure)?.median;
  if (median === undefined) throw new BenchError(`${bench} has no figure "${figure}"`);
  return median;
}

for (const [name, words] of benches) {
  if (!(await runBench(name, words))) throw new BenchError(`${name} failed: nothing is judged`);
}
const guarded = JSON.parse(readFileSync(baselineFile, 'utf8')) as Guarded[];
process.stdout.write('\n');
for (const one of guarded) {
  const measured = measuredOf(one);
  const verdict = judge(one, measured);
  process.stdout.write(
    `${verdict.padEnd(7)} ${one.bench}, ${one.figure}: ${measured.toFixed(3)} (was ${one.baseline.toFixed(3)}, band ${Math.round(one.band * 100)} %, ${one.better} is better)\n`,
  );
  if (verdict === 'worse' && !values.renew) process.exitCode = 1;
}
if (values.renew) {
  const renewed = guarded.map((one) => ({ ...one, baseline: Number(measuredOf(one).toPrecision(3)) }));
  writeFileSync(baselineFile, `${JSON.stringify(renewed, null, 2)}\n`);
  process.stdout.write('bench/baseline.json is what was measured now\n');
}
