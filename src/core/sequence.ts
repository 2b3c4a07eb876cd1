import type { Brand } from './brand.ts';

/**
 * A position in the journal: record n has sequence n, the first has 1, and 0 stands before the first.
 *
 * 52 bits: safe in a Number (2^53), and 142 years at a million records a second.
 */
export type Sequence = Brand<number, 'Sequence'>;

export const sequenceMax = 2 ** 52 - 1;

/** Before the first record: nothing has been seen yet. */
export const sequenceNone = 0 as Sequence;

export type ShardIndex = Brand<number, 'ShardIndex'>;

export function isSequence(value: number): value is Sequence {
  return Number.isInteger(value) && value >= 0 && value <= sequenceMax;
}

/** The only door from a number to a Sequence. Throws RangeError outside 0..2^52-1: that is a bug or a corrupt record, never weather. */
export function toSequence(value: number): Sequence {
  if (!isSequence(value)) throw new RangeError(`not a journal sequence: ${value}`);
  return value;
}
