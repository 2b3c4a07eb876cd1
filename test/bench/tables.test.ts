import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { figure } from '../../bench/harness.ts';
import { type Result, readResults } from '../../bench/report/result.ts';
import { shownNumber, tables, withTables } from '../../bench/report/tables.ts';
import { projectRoot } from '../support/source-files.ts';

const result: Result = {
  bench: 'fanout',
  at: '2026-11-25T10:00:00.000Z',
  command: 'node build/bench/path/fanout.js',
  machine: { cores: 2, model: 'A', memoryGiB: 4, kernel: '6', node: 'v20', v8: '11', load: 1, loopNsPerByte: 1 },
  loadAverage: [0.5, 1, 1],
  pinning: 'nothing pinned',
  versions: ['nchan 1.3.6'],
  figures: [
    figure('deliveries', 'per second', [1_000_000, 2_000_000, 3_000_000], 'Rivulet'),
    figure('p99', 'ms', [2.345], 'Rivulet'),
    figure('deliveries', 'per second', [123_456], 'nchan'),
    figure('ratio', '', [0.8, 0.9]),
  ],
  unmeasured: [{ what: 'Pushpin', reason: 'apt-get install pushpin' }],
  runs: [],
};

test('who was measured is a row, what was measured a column, and what was not measured an empty place', (t) => {
  const lines = tables([result]).split('\n');
  t.true(lines.includes('| Rivulet | 2.00 M (1.00 M to 3.00 M) | 2.35 |'));
  t.true(lines.includes('| nchan | 123 k |  |'));
  t.true(lines.includes('| ratio | 0.85 (0.80 to 0.90) |'));
  t.true(lines.includes('**Not measured**: Pushpin: apt-get install pushpin.'));
});

test('numbers keep three digits that count', (t) => {
  t.deepEqual([0, 0.012_34, 9.876, 1234, 9_999, 999_600].map(shownNumber), [
    '0',
    '0.012',
    '9.88',
    '1234',
    '10.0 k',
    '1.00 M',
  ]);
});

// Figures that are edited by hand, or made from results that nobody can see, are claims.
test('the tables of docs/BENCHMARKS.md are those of docs/measured: npm run bench:report', (t) => {
  const document = readFileSync(join(projectRoot, 'docs/BENCHMARKS.md'), 'utf8');
  const results = readResults(join(projectRoot, 'docs/measured'));
  t.is(withTables(document, results), document);
  t.not(withTables(document, [result]), document);
});
