import { nilId } from '../../../src/core/event-id.ts';
import { queryOf, type Watch, watchOf } from '../../support/delivery-model.ts';
import type { Random } from '../../support/seed.ts';
import { openSse } from '../../support/sse-client.ts';
import { hold, type Scenario, type StressContext } from '../scenario.ts';
import { busClientOf, changeEntry, eventEntry, publishAll } from '../tools/batches.ts';
import { castOf, watchFrom } from '../tools/cast.ts';
import { completedNumber, Lives } from '../tools/ends.ts';
import { expectRest } from '../tools/expect-rest.ts';
import { type Journal, journalOf } from '../tools/journal.ts';
import { upPlace } from '../tools/place.ts';
import { together } from '../tools/together.ts';

/** The answer that tells a browser to stop, held against a model of what each position is owed. */

interface Ask {
  readonly watch: Watch;
  readonly cursor: string;
  readonly keepOpen: boolean;
  readonly controlEvents: boolean;
}

const pathsOfStory = ['reports/a.md', 'reports/deep/b.tar.gz', 'data/c.json', 'img/d'];
const stagesOfStory = ['boost', 'boost/routines', 'boosted', 'ingest', 'publish/final'];

/** Executions that run, that are over, and that got events after that, in one order that the seed decides. */
async function storyOf(context: StressContext, bus: string, executions: readonly string[]): Promise<Journal> {
  const random = context.fork();
  const client = busClientOf(context, bus);
  const over = executions.filter((_, index) => index % 5 !== 0);
  const entries = Array.from({ length: 500 }, () =>
    eventEntry(random.pick(executions), random.pick(pathsOfStory), random.pick(stagesOfStory)),
  );
  for (const execution of over)
    entries.splice(random.below(entries.length), 0, changeEntry(execution, completedNumber));
  await publishAll(client, entries);
  return journalOf(bus);
}

/**
 * aegra/aegra #472 again, and the loop that the other answer makes: a browser that gets 200 for ever comes back for ever, and one that
 * gets 204 too soon never sees its last events.
 */
async function noContentWhenOwed(context: StressContext, asks: number): Promise<void> {
  const up = await upPlace(context);
  await up.system.untilReady('ready');
  const cast = await castOf(context, up.system, 30);
  const journal = await storyOf(context, up.grpc, cast.executions);
  const lives = new Lives(journal);
  const newest = journal.description.newest_id;
  const tailFrom = Math.floor(journal.records.length * 0.7);
  const random = context.fork();
  await up.system.untilReady('ready');
  await together(asks, 12, async () => {
    const ask = askFrom(random, cast, journal, tailFrom);
    const { watch, cursor, keepOpen, controlEvents } = ask;
    const watched = lives.watchedAt(watch, newest);
    const isOver = lives.openAt(watch, newest).length === 0;
    const isBehind = watched.every((execution) => (lives.terminalOf(execution) ?? '') <= cursor);
    const owed = journal.owed(watch, cursor, null);
    const noContent = !keepOpen && isOver && cursor !== nilId && (isBehind || !controlEvents) && owed.length === 0;
    const client = await openSse(up.http, { query: queryOf(watch, ask), headers: { 'last-event-id': cursor } });
    const say = (what: string): string =>
      `${JSON.stringify(ask)}: ${what}; over ${isOver}, behind ${isBehind}, owed ${owed.length}`;
    hold(client.status === (noContent ? 204 : 200), () => say(`answered ${client.status} ${client.text}`));
    if (client.status === 200) await expectRest(context, client, { ...ask, owed, ends: isOver && !keepOpen }, say);
    context.checked(noContent ? '204' : '200', 1);
  });
}

function askFrom(random: Random, cast: Parameters<typeof watchFrom>[1], journal: Journal, tailFrom: number): Ask {
  const { records } = journal;
  // Mostly near the end, where the answer turns.
  const place = random.oneIn(3) ? random.below(records.length) : tailFrom + random.below(records.length - tailFrom);
  const record = random.oneIn(12) ? journal.description.origin_id : (records[place]?.id ?? '');
  const watch = random.oneIn(2) ? watchOf([random.pick(cast.executions)]) : watchFrom(random, cast);
  return {
    watch,
    cursor: random.oneIn(20) ? nilId : record,
    keepOpen: random.oneIn(6),
    controlEvents: !random.oneIn(3),
  };
}

export const noContent: readonly Scenario[] = [
  {
    name: 'lifecycle: 204 exactly when it is owed',
    invariant:
      'Over random pairs of position and watch the answer is 204 if and only if nothing keeps it open, everything watched is over at or before the position (wherever, without control events) and nothing that matches lies behind it; every other answer is 200 with exactly the rest.',
    quick: true,
    run: (context) => noContentWhenOwed(context, 250),
  },
  {
    name: 'lifecycle: 204 exactly when it is owed, over three thousand pairs',
    invariant: 'The same over 3,000 pairs.',
    quick: false,
    secondsMax: 300,
    run: (context) => noContentWhenOwed(context, 3_000),
  },
];
