import { parseArgs } from 'node:util';
import { BenchError } from './bench-error.ts';
import { runBench } from './bench-process.ts';

/**
 * `npm run bench`: every path bench, one after another; `--quick` is the same with fewer and shorter runs. A bench that fails does not keep the others
 * from being measured: what failed is said at the end, and in the exit code.
 */
const { values } = parseArgs({ options: { quick: { type: 'boolean', default: false } } });

/** What is too long to be quick has no words for it, and is left out. */
type Bench = readonly [name: string, whole: readonly string[], quick: readonly string[]];

const benches: readonly Bench[] = [
  ['fanout', ['--batch=1', '--events=3000'], ['--batch=1', '--runs=2', '--events=800']],
  ['fanout', ['--batch=8', '--events=8000'], ['--batch=8', '--runs=2', '--events=2500']],
  ['fanout', ['--mode=paced', '--rate=50'], ['--mode=paced', '--rate=50', '--runs=2', '--events=200']],
  ['fanout-peers', [], ['--runs=1', '--streams=200', '--events=400']],
  [
    'fanout-peers',
    ['--mode=paced', '--rate=100', '--events=1000', '--name=fanout-peers-paced-1000x100'],
    ['--mode=paced', '--rate=50', '--runs=1', '--streams=200', '--events=250', '--warm-events=1000'],
  ],
  [
    'fanout-peers',
    [
      '--mode=paced',
      '--streams=10000',
      '--rate=10',
      '--events=100',
      '--warm-events=300',
      '--runs=2',
      '--name=fanout-peers-paced-10000x10',
    ],
    [],
  ],
  ['many-filters', [], ['--executions=200', '--events=50', '--one-events=60', '--runs=1']],
  ['replay', [], ['--streams=100', '--runs=1']],
  ['ingest', [], ['--events=60000', '--runs=2']],
  ['publish', [], ['--events=60000', '--runs=1']],
  ['start-and-idle', [], ['--runs=3', '--streams=2000', '--seconds=6']],
];

const failed: string[] = [];
for (const [name, whole, quick] of benches) {
  if (values.quick && quick.length === 0) continue;
  const words = values.quick ? quick : whole;
  if (!(await runBench(name, words))) failed.push([name, ...words].join(' '));
}
if (failed.length > 0) throw new BenchError(`failed, or void: ${failed.join('; ')}`);
