import { spawn } from 'node:child_process';
import { projectFile } from '../project-file.ts';

/** Runs one path bench as a process of its own, its output with ours; answers whether it went through. */
export async function runBench(name: string, words: readonly string[]): Promise<boolean> {
  process.stdout.write(`\n== ${name} ${words.join(' ')}\n`);
  const child = spawn(process.execPath, [projectFile(`build/bench/path/${name}.js`), ...words], { stdio: 'inherit' });
  const code = await new Promise<number | null>((resolve) => child.once('exit', resolve));
  return code === 0;
}
