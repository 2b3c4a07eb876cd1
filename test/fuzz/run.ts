import { randomInt } from 'node:crypto';
import { parseArgs } from 'node:util';
import { type System, startSystem } from '../support/system.ts';
import { type CampaignResult, failureText, runCampaign } from './campaign.ts';
import type { FuzzTarget } from './fuzz-target.ts';
import { type Footprint, footprintText, leakOf, settledFootprint } from './leak.ts';
import { type LorisResult, slowLoris } from './slow-loris.ts';
import { looseOwner } from './system-owner.ts';
import { fuzzTargets } from './targets.ts';
import { watchCases } from './watch.ts';

/**
 * The long run: `npm run fuzz -- [--cases 1000000] [--target name] [--seed n]`. Exit 1 on the first case that breaks the contract, with its seed and
 * bytes, or when the program holds more afterwards than before.
 */

interface Options {
  readonly cases: number;
  readonly seed: number;
  readonly targets: readonly FuzzTarget[];
}

class UsageError extends Error {
  override readonly name = 'UsageError';
}

function wholeNumber(name: string, text: string, most: number): number {
  const value = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (!(value >= 0 && value <= most)) throw new UsageError(`--${name} ${text}: a whole number up to ${most} is needed`);
  return value;
}

function optionsOf(args: readonly string[]): Options {
  const { values } = parseArgs({
    args: [...args],
    options: { cases: { type: 'string' }, seed: { type: 'string' }, target: { type: 'string' } },
  });
  const targets = fuzzTargets.filter(({ name }) => values.target === undefined || name === values.target);
  if (targets.length === 0) {
    throw new UsageError(`--target ${values.target ?? ''}: one of ${fuzzTargets.map(({ name }) => name).join(', ')}`);
  }
  return {
    cases: wholeNumber('cases', values.cases ?? '1000000', 1e12),
    seed: wholeNumber('seed', values.seed ?? process.env['RIVULET_SEED'] ?? String(randomInt(2 ** 32)), 2 ** 32 - 1),
    targets,
  };
}

const progressEveryMs = 3_000;

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

async function runTarget(
  target: FuzzTarget,
  system: System | null,
  cases: number,
  seed: number,
): Promise<CampaignResult> {
  const fuzzer = await target.open(system);
  const watch = watchCases(target.name);
  let saidMs = performance.now();
  try {
    return await runCampaign(fuzzer, {
      name: target.name,
      seed,
      cases,
      onCase: watch.note,
      onProgress(done) {
        if (performance.now() - saidMs < progressEveryMs) return;
        saidMs = performance.now();
        say(`  ${target.name}: ${done} of ${cases}`);
      },
    });
  } finally {
    await watch.stop();
    fuzzer.close?.();
  }
}

/**
 * Before the footprint is taken the same work is done once, slow connections and all: code is compiled, pools and heaps have the size that they need for it.
 * A quarter of it was not enough: 158 MiB before, then 225, 214, 225 and 227.
 */
const warmUpSeed = 0x5eed;
/** Cases between two looks afterwards. */
const restPart = 0.25;

interface ProgramOutcome {
  readonly before: Footprint;
  readonly after: Footprint;
  readonly loris: readonly [head: LorisResult, body: LorisResult];
}

/** The targets that need the program, with its footprint before and after. */
async function runAgainstProgram(
  targets: readonly FuzzTarget[],
  options: Options,
  results: CampaignResult[],
): Promise<ProgramOutcome | null> {
  const owner = looseOwner();
  try {
    const system = await startSystem(owner);
    const pid = system.process.pid ?? 0;
    const port = Number(new URL(system.http).port);
    const run = async (part: number, seed: number): Promise<CampaignResult[]> => {
      const done: CampaignResult[] = [];
      for (const target of targets) {
        if (done.some(({ failure }) => failure !== null)) break;
        done.push(await runTarget(target, system, Math.ceil(casesOf(target, options) * part), seed));
      }
      return done;
    };
    const failedIn = (done: readonly CampaignResult[]): boolean => done.some(({ failure }) => failure !== null);
    const warmed = await run(1, warmUpSeed);
    if (failedIn(warmed)) {
      results.push(...warmed);
      return null;
    }
    await slowClients(port);
    const before = await settledFootprint(pid);
    say(`before: ${footprintText(before)}`);
    const done = await run(1, options.seed);
    results.push(...done);
    if (failedIn(done)) return null;
    const loris = await slowClients(port);
    for (let rest = 1; ; rest += 1) {
      const after = await settledFootprint(pid);
      say(`after:  ${footprintText(after)}`);
      if (leakOf(before, after) === null || rest === restsMax) return { before, after, loris };
      // What V8 has not collected yet looks like a leak, and nobody can tell it from outside to collect: garbage goes in the meantime, a leak grows.
      const more = await run(restPart, warmUpSeed + rest);
      if (failedIn(more)) {
        results.push(...more);
        return null;
      }
    }
  } finally {
    await owner.finish();
  }
}

const restsMax = 4;

/** Clients that withhold the end of their head, and of their body. */
function slowClients(port: number): Promise<readonly [head: LorisResult, body: LorisResult]> {
  const slow = { sockets: 200, everyMs: 1_000, patienceMs: 60_000 };
  return Promise.all([slowLoris(port, 'head', slow), slowLoris(port, 'body', slow)]);
}

function casesOf(target: FuzzTarget, { cases, targets }: Options): number {
  const shares = targets.reduce((sum, { share }) => sum + share, 0);
  return Math.max(1, Math.ceil((cases * target.share) / shares));
}

function summary(results: readonly CampaignResult[]): void {
  say('\ntarget        cases   seconds  outcomes');
  for (const { name, cases, ms, outcomes } of results) {
    const counts = [...outcomes]
      .sort(([, one], [, other]) => other - one)
      .map(([outcome, count]) => `${outcome} ${count}`);
    say(`${name.padEnd(8)} ${String(cases).padStart(10)} ${(ms / 1000).toFixed(1).padStart(9)}  ${counts.join(', ')}`);
  }
  say(`total    ${String(results.reduce((sum, { cases }) => sum + cases, 0)).padStart(10)}`);
}

function lorisText(what: string, { sockets, cut, firstCutMs, lastCutMs }: LorisResult): string {
  return `slow ${what}: ${cut} of ${sockets} connections cut, ${(firstCutMs / 1000).toFixed(1)} to ${(lastCutMs / 1000).toFixed(1)} s after they opened`;
}

function programFaults({ before, after, loris }: ProgramOutcome): string[] {
  const [head, body] = loris;
  say(lorisText('head', head));
  say(lorisText('body', body));
  const faults = loris.some(({ sockets, cut }) => cut < sockets) ? ['a slow connection was never cut'] : [];
  const grown = leakOf(before, after);
  return grown === null ? faults : [...faults, grown];
}

async function main(): Promise<number> {
  const options = optionsOf(process.argv.slice(2));
  say(`seed ${options.seed}`);
  const results: CampaignResult[] = [];
  const faults: string[] = [];
  const external = options.targets.filter(({ needsSystem }) => needsSystem);
  // One case is a repetition: nobody asks what it leaked.
  const single = options.cases === 1 && external.length === options.targets.length;
  if (single) await runSingle(external, options, results);
  else if (external.length > 0) {
    const outcome = await runAgainstProgram(external, options, results);
    if (outcome !== null) {
      faults.push(...programFaults(outcome));
    }
  }
  for (const target of options.targets.filter(({ needsSystem }) => !needsSystem)) {
    if (results.some(({ failure }) => failure !== null)) break;
    results.push(await runTarget(target, null, casesOf(target, options), options.seed));
  }
  summary(results);
  for (const result of results) if (result.failure !== null) faults.push(failureText(result));
  for (const fault of faults) say(`\n✘ ${fault}`);
  return faults.length === 0 ? 0 : 1;
}

async function runSingle(targets: readonly FuzzTarget[], options: Options, results: CampaignResult[]): Promise<void> {
  const owner = looseOwner();
  try {
    const system = await startSystem(owner);
    for (const target of targets) results.push(await runTarget(target, system, 1, options.seed));
  } finally {
    await owner.finish();
  }
}

process.exitCode = await main().catch((error: unknown) => {
  if (!(error instanceof UsageError)) throw error;
  process.stderr.write(`${error.message}\n`);
  return 2;
});
