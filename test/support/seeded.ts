import type { ExecutionContext } from 'ava';

export interface Random {
  /** A whole number in [0, below). */
  below(below: number): number;
  pick<T>(items: readonly [T, ...T[]]): T;
}

/** A repeatable source (mulberry32). The seed is printed; RIVULET_SEED in the environment of a test run sets it. */
export function seeded(t: ExecutionContext, fallback: number): Random {
  const given = process.env['RIVULET_SEED'];
  const seed = given === undefined ? fallback : Number(given);
  t.log(`seed ${seed}`);
  let state = seed >>> 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
  const below = (bound: number): number => Math.floor(next() * bound);
  return { below, pick: (items) => items[below(items.length)] ?? items[0] };
}
