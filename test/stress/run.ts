import { randomInt } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { type Outcome, runScenario } from './runner.ts';
import type { Scenario } from './scenario.ts';
import { scenarios } from './scenarios.ts';
import { readWords, type StressWords, WordsError } from './words.ts';

/** `npm run stress`: scenarios one after another, each from a seed that is printed. Exit 0: all passed, 1: one failed, 2: the command line is wrong. */

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

function list(chosen: readonly Scenario[]): void {
  for (const { name, quick, invariant } of chosen) say(`${name}${quick ? ' (quick)' : ''}\n    ${invariant}`);
  say(`\n${chosen.length} scenarios`);
}

function countsOf({ checked }: Outcome): string {
  return Object.entries(checked)
    .map(([what, count]) => `${count} ${what}`)
    .join(', ');
}

function show(outcome: Outcome): void {
  if (!outcome.passed) say(outcome.failure.replaceAll(/^/gm, '    '));
  say(`    checked: ${countsOf(outcome)}`);
  say(`    repeat:  ${outcome.repeat}`);
  say(`    ${outcome.passed ? 'PASS' : 'FAIL'} in ${outcome.seconds} s`);
}

function summary(outcomes: readonly Outcome[]): void {
  const width = Math.max(...outcomes.map(({ name }) => name.length));
  say('');
  for (const outcome of outcomes) {
    const { name, passed, seconds, seed } = outcome;
    say(
      `${passed ? 'PASS' : 'FAIL'}  ${name.padEnd(width)}  ${seconds.toFixed(1).padStart(6)} s  seed ${String(seed).padEnd(10)}  ${countsOf(outcome)}`,
    );
  }
}

async function runAll({ seed, repeat, chosen, out }: StressWords): Promise<number> {
  const first = seed ?? randomInt(2 ** 32);
  const outcomes: Outcome[] = [];
  for (let round = 0; round < repeat; round += 1) {
    for (const scenario of chosen) {
      const seedOfRound = (first + round) % 2 ** 32;
      say(`\n${scenario.name}  seed ${seedOfRound}\n    ${scenario.invariant}`);
      const outcome = await runScenario(scenario, seedOfRound, (text) => {
        say(`    ${text}`);
      });
      show(outcome);
      outcomes.push(outcome);
    }
  }
  summary(outcomes);
  const failed = outcomes.filter(({ passed }) => !passed).length;
  say(`\n${outcomes.length - failed} passed, ${failed} failed`);
  if (out !== null) await writeFile(out, `${JSON.stringify({ seed: first, repeat, outcomes }, null, 2)}\n`);
  return failed === 0 ? 0 : 1;
}

async function run(): Promise<number> {
  try {
    const words = readWords(process.argv.slice(2), scenarios);
    if (!words.list) return await runAll(words);
    list(words.chosen);
    return 0;
  } catch (error) {
    if (!(error instanceof WordsError)) throw error;
    process.stderr.write(`${error.message}\n`);
    return 2;
  }
}

const exitCode = await run();
// Not `process.exitCode`: after a scenario that failed Node 20 was seen to turn for ever in its clean-up (Environment::CleanupHandles), all said and done.
process.stdout.write('', () => {
  process.exit(exitCode);
});
