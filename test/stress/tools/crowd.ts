import { setTimeout as sleep } from 'node:timers/promises';
import type { Random } from '../../support/seed.ts';
import { PatienceError } from '../../support/until.ts';
import type { StressContext } from '../scenario.ts';
import { Member, type MemberPlan } from './member.ts';

export interface CrowdSettings {
  readonly count: number;
  readonly plan: (index: number, random: Random) => Omit<MemberPlan, 'name'>;
  /** How long a member waits before it comes back; asked each time. */
  readonly backMs?: (random: Random) => number;
}

const backMsOrdinary = (random: Random): number => 30 + random.below(170);

/** Members that come back with their last id whenever a stream has ended, until they are told that all is over. */
export class Crowd {
  readonly members: readonly Member[];
  readonly #context: StressContext;
  readonly #randoms: readonly Random[];
  #backMs: (random: Random) => number;
  #stopping = false;
  /** While false, nobody comes back. */
  #returning = true;
  #loops: readonly Promise<void>[] = [];

  constructor(context: StressContext, settings: CrowdSettings) {
    this.#context = context;
    this.#backMs = settings.backMs ?? backMsOrdinary;
    const random = context.fork();
    this.#randoms = Array.from({ length: settings.count }, () => context.fork());
    this.members = this.#randoms.map(
      (_, index) => new Member({ name: `member ${index}`, ...settings.plan(index, random) }),
    );
  }

  /** All connect, at most `atOnce` of them between request and `ready`; settles when each has been told where it begins. */
  async join(atOnce = 200): Promise<this> {
    this.#context.teardown(() => this.leave());
    const loops: Promise<void>[] = [];
    const { members } = this;
    for (let from = 0; from < members.length; from += atOnce) {
      const some = members.slice(from, from + atOnce);
      loops.push(...some.map((member, place) => this.#live(member, this.#randoms[from + place])));
      await this.until(() => some.every(({ readies }) => readies > 0), 'all are told where they begin');
    }
    this.#loops = loops;
    return this;
  }

  async leave(): Promise<void> {
    this.#stopping = true;
    for (const member of this.members) member.cut();
    await Promise.all(this.#loops);
  }

  /** Cuts all of them in one step; they come back after their pauses, or when `letBack` says so. */
  cutAll(back: 'as they like' | 'when let' = 'as they like'): void {
    this.#returning = back === 'as they like';
    for (const member of this.members) member.cut();
  }

  /** From now on they come back, each after a pause of its own drawing. */
  letBack(backMs: (random: Random) => number = this.#backMs): void {
    this.#backMs = backMs;
    this.#returning = true;
  }

  async until(condition: () => boolean, what: string, patience = 60_000): Promise<void> {
    const startMs = performance.now();
    while (!condition()) {
      if (performance.now() - startMs > patience) throw new PatienceError(`not within ${patience} ms: ${what}`);
      await sleep(25);
    }
  }

  /** Waits until each has a stream, or has been told that all is over. */
  async back(): Promise<void> {
    const { members } = this;
    const away = (): number => members.filter(({ open, finished }) => !open && !finished).length;
    // A minute, and for thousands as long as a busy machine takes for their connections: when they are back is no promise, that they are is.
    const patience = 60_000 + 40 * members.length;
    await this.until(() => away() === 0, `all ${members.length} are back`, patience).catch((error: unknown) => {
      throw new PatienceError(`${String(error)}: ${away()} are away`);
    });
  }

  async #live(member: Member, random: Random | undefined): Promise<void> {
    if (random === undefined) return;
    while (!this.#stopping && !member.finished) {
      await member.connect();
      if (this.#over(member)) return;
      while (!this.#mayReturn()) await sleep(10);
      if (this.#over(member)) return;
      await sleep(this.#backMs(random));
    }
  }

  #over({ finished }: Member): boolean {
    return this.#stopping || finished;
  }

  #mayReturn(): boolean {
    return this.#returning || this.#stopping;
  }
}
