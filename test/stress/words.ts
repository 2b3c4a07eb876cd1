import { parseArgs } from 'node:util';
import type { Scenario } from './scenario.ts';

/** What the command line asks for. */
export interface StressWords {
  readonly seed: number | null;
  readonly repeat: number;
  readonly chosen: readonly Scenario[];
  readonly list: boolean;
  /** File for the outcomes as JSON; null: none. */
  readonly out: string | null;
}

/** The command line is wrong; the message says what is allowed. */
export class WordsError extends Error {
  override readonly name = 'WordsError';
}

const flags =
  '--seed n, --repeat n, --scenario name (more than once; a beginning or a pattern with * will do), --quick, --list, --out file';

const seedMax = 2 ** 32 - 1;
const repeatMax = 100_000;

export function readWords(words: readonly string[], scenarios: readonly Scenario[]): StressWords {
  const values = parse(words);
  const wanted = values.scenario ?? [];
  const pool = values.quick ? scenarios.filter(({ quick }) => quick) : scenarios;
  return {
    seed: values.seed === undefined ? null : wholeNumber('seed', values.seed, 0, seedMax),
    repeat: values.repeat === undefined ? 1 : wholeNumber('repeat', values.repeat, 1, repeatMax),
    chosen: wanted.length === 0 ? pool : chosenBy(wanted, pool),
    list: values.list,
    out: values.out ?? null,
  };
}

interface Values {
  readonly seed?: string | undefined;
  readonly repeat?: string | undefined;
  readonly scenario?: string[] | undefined;
  readonly quick: boolean;
  readonly list: boolean;
  readonly out?: string | undefined;
}

function parse(words: readonly string[]): Values {
  try {
    const { values } = parseArgs({
      args: [...words],
      options: {
        seed: { type: 'string' },
        repeat: { type: 'string' },
        scenario: { type: 'string', multiple: true },
        quick: { type: 'boolean', default: false },
        list: { type: 'boolean', default: false },
        out: { type: 'string' },
      },
    });
    return values;
  } catch (error) {
    const [reason = ''] = (error instanceof Error ? error.message : String(error)).split('. ');
    throw new WordsError(`${reason}; allowed: ${flags}`);
  }
}

function wholeNumber(name: string, text: string, min: number, max: number): number {
  const value = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (value >= min && value <= max) return value;
  throw new WordsError(`--${name} ${text}: a whole number from ${min} to ${max} is allowed`);
}

/** In the order of the list, each once. */
function chosenBy(wanted: readonly string[], pool: readonly Scenario[]): Scenario[] {
  const tests = wanted.map((text) => ({ text, test: patternOf(text) }));
  for (const { text, test } of tests) {
    if (pool.some(({ name }) => test(name))) continue;
    throw new WordsError(
      `--scenario ${text}: there is none; allowed: ${pool.map(({ name }) => `'${name}'`).join(', ')}`,
    );
  }
  return pool.filter(({ name }) => tests.some(({ test }) => test(name)));
}

function patternOf(text: string): (name: string) => boolean {
  if (!text.includes('*')) return (name) => name.startsWith(text);
  const parts = text.split('*').map((part) => part.replace(/[.+?^${}()|[\]\\]/g, '\\$&'));
  const pattern = new RegExp(`^${parts.join('.*')}$`);
  return (name) => pattern.test(name);
}
