import { setTimeout as sleep } from 'node:timers/promises';
import { nilId } from '../../../src/core/event-id.ts';
import { watchOf } from '../../support/delivery-model.ts';
import { openSse, type SseClient } from '../../support/sse-client.ts';
import { hold, type Scenario, type StressContext } from '../scenario.ts';
import { busClientOf, changeEntry, eventEntry, publishAll } from '../tools/batches.ts';
import { audienceOf, castOf, endAll, mustPut, uuidFrom, watchFrom } from '../tools/cast.ts';
import { completedNumber, untilAllFinished } from '../tools/ends.ts';
import { expectAllDelivered, expectDelivered } from '../tools/expect-delivered.ts';
import { expectRest } from '../tools/expect-rest.ts';
import { journalOf } from '../tools/journal.ts';
import { upPlace } from '../tools/place.ts';
import { overHttp, Publisher } from '../tools/publisher.ts';
import { together } from '../tools/together.ts';
import { Watcher } from '../tools/watcher.ts';

/** What a stream is and is not told of executions and tags: unknown, forgotten, over, late, tagged. */

/** The longest that the router itself holds a request before it answers: `firstFillWaitMs`. */
const answerMsMax = 10_000;

/** Bounded: a request that is neither refused nor a stream by then is what nobody can tell from a stream that waits. */
async function refusalOf(base: string, values: readonly string[], cursor: string | null): Promise<SseClient> {
  const startMs = performance.now();
  const client = await openSse(base, {
    query: { execution_id: values },
    headers: cursor === null ? {} : { 'last-event-id': cursor },
  });
  const took = performance.now() - startMs;
  if (client.status === 200) client.cut();
  await client.end();
  hold(took < answerMsMax, `${values.join(', ')} was answered ${client.status} only after ${Math.round(took)} ms`);
  return client;
}

/**
 * kestra-io/kestra #12017: following an execution that does not exist opens a stream that says something and breaks off.
 * dunglas/mercure #704: who asks for an id that the hub has never seen is stuck for ever.
 */
async function unknownValues(context: StressContext): Promise<void> {
  const up = await upPlace(context);
  await up.system.untilReady('ready');
  const cast = await castOf(context, up.system, 6);
  const load = { executions: cast.executions, name: 'p', send: overHttp(() => up.http), batchMax: 20, pauseMsMax: 4 };
  const publisher = new Publisher(load, context.fork()).start(context);
  await publisher.more(50);
  const random = context.fork();
  await together(300, 8, async () => {
    const unknown = Array.from({ length: 1 + random.below(3) }, () =>
      random.oneIn(2) ? uuidFrom(random) : `never-${random.below(1_000_000)}`,
    );
    const known = Array.from({ length: random.below(3) }, () => random.pick([...cast.executions, ...cast.tags]));
    const values = random.oneIn(2) ? [...known, ...unknown] : [...unknown, ...known];
    const cursor = random.oneIn(2) ? null : random.oneIn(4) ? nilId : random.pick(publisher.acknowledged).id;
    const { status, text } = await refusalOf(up.http, values, cursor);
    hold(status === 404, `${values.join(', ')} with cursor ${cursor ?? 'none'} was answered ${status} ${text}`);
    const { detail } = JSON.parse(text) as { detail: string };
    for (const value of unknown) hold(detail.includes(value), `404 does not name ${value}: ${detail}`);
    for (const value of known) hold(!detail.includes(value), `404 names ${value}, which is known: ${detail}`);
    context.checked('refusals', 1);
  });
  await publisher.stop();
}

/** The same complaint for an id that was known once: the registry has a bound, and what it forgot must be said, not waited for. */
async function forgottenExecutions(context: StressContext): Promise<void> {
  const up = await upPlace(context, { more: ['--execution-retention-count=10000'] });
  await up.system.untilReady('ready');
  const random = context.fork();
  const bus = busClientOf(context, up.grpc);
  const old = Array.from({ length: 100 }, () => uuidFrom(random));
  const ids = await publishAll(
    bus,
    old.flatMap((execution) => [eventEntry(execution, 'a'), changeEntry(execution, completedNumber)]),
  );
  for (let round = 0; round < 21; round += 1) {
    const some = Array.from({ length: 500 }, () => changeEntry(uuidFrom(random), completedNumber));
    await publishAll(bus, some);
  }
  const [first = ''] = old;
  const startMs = performance.now();
  while ((await up.system.fetch(`/api/v1/executions/${first}`)).status !== 404) {
    hold(
      performance.now() - startMs < 25_000,
      'with 10,600 executions none was forgotten within 25 s, of 10,000 that may be kept',
    );
    await sleep(100);
  }
  await together(100, 8, async (index) => {
    const execution = old[index] ?? '';
    const cursor = index % 2 === 0 ? null : (ids[index * 2] ?? null);
    const { status, text } = await refusalOf(up.http, [execution], cursor);
    hold(status === 404, `the forgotten ${execution} with cursor ${cursor ?? 'none'} was answered ${status} ${text}`);
    context.checked('refusals', 1);
  });
}

/** kestra-io/kestra #7226: "It's an issue with late arrival of logs", which a page sees only after a refresh. */
async function lateEvents(context: StressContext): Promise<void> {
  const up = await upPlace(context);
  await up.system.untilReady('ready');
  const cast = await castOf(context, up.system, 6);
  const kept = await audienceOf(context, cast, { count: 8, base: () => up.http, plan: { keepOpen: true } });
  const load = { executions: cast.executions, name: 'p', send: overHttp(() => up.http), batchMax: 20, pauseMsMax: 2 };
  const publisher = new Publisher(load, context.fork());
  for (let count = 0; count < 10; count += 1) await publisher.batch(10);
  await endAll(up.system, cast);
  const before = publisher.acknowledged.length;
  for (let count = 0; count < 15; count += 1) await publisher.batch(10);
  const late = publisher.acknowledged.slice(before);
  const journal = await journalOf(up.grpc);
  await expectAllDelivered(context, kept, journal);
  const newest = journal.description.newest_id;
  await together(40, 8, async (index) => {
    const cursor = late[index * 3]?.id ?? '';
    const watch = watchOf(cast.executions);
    const client = await openSse(up.http, {
      query: { execution_id: watch.values },
      headers: { 'last-event-id': cursor },
    });
    const owed = journal.owed(watch, cursor, null);
    const ask = { owed, ends: true, controlEvents: true };
    await expectRest(context, client, ask, (what) => `behind the late ${cursor} up to ${newest}: ${what}`);
  });
  context.checked('late events', late.length);
}

/** dunglas/mercure #354 and MinIO's listeners (minio/minio #3424): what is published while the subscription changes is lost. */
async function taggedUnderLoad(context: StressContext): Promise<void> {
  const up = await upPlace(context);
  await up.system.untilReady('ready');
  const cast = await castOf(context, up.system, 3);
  const newcomers = Array.from({ length: 24 }, () => uuidFrom(context.random));
  await publishAll(
    busClientOf(context, up.grpc),
    newcomers.map((execution) => changeEntry(execution, 2)),
  );
  const watchers = Array.from({ length: 18 }, (_, index) => {
    const own = context.fork();
    const watch = { ...watchFrom(own, { executions: cast.tags, tags: cast.tags }) };
    return new Watcher(
      { name: `client ${index}`, watch, from: own.oneIn(2) ? 'live' : 'earliest', keepOpen: true, base: () => up.http },
      own,
    ).start(context);
  });
  await Promise.all(watchers.map((watcher) => watcher.ready()));
  const executions = [...cast.executions, ...newcomers];
  const publishers = ['p', 'q', 'r'].map((name) =>
    new Publisher(
      { executions, name, send: overHttp(() => up.http), batchMax: 30, pauseMsMax: 3 },
      context.fork(),
    ).start(context),
  );
  const random = context.fork();
  for (const newcomer of newcomers) {
    await publishers[0]?.more(random.below(60));
    await mustPut(up.system, newcomer, {
      tags: [random.pick(cast.tags), ...(random.oneIn(3) ? [random.pick(cast.tags)] : [])],
    });
    if (random.oneIn(4)) random.pick(watchers).cut();
    context.checked('tags added', 1);
  }
  for (const publisher of publishers) await publisher.stop();
  await expectAllDelivered(context, watchers, await journalOf(up.grpc));
}

/** centrifugal/centrifugo #446: what is published between the answer to the application and the subscription is missed. */
async function subscribedAtOnce(context: StressContext): Promise<void> {
  const up = await upPlace(context, { more: ['--shards=3'] });
  await up.system.untilReady('ready');
  const cast = await castOf(context, up.system, 4);
  const load = { executions: cast.executions, name: 'p', send: overHttp(() => up.http), batchMax: 20, pauseMsMax: 3 };
  const publisher = new Publisher(load, context.fork()).start(context);
  const random = context.fork();
  await together(500, 6, async (index) => {
    const execution = uuidFrom(random);
    const tag = `at-once-${index}`;
    const isPut = random.oneIn(2);
    const event = { execution_id: execution, stage: 's', path: 'first' };
    const owed: string[] = [];
    if (isPut) await mustPut(up.system, execution, { status: 'running', tags: [tag] });
    else owed.push(...(await up.system.publish(event)));
    const value = isPut && random.oneIn(2) ? tag : execution;
    const client = await openSse(up.http, { query: { execution_id: value, last_event_id: 'earliest' } });
    hold(client.status === 200, `${value} was acknowledged, then answered ${client.status} ${client.text}`);
    owed.push(...(await up.system.publish(event, { ...event, path: 'second' })));
    await client.count(owed.length);
    client.cut();
    hold(
      JSON.stringify(client.ids) === JSON.stringify(owed),
      `${value}: ${client.ids.join(' ')} instead of ${owed.join(' ')}`,
    );
    context.checked('subscriptions', 1);
  });
  await publisher.stop();
}

/** open-mercato/open-mercato #5406 and others: consumers that take every frame for an event. Without control events the same must come. */
async function withoutControlEvents(context: StressContext): Promise<void> {
  const up = await upPlace(context);
  await up.system.untilReady('ready');
  const cast = await castOf(context, up.system, 9);
  const pairs = Array.from({ length: 12 }, (_, index) => {
    const own = context.fork();
    const plan = { watch: watchFrom(own, cast), from: 'earliest', base: () => up.http };
    return [true, false].map((controlEvents) =>
      new Watcher(
        { ...plan, name: `client ${index}, control events ${controlEvents}`, controlEvents },
        context.fork(),
      ).start(context),
    );
  });
  const watchers = pairs.flat();
  const load = { executions: cast.executions, name: 'p', send: overHttp(() => up.http), batchMax: 20, pauseMsMax: 3 };
  const publisher = new Publisher(load, context.fork()).start(context);
  const random = context.fork();
  for (let round = 0; round < 25; round += 1) {
    await publisher.more(40);
    random.pick(watchers).cut();
  }
  await publisher.stop();
  await endAll(up.system, cast);
  await untilAllFinished(watchers);
  const journal = await journalOf(up.grpc);
  const until = journal.description.newest_id;
  for (const watcher of watchers) {
    expectDelivered(context, watcher, journal, { until });
    const control = watcher.seen.filter(({ kind }) => kind !== 'event' && kind !== 'cut' && kind !== 'refused').length;
    hold(watcher.plan.controlEvents !== false || control === 0, `${watcher.plan.name} got ${control} control events`);
  }
  context.checked('pairs', pairs.length);
}

export const lifecycle: readonly Scenario[] = [
  {
    name: 'lifecycle: an unknown id is never waited for',
    invariant:
      'A request that names unknown executions or tags among known ones, with or without a position, is answered 404 within 10 s and names exactly the unknown ones.',
    quick: false,
    run: unknownValues,
  },
  {
    name: 'lifecycle: a forgotten id is never waited for',
    invariant:
      'An execution that the registry forgot, 10,000 being kept, is answered 404 within 10 s, with its old position too.',
    quick: false,
    run: forgottenExecutions,
  },
  {
    name: 'lifecycle: late events reach positions and open streams',
    invariant:
      'An event published after the terminal status of its execution comes once and in order to every stream that is kept open, and to every client that comes back with a position before it.',
    quick: true,
    run: lateEvents,
  },
  {
    name: 'lifecycle: a tag is added under load',
    invariant:
      'A stream on a tag brings each matching event of a new member from the sequence on at which it got the tag, and none from before.',
    quick: false,
    run: taggedUnderLoad,
  },
  {
    name: 'lifecycle: subscribed at once, five hundred times',
    invariant:
      'A value whose PUT or publish was acknowledged is known to the very next request on any shard, which brings exactly its events.',
    quick: false,
    secondsMax: 300,
    run: subscribedAtOnce,
  },
  {
    name: 'lifecycle: the same without control events',
    invariant:
      'Of two clients with one watch, one with and one without control events, both cut at random, each has exactly the matching events of the journal and then an end; the second sees no other frame.',
    quick: false,
    run: withoutControlEvents,
  },
];
