import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { latencyFromAnswer, latencyOf } from '../../bench/path/arrivals.ts';

test('a percentile is a value that was measured: the least that so many stay within', (t) => {
  const hundred = Float64Array.from({ length: 100 }, (_, index) => 100 - index);
  t.deepEqual(latencyOf(hundred), { p50Ms: 50, p99Ms: 99 });
});

// Swapped words, a wrong unit or a wrong sign would print a plausible latency.
test('from the answer: what a delivery took, less what its own event took to be answered', (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'rivulet-arrivals-'));
  t.teardown(() => {
    rmSync(directory, { recursive: true });
  });
  const file = join(directory, 'arrivals');
  // Event 1 after 5 ms on one stream and 9 on the other, event 0 after 2 ms; answered after 4 and 3 ms.
  writeFileSync(file, Uint32Array.from([1, 50_000, 0, 20_000, 1, 90_000]));
  t.deepEqual(latencyFromAnswer(file, Float64Array.from([3, 4])), { p50Ms: 1, p99Ms: 5 });
});
