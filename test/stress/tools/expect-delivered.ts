import { setTimeout as sleep } from 'node:timers/promises';
import { patienceMs } from '../../support/until.ts';
import { hold, InvariantError, type StressContext } from '../scenario.ts';
import type { Journal } from './journal.ts';
import type { Watcher } from './watcher.ts';

/** What a client received between two positions that it was given: from its start or a gap to the next gap. */
interface Stretch {
  /** Behind this id; null: from the oldest kept. */
  readonly after: string | null;
  readonly ids: readonly string[];
}

export interface Expectation {
  /** How many gaps it may have been told of: by default none. */
  readonly gaps?: number;
  /** It was to have everything up to this id; by default to the end of the journal, or to its `done`. */
  readonly until?: string;
  /** The journal of the time before its last gap, when another took its place; what it had of that is compared as far as it went. */
  readonly before?: Journal;
}

/** The position at which a client begins: of its first `ready` or `gap` with one; `undefined` when it never had one. */
function startOf({ plan, seen }: Watcher): string | null | undefined {
  if (plan.from === 'earliest') return null;
  if (plan.from !== 'live') return plan.from;
  for (const one of seen) if ((one.kind === 'ready' || one.kind === 'gap') && one.id !== null) return one.id;
  return undefined;
}

/** Where it stands: the last id that it was given, by whatever frame. */
function positionOf({ plan, seen }: Watcher): string | null {
  for (const one of [...seen].reverse()) if ('id' in one && one.id !== null) return one.id;
  return plan.from === 'live' || plan.from === 'earliest' ? null : plan.from;
}

function stretchesOf(watcher: Watcher, start: string | null): Stretch[] {
  const stretches: { after: string | null; ids: string[] }[] = [{ after: start, ids: [] }];
  for (const one of watcher.seen) {
    if (one.kind === 'gap') stretches.push({ after: one.id, ids: [] });
    else if (one.kind === 'event') stretches.at(-1)?.ids.push(one.id);
  }
  return stretches;
}

/**
 * The client has exactly the journal's matching events, once and in order; after a gap, from the position that the gap named. What came
 * before a gap is compared as far as it went.
 */
export function expectDelivered(
  context: StressContext,
  watcher: Watcher,
  journal: Journal,
  expectation: Expectation = {},
): void {
  const { plan, faults, gaps } = watcher;
  const say = (what: string): string =>
    `client ${plan.name}, filter ${JSON.stringify(plan.watch)}: ${what}\n${placesOf(context, watcher, journal, expectation)}\n${watcher.summary}`;
  hold(faults.length === 0, () => say(`${faults.length} faults, the first: ${faults[0] ?? ''}`));
  const allowed = expectation.gaps ?? 0;
  hold(gaps.length === allowed, () => say(`${gaps.length} gaps instead of ${allowed}: ${JSON.stringify(gaps)}`));
  const start = startOf(watcher);
  hold(start !== undefined, () => say('it was never told where it begins'));
  const stretches = stretchesOf(watcher, start);
  for (const [index, { after, ids }] of stretches.entries()) {
    const isLast = index === stretches.length - 1;
    const truth = isLast ? journal : (expectation.before ?? journal);
    const until = isLast ? endOf(watcher, expectation) : (ids.at(-1) ?? after);
    const difference = firstDifference(truth.owed(plan.watch, after, until), ids, truth);
    hold(difference === null, () => say(`behind ${after ?? 'the beginning'}: ${difference ?? ''}`));
    context.checked('deliveries', ids.length);
  }
}

/** The seed, the journal as it was read, the one before it where there was one, and where the client stood. Where bus and router stand now is for `onFailure`. */
function placesOf(context: StressContext, watcher: Watcher, journal: Journal, { before }: Expectation): string {
  const stood = positionOf(watcher);
  const truths = before === undefined ? journal.positions : `${journal.positions}; before it ${before.positions}`;
  return `seed ${context.seed}; ${truths}; the client stood at ${stood === null ? 'no position' : journal.named(stood)}`;
}

function endOf(watcher: Watcher, { until }: Expectation): string | null {
  if (until !== undefined) return until;
  const done = watcher.seen.findLast((one) => one.kind === 'done' && one.reason === 'executions_terminal');
  return done?.kind === 'done' ? done.id : null;
}

function firstDifference(expected: readonly string[], got: readonly string[], journal: Journal): string | null {
  const length = Math.max(expected.length, got.length);
  for (let place = 0; place < length; place += 1) {
    if (expected[place] === got[place]) continue;
    return `at place ${place} of ${expected.length} expected ${journal.named(expected[place])}, got ${journal.named(got[place])} of ${got.length}`;
  }
  return null;
}

/** What comes twice or unasked comes at once; so long is waited for it when everything owed is there. */
const surplusMs = 300;

/**
 * Waits until every client has as many events as it is owed, and a moment for one too many; then compares each. A client that never gets
 * there is compared as it stands, so that the first lost event is named.
 */
export async function expectAllDelivered(
  context: StressContext,
  watchers: readonly Watcher[],
  journal: Journal,
  expectation: Expectation = {},
): Promise<void> {
  const startMs = performance.now();
  const owing = new Map(watchers.map((watcher) => [watcher, 0]));
  while (owing.size > 0 && performance.now() - startMs < patienceMs) {
    for (const watcher of owing.keys()) {
      if (hasAll(watcher, journal, expectation)) owing.delete(watcher);
    }
    await sleep(20);
  }
  await sleep(surplusMs);
  for (const watcher of watchers) expectDelivered(context, watcher, journal, expectation);
  if (watchers.length === 0) throw new InvariantError('no client was compared');
  context.checked('clients', watchers.length);
}

function hasAll(watcher: Watcher, journal: Journal, expectation: Expectation): boolean {
  const start = startOf(watcher);
  if (start === undefined) return false;
  const last = stretchesOf(watcher, start).at(-1);
  if (last === undefined) return false;
  const end = endOf(watcher, expectation);
  // Not told that it is over, and not kept open: it is still to come.
  if (end === null && expectation.until === undefined && watcher.plan.keepOpen !== true) return false;
  return last.ids.length >= journal.owed(watcher.plan.watch, last.after, end).length;
}
