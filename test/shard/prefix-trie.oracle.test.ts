import test, { type ExecutionContext } from 'ava';
import type { Filter } from '../../src/core/filter.ts';
import { PrefixTrie, type TrieHandle } from '../../src/shard/index/prefix-trie.ts';
import { randomFilter, randomPath, randomStage } from '../support/filter-cases.ts';
import { naiveMatches } from '../support/naive-match.ts';
import { type Random, seeded } from '../support/seed.ts';

interface Added {
  readonly key: string;
  readonly filter: Filter;
  readonly handle: TrieHandle<number>;
}

const keys = ['k1', 'k2', 'k3'];

function trieMatch(trie: PrefixTrie<number>, key: string, stage: string, path: string): number[] {
  const into: number[] = [];
  const root = trie.root(key);
  if (root !== null) trie.match(root, stage.split('/'), path.split('/'), into);
  return into.sort((one, other) => one - other);
}

function scan(added: ReadonlyMap<number, Added>, key: string, stage: string, path: string): number[] {
  const found: number[] = [];
  for (const [entry, { key: addedKey, filter }] of added) {
    if (addedKey === key && naiveMatches(filter, stage, path)) found.push(entry);
  }
  return found.sort((one, other) => one - other);
}

/** Adds, removes and matches as they come; answers how many entries were matched. */
function interleave(t: ExecutionContext, random: Random, steps: number, population: number): number {
  const trie = new PrefixTrie<number>();
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
      if (handle === undefined || !trie.remove(handle)) t.fail('a handle was not there');
      added.delete(gone);
    }
    const key = random.pick(keys);
    const stage = randomStage(random);
    const path = randomPath(random);
    const found = trieMatch(trie, key, stage, path);
    const expected = scan(added, key, stage, path);
    matched += found.length;
    if (found.join() !== expected.join() || trie.size !== added.size) {
      const filters = expected.concat(found).map((one) => JSON.stringify(added.get(one)?.filter));
      t.fail(`step ${step}: ${stage} ${path} found [${found.join()}] of [${expected.join()}]: ${filters.join(' ')}`);
    }
  }
  for (const { handle } of added.values()) trie.remove(handle);
  t.deepEqual([trie.size, trie.rootCount], [0, 0]);
  return matched;
}

// T1 to T4. 250,000 events against up to 40 filters each, and 20,000 against up to 600.
test('the index agrees with a linear scan while filters come and go', (t) => {
  const random = seeded(t);
  for (const [steps, population] of [
    [250_000, 40],
    [20_000, 600],
  ] as const) {
    const matched = interleave(t, random, steps, population);
    t.log(`${steps} events, ${matched} matches`);
    t.true(matched > steps / 4);
  }
});
