import { isFailure } from '../support/disk.ts';
import { type Random, randomFrom } from '../support/seed.ts';
import { InvariantError, NotCheckedError, type Scenario, type StressContext } from './scenario.ts';

/** What came of one run of one scenario. */
export interface Outcome {
  readonly name: string;
  readonly invariant: string;
  readonly seed: number;
  readonly passed: boolean;
  readonly seconds: number;
  /** Comparisons and trouble by name. */
  readonly checked: Readonly<Record<string, number>>;
  readonly log: readonly string[];
  /** The first difference, and what was asked to be said beside it; empty when it passed. */
  readonly failure: string;
  /** The command line that runs it again. */
  readonly repeat: string;
}

/** A scenario that hangs is a failure with a name, not a suite that never ends. Several times what the longest takes on two busy cores. */
const scenarioSecondsMax = 300;

/** Room for ending a scenario's processes, each killed at once. */
const teardownSecondsMax = 30;

class Run implements StressContext {
  readonly seed: number;
  readonly random: Random;
  readonly counts = new Map<string, number>();
  readonly lines: string[] = [];
  readonly #say: (text: string) => void;
  readonly #finishers: (() => unknown)[] = [];
  readonly #describers: (() => string | Promise<string>)[] = [];

  constructor(seed: number, say: (text: string) => void) {
    this.seed = seed;
    this.random = randomFrom(seed);
    this.#say = say;
  }

  fork(): Random {
    return randomFrom(this.random.below(2 ** 31));
  }

  log(text: string): void {
    this.lines.push(text);
    this.#say(text);
  }

  checked(what: string, count: number): void {
    this.counts.set(what, (this.counts.get(what) ?? 0) + count);
  }

  teardown(finish: () => unknown): void {
    this.#finishers.push(finish);
  }

  onFailure(describe: () => string | Promise<string>): void {
    this.#describers.push(describe);
  }

  async describe(): Promise<string> {
    const said: string[] = [];
    for (const describe of this.#describers) {
      said.push(await Promise.resolve(describe()).catch((error: unknown) => `(not to be had: ${textOf(error)})`));
    }
    return said.join('\n');
  }

  async finish(): Promise<void> {
    for (const finish of this.#finishers.reverse()) await finish();
  }
}

/** Runs one scenario from the seed, ends what it started, and answers what came of it; never rejects. */
export async function runScenario(
  scenario: Scenario,
  seed: number,
  say: (text: string) => void = () => undefined,
): Promise<Outcome> {
  const run = new Run(seed, say);
  const startMs = performance.now();
  const failures: string[] = [];
  try {
    await within(scenario.secondsMax ?? scenarioSecondsMax, scenario.run(run), 'the scenario did not end');
    const total = [...run.counts.values()].reduce((sum, count) => sum + count, 0);
    if (total === 0) throw new InvariantError('it checked nothing: a run without a comparison proves nothing');
    const none = [...run.counts].filter(([, count]) => count === 0).map(([what]) => what);
    if (none.length > 0) throw new InvariantError(`it checked no ${none.join(', no ')}`);
  } catch (error) {
    if (error instanceof NotCheckedError && !isFailure(error.lack)) run.log(error.message);
    else failures.push(textOf(error), await within(teardownSecondsMax, run.describe(), 'no description').catch(textOf));
  }
  const seconds = (performance.now() - startMs) / 1000;
  try {
    await within(teardownSecondsMax, run.finish(), 'what it started did not end');
  } catch (error) {
    failures.push(`teardown: ${textOf(error)}`);
  }
  return {
    name: scenario.name,
    invariant: scenario.invariant,
    seed,
    passed: failures.length === 0,
    seconds: Math.round(seconds * 10) / 10,
    checked: Object.fromEntries(run.counts),
    log: run.lines,
    failure: failures.filter((text) => text !== '').join('\n'),
    repeat: `npm run stress -- --scenario '${scenario.name}' --seed ${seed}`,
  };
}

async function within<Value>(seconds: number, work: Promise<Value>, otherwise: string): Promise<Value> {
  let cancel: () => void = () => undefined;
  const limit = new Promise<never>((_resolve, reject) => {
    const timer = setTimeout(() => {
      reject(new InvariantError(`${otherwise} within ${seconds} s`));
    }, seconds * 1000);
    cancel = () => {
      clearTimeout(timer);
    };
  });
  try {
    return await Promise.race([work, limit]);
  } finally {
    cancel();
  }
}

function textOf(error: unknown): string {
  if (error instanceof InvariantError || error instanceof NotCheckedError) return `${error.name}: ${error.message}`;
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
