import { systemClock } from '../../src/core/clock.ts';
import { parseStreamQuery, streamRequestOf } from '../../src/edge/stream/parameters.ts';
import { eachPair } from '../../src/edge/stream/query.ts';

/**
 * What one `GET /api/v1/storage/events` costs before the shard sees it. Prints the median of `runs` for each query, and
 * URLSearchParams on the same text as the yardstick for the splitting alone.
 */
const runs = 9;
const runMs = 200;
const uuid = (index: number): string => `018f4c1e-7b2a-7cc3-98c4-${index.toString(16).padStart(12, '0')}`;

const queries: readonly (readonly [name: string, query: string])[] = [
  ['one execution', `execution_id=${uuid(1)}`],
  ['typical', `execution_id=${uuid(1)}&stage=boost%2Froutines&path=reports&extension=.md&timeout=3600&keep_open=true`],
  ['malformed escapes', `execution_id=%zz%FF%E2%82&stage=100%&timeout=1_000`],
  ['refused', 'timeout=abc&keep_open=2'],
  ['1,000 executions', Array.from({ length: 1000 }, (_, index) => `execution_id=${uuid(index)}`).join('&')],
];

/** Nanoseconds a call, median over `runs` of at least `runMs` each. */
function medianNs(action: () => void): number {
  const results: number[] = [];
  for (let run = 0; run < runs; run += 1) {
    const start = systemClock.monotonicMs();
    let calls = 0;
    while (systemClock.monotonicMs() - start < runMs) {
      for (let step = 0; step < 16; step += 1) action();
      calls += 16;
    }
    results.push(((systemClock.monotonicMs() - start) * 1e6) / calls);
  }
  results.sort((left, right) => left - right);
  return results[(runs - 1) / 2] ?? 0;
}

for (const [name, query] of queries) {
  const split = medianNs(() => {
    eachPair(query, () => undefined);
  });
  const yardstick = medianNs(() => {
    new URLSearchParams(query).forEach(() => undefined);
  });
  const whole = medianNs(() => {
    const parsed = parseStreamQuery(query);
    if (parsed.kind === 'ok') streamRequestOf(parsed.parameters, '', '127.0.0.1');
  });
  const ns = (value: number): string => `${Math.round(value).toLocaleString('en')} ns`;
  process.stdout.write(
    `query-parse/${name}: request ${ns(whole)}, split ${ns(split)} (URLSearchParams ${ns(yardstick)})\n`,
  );
}
