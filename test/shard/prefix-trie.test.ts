import test from 'ava';
import { type Filter, parseFilter } from '../../src/core/filter.ts';
import { type KeyedHandle, KeyedTrie } from '../support/keyed-trie.ts';

const execution = 'e1';

/** The index with entries that have names. */
class NamedTrie {
  readonly keyed = new KeyedTrie();
  readonly #labels: string[] = [];

  add(key: string, filter: Filter, label: string): KeyedHandle {
    return this.keyed.add(key, filter, this.#labels.push(label) - 1);
  }

  match(stage: string, path: string, key: string = execution): string[] {
    return this.keyed
      .match(key, stage, path)
      .map((entry) => this.#labels[entry] ?? 'no such entry')
      .sort();
  }
}

function match(trie: NamedTrie, stage: string, path: string, key: string = execution): string[] {
  return trie.match(stage, path, key);
}

/** Each filter is its own entry, named `stage path extension`. */
function trieOf(...filters: [stage: string | null, path: string | null, extension: string | null][]): NamedTrie {
  const trie = new NamedTrie();
  for (const [stage, path, extension] of filters) {
    trie.add(execution, parseFilter(stage, path, extension), `${stage ?? '-'} ${path ?? '-'} ${extension ?? '-'}`);
  }
  return trie;
}

test('an event finds filters at every depth of its stage and path', (t) => {
  const trie = trieOf(
    [null, null, null],
    ['boost', null, null],
    ['boost/routines', null, null],
    ['boost', 'reports', null],
    [null, 'reports/a.md', null],
    [null, null, 'md'],
    ['boost', 'reports', 'txt'],
    ['boosted', null, null],
  );
  t.deepEqual(match(trie, 'boost/routines', 'reports/a.md'), [
    '- - -',
    '- - md',
    '- reports/a.md -',
    'boost - -',
    'boost reports -',
    'boost/routines - -',
  ]);
  t.deepEqual(match(trie, 'boosted', 'x'), ['- - -', 'boosted - -']);
});

test('a trailing star takes beginnings of a segment, of different lengths', (t) => {
  const trie = trieOf(
    ['bo*', null, null],
    ['boost*', null, null],
    ['boo/*', null, null],
    ['b/x*', 'r*', null],
    ['bx*', null, null],
  );
  t.deepEqual(match(trie, 'boost', 'x'), ['bo* - -', 'boost* - -']);
  t.deepEqual(match(trie, 'bo', 'x'), ['bo* - -']);
  t.deepEqual(match(trie, 'boo', 'x'), ['bo* - -']);
  t.deepEqual(match(trie, 'boo/y', 'x'), ['bo* - -', 'boo/* - -']);
  t.deepEqual(match(trie, 'b/xyz/q', 'reports/a'), ['b/x* r* -']);
});

test('several dots: each ending is an extension, unless its dot comes first', (t) => {
  const trie = trieOf([null, null, 'gz'], [null, null, 'tar.gz'], [null, null, '.a.tar.gz'], [null, null, 'z']);
  t.deepEqual(match(trie, 's', 'd/a.TAR.gz'), ['- - gz', '- - tar.gz']);
  t.deepEqual(match(trie, 's', '.tar.gz'), ['- - gz']);
  t.deepEqual(match(trie, 's', 'x.a.tar.gz'), ['- - .a.tar.gz', '- - gz', '- - tar.gz']);
  t.deepEqual(match(trie, 's.gz', 'gz'), []);
});

// The endings of one event are kept while it is matched: the next one must not see them.
test('the endings of one event are not those of the next', (t) => {
  const trie = trieOf([null, null, 'md'], [null, null, 'gz']);
  t.deepEqual(match(trie, 's', 'a.md'), ['- - md']);
  t.deepEqual(match(trie, 's', 'a.gz'), ['- - gz']);
  t.deepEqual(match(trie, 's', 'a'), []);
});

test('names that JavaScript objects have by birth are plain names', (t) => {
  const trie = trieOf(['__proto__', null, null], ['constructor', 'toString', '.__proto__']);
  t.deepEqual(match(trie, '__proto__', 'x'), ['__proto__ - -']);
  t.deepEqual(match(trie, 'constructor', 'toString/a.__proto__'), ['constructor toString .__proto__']);
  t.deepEqual(match(trie, 'hasOwnProperty', 'x'), []);
});

test('root keys do not see each other', (t) => {
  const trie = new NamedTrie();
  const open: Filter = { stage: null, path: null, extension: null };
  trie.add('one', open, 'A');
  trie.add('two', open, 'B');
  t.deepEqual(match(trie, 's', 'p', 'one'), ['A']);
  t.deepEqual(match(trie, 's', 'p', 'two'), ['B']);
  t.deepEqual(match(trie, 's', 'p', 'three'), []);
});

test('the same filter and entry may be there twice, and are removed one by one', (t) => {
  const trie = new NamedTrie();
  const filter = parseFilter('s', 'p', 'md');
  const first = trie.add(execution, filter, 'A');
  const second = trie.add(execution, filter, 'A');
  trie.add(execution, filter, 'B');
  t.deepEqual(match(trie, 's', 'p/x.md'), ['A', 'A', 'B']);
  trie.keyed.remove(first);
  t.deepEqual(match(trie, 's', 'p/x.md'), ['A', 'B']);
  trie.keyed.remove(second);
  t.deepEqual(match(trie, 's', 'p/x.md'), ['B']);
  t.is(trie.keyed.trie.size, 1);
});

test('a filter that matches nothing is taken, found by none, and removed', (t) => {
  const trie = new NamedTrie();
  const handles = ['a//b', '.', '../a', 'a/./b*'].map((stage) =>
    trie.add(execution, parseFilter(stage, null, null), stage),
  );
  t.is(trie.keyed.trie.size, 4);
  t.deepEqual(match(trie, 'a', 'p'), []);
  for (const handle of handles) trie.keyed.remove(handle);
  t.is(trie.keyed.trie.size, 0);
});

// T1. Executions come and go for months: what is left of one that is gone is a leak.
test('after the last removal nothing is left, whatever the order', (t) => {
  const trie = new KeyedTrie();
  for (const order of [1, -1]) {
    const handles = Array.from({ length: 500 }, (_, index) => {
      const stage = [null, 'a', 'a/b', 'a/b*', '*', 'a/*'][index % 6] ?? null;
      const path = [null, 'x', 'x/y', 'x*', 'x/y*'][index % 5] ?? null;
      return trie.add(`k${index % 7}`, parseFilter(stage, path, [null, 'md', 'tar.gz'][index % 3] ?? null), index);
    });
    t.is(trie.trie.rootCount, 7);
    for (const handle of order === 1 ? handles : handles.reverse()) trie.remove(handle);
    t.is(trie.trie.size, 0);
    t.is(trie.trie.rootCount, 0);
  }
});

test('a root that is gone and comes back is a new one', (t) => {
  const trie = new NamedTrie();
  trie.keyed.remove(trie.add(execution, parseFilter('a', null, null), 'A'));
  t.is(trie.keyed.trie.rootCount, 0);
  trie.add(execution, parseFilter('a', null, null), 'B');
  t.deepEqual(match(trie, 'a', 'p'), ['B']);
});
