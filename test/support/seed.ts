import { randomInt } from 'node:crypto';
import type { ExecutionContext } from 'ava';

/** Draws for a property test. */
export interface Random {
  readonly seed: number;
  /** A whole number from 0 to `below` - 1. */
  below(below: number): number;
  /** True once in `n`. */
  oneIn(n: number): boolean;
  pick<Item>(items: readonly Item[]): Item;
}

/** The same draws for the same seed (mulberry32). */
export function randomFrom(seed: number): Random {
  let state = seed >>> 0;
  const below = (bound: number): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * bound);
  };
  return {
    seed,
    below,
    oneIn: (n) => below(n) === 0,
    pick: (items) => {
      const item = items[below(items.length)];
      if (item === undefined) throw new RangeError('pick from an empty list');
      return item;
    },
  };
}

/** A new seed each run, printed with the test: hand it in as `seed` to see the same run again. */
export function seeded(t: ExecutionContext, seed: number = randomInt(2 ** 32)): Random {
  t.log(`seed ${seed}`);
  return randomFrom(seed);
}
