import { setTimeout as sleep } from 'node:timers/promises';
import { hold, type Scenario, type StressContext } from '../scenario.ts';
import { audienceOf, castOf, cutNowAndThen } from '../tools/cast.ts';
import { describeBus } from '../tools/journal.ts';
import { busPlace, routerPlace, upPlace } from '../tools/place.ts';
import { Proxy } from '../tools/proxy.ts';
import { overBus, Publisher } from '../tools/publisher.ts';
import { expectOneStreamEach, publishersOf, settle } from '../tools/settle.ts';

/** Processes that are killed at any moment under load, and come back in the same place. */

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
  await settle(context, { http: up, bus: up.grpc, cast, watchers, publishers });
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
  if (!parts.includes('router')) expectOneStreamEach(context, watchers);
  await settle(context, { http: router, bus: bus.grpc, cast, watchers, publishers: [...publishers, direct] });
}

/** The answers of the bus are kept back; it is killed when it has the batch and its publisher does not know. */
async function acknowledgementLost(context: StressContext, rounds: number): Promise<void> {
  const bus = await busPlace(context);
  const router = await routerPlace(context, bus.grpc);
  const cast = await castOf(context, router.system, 3);
  const http = (): string => router.http;
  const watchers = await audienceOf(context, cast, { count: 4, base: http });
  const proxy = await Proxy.start(context, bus.grpc);
  const publisher = new Publisher(
    { executions: cast.executions, name: 'p', send: overBus(context, proxy.address), batchMax: 1, pauseMsMax: 0 },
    context.fork(),
  );
  const random = context.fork();
  for (let round = 0; round < rounds; round += 1) {
    await publisher.batch(1 + random.below(50));
    const count = 1 + random.below(50);
    const { newest_sequence: before } = await describeBus(bus.grpc);
    const known = publisher.acknowledged.length;
    proxy.hold();
    const publishing = publisher.batch(count);
    while ((await describeBus(bus.grpc)).newest_sequence < before + count) await sleep(5);
    hold(publisher.acknowledged.length === known, 'the batch was acknowledged, although the answers are kept back');
    await bus.kill();
    // With the answer, which the network still has.
    proxy.cut();
    proxy.release();
    await bus.start();
    await publishing;
    hold(publisher.retries === round + 1, 'it was acknowledged the first time, although the answer was cut off');
    const { newest_sequence: after } = await describeBus(bus.grpc);
    hold(after === before + count, `${count} events sent again are ${after - before} records in the journal`);
    context.checked('events durable and not acknowledged', count);
  }
  context.checked('kills', bus.kills);
  await settle(context, { http: router, bus: bus.grpc, cast, watchers, publishers: [publisher] });
}

const historyEvents = 16_000;

async function killedDuringCatchUp(context: StressContext, kills: number): Promise<void> {
  const up = await upPlace(context);
  await up.system.untilReady('ready');
  const cast = await castOf(context, up.system, 1);
  const [execution = ''] = cast.executions;
  // Four times the window: most of it is read from the journal.
  const ids = await up.system.publishMany(execution, historyEvents, 1_000);
  const watchers = await audienceOf(context, cast, { count: 6, base: () => up.http, plan: { from: 'earliest' } });
  const random = context.fork();
  const step = Math.floor(historyEvents / (kills + 1));
  for (let kill = 0; kill < kills; kill += 1) {
    const target = kill * step + random.below(step);
    await watchers[0]?.until(({ events }) => events >= target, `${target} events`);
    const inTheMiddle = watchers.filter(({ events }) => events > 0 && events < historyEvents).length;
    await up.restart();
    context.checked('clients in the middle of a catch-up at a kill', inTheMiddle);
  }
  context.checked('kills', up.kills);
  const journal = await settle(context, { http: up, bus: up.grpc, cast, watchers, publishers: [] });
  const lost = ids.find((id, index) => journal.events[index]?.id !== id);
  hold(
    lost === undefined,
    () => `acknowledged and not in its place in the journal: ${lost ?? ''}; ${journal.positions}`,
  );
  context.checked('acknowledged events found', ids.length);
}

async function killedWhileItStarts(context: StressContext, rounds: number): Promise<void> {
  const up = await upPlace(context);
  await up.system.untilReady('ready');
  const cast = await castOf(context, up.system, 3);
  const watchers = await audienceOf(context, cast, { count: 6, base: () => up.http });
  const publishers = publishersOf(context, cast, () => up.http);
  const random = context.fork();
  await publishers[0]?.more(300);
  await up.kill();
  for (let round = 0; round < rounds; round += 1) {
    await up.startAndKill(random.below(1_500));
    if (!random.oneIn(3)) continue;
    await up.start();
    await publishers[0]?.more(100);
    await up.kill();
  }
  await up.start();
  await publishers[0]?.more(100);
  context.checked('kills', up.kills);
  await settle(context, { http: up, bus: up.grpc, cast, watchers, publishers });
}

const delivered =
  'every acknowledged event is in the journal once, with its id and in its publisher’s order, and every client that comes back with its last id has exactly its matching events of the journal, each once and in order, without a gap.';

export const crash: readonly Scenario[] = [
  {
    name: 'crash: up is killed once under load',
    invariant: `After kill -9 of \`up\` under load and a restart in the same place ${delivered}`,
    quick: true,
    run: (context) => upKilled(context, 1),
  },
  {
    name: 'crash: up is killed again and again under load',
    invariant: `After eight kills -9 of \`up\` at random moments, with clients that are cut meanwhile, ${delivered}`,
    quick: false,
    run: (context) => upKilled(context, 8),
  },
  {
    name: 'crash: the bus is killed beside a router',
    invariant: `After six kills -9 of the bus under load no stream of the router has ended, ${delivered}`,
    quick: false,
    run: (context) => partKilled(context, 6, ['bus']),
  },
  {
    name: 'crash: the router is killed beside a bus',
    invariant: `After six kills -9 of the router while publishers go on, over it and straight to the bus, ${delivered}`,
    quick: false,
    run: (context) => partKilled(context, 6, ['router']),
  },
  {
    name: 'crash: bus and router are killed in any order',
    invariant: `After eight kills -9 of the bus or the router, whichever comes, ${delivered}`,
    quick: false,
    run: (context) => partKilled(context, 8, ['bus', 'router']),
  },
  {
    name: 'crash: the bus is killed between durable and acknowledged',
    invariant:
      'A batch that was durable when the bus was killed, and whose acknowledgement was lost, is acknowledged when it is sent again with its source_ids, with the ids of the records that are there, and adds no record; each client has it once.',
    quick: true,
    run: (context) => acknowledgementLost(context, 2),
  },
  {
    name: 'crash: acknowledgements are lost in eight kills',
    invariant:
      'Eight times over: what was durable and not acknowledged adds no record when it is sent again, and each client has it once.',
    quick: false,
    run: (context) => acknowledgementLost(context, 8),
  },
  {
    name: 'crash: up is killed while clients catch up from the journal',
    invariant: `After four kills -9 in the middle of a catch-up of ${historyEvents} events, four times the window, every client has each of them that it asked for, once and in order, without a gap.`,
    quick: false,
    run: (context) => killedDuringCatchUp(context, 4),
  },
  {
    name: 'crash: up is killed while it starts',
    invariant: `After six kills -9 within the first 1.5 seconds of a start in the same place, ${delivered}`,
    quick: false,
    run: (context) => killedWhileItStarts(context, 6),
  },
];
