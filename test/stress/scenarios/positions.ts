import { formatEventId } from '../../../src/core/event-id.ts';
import type { Sequence } from '../../../src/core/sequence.ts';
import { watchOf } from '../../support/delivery-model.ts';
import type { Random } from '../../support/seed.ts';
import { openSse, type SseClient } from '../../support/sse-client.ts';
import { hold, type Scenario, type StressContext } from '../scenario.ts';
import { busClientOf, changeEntry, eventEntry, publishAll } from '../tools/batches.ts';
import { castOf, endAll, uuidFrom } from '../tools/cast.ts';
import { completedNumber } from '../tools/ends.ts';
import { partsOf } from '../tools/id-parts.ts';
import { type Journal, journalOf } from '../tools/journal.ts';
import { upPlace } from '../tools/place.ts';
import { together } from '../tools/together.ts';

/** The id is the position: it rises, it is one event's, and any id is answered. */

interface Story {
  readonly base: string;
  readonly journal: Journal;
  readonly executions: readonly string[];
}

/** Some executions with many events, all over; most of the events are behind the window. */
async function storyOf(context: StressContext, count: number): Promise<Story> {
  const up = await upPlace(context);
  await up.system.untilReady('ready');
  const random = context.fork();
  const executions = Array.from({ length: 4 }, () => uuidFrom(random));
  const bus = busClientOf(context, up.grpc);
  const fill = { k: 'x'.repeat(1_000), l: 'y'.repeat(600) };
  const entries = Array.from({ length: count }, (_, index) => {
    const { event } = eventEntry(random.pick(executions), `e${index}`);
    return { event: { ...event, metadata: fill } };
  });
  await publishAll(bus, entries.slice(0, Math.floor(count / 2)));
  // Another day's millisecond, or another; the story has more than one at any rate.
  await publishAll(bus, entries.slice(Math.floor(count / 2)));
  await publishAll(
    bus,
    executions.map((execution) => changeEntry(execution, completedNumber)),
  );
  return { base: up.http, journal: await journalOf(up.grpc), executions };
}

async function answerTo(base: string, values: readonly string[], cursor: string): Promise<SseClient> {
  const client = await openSse(base, { query: { execution_id: values }, headers: { 'last-event-id': cursor } });
  await client.end();
  return client;
}

function expectIds(client: SseClient, owed: readonly string[], what: string): void {
  const { ids } = client;
  const place = owed.findIndex((id, index) => ids[index] !== id);
  const same = place === -1 && ids.length === owed.length;
  hold(
    same,
    () =>
      `${what}: ${ids.length} events instead of ${owed.length}, at place ${place} ${ids[place] ?? 'nothing'} instead of ${owed[place] ?? 'nothing'}`,
  );
}

/** dunglas/mercure #1382: ids newer than the first 10,000 stored events are never found, so that nothing is replayed. */
async function everyKthId(context: StressContext): Promise<void> {
  const { base, journal, executions } = await storyOf(context, 6_000);
  const random = context.fork();
  const step = 97;
  const from = random.below(step);
  const { records } = journal;
  await together(Math.ceil((records.length - from) / step), 4, async (index) => {
    const cursor = records[from + index * step]?.id ?? '';
    const watch = watchOf([random.pick(executions)]);
    const client = await answerTo(base, watch.values, cursor);
    hold(client.named('gap').length === 0, `${cursor}: ${JSON.stringify(client.named('gap'))}`);
    const owed = journal.owed(watch, cursor, null);
    hold(client.status === 200, `${cursor}: answered ${client.status} ${client.text}`);
    expectIds(client, owed, cursor);
    context.checked('deliveries', owed.length);
    context.checked('positions', 1);
  });
}

/** A UUIDv7 of a generator that knows nothing of journals. */
function foreignId(random: Random, timeMs: number): string {
  const bits = (below: number): number => random.below(below);
  const time = timeMs.toString(16).padStart(12, '0');
  const hex = (value: number, digits: number): string => value.toString(16).padStart(digits, '0');
  return `${time.slice(0, 8)}-${time.slice(8)}-7${hex(bits(4_096), 3)}-${hex(0x8000 | bits(0x4000), 4)}-${hex(bits(2 ** 24), 6)}${hex(bits(2 ** 24), 6)}`;
}

/** dunglas/mercure #704: ids that the publisher made itself, and that the hub has never seen, are never caught up. */
async function foreignIds(context: StressContext): Promise<void> {
  const { base, journal, executions } = await storyOf(context, 1_500);
  const random = context.fork();
  const { description } = journal;
  const firstMs = partsOf(journal.records[0]?.id ?? '').timeMs;
  const lastMs = partsOf(description.newest_id).timeMs;
  const createdMs = partsOf(description.origin_id).timeMs;
  const watch = watchOf(executions);
  await together(150, 6, async (index) => {
    const spread = random.below(lastMs - firstMs + 1);
    const offset =
      index % 10 === 0 ? -60_000 - random.below(1e6) : index % 10 === 1 ? 60_000 + random.below(1e6) : spread;
    const cursor = foreignId(random, firstMs + offset);
    if (partsOf(cursor).tag === description.journal_tag) return;
    const client = await answerTo(base, watch.values, cursor);
    const [gap] = client.named('gap');
    const reason = gap?.data['reason'];
    const expected =
      cursor > description.newest_id ? 'unknown_position' : partsOf(cursor).timeMs < createdMs ? 'expired' : undefined;
    hold(reason === expected, `${cursor}: gap ${String(reason)} instead of ${expected ?? 'none'}`);
    const owed = expected === 'expired' ? journal.owed(watch, null, null) : journal.owed(watch, cursor, null);
    hold(client.status === 200, `${cursor}: answered ${client.status} ${client.text}`);
    expectIds(client, owed, cursor);
    context.checked(expected ?? 'placed by comparison', 1);
    context.checked('deliveries', owed.length);
  });
}

/** centrifugal/centrifuge-go #160: a position of another stream is taken for one of this, and another stream's messages are served as a recovery. */
async function futurePositions(context: StressContext): Promise<void> {
  const places = [await upPlace(context), await upPlace(context)] as const;
  const random = context.fork();
  const [here, other] = places;
  for (const { system } of places) await system.untilReady('ready');
  const cast = await castOf(context, here.system, 3);
  await here.system.publishMany(cast.executions[0] ?? '', 200);
  const otherCast = await castOf(context, other.system, 1);
  const otherIds = await other.system.publishMany(otherCast.executions[0] ?? '', 400);
  const { description } = await journalOf(here.grpc);
  const { timeMs, sequence, tag } = partsOf(description.newest_id);
  const watch = watchOf(cast.executions);
  const open: { readonly cursor: string; readonly client: SseClient; readonly until: string }[] = [];
  const cursors = [
    ...Array.from({ length: 20 }, () => random.pick(otherIds)),
    ...Array.from({ length: 20 }, () =>
      formatEventId(timeMs + random.below(5_000), (sequence + 1 + random.below(10_000)) as Sequence, tag),
    ),
  ];
  for (const cursor of cursors) {
    const client = await openSse(here.http, {
      query: { execution_id: watch.values },
      headers: { 'last-event-id': cursor },
    });
    hold(client.status === 200, `${cursor}: answered ${client.status} ${client.text}`);
    const { data, id = '' } = await client.first('gap');
    const reason = data['reason'];
    // Of the same moment, the other journal's ids may lie inside this one; older than this one they have expired.
    const allowed =
      partsOf(cursor).tag === tag || cursor > description.newest_id
        ? ['unknown_position']
        : ['unknown_position', 'expired'];
    hold(allowed.includes(String(reason)), `${cursor}: gap ${String(reason)}`);
    hold(client.named('ready')[0]?.id === undefined, `${cursor}: ready has an id although a gap follows`);
    open.push({ cursor, client, until: id });
    context.checked('positions', 1);
  }
  await here.system.publishMany(cast.executions[1] ?? '', 50);
  await endAll(here.system, cast);
  const journal = await journalOf(here.grpc);
  for (const { cursor, client, until } of open) {
    await client.end();
    expectIds(client, journal.owed(watch, until, null), `${cursor}, gap to ${until}`);
    context.checked('deliveries', client.ids.length);
  }
}

export const positions: readonly Scenario[] = [
  {
    name: 'positions: every 97th id of a journal',
    invariant:
      'Each id of the journal, of an event or a change, of this execution or another, in the window or behind it, is a position behind which exactly the rest comes, without a gap.',
    quick: false,
    run: everyKthId,
  },
  {
    name: 'positions: ids of another generator',
    invariant:
      'A UUIDv7 that is not of this journal brings exactly the events whose ids are above it, without a gap inside the life of the journal, with `expired` and everything before it, and with `unknown_position` and nothing behind it.',
    quick: false,
    run: foreignIds,
  },
  {
    name: 'positions: of another journal, or of the future',
    invariant:
      'A position of another journal or beyond the newest is answered 200, `ready` without an id and one `gap`, at once, and then with exactly the events behind the position that the gap names.',
    quick: false,
    run: futurePositions,
  },
];
