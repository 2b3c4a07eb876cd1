import test from 'ava';
import { type Guarded, judge } from '../../bench/guard/judge.ts';

const ratio: Guarded = { bench: 'b', figure: 'f', better: 'higher', baseline: 2, band: 0.25 };

// Without this the guard could be green while the ratio falls, or red because it rose.
test('a ratio is worse only beyond its band, and only in the direction that is worse', (t) => {
  t.is(judge(ratio, 1.49), 'worse');
  t.is(judge(ratio, 1.5), 'holds');
  t.is(judge(ratio, 2.5), 'holds');
  t.is(judge(ratio, 2.51), 'better');
  const cost: Guarded = { ...ratio, better: 'lower' };
  t.is(judge(cost, 2.51), 'worse');
  t.is(judge(cost, 2.5), 'holds');
  t.is(judge(cost, 1.49), 'better');
});

// A bench that divided by nothing must not pass.
test('what is not a number is worse', (t) => {
  t.is(judge(ratio, Number.NaN), 'worse');
  t.is(judge({ ...ratio, better: 'lower' }, Number.NaN), 'worse');
});
