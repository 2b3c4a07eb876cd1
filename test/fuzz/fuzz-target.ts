import type { Random } from '../support/seed.ts';
import type { System } from '../support/system.ts';

/** One case: the bytes, and where a target that sends them in pieces cuts them. */
export interface FuzzCase {
  readonly bytes: Buffer;
  readonly cuts: readonly number[];
}

/** An answer that the contract forbids. Any other error thrown by a check is a failure as well. */
export class FuzzFailure extends Error {
  override readonly name = 'FuzzFailure';
}

/** Throws FuzzFailure; the text is for people, who also get the bytes of the case. */
export function demand(holds: boolean, what: string): asserts holds {
  if (!holds) throw new FuzzFailure(what);
}

export interface Fuzzer {
  /** A case is made of its draws alone, so its seed is enough to make it again. */
  make(random: Random): FuzzCase;
  /** Answers the name of the outcome, for the counts; throws when the contract was broken. */
  check(fuzzCase: FuzzCase): string | Promise<string>;
  /** After each block of cases, and at the end: what can only be told with nothing in flight. Throws as `check` does. */
  settle?(): Promise<void>;
  /** Cases in flight at a time; 1 when absent. */
  readonly parallel?: number;
  /** Lets go of connections; the program goes on. */
  close?(): void;
  /** A failing case is cut down while it still fails. Absent: true. */
  readonly shrinks?: boolean;
}

export interface FuzzTarget {
  readonly name: string;
  /** Cases out of a thousand of a run of all targets. */
  readonly share: number;
  /** Runs against the real program, which is handed in. */
  readonly needsSystem: boolean;
  open(system: System | null): Fuzzer | Promise<Fuzzer>;
}

export const whole = (bytes: Buffer): FuzzCase => ({ bytes, cuts: [] });
