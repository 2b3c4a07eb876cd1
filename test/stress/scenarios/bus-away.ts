import { cp, rm } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { watchOf } from '../../support/delivery-model.ts';
import { temporaryDirectory } from '../../support/system.ts';
import { hold, type Scenario, type StressContext } from '../scenario.ts';
import { audienceOf, type Cast, castOf, endAll, mustPut, uuidFrom } from '../tools/cast.ts';
import { expectAllDelivered } from '../tools/expect-delivered.ts';
import { journalOf } from '../tools/journal.ts';
import { busPlace, type Place, routerPlace } from '../tools/place.ts';
import { overBus, overHttp, Publisher } from '../tools/publisher.ts';
import { expectOneStreamEach, settle } from '../tools/settle.ts';
import { Watcher } from '../tools/watcher.ts';

/** The bus goes away from a router that has streams, and comes back: as it was, as another one, or as it once was. */

interface Apart {
  readonly directory: string;
  readonly bus: Place;
  readonly router: Place;
  readonly cast: Cast;
  readonly watchers: readonly Watcher[];
  readonly publisher: Publisher;
}

async function apart(context: StressContext, plan: { readonly keepOpen?: boolean } = {}): Promise<Apart> {
  const directory = await temporaryDirectory(context);
  const bus = await busPlace(context, { directory });
  const router = await routerPlace(context, bus.grpc);
  const cast = await castOf(context, router.system, 6);
  const watchers = await audienceOf(context, cast, { count: 8, base: () => router.http, plan });
  return { directory, bus, router, cast, watchers, publisher: publisherOf(context, cast, 'p', router) };
}

function publisherOf(context: StressContext, { executions }: Cast, name: string, router: Place): Publisher {
  const load = { executions, name, send: overHttp(() => router.http), batchMax: 1, pauseMsMax: 0 };
  return new Publisher(load, context.fork());
}

async function batches(publisher: Publisher, count: number, size: number): Promise<void> {
  for (let batch = 0; batch < count; batch += 1) await publisher.batch(size);
}

async function killBus(bus: Place, router: Place): Promise<void> {
  await bus.kill();
  await router.system.untilReady('bus-away');
}

/** The same directory served on a port that the router does not know, for one publisher. */
async function writeElsewhere(context: StressContext, { directory, cast }: Apart, count: number): Promise<Publisher> {
  const elsewhere = await busPlace(context, { directory });
  const load = { executions: cast.executions, name: 'elsewhere', batchMax: 1, pauseMsMax: 0 };
  const publisher = new Publisher({ ...load, send: overBus(context, elsewhere.grpc) }, context.fork());
  await batches(publisher, count / 20, 20);
  await elsewhere.kill('SIGTERM');
  return publisher;
}

/** `/readyz`, `/healthz` and the metric say the same of the bus. */
async function expectSaid(context: StressContext, { system }: Place, away: boolean): Promise<void> {
  const ready = await system.fetch('/readyz');
  hold(
    ready.status === (away ? 503 : 200),
    `/readyz answers ${ready.status} while the bus is ${away ? 'away' : 'there'}`,
  );
  const health = await system.fetch('/healthz');
  hold(health.status === 200, `/healthz answers ${health.status}`);
  const connected = await system.metric('rivulet_upstream_connected');
  hold(connected === (away ? 0 : 1), `rivulet_upstream_connected is ${connected}`);
  context.checked('answers about readiness', 3);
}

const heartbeatSeconds = 15;

async function awayAndBack(context: StressContext, seconds: number): Promise<void> {
  const stage = await apart(context);
  const { bus, router, watchers, publisher } = stage;
  await batches(publisher, 10, 20);
  await expectSaid(context, router, false);
  await killBus(bus, router);
  const silentFromMs = performance.now();
  await expectSaid(context, router, true);
  const elsewhere = await writeElsewhere(context, stage, 400);
  const awayMs = (): number => performance.now() - silentFromMs;
  while (awayMs() < seconds * 1000) {
    await sleep(200);
    hold(
      watchers.every(({ open }) => open),
      'a stream ended while the bus was away',
    );
  }
  if (seconds > heartbeatSeconds) {
    const silent = watchers.find(({ heartbeats }) => heartbeats === 0);
    hold(silent === undefined, () => `no heartbeat within ${seconds} s: ${silent?.summary ?? ''}`);
    context.checked(
      'heartbeats',
      watchers.reduce((sum, { heartbeats }) => sum + heartbeats, 0),
    );
  }
  await bus.start();
  await router.system.untilReady('ready');
  await expectSaid(context, router, false);
  await batches(publisher, 10, 20);
  expectOneStreamEach(context, watchers);
  const journal = await settle(context, { ...stage, http: router, bus: bus.grpc, publishers: [publisher] });
  const filledIn = elsewhere.acknowledged.filter(({ id }) => journal.event(id) !== undefined).length;
  hold(filledIn === 400, `${filledIn} of 400 events of the time away are in the journal`);
  context.checked('events of the time away', filledIn);
}

/** Streams are asked for while the bus is away: who is turned away, and who waits. */
async function asked(context: StressContext): Promise<void> {
  const stage = await apart(context);
  const { bus, router, cast, watchers, publisher } = stage;
  await batches(publisher, 5, 20);
  const last = publisher.acknowledged.at(-1)?.id ?? '';
  await killBus(bus, router);
  const random = context.fork();
  const stranger = uuidFrom(random);
  const { system } = router;
  for (const value of [uuidFrom(random), 'tag-of-nobody']) {
    const startMs = performance.now();
    const fresh = await (await system.sse({ execution_id: value })).end();
    const tookMs = performance.now() - startMs;
    hold(fresh.status === 503, `unknown while the bus is away: ${fresh.status} ${fresh.text}`);
    hold(fresh.body['detail'] === 'Storage event streamer not available', fresh.text);
    hold(Number(fresh.headers['retry-after']) >= 1, 'a 503 that waiting helps says Retry-After');
    hold(tookMs < 4_000, `a 503 took ${tookMs} ms`);
    context.checked('unknown values answered 503', 1);
  }
  for (const value of [...cast.executions, ...cast.tags]) {
    const known = await system.sse({ execution_id: value });
    hold(known.status === 200, `${value} is known here: ${known.status} ${known.text}`);
    await known.first('ready');
    known.cut();
    context.checked('known values answered 200', 1);
  }
  const returning = new Watcher(
    { name: 'returning', watch: watchOf([stranger]), from: last, base: () => router.http },
    context.fork(),
  );
  const waiting = await system.sse({ execution_id: stranger }, { 'last-event-id': last });
  hold(waiting.status === 200, `with a position it was here before: ${waiting.status} ${waiting.text}`);
  await waiting.until(({ heartbeats }) => heartbeats > 0);
  hold(waiting.received.length === 0, 'it was told ready, although nobody can say');
  waiting.cut();
  returning.start(context);
  await returning.until(({ open }) => open, 'a stream for a position');
  await writeAs(context, stage, stranger);
  await bus.start();
  await router.system.untilReady('ready');
  await mustPut(router.system, stranger, { status: 'completed' });
  context.checked('positions that waited', 1);
  await settle(context, {
    ...stage,
    http: router,
    bus: bus.grpc,
    watchers: [...watchers, returning],
    publishers: [publisher],
  });
}

/** While the router is away the execution comes into being. */
async function writeAs(context: StressContext, stage: Apart, execution: string): Promise<void> {
  await writeElsewhere(context, { ...stage, cast: { executions: [execution], tags: [] } }, 40);
}

async function untilGap(watchers: readonly Watcher[], count = 1): Promise<void> {
  await Promise.all(watchers.map((watcher) => watcher.until(({ gaps }) => gaps.length >= count, `gap ${count}`)));
}

function expectReason(watchers: readonly Watcher[], reasons: readonly string[]): void {
  for (const watcher of watchers) {
    const reason = watcher.gaps.at(-1)?.reason ?? 'none';
    hold(reasons.includes(reason), () => `${watcher.plan.name} was told of a gap for ${reason}; ${watcher.summary}`);
  }
}

async function replaced(context: StressContext): Promise<void> {
  const stage = await apart(context);
  const { bus, router, watchers, publisher } = stage;
  await batches(publisher, 10, 20);
  const before = await journalOf(bus.grpc);
  await expectAllDelivered(context, watchers, before, { until: before.description.newest_id });
  await killBus(bus, router);
  await bus.start([`--data-dir=${await temporaryDirectory(context)}`]);
  await untilGap(watchers);
  expectReason(watchers, ['journal_replaced']);
  context.checked('gaps', watchers.length);
  expectOneStreamEach(context, watchers);
  await again(context, stage, before, watchers);
}

/** Behind the gap everything goes on: the same executions run in the new journal, and end. */
async function again(
  context: StressContext,
  stage: Apart,
  before: Awaited<ReturnType<typeof journalOf>>,
  watchers: readonly Watcher[],
): Promise<void> {
  const { bus, router, cast } = stage;
  await router.system.untilReady('ready');
  for (const [index, execution] of cast.executions.entries()) {
    await mustPut(router.system, execution, { status: 'running', tags: [cast.tags[index % cast.tags.length] ?? ''] });
  }
  const publisher = publisherOf(context, cast, 'after', router);
  await batches(publisher, 10, 20);
  await settle(
    context,
    { ...stage, http: router, bus: bus.grpc, watchers, publishers: [publisher] },
    { gaps: 1, before },
  );
}

/**
 * The journal is put back to what it was, without a word to it: newest is lower than what this router and its clients have.
 *
 * @param beyond whether it has grown past their position, with other records, before the router sees it
 */
async function rolledBack(context: StressContext, beyond: boolean): Promise<void> {
  const stage = await apart(context);
  const { directory, bus, router, watchers, publisher } = stage;
  await batches(publisher, 10, 20);
  await bus.kill('SIGTERM');
  const copy = await temporaryDirectory(context);
  await cp(directory, copy, { recursive: true });
  await bus.start();
  await router.system.untilReady('ready');
  await batches(publisher, 10, 20);
  const before = await journalOf(bus.grpc);
  await expectAllDelivered(context, watchers, before, { until: before.description.newest_id });
  await killBus(bus, router);
  await rm(directory, { recursive: true });
  await cp(copy, directory, { recursive: true });
  if (beyond) await writeElsewhere(context, stage, 400);
  await bus.start();
  await untilGap(watchers);
  expectReason(watchers, ['journal_replaced']);
  const restored = await journalOf(bus.grpc);
  const [lower, was] = [restored.description.newest_sequence, before.description.newest_sequence];
  hold(beyond ? lower > was : lower < was, `newest is ${lower}, was ${was}`);
  context.checked('gaps', watchers.length);
  // Clients that were absent, and come with an id of what was lost.
  const absent = [before.events.at(-1)?.id ?? '', before.events.at(-150)?.id ?? ''].map((id, index) =>
    new Watcher(
      { name: `absent ${index}`, watch: watchOf(stage.cast.executions), from: id, base: () => router.http },
      context.fork(),
    ).start(context),
  );
  await untilGap(absent);
  expectReason(absent, ['unknown_position']);
  await again(context, stage, before, [...watchers, ...absent]);
}

async function goneOften(context: StressContext, rounds: number): Promise<void> {
  const stage = await apart(context, { keepOpen: true });
  const { bus, router, watchers, publisher } = stage;
  const random = context.fork();
  for (let round = 0; round < rounds; round += 1) {
    await batches(publisher, 1 + random.below(10), 1 + random.below(30));
    await bus.kill();
    await sleep(random.below(600));
    await bus.start();
  }
  await router.system.untilReady('ready');
  await batches(publisher, 5, 20);
  await endAll(router.system, stage.cast);
  const journal = await journalOf(bus.grpc);
  context.checked('kills', bus.kills);
  await expectAllDelivered(context, watchers, journal);
  expectOneStreamEach(context, watchers);
}

const filledIn =
  'no stream of the router ends, /readyz answers 503 and rivulet_upstream_connected is 0 until it is back, and every client has exactly its matching events of the journal, those of the time away included, in order and without a gap.';

export const busAway: readonly Scenario[] = [
  {
    name: 'bus-away: for a few seconds while others write',
    invariant: `While the bus is away for 2 seconds ${filledIn}`,
    quick: true,
    run: (context) => awayAndBack(context, 2),
  },
  {
    name: 'bus-away: for longer than a heartbeat',
    invariant: `While the bus is away for 18 seconds every stream has a heartbeat, ${filledIn}`,
    quick: false,
    run: (context) => awayAndBack(context, 18),
  },
  {
    name: 'bus-away: again and again under keep_open streams',
    invariant:
      'Over six kills of the bus no keep_open stream ends, and each client has exactly its matching events of the journal, once and in order, without a gap.',
    quick: false,
    run: (context) => goneOften(context, 6),
  },
  {
    name: 'bus-away: who is turned away and who waits',
    invariant:
      'While the bus is away a value unknown here is answered 503 with Retry-After within 4 seconds, every known execution and tag 200 with ready, and an unknown one with a position 200 and heartbeats without ready until the bus says; then it has all that it is owed.',
    quick: false,
    run: asked,
  },
  {
    name: 'bus-away: another journal in its place',
    invariant:
      'When the bus comes back with another journal every stream stays and is told exactly one gap, journal_replaced; it has had exactly its events of the old journal, and has exactly its events of the new one behind the position of the gap.',
    quick: false,
    run: replaced,
  },
  {
    name: 'bus-away: restored from an older copy',
    invariant:
      'When the journal comes back with a lower newest sequence every stream is told exactly one gap, journal_replaced, and has exactly its events behind it; a cursor of what was lost is told unknown_position and has exactly its events behind that.',
    quick: false,
    run: (context) => rolledBack(context, false),
  },
  {
    name: 'bus-away: restored from an older copy that has grown beyond',
    invariant:
      'The same when the restored journal has other records at the sequences that the router and its clients have, before they come back to it.',
    quick: false,
    run: (context) => rolledBack(context, true),
  },
];
