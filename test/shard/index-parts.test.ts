import test from 'ava';
import { CountedKeys } from '../../src/shard/index/counted-keys.ts';
import {
  beginning,
  extension,
  type Name,
  type NameKind,
  NameTrie,
  noName,
  wholeSegment,
} from '../../src/shard/index/name-trie.ts';
import { LinearHash } from '../../src/shard/index/records/linear-hash.ts';
import { RecordPool } from '../../src/shard/index/records/record-pool.ts';
import { TextHash, textBytesMax, textFactors } from '../../src/shard/index/records/text-hash.ts';
import { seeded } from '../support/seed.ts';

// R1, R2. A record that two have, or that a former owner's fields are in, is a filter that gets another's events.
test('a record is in one hand, comes empty, and its memory goes with the last', (t) => {
  const random = seeded(t);
  const pool = new RecordPool(6);
  const held: number[] = [];
  const taken = new Set<number>();
  let faults = 0;
  for (let step = 0; step < 60_000; step += 1) {
    if (random.oneIn(3) && held.length > 0) {
      const place = random.below(held.length);
      const [number = 0] = held.splice(place, 1);
      taken.delete(number);
      pool.give(number);
      continue;
    }
    const number = pool.take();
    if (number === 0 || taken.has(number)) faults += 1;
    for (let field = 0; field < 6; field += 1) {
      if (pool.get(number, field) !== 0) faults += 1;
      pool.set(number, field, number);
    }
    taken.add(number);
    held.push(number);
  }
  t.is(faults, 0);
  t.true(pool.blocks.length > 1);
  for (const number of held) pool.give(number);
  t.deepEqual([pool.live, pool.blocks.length], [0, 0]);
});

// L1, L2, through every step of growing and shrinking, with hashes that meet and hashes that do not.
for (const [what, hashOf] of [
  ['spread', (key: number) => Math.imul(key, 0x9e3779b1)],
  ['in step', (key: number) => key],
  ['all in a few', (key: number) => key % 5],
  ['negative', (key: number) => -key],
] as const) {
  test(`a table finds what was linked and nothing else, up and down again: hashes ${what}`, (t) => {
    const pool = new RecordPool(2);
    const table = new LinearHash(pool, (record) => hashOf(pool.get(record, 1)));
    const find = (key: number): number => {
      let record = table.head(hashOf(key));
      while (record !== 0 && pool.get(record, 1) !== key) record = pool.get(record, 0);
      return record;
    };
    const count = what === 'all in a few' ? 701 : 20_000;
    const records = new Map<number, number>();
    let faults = 0;
    for (let key = 0; key < count; key += 1) {
      const record = pool.take();
      pool.set(record, 1, key);
      table.link(hashOf(key), record);
      records.set(key, record);
      for (const other of [0, key >> 1, key, key + 1]) {
        if (find(other) !== (records.get(other) ?? 0)) faults += 1;
      }
    }
    t.true(table.buckets * 3 >= count * 2 && table.buckets <= count + 16);
    for (let key = 0; key < count; key += 1) {
      const gone = (key * 7) % count;
      const record = records.get(gone) ?? 0;
      table.unlink(hashOf(gone), record);
      pool.give(record);
      records.delete(gone);
      for (const other of [gone, count >> 1, (gone + 7) % count]) {
        if (find(other) !== (records.get(other) ?? 0)) faults += 1;
      }
    }
    t.is(faults, 0);
    t.deepEqual([table.count, table.buckets], [0, 16]);
  });
}

// K1, with keys that differ in one number and a hash that tells nothing apart.
test('a key is there from its first add to its last remove', (t) => {
  const random = seeded(t);
  for (const text of [new TextHash(), new TextHash(new Int32Array(textFactors))]) {
    const keys = new CountedKeys(text);
    const counts = new Map<string, number>();
    let faults = 0;
    for (let step = 0; step < 20_000; step += 1) {
      const key = [random.below(4), random.below(4), random.below(5) - 1] as const;
      const count = counts.get(key.join()) ?? 0;
      if (keys.has(...key) !== count > 0) faults += 1;
      if (count > 0 && random.oneIn(2)) {
        keys.remove(...key);
        counts.set(key.join(), count - 1);
      } else {
        keys.add(...key);
        counts.set(key.join(), count + 1);
      }
    }
    t.is(faults, 0);
    for (const [key, count] of counts) {
      const [one = 0, two = 0, three = 0] = key.split(',').map(Number);
      for (let left = count; left > 0; left -= 1) keys.remove(one, two, three);
    }
    t.is(keys.size, 0);
  }
});

const texts = ['', 'a', 'ab', 'boost', 'boosted', 'x'.repeat(16), 'x'.repeat(17), 'x'.repeat(12), 'y'.repeat(300)];
const wideTexts = [
  'ü',
  '\u0100',
  'a\u0100',
  '\u{1f680}',
  '\u{1f681}',
  'boost\u2603',
  '\u0100'.repeat(8),
  'ü'.repeat(40),
];
const longest = 'z'.repeat(textBytesMax);

// N1, N2, with a hash that tells nothing apart too.
for (const [what, make] of [
  ['of its own', () => new TextHash()],
  ['that is always the same', () => new TextHash(new Int32Array(textFactors))],
] as const) {
  test(`equal names are one node and unequal ones are not: a hash ${what}`, (t) => {
    const names = new NameTrie(make());
    const ensure = (parent: Name, kind: NameKind, text: string): Name => {
      const bytes = Buffer.from(text);
      return names.ensure(parent, kind, bytes, 0, bytes.length);
    };
    const find = (parent: Name, kind: NameKind, text: string): Name => {
      const bytes = Buffer.from(`<${text}>`);
      return names.find(parent, kind, bytes, 1, bytes.length - 1);
    };
    const seen = new Map<Name, string>();
    const held: Name[] = [];
    for (const kind of [wholeSegment, beginning, extension] as const) {
      for (const text of [...texts, ...wideTexts, longest]) {
        t.is(find(0, kind, text), noName);
        const name = ensure(0, kind, text);
        t.false(seen.has(name), text);
        seen.set(name, text);
        held.push(name, ensure(0, kind, text));
        t.is(held.at(-1), name);
        t.is(find(0, kind, text), name);
      }
    }
    t.is(names.size, seen.size);
    const parent = ensure(0, wholeSegment, 'boost');
    held.push(parent);
    // The reference that `ensure` takes over.
    const child = ensure(ensure(0, wholeSegment, 'boost'), wholeSegment, 'boost');
    t.not(child, parent);
    t.is(find(parent, wholeSegment, 'boost'), child);
    names.release(child);
    t.is(find(parent, wholeSegment, 'boost'), noName);
    for (const name of held) names.release(name);
    t.is(names.size, 0);
    t.is(find(0, wholeSegment, 'boost'), noName);
  });
}

// N3. A length that stays is looked up with each event for ever; one that is missing is a filter that never matches.
test('the lengths of beginnings are those in use', (t) => {
  const names = new NameTrie(new TextHash());
  const bytes = Buffer.from('reports');
  const held = [5, 2, 5, 0].map((length) => names.ensure(0, beginning, bytes, 0, length));
  t.deepEqual(names.beginningLengths, [0, 2, 5]);
  t.true(names.hasBeginnings(0));
  names.release(held[0] ?? 0);
  t.deepEqual(names.beginningLengths, [0, 2, 5]);
  for (const name of held.slice(1)) names.release(name);
  t.deepEqual(names.beginningLengths, []);
  t.false(names.hasBeginnings(0));
});

// Without it the names that collide for one process would collide for all, and could be made up beforehand.
test('two indexes do not share a hash', (t) => {
  const hashes = [new TextHash(), new TextHash()].map((text) => {
    text.pack(Buffer.from('boost'), 0, 5);
    return text.hash;
  });
  t.not(hashes[0], hashes[1]);
});
