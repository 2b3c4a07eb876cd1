import { spawn } from 'node:child_process';
import { parseArgs } from 'node:util';
import { projectFile } from '../project-file.ts';
import { BenchError } from './bench-error.ts';

/** `npm run bench`: every path bench, one after another, each a process of its own; `--quick` is the same with fewer and shorter runs. */
const { values } = parseArgs({ options: { quick: { type: 'boolean', default: false } } });

type Bench = readonly [name: string, whole: readonly string[], quick: readonly string[]];

const benches: readonly Bench[] = [
  ['fanout', ['--batch=1', '--events=3000'], ['--batch=1', '--runs=2', '--events=800']],
  ['fanout', ['--batch=8', '--events=8000'], ['--batch=8', '--runs=2', '--events=2500']],
  ['fanout', ['--mode=paced', '--rate=50'], ['--mode=paced', '--rate=50', '--runs=2', '--events=200']],
  ['fanout-peers', [], ['--runs=1', '--streams=200', '--events=400']],
  ['fanout-peers', ['--mode=paced', '--events=1000'], ['--mode=paced', '--runs=1', '--streams=200', '--events=400']],
  ['replay', [], ['--streams=100', '--runs=1']],
  ['ingest', [], ['--events=60000', '--runs=2']],
  ['start-and-idle', [], ['--runs=3', '--streams=2000', '--seconds=6']],
];

for (const [name, whole, quick] of benches) {
  const words = [projectFile(`build/bench/path/${name}.js`), ...(values.quick ? quick : whole)];
  process.stdout.write(`\n== ${name} ${words.slice(1).join(' ')}\n`);
  const child = spawn(process.execPath, words, { stdio: 'inherit' });
  const code = await new Promise<number | null>((resolve) => child.once('exit', resolve));
  if (code !== 0) throw new BenchError(`${name} failed; its run is void`);
}
