/** One thing wrong with what a caller sent: where (a path of names and indexes) and why. */
export interface Fault {
  readonly field: readonly (string | number)[];
  readonly reason: string;
}

/** The input is refused as a whole; nothing of it was applied. */
export class InvalidInputError extends Error {
  override readonly name = 'InvalidInputError';
  readonly faults: readonly Fault[];
  constructor(faults: readonly Fault[]) {
    const first = faults[0];
    super(first === undefined ? 'invalid input' : `${first.field.join('.')}: ${first.reason}`);
    this.faults = faults;
  }
}

export type AppendFailure =
  | 'journal-closed'
  | 'journal-full' // disk full, or the map's limit
  | 'journal-read-only'
  | 'journal-failed'
  | 'terminal-final' // an execution that is over cannot change its status
  | 'source-id-conflict' // the same source_id with different input
  | 'tags-exceeded'
  | 'overloaded'; // too many appends are waiting

/** An append did not happen. No partial batch is ever stored. `faults` is filled when trying again cannot help until the input is another. */
export class AppendError extends Error {
  override readonly name = 'AppendError';
  readonly code: AppendFailure;
  readonly faults: readonly Fault[];
  constructor(
    code: AppendFailure,
    detail: string,
    options: ErrorOptions & { readonly faults?: readonly Fault[] } = {},
  ) {
    super(detail, options);
    this.code = code;
    this.faults = options.faults ?? [];
  }
}

/** Too much of something that frees up by itself: the same again after `retryAfterMs` is likely to be let in. */
export class ThrottledError extends Error {
  override readonly name = 'ThrottledError';
  readonly retryAfterMs: number;
  constructor(detail: string, retryAfterMs: number) {
    super(detail);
    this.retryAfterMs = retryAfterMs;
  }
}

/** A record that must be there is not, or is not what was stored. Nothing that is read across this place would be whole. */
export class JournalDamagedError extends Error {
  override readonly name = 'JournalDamagedError';
  readonly sequence: number;
  constructor(sequence: number, place: string) {
    super(
      `the journal is damaged: record ${sequence} of ${place} is missing or unreadable; ` +
        'stop the bus and run `rivulet bus --repair`, which keeps what is readable',
    );
    this.sequence = sequence;
  }
}

export type BusFailure =
  | 'unavailable'
  | 'deadline'
  | 'invalid'
  | 'conflict'
  | 'terminal'
  | 'exhausted' // the disk, or a bound that no retry helps with
  | 'throttled' // a rate, or places that free up: again after `retryAfterMs`
  | 'damaged' // the journal lacks a record
  | 'too-old'
  | 'identity'
  | 'internal';

/** A call to the bus did not succeed. `faults` is filled when `code` is `invalid`, and when an execution would have too many tags. */
export class BusError extends Error {
  override readonly name = 'BusError';
  readonly code: BusFailure;
  readonly faults: readonly Fault[];
  /** Given with `throttled`; null where nobody knows. */
  readonly retryAfterMs: number | null;
  constructor(
    code: BusFailure,
    detail: string,
    faults: readonly Fault[] = [],
    options: ErrorOptions & { readonly retryAfterMs?: number | null } = {},
  ) {
    super(detail, options);
    this.code = code;
    this.faults = faults;
    this.retryAfterMs = options.retryAfterMs ?? null;
  }
}

/** Threads that do not come back, with sockets open: they can be ended neither by themselves nor by us, only with the whole process. */
export class StuckThreadError extends Error {
  override readonly name = 'StuckThreadError';
  constructor(names: readonly string[]) {
    super(`${names.join(', ')} cannot be closed: no answer`);
  }
}

/** A condition that stops the program at start, said in one line. `exitCode` 2: the caller's words; 1: the world's state. */
export class StartError extends Error {
  override readonly name = 'StartError';
  readonly exitCode: 1 | 2;
  constructor(message: string, exitCode: 1 | 2, options?: ErrorOptions) {
    super(message, options);
    this.exitCode = exitCode;
  }
}
