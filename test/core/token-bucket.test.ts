import test from 'ava';
import { TokenBucket } from '../../src/core/token-bucket.ts';

test('a burst is there at once, one more is there when the rate has brought it', (t) => {
  const bucket = new TokenBucket(10, 5, 1_000);
  for (let n = 0; n < 5; n += 1) t.is(bucket.take(1, 1_000), 0);
  t.is(bucket.take(1, 1_000), 100);
  t.is(bucket.take(1, 1_099), 1);
  t.is(bucket.take(1, 1_100), 0);
  t.is(bucket.take(5, 1_100), 500);
});

// Whoever tries too often would else keep everybody out.
test('a refusal takes nothing, and a long silence fills to the burst only', (t) => {
  const bucket = new TokenBucket(1, 3, 0);
  t.is(bucket.take(3, 0), 0);
  for (let now = 1; now < 1_000; now += 1) t.true(bucket.take(1, now) > 0);
  t.is(bucket.take(1, 1_000), 0);
  t.is(bucket.take(3, 1e9), 0);
  t.is(bucket.take(1, 1e9), 1_000);
});

test('taken one by one for a minute, it is the rate', (t) => {
  const bucket = new TokenBucket(333, 1_000, 0);
  let taken = 0;
  for (let now = 0; now <= 60_000; now += 1) if (bucket.take(1, now) === 0) taken += 1;
  // The burst and 60 s of 333.
  t.true(taken >= 20_979 && taken <= 20_980, String(taken));
});
