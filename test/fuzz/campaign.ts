import { randomFrom } from '../support/seed.ts';
import type { FuzzCase, Fuzzer } from './fuzz-target.ts';

/** Told of the case before it runs; for a watch that must say which one never came back. */
export type CaseNote = (caseSeed: number) => void;

export interface CampaignOptions {
  readonly name: string;
  readonly seed: number;
  readonly cases: number;
  readonly onProgress?: (done: number) => void;
  readonly onCase?: CaseNote;
}

export interface CampaignFailure {
  /** With this seed and one case the same is made again. */
  readonly caseSeed: number;
  readonly fuzzCase: FuzzCase;
  readonly error: unknown;
}

export interface CampaignResult {
  readonly name: string;
  readonly cases: number;
  readonly ms: number;
  readonly outcomes: ReadonlyMap<string, number>;
  readonly failure: CampaignFailure | null;
}

/** Seeds of neighbouring cases lie far apart; the first case has the seed of the run. */
const seedStep = 0x9e3779b1;
const blockCases = 5_000;
const progressCases = 64;
/** A check that takes longer holds a loop for longer than any input may; the machine's own pauses are far below. */
const caseMsMax = 5_000;
const shrinkTriesMax = 2_000;

class SlowCaseError extends Error {
  override readonly name = 'SlowCaseError';
}

/** Runs cases until one fails or all are done. */
export async function runCampaign(fuzzer: Fuzzer, options: CampaignOptions): Promise<CampaignResult> {
  const startMs = performance.now();
  const outcomes = new Map<string, number>();
  let started = 0;
  let done = 0;
  let failure: CampaignFailure | null = null;

  const one = async (): Promise<void> => {
    const caseSeed = (options.seed + started * seedStep) >>> 0;
    started += 1;
    options.onCase?.(caseSeed);
    const fuzzCase = fuzzer.make(randomFrom(caseSeed));
    try {
      const outcome = await timed(fuzzer, fuzzCase);
      outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
    } catch (error) {
      failure ??= { caseSeed, fuzzCase, error };
    }
    done += 1;
    if (done % progressCases === 0) options.onProgress?.(done);
  };
  const lane = async (until: number): Promise<void> => {
    while (started < until && failure === null) await one();
  };

  while (done < options.cases && failure === null) {
    const until = Math.min(options.cases, started + blockCases);
    await Promise.all(Array.from({ length: fuzzer.parallel ?? 1 }, () => lane(until)));
    try {
      await fuzzer.settle?.();
    } catch (error) {
      failure ??= { caseSeed: options.seed, fuzzCase: { bytes: Buffer.alloc(0), cuts: [] }, error };
    }
  }
  if (failure !== null && fuzzer.shrinks !== false) failure = await shrunk(fuzzer, failure);
  return { name: options.name, cases: done, ms: performance.now() - startMs, outcomes, failure };
}

async function timed(fuzzer: Fuzzer, fuzzCase: FuzzCase): Promise<string> {
  const startMs = performance.now();
  const answer = fuzzer.check(fuzzCase);
  // The synchronous part only: what waits for a socket has bounds of its own.
  const ms = performance.now() - startMs;
  if (ms > caseMsMax) throw new SlowCaseError(`a case held the loop for ${Math.round(ms)} ms`);
  return typeof answer === 'string' ? answer : await answer;
}

/** Takes stretches out, halves first, as long as the same kind of error comes. */
async function shrunk(fuzzer: Fuzzer, failure: CampaignFailure): Promise<CampaignFailure> {
  const kindOf = (error: unknown): string => (error instanceof Error ? error.name : typeof error);
  let best = failure;
  let tries = 0;
  for (
    let size = Math.ceil(failure.fuzzCase.bytes.length / 2);
    size >= 1;
    size = size === 1 ? 0 : Math.ceil(size / 2)
  ) {
    for (let at = 0; at < best.fuzzCase.bytes.length && tries < shrinkTriesMax; ) {
      const { bytes } = best.fuzzCase;
      const smaller = { bytes: Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + size)]), cuts: [] };
      tries += 1;
      const error = await errorOf(fuzzer, smaller);
      if (error !== null && kindOf(error) === kindOf(failure.error)) best = { ...best, fuzzCase: smaller, error };
      else at += size;
    }
  }
  return best;
}

async function errorOf(fuzzer: Fuzzer, fuzzCase: FuzzCase): Promise<unknown> {
  try {
    await timed(fuzzer, fuzzCase);
    return null;
  } catch (error) {
    return error;
  }
}

/** What a person needs to see it again. */
export function failureText(result: CampaignResult): string {
  const { failure, name } = result;
  if (failure === null) return '';
  const { bytes, cuts } = failure.fuzzCase;
  const why = failure.error instanceof Error ? (failure.error.stack ?? failure.error.message) : String(failure.error);
  return [
    `${name} failed: ${why}`,
    `  again:  npm run fuzz -- --target ${name} --seed ${failure.caseSeed} --cases 1`,
    `  bytes:  ${bytes.length === 0 ? '(the whole block)' : bytes.toString('hex')}`,
    `  text:   ${JSON.stringify(bytes.toString('latin1'))}`,
    ...(cuts.length === 0 ? [] : [`  cuts:   ${cuts.join(' ')}`]),
  ].join('\n');
}
