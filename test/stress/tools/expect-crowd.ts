import { setTimeout as sleep } from 'node:timers/promises';
import { hold, type StressContext } from '../scenario.ts';
import type { Journal } from './journal.ts';
import type { Member } from './member.ts';

/** What the whole journal owes each watch, worked out once: thousands of clients share a few dozen watches. */
class Owed {
  readonly #journal: Journal;
  readonly #all = new Map<string, readonly string[]>();

  constructor(journal: Journal) {
    this.#journal = journal;
  }

  /** Behind `after` (null: all) and up to `until` (null: all). */
  of(member: Member, after: string | null, until: string | null): readonly string[] {
    const all = this.#whole(member);
    const from = after === null ? 0 : placeBehind(all, after);
    return all.slice(from, until === null ? all.length : placeBehind(all, until));
  }

  countBehind(member: Member, after: string | null): number {
    const all = this.#whole(member);
    return all.length - (after === null ? 0 : placeBehind(all, after));
  }

  #whole({ plan: { watch } }: Member): readonly string[] {
    const key = JSON.stringify(watch);
    let all = this.#all.get(key);
    if (all === undefined) {
      all = this.#journal.owed(watch, null, null);
      this.#all.set(key, all);
    }
    return all;
  }
}

/** How many of them stand at or before the id. */
function placeBehind(ids: readonly string[], id: string): number {
  let low = 0;
  let high = ids.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((ids[middle] ?? '') <= id) low = middle + 1;
    else high = middle;
  }
  return low;
}

interface Stretch {
  readonly after: string | null;
  readonly ids: readonly string[];
}

/** What came between the start, the gaps and the end. */
function stretchesOf({ plan, start, gaps, ids }: Member): Stretch[] {
  const begins = [{ after: plan.from === 'earliest' ? null : start, at: 0 }];
  begins.push(...gaps.map(({ id, at }) => ({ after: id, at })));
  return begins.map(({ after, at }, index) => ({ after, ids: ids.slice(at, begins[index + 1]?.at) }));
}

export interface CrowdExpectation {
  /** How many gaps each was told of: by default none. */
  readonly gaps?: number;
  /** For the last of those that are behind. */
  readonly patienceMs?: number;
}

const patienceMsOrdinary = 60_000;
/** What comes twice or unasked comes at once. */
const surplusMs = 300;

/** Waits until every member has what it is owed, or time is up; then compares each with the journal, and answers how many events that were. */
export async function expectCrowd(
  context: StressContext,
  members: readonly Member[],
  journal: Journal,
  expectation: CrowdExpectation = {},
): Promise<number> {
  hold(members.length > 0, 'no member of a crowd was compared');
  const owed = new Owed(journal);
  const startMs = performance.now();
  const owing = new Set(members);
  while (owing.size > 0 && performance.now() - startMs < (expectation.patienceMs ?? patienceMsOrdinary)) {
    for (const member of owing) if (hasAll(member, owed)) owing.delete(member);
    await sleep(25);
  }
  await sleep(surplusMs);
  let events = 0;
  for (const member of members) {
    expectMember(context, member, { journal, owed, gaps: expectation.gaps ?? 0 });
    events += member.ids.length;
  }
  context.checked('deliveries', events);
  context.checked('clients', members.length);
  return events;
}

function hasAll(member: Member, owed: Owed): boolean {
  const gap = member.gaps.at(-1);
  const first = member.plan.from === 'earliest' ? null : member.start;
  return member.ids.length - (gap?.at ?? 0) >= owed.countBehind(member, gap === undefined ? first : gap.id);
}

interface Truth {
  readonly journal: Journal;
  readonly owed: Owed;
  readonly gaps: number;
}

function expectMember(context: StressContext, member: Member, { journal, owed, gaps }: Truth): void {
  const say = (what: string): string =>
    `${member.plan.name}, filter ${JSON.stringify(member.plan.watch)}: ${what}\nseed ${context.seed}; ${journal.positions}\n${member.summary}`;
  hold(member.faults.length === 0, () => say(`${member.faults.length} faults`));
  hold(member.plan.from === 'earliest' || member.start !== null, () => say('it was never told where it begins'));
  hold(member.gaps.length === gaps, () => say(`${member.gaps.length} gaps instead of ${gaps}`));
  const stretches = stretchesOf(member);
  for (const [index, { after, ids }] of stretches.entries()) {
    // Before a gap it may have had any beginning of what it was owed.
    const until = index === stretches.length - 1 ? null : (ids.at(-1) ?? after);
    const expected = owed.of(member, after, until);
    const length = Math.max(expected.length, ids.length);
    for (let place = 0; place < length; place += 1) {
      hold(expected[place] === ids[place], () =>
        say(
          `behind ${after ?? 'the beginning'}, place ${place} of ${expected.length}: expected ${journal.named(expected[place])}, got ${journal.named(ids[place])} of ${ids.length}`,
        ),
      );
    }
  }
}
