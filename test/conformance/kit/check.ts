import { isDeepStrictEqual } from 'node:util';

/** What a check runs against: one connection's worth of doors, closed when the check is over, however it ends. */
export interface Door {
  /** What the check waits for, in words; null when it waits for nothing. */
  readonly waiting: string | null;
  close(): void;
}

/** One promise of the contract. */
export interface Check<D extends Door> {
  /** Stable: `http/stream/ready-first`. */
  readonly id: string;
  /** Where the contract makes the promise. */
  readonly section: string;
  /** Takes longer than 10 s by nature; runs with `slow` only, beside the others. */
  readonly slow?: true;
  readonly run: (door: D) => Promise<void>;
}

/** The promise is broken. */
export class CheckFailure extends Error {
  override readonly name = 'CheckFailure';
  readonly expected: unknown;
  readonly got: unknown;
  constructor(what: string, { expected, got }: { readonly expected: unknown; readonly got: unknown }) {
    super(what);
    this.expected = expected;
    this.got = got;
  }
}

/** The check cannot be made here; the text says why. */
export class CheckSkipped extends Error {
  override readonly name = 'CheckSkipped';
}

export function equal(got: unknown, expected: unknown, what: string): void {
  if (!isDeepStrictEqual(got, expected)) throw new CheckFailure(what, { expected, got });
}

export function matches(got: unknown, pattern: RegExp, what: string): void {
  if (typeof got !== 'string' || !pattern.test(got)) throw new CheckFailure(what, { expected: pattern.source, got });
}

/** For what is neither an equality nor a pattern: `what` says what was expected. */
export function holds(condition: boolean, what: string, got: unknown): asserts condition {
  if (!condition) throw new CheckFailure(what, { expected: what, got });
}

/** The value, or a failure that names it. */
export function present<T>(value: T | null | undefined, what: string): T {
  if (value === null || value === undefined) throw new CheckFailure(what, { expected: what, got: value });
  return value;
}

export function rising(ids: readonly string[], what: string): void {
  const at = ids.findIndex((id, index) => index > 0 && id <= (ids[index - 1] ?? ''));
  if (at > 0) throw new CheckFailure(what, { expected: `above ${ids[at - 1] ?? ''}`, got: ids[at] });
}
