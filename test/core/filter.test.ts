import test from 'ava';
import { compileFilter, filterKey, matchesNothing, openFilter, parseFilter } from '../../src/core/filter.ts';
import { randomFilter, randomPath, randomStage } from '../support/filter-cases.ts';
import { naiveMatches } from '../support/naive-match.ts';
import { seeded } from '../support/seed.ts';

type Case = [stage: string | null, path: string | null, extension: string | null, event: string, matches: boolean];

/** `event` is stage, a colon, path. */
const cases: Case[] = [
  [null, null, null, 'boost:a.md', true],
  ['', '', '', 'boost:a.md', true],
  ['boost', null, null, 'boost:a.md', true],
  ['boost', null, null, 'boost/routines:a.md', true],
  ['boost', null, null, 'boosted:a.md', false],
  ['boost', null, null, 'Boost:a.md', false],
  ['boost*', null, null, 'boosted/x:a.md', true],
  ['boost*', null, null, 'boost:a.md', true],
  ['boost/*', null, null, 'boost:a.md', false],
  ['boost/*', null, null, 'boost/x:a.md', true],
  ['*', null, null, 'x:a.md', true],
  ['/*', '*/', null, 'x:a.md', true],
  ['bo*st', null, null, 'boost:a.md', false],
  ['bo*st', null, null, 'bo*st:a.md', true],
  ['b**', null, null, 'b*x:a.md', true],
  ['b**', null, null, 'bx:a.md', false],
  ['//boost//', null, null, 'boost/x:a.md', true],
  ['/', null, null, 'boost:a.md', true],
  ['boost//x', null, null, 'boost/x:a.md', false],
  ['.', null, null, 'boost:a.md', false],
  ['boost/..', null, null, 'boost:a.md', false],
  ['boost/.*', null, null, 'boost/.x:a.md', true],
  ['boost/..*', null, null, 'boost/..x:a.md', true],
  ['./b*', null, null, 'b:a.md', false],
  [null, 'reports', null, 's:reports/a.md', true],
  [null, 'reports', null, 's:reports.md', false],
  [null, 'reports/a.md', null, 's:reports/a.md', true],
  [null, 'reports/a*', null, 's:reports/a.md', true],
  [null, 'a.md', null, 's:reports/a.md', false],
  ['reports', 'a.md', null, 'reports:a.md', true],
  [null, null, 'md', 's:a.md', true],
  [null, null, '.MD', 's:a.md', true],
  [null, null, '.md', 's:A.MD', true],
  [null, null, 'md', 's:.md', false],
  [null, null, 'md', 's:a/.md', false],
  [null, null, 'md', 's:amd', false],
  [null, null, '.tar.gz', 's:a.tar.gz', true],
  [null, null, '.tar.gz', 's:.tar.gz', false],
  [null, null, 'gz', 's:.tar.gz', true],
  [null, null, '.gz', 's:a.tar.gz', true],
  [null, null, 'tar', 's:a.tar.gz', false],
  [null, null, '.', 's:a.', true],
  [null, null, 'k', 's:a.\u212a', false], // KELVIN SIGN: `toLowerCase` would make it a k
  [null, null, '/a.md', 's:x./a.md', false],
  ['s', 'a', '.md', 's:a/x.md', true],
  ['s', 'a', '.md', 's:a/x.txt', false],
  ['t', 'a', '.md', 's:a/x.md', false],
];

for (const [stage, path, extension, event, matches] of cases) {
  test(`${JSON.stringify([stage, path, extension])} ${matches ? 'takes' : 'leaves'} ${event}`, (t) => {
    const filter = parseFilter(stage, path, extension);
    const [eventStage = '', eventPath = ''] = event.split(':');
    t.is(compileFilter(filter)(eventStage, eventPath), matches);
    t.is(naiveMatches(filter, eventStage, eventPath), matches);
  });
}

test('texts that mean the same give the same filter', (t) => {
  t.deepEqual(parseFilter('/boost/', '//a/b//', 'MD'), { stage: 'boost', path: 'a/b', extension: '.md' });
  for (const nothing of [null, '', '/', '//', '*', '/*', '*/'])
    t.deepEqual(parseFilter(nothing, nothing, null), openFilter);
});

// Interning puts connections with one key into one group: two filters with one key would see each other's events.
test('keys differ when filters do', (t) => {
  const filters = [
    openFilter,
    { stage: 'a', path: null, extension: null },
    { stage: null, path: 'a', extension: null },
    { stage: null, path: null, extension: 'a' },
    { stage: 'a","b', path: null, extension: null },
    { stage: 'a', path: 'b', extension: null },
    { stage: 'null', path: null, extension: null },
    { stage: 'a\0b', path: null, extension: null },
  ];
  t.is(new Set(filters.map(filterKey)).size, filters.length);
  t.is(filterKey({ stage: 'a', path: null, extension: '.b' }), filterKey(parseFilter('/a', '', 'B')));
});

test('a filter agrees with a naive one', (t) => {
  const random = seeded(t);
  let matches = 0;
  for (let round = 0; round < 200_000; round += 1) {
    const filter = randomFilter(random);
    const stage = randomStage(random);
    const path = randomPath(random);
    const expected = naiveMatches(filter, stage, path);
    if (expected) matches += 1;
    if (compileFilter(filter)(stage, path) !== expected || (expected && matchesNothing(filter))) {
      t.fail(`${JSON.stringify(filter)} on ${stage} and ${path}: expected ${expected}`);
      return;
    }
  }
  t.log(`${matches} matches`);
  t.true(matches > 10_000);
});
