import { randomInt } from 'node:crypto';
import test, { type ExecutionContext } from 'ava';
import { startSystem } from '../support/system.ts';
import { failureText, runCampaign } from './campaign.ts';
import type { FuzzTarget } from './fuzz-target.ts';
import { leakOf } from './leak.ts';
import { fuzzTargets } from './targets.ts';

/** A short run of `npm run fuzz`: a new seed each time, printed; RIVULET_SEED repeats one. */

const given = process.env['RIVULET_SEED'];
const seed = given === undefined ? randomInt(2 ** 32) : Number(given) >>> 0;

/** One to three seconds each. */
const shortCases: Readonly<Record<string, number>> = {
  http: 1_200,
  grpc: 1_200,
  query: 10_000,
  headers: 15_000,
  body: 6_000,
  record: 4_000,
  window: 4_000,
};

async function run(t: ExecutionContext, target: FuzzTarget): Promise<void> {
  t.log(`seed ${seed}`);
  const system = target.needsSystem ? await startSystem(t) : null;
  const fuzzer = await target.open(system);
  t.teardown(() => fuzzer.close?.());
  const cases = shortCases[target.name] ?? 1;
  const result = await runCampaign(fuzzer, { name: target.name, seed, cases });
  t.log([...result.outcomes].map(([outcome, count]) => `${outcome} ${count}`).join(', '));
  t.is(failureText(result), '');
  t.is(result.cases, cases);
}

for (const target of fuzzTargets) {
  test.serial(`${target.name}: every answer is one that the contract allows`, (t) => run(t, target));
}

// A target whose oracle could not fail would pass for ever.
test('a case that breaks its contract is reported with its seed and its bytes, cut down', async (t) => {
  const target = {
    make: () => ({ bytes: Buffer.from('a long input with one bad ! in it'), cuts: [] }),
    check: ({ bytes }: { readonly bytes: Buffer }) => {
      if (bytes.includes('!')) throw new RangeError('bad');
      return 'good';
    },
  };
  const result = await runCampaign(target, { name: 'sample', seed: 7, cases: 100 });
  t.is(result.cases, 1);
  t.is(result.failure?.fuzzCase.bytes.toString(), '!');
  t.regex(failureText(result), /--target sample --seed 7 --cases 1\n {2}bytes: {2}21\n/);
});

test('one descriptor more is a leak, and so is memory beyond five in a hundred', (t) => {
  const before = { descriptors: 50, residentKiB: 100_000, anonymousKiB: 80_000 };
  t.is(leakOf(before, { ...before, residentKiB: 105_000 }), null);
  t.regex(leakOf(before, { ...before, residentKiB: 105_001 }) ?? '', /grew from 100000 to 105001 KiB/);
  t.is(leakOf(before, { ...before, descriptors: 51 }), '1 more descriptors');
});
