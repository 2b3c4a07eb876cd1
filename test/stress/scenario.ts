import type { Lack } from '../support/disk.ts';
import type { Random } from '../support/seed.ts';
import type { Owner } from '../support/system.ts';

/** One promise of the program and the trouble under which it is checked. */
export interface Scenario {
  /** `topic: what`, lower case; a beginning of it selects it. */
  readonly name: string;
  /** What must hold, exactly, in one sentence. */
  readonly invariant: string;
  /** Whether `npm test` runs it: at most about 6 seconds. */
  readonly quick: boolean;
  /** It fails when it takes longer; `scenarioSecondsMax` when it does not say. */
  readonly secondsMax?: number;
  run(context: StressContext): Promise<void>;
}

/** What a scenario runs with. Everything it starts belongs to it (`teardown`) and is ended in reverse order. */
export interface StressContext extends Owner {
  readonly seed: number;
  readonly random: Random;
  /** Draws of its own for one actor, so that what one draws does not depend on when another does. */
  fork(): Random;
  log(text: string): void;
  /** Counts comparisons that were made, or trouble that was made: `deliveries`, `kills`. A scenario that counts nothing fails. */
  checked(what: string, count: number): void;
  /** What to say beside a failure: positions of a journal, the end of a log. */
  onFailure(describe: () => string | Promise<string>): void;
}

/** What the scenario needs is not to be had on this machine. It is told as that, neither passed over in silence nor failed. */
export class NotCheckedError extends Error {
  override readonly name = 'NotCheckedError';
  readonly lack: Lack;

  constructor(lack: Lack) {
    super(`NOT CHECKED HERE: ${lack.what}`);
    this.lack = lack;
  }
}

/** An invariant does not hold. The text names the first difference. */
export class InvariantError extends Error {
  override readonly name = 'InvariantError';
}

/** Fails the scenario unless it holds. */
export function hold(condition: boolean, otherwise: string | (() => string)): asserts condition {
  if (!condition) throw new InvariantError(typeof otherwise === 'string' ? otherwise : otherwise());
}
