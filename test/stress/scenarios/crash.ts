import { setTimeout as sleep } from 'node:timers/promises';
import type { Scenario, StressContext } from '../scenario.ts';
import { audienceOf, type Cast, castOf, cutNowAndThen, endAll } from '../tools/cast.ts';
import { expectAllDelivered } from '../tools/expect-delivered.ts';
import { expectAcknowledged, expectOnce, journalOf } from '../tools/journal.ts';
import { busPlace, type Place, routerPlace, upPlace } from '../tools/place.ts';
import { overBus, overHttp, Publisher } from '../tools/publisher.ts';
import type { Watcher } from '../tools/watcher.ts';

/** Processes that are killed at any moment under load, and come back in the same place. */

interface Stage {
  readonly http: Place;
  readonly cast: Cast;
  readonly watchers: readonly Watcher[];
  readonly publishers: readonly Publisher[];
}

/** Everything is over, and each acknowledged event and each client is compared with the journal. */
async function settle(context: StressContext, stage: Stage, bus: string): Promise<void> {
  for (const publisher of stage.publishers) await publisher.stop();
  await stage.http.system.untilReady('ready');
  await endAll(stage.http.system, stage.cast);
  const journal = await journalOf(bus);
  for (const { acknowledged } of stage.publishers) expectAcknowledged(context, acknowledged, journal);
  expectOnce(context, journal);
  await expectAllDelivered(context, stage.watchers, journal);
  const sum = (of: (publisher: Publisher) => number): number => stage.publishers.reduce((all, one) => all + of(one), 0);
  context.log(
    `${journal.events.length} events in the journal, ${sum((one) => one.acknowledged.length)} acknowledged, ` +
      `${sum((one) => one.retries)} batches sent again; ${journal.positions}`,
  );
}

function publishersOf(context: StressContext, cast: Cast, http: () => string): Publisher[] {
  return ['p', 'q'].map((name) => {
    const load = {
      executions: cast.executions,
      name,
      send: overHttp(http),
      batchMax: 20,
      pauseMsMax: 8,
      fillBytesMax: 400,
    };
    return new Publisher(load, context.fork()).start(context);
  });
}

async function upKilled(context: StressContext, rounds: number): Promise<void> {
  const up = await upPlace(context);
  await up.system.untilReady('ready');
  const cast = await castOf(context, up.system, 9);
  const http = (): string => up.http;
  const watchers = await audienceOf(context, cast, { count: 12, base: http });
  const publishers = publishersOf(context, cast, http);
  const random = context.fork();
  const stop = cutNowAndThen(context, watchers, 60);
  for (let round = 0; round < rounds; round += 1) {
    await Promise.all(publishers.map((publisher) => publisher.more(50 + random.below(300))));
    await sleep(random.below(300));
    await up.restart();
  }
  await Promise.all(publishers.map((publisher) => publisher.more(100)));
  context.checked('kills', up.kills);
  context.checked('cuts', stop());
  await settle(context, { http: up, cast, watchers, publishers }, up.grpc);
}

async function partKilled(context: StressContext, rounds: number, parts: readonly ('bus' | 'router')[]): Promise<void> {
  const bus = await busPlace(context);
  const router = await routerPlace(context, bus.grpc);
  const cast = await castOf(context, router.system, 9);
  const http = (): string => router.http;
  const watchers = await audienceOf(context, cast, { count: 12, base: http });
  const publishers = publishersOf(context, cast, http);
  const direct = new Publisher(
    { executions: cast.executions, name: 'direct', send: overBus(context, bus.grpc), batchMax: 30, pauseMsMax: 10 },
    context.fork(),
  ).start(context);
  const random = context.fork();
  for (let round = 0; round < rounds; round += 1) {
    await direct.more(50 + random.below(400));
    await sleep(random.below(300));
    const part = random.pick(parts);
    await (part === 'bus' ? bus : router).restart();
  }
  await direct.more(200);
  context.checked('kills', bus.kills + router.kills);
  await settle(context, { http: router, cast, watchers, publishers: [...publishers, direct] }, bus.grpc);
}

export const crash: readonly Scenario[] = [
  {
    name: 'crash: up is killed once under load',
    invariant:
      'After kill -9 of `up` and a restart in the same place every acknowledged event is in the journal once, with its id and in order, and every client that comes back with its last id has exactly its matching events of the journal, without a gap.',
    quick: true,
    run: (context) => upKilled(context, 1),
  },
  {
    name: 'crash: up is killed again and again under load',
    invariant: 'The same over eight kills at random moments, with clients that are cut meanwhile.',
    quick: false,
    run: (context) => upKilled(context, 8),
  },
  {
    name: 'crash: the bus is killed beside a router',
    invariant:
      'After each of six kills of the bus under load every acknowledged event is in the journal once, with its id and in order; streams of the router stay, and every client has exactly its matching events of the journal, without a gap.',
    quick: false,
    run: (context) => partKilled(context, 6, ['bus']),
  },
];
