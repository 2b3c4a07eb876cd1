import test, { type ExecutionContext } from 'ava';
import type { Filter } from '../../src/core/filter.ts';
import { TextHash, textFactors } from '../../src/shard/index/records/text-hash.ts';
import { randomFilter, randomPath, randomStage } from '../support/filter-cases.ts';
import { type KeyedHandle, KeyedTrie } from '../support/keyed-trie.ts';
import { naiveMatches } from '../support/naive-match.ts';
import { type Random, seeded } from '../support/seed.ts';

interface Added {
  readonly key: string;
  readonly filter: Filter;
  readonly handle: KeyedHandle;
}

const keys = ['k1', 'k2', 'k3'];

function scan(added: ReadonlyMap<number, Added>, key: string, stage: string, path: string): number[] {
  const found: number[] = [];
  for (const [entry, { key: addedKey, filter }] of added) {
    if (addedKey === key && naiveMatches(filter, stage, path)) found.push(entry);
  }
  return found.sort((one, other) => one - other);
}

/** T1. */
const nothing = { size: 0, roots: 0, names: 0, keys: 0 };
function leftIn({ trie }: KeyedTrie): typeof nothing {
  return { size: trie.size, roots: trie.rootCount, names: trie.nameCount, keys: trie.keyCount };
}

interface Course {
  readonly steps: number;
  /** Filters at a time, at most. */
  readonly population: number;
  readonly trie: KeyedTrie;
}

/** Adds, removes and matches as they come; answers how many entries were matched. */
function interleave(t: ExecutionContext, random: Random, { steps, population, trie }: Course): number {
  const added = new Map<number, Added>();
  let entry = 0;
  let matched = 0;
  for (let step = 0; step < steps; step += 1) {
    if (added.size < random.below(population)) {
      const key = random.pick(keys);
      const filter = randomFilter(random);
      entry += 1;
      added.set(entry, { key, filter, handle: trie.add(key, filter, entry) });
    } else if (added.size > 0 && random.oneIn(3)) {
      const gone = random.pick([...added.keys()]);
      const handle = added.get(gone)?.handle;
      if (handle === undefined) t.fail('a handle was not there');
      else trie.remove(handle);
      added.delete(gone);
    }
    const key = random.pick(keys);
    const stage = randomStage(random);
    const path = randomPath(random);
    const found = trie.match(key, stage, path);
    const expected = scan(added, key, stage, path);
    matched += found.length;
    if (found.join() !== expected.join() || trie.trie.size !== added.size) {
      const filters = expected.concat(found).map((one) => JSON.stringify(added.get(one)?.filter));
      t.fail(`step ${step}: ${stage} ${path} found [${found.join()}] of [${expected.join()}]: ${filters.join(' ')}`);
    }
  }
  for (const { handle } of added.values()) trie.remove(handle);
  t.deepEqual(leftIn(trie), nothing);
  return matched;
}

// T1 to T4. 250,000 events against up to 40 filters each, and 20,000 against up to 600.
test('the index agrees with a linear scan while filters come and go', (t) => {
  const random = seeded(t);
  for (const [steps, population] of [
    [250_000, 40],
    [20_000, 600],
  ] as const) {
    const matched = interleave(t, random, { steps, population, trie: new KeyedTrie() });
    t.log(`${steps} events, ${matched} matches`);
    t.true(matched > steps / 4);
  }
});

// Every name, root and filter in one chain of its table: what a flood of colliding names would come to.
test('the index agrees with a linear scan when every hash collides', (t) => {
  const trie = new KeyedTrie(new TextHash(new Int32Array(textFactors)));
  const matched = interleave(t, seeded(t), { steps: 6_000, population: 400, trie });
  t.true(matched > 1_000);
});

/** A filter that few others equal, of any shape, beside those that all have. */
function stormFilter(random: Random): Filter {
  const filter = randomFilter(random);
  const own = random.below(3_000);
  return random.oneIn(3) ? filter : { ...filter, path: random.oneIn(4) ? `a/n${own}*` : `a/n${own}` };
}

/** Compares some events, half of them for the filters' own names; answers how many entries were matched. */
function compare(t: ExecutionContext, random: Random, trie: KeyedTrie, added: ReadonlyMap<number, Added>): number {
  let matched = 0;
  for (let event = 0; event < 12; event += 1) {
    const key = random.pick(keys);
    const stage = randomStage(random);
    const path = random.oneIn(2) ? randomPath(random) : `a/n${random.below(3_000)}/x.tar.gz`;
    const found = trie.match(key, stage, path);
    if (found.join() !== scan(added, key, stage, path).join()) t.fail(`${stage} ${path} with ${added.size} filters`);
    matched += found.length;
  }
  return matched;
}

// T1 to T4 through every growth and shrinkage: roots that pass from a list to the table, tables that divide and join, blocks of
// records that are added, used again and given back; twice with one index, so that nothing of the first storm is in the second.
test('the index agrees with a linear scan through storms of adds and removes', (t) => {
  const random = seeded(t);
  const trie = new KeyedTrie();
  let entry = 0;
  for (const filtersMax of [12_000, 3_000]) {
    const added = new Map<number, Added>();
    let matched = 0;
    while (added.size < filtersMax) {
      entry += 1;
      const key = random.oneIn(2) ? random.pick(keys) : `other-${random.below(2_000)}`;
      const filter = stormFilter(random);
      added.set(entry, { key, filter, handle: trie.add(key, filter, entry) });
      if (entry % 500 === 0) matched += compare(t, random, trie, added);
    }
    const leaving = [...added].sort(() => random.below(3) - 1);
    for (const [gone, { handle }] of leaving) {
      trie.remove(handle);
      added.delete(gone);
      if (added.size % 500 === 0) matched += compare(t, random, trie, added);
    }
    t.true(matched > filtersMax / 20, `${matched} matches`);
    t.deepEqual(leftIn(trie), nothing);
  }
});

// What one has twenty thousand times is a ring, and no step of a table walks it.
test('many filters that are equal are found each, and removed in any order', (t) => {
  const random = seeded(t);
  const trie = new KeyedTrie();
  const filter: Filter = { stage: 'a', path: 'b', extension: '.md' };
  const handles = Array.from({ length: 20_000 }, (_, entry) => trie.add('k1', filter, entry));
  t.is(trie.match('k1', 'a', 'b/x.md').length, 20_000);
  const kept = new Set(handles.keys());
  for (let step = 0; step < 19_000; step += 1) {
    const entry = (step * 7_919 + random.below(2)) % 20_000;
    if (!kept.delete(entry)) continue;
    trie.remove(handles[entry] as KeyedHandle);
  }
  t.deepEqual(
    trie.match('k1', 'a', 'b/x.md'),
    [...kept].sort((one, other) => one - other),
  );
  for (const entry of kept) trie.remove(handles[entry] as KeyedHandle);
  t.deepEqual(leftIn(trie), nothing);
});

/** How many look-ups in tables there were. */
class CountingHash extends TextHash {
  joins = 0;
  override join(one: number, other: number): number {
    this.joins += 1;
    return super.join(one, other);
  }
}

// Whoever subscribes could make each event of another cost the product of its names: 33 x 64 x 400 look-ups, 30 ms of the shard's thread.
test('an event of many names costs what filters of its root there are, and not the product of its names', (t) => {
  const hash = new CountingHash();
  const trie = new KeyedTrie(hash);
  const open: Filter = { stage: null, path: null, extension: null };
  const deep = (name: string, depth: number): string => Array.from({ length: depth }, () => name).join('/');
  let entry = 0;
  const add = (filter: Partial<Filter>): void => {
    trie.add('k1', { ...open, ...filter }, entry);
    entry += 1;
  };
  for (let depth = 1; depth <= 32; depth += 1) add({ stage: deep('s', depth) });
  for (let depth = 1; depth <= 63; depth += 1) add({ path: deep('p', depth) });
  for (let dots = 1; dots <= 400; dots += 1) add({ extension: '.a'.repeat(dots) });
  hash.joins = 0;
  const found = trie.match('k1', deep('s', 32), `${deep('p', 63)}/f${'.a'.repeat(400)}`);
  t.is(found.length, 495);
  t.true(hash.joins < 20_000, `${hash.joins} look-ups`);
});
