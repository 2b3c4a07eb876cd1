import { setTimeout as sleep } from 'node:timers/promises';
import { eventIdParts, parseEventId } from '../../../src/core/event-id.ts';
import { watchOf } from '../../support/delivery-model.ts';
import type { SseClient } from '../../support/sse-client.ts';
import { hold, type Scenario, type StressContext } from '../scenario.ts';
import { audienceOf, type Cast, castOf, cutNowAndThen, mustPut, uuidFrom } from '../tools/cast.ts';
import { expectAllDelivered } from '../tools/expect-delivered.ts';
import { journalOf } from '../tools/journal.ts';
import { busPlace, type Place, routerPlace } from '../tools/place.ts';
import { Proxy } from '../tools/proxy.ts';
import { overHttp, Publisher } from '../tools/publisher.ts';
import { publishersOf, settle } from '../tools/settle.ts';
import { Watcher } from '../tools/watcher.ts';

/** Two routers of one bus, one of them behind, and clients that go from one to the other. */

interface Two {
  readonly bus: Place;
  readonly ahead: Place;
  /** Reaches the bus by way of `proxy`. */
  readonly behind: Place;
  readonly proxy: Proxy;
  readonly cast: Cast;
}

async function twoRouters(context: StressContext): Promise<Two> {
  const bus = await busPlace(context);
  const proxy = await Proxy.start(context, bus.grpc);
  const [ahead, behind] = await Promise.all([routerPlace(context, bus.grpc), routerPlace(context, proxy.address)]);
  return { bus, ahead, behind, proxy, cast: await castOf(context, ahead.system, 6) };
}

/** Each connection goes to the other of the two. */
function alternating({ ahead, behind }: Two): (client: number) => string {
  const turns = new Map<number, number>();
  return (client) => {
    const turn = (turns.get(client) ?? client) + 1;
    turns.set(client, turn);
    return turn % 2 === 0 ? ahead.http : behind.http;
  };
}

async function held(context: StressContext, rounds: number, how: 'stopped' | 'network'): Promise<void> {
  const two = await twoRouters(context);
  const { bus, ahead, behind, proxy, cast } = two;
  const watchers = await audienceOf(context, cast, { count: 10, base: alternating(two) });
  const publishers = publishersOf(context, cast, () => ahead.http);
  const random = context.fork();
  const stop = cutNowAndThen(context, watchers, 40);
  for (let round = 0; round < rounds; round += 1) {
    if (how === 'stopped') behind.freeze();
    else proxy.holdBusiest();
    await publishers[0]?.more(30 + random.below(150));
    await sleep(random.below(700));
    if (how === 'stopped') behind.thaw();
    else proxy.release();
    await sleep(random.below(300));
  }
  context.checked('times that a router was held behind', rounds);
  context.checked('moves from router to router', stop());
  await settle(context, { http: ahead, bus: bus.grpc, cast, watchers, publishers });
}

async function killedInTurn(context: StressContext, rounds: number): Promise<void> {
  const two = await twoRouters(context);
  const { bus, ahead, behind, cast } = two;
  const watchers = await audienceOf(context, cast, { count: 10, base: alternating(two) });
  const random = context.fork();
  const publishers = publishersOf(context, cast, () => random.pick([ahead, behind]).http);
  for (let round = 0; round < rounds; round += 1) {
    await publishers[0]?.more(30 + random.below(200));
    await (round % 2 === 0 ? ahead : behind).restart();
  }
  context.checked('kills', ahead.kills + behind.kills);
  await settle(context, { http: ahead, bus: bus.grpc, cast, watchers, publishers });
}

/** What a client asks for at each of these positions is behind what the slower router has. */
async function future(context: StressContext): Promise<void> {
  const two = await twoRouters(context);
  const { bus, ahead, behind, proxy, cast } = two;
  const load = { executions: cast.executions, name: 'p', send: overHttp(() => ahead.http), batchMax: 1, pauseMsMax: 0 };
  const publisher = new Publisher(load, context.fork());
  await publisher.batch(100);
  await behind.system.untilMetric('rivulet_window_sequence', {}, (sequence) => sequence >= 100);
  proxy.holdBusiest();
  await publisher.batch(100);
  const ids = publisher.acknowledged.slice(100).map(({ id }) => id);
  const waiting = await Promise.all(
    ids.filter((_, index) => index % 10 === 0).map((id) => askBehind(behind, cast, id)),
  );
  await Promise.all(waiting.map(({ client }) => client.until(({ heartbeats }) => heartbeats > 0)));
  const has = await behind.system.metric('rivulet_window_sequence');
  for (const { client, id } of waiting) {
    const cursor = sequenceOf(id);
    hold(has < cursor, `the slower router has ${has}, and was to be behind ${cursor}`);
    hold(client.received.length === 0, () => `told something before its position came: ${client.text}`);
  }
  context.checked('cursors in the future that waited', waiting.length);
  proxy.release();
  await publisher.batch(50);
  const all = publisher.acknowledged.map(({ id }) => id);
  for (const { client, id } of waiting) {
    const owed = all.filter((one) => one > id);
    await client.count(owed.length);
    hold(
      client.received[0]?.event === 'ready' && client.received[0].id === id,
      () => `ready is not at ${id}: ${client.text.slice(0, 300)}`,
    );
    const place = owed.findIndex((one, index) => client.ids[index] !== one);
    hold(
      place === -1 && client.eventCount === owed.length,
      () => `behind ${id}: place ${place} is ${client.ids[place] ?? 'nothing'}, owed ${owed[place] ?? 'nothing'}`,
    );
    hold(client.named('gap').length === 0, () => `a gap for a position that the bus has: ${client.text.slice(0, 300)}`);
    client.cut();
    context.checked('deliveries', owed.length);
  }
  await settle(context, {
    http: ahead,
    bus: bus.grpc,
    cast,
    watchers: [await everything(context, cast, behind)],
    publishers: [publisher],
  });
}

async function askBehind(
  { system }: Place,
  { executions }: Cast,
  id: string,
): Promise<{ client: SseClient; id: string }> {
  const client = await system.sse({ execution_id: executions, keep_open: 'true' }, { 'last-event-id': id });
  hold(client.status === 200, `a position in the future of this router: ${client.status} ${client.text}`);
  return { client, id };
}

function sequenceOf(id: string): number {
  const parsed = parseEventId(id);
  hold(parsed !== null, `${id} is not an id`);
  return eventIdParts(parsed).sequence;
}

async function everything(context: StressContext, cast: Cast, { http }: Place): Promise<Watcher> {
  const plan = { name: 'everything', watch: watchOf(cast.executions), from: 'earliest', base: () => http };
  const watcher = new Watcher(plan, context.fork()).start(context);
  await watcher.ready();
  return watcher;
}

/** What is new at one router is asked for at the other, which has not heard of it yet. */
async function newHere(context: StressContext, rounds: number): Promise<void> {
  const { bus, ahead, behind, cast } = await twoRouters(context);
  const load = { executions: cast.executions, name: 'p', send: overHttp(() => ahead.http), batchMax: 1, pauseMsMax: 0 };
  const publisher = new Publisher(load, context.fork());
  const watchers: Watcher[] = [];
  const random = context.fork();
  for (let round = 0; round < rounds; round += 1) {
    const tag = `new-${round}`;
    behind.freeze();
    const execution = random.pick(cast.executions);
    const from = await mustPut(ahead.system, execution, { tags: [tag] });
    await publisher.batch(10);
    const plan = { name: `round ${round}`, watch: watchOf([tag]), from, base: () => behind.http };
    const watcher = new Watcher(plan, context.fork()).start(context);
    await sleep(random.below(50));
    behind.thaw();
    await watcher.ready();
    const turnedAway = watcher.seen.find(({ kind }) => kind === 'refused');
    hold(turnedAway === undefined, () => `turned away from what another router has acknowledged; ${watcher.summary}`);
    watchers.push(watcher);
  }
  context.checked('values new to a router that slept', rounds);
  await settle(context, { http: ahead, bus: bus.grpc, cast, watchers, publishers: [publisher] });
}

/** One router has not noticed: its subscription hangs in the network, while its calls reach the new bus. */
async function replacedUnnoticed(context: StressContext): Promise<void> {
  const [old, bus] = await Promise.all([busPlace(context), busPlace(context)]);
  const proxy = await Proxy.start(context, old.grpc);
  const [ahead, behind] = await Promise.all([routerPlace(context, bus.grpc), routerPlace(context, proxy.address)]);
  const cast = await castOf(context, behind.system, 6);
  const load = { executions: cast.executions, batchMax: 1, pauseMsMax: 0 };
  await new Publisher({ ...load, name: 'old', send: overHttp(() => behind.http) }, context.fork()).batch(200);
  const stranger = uuidFrom(context.fork());
  for (const execution of [...cast.executions, stranger]) await mustPut(ahead.system, execution, { status: 'running' });
  const publisher = new Publisher({ ...load, name: 'new', send: overHttp(() => ahead.http) }, context.fork());
  await publisher.batch(60);
  proxy.holdBusiest();
  proxy.retarget(bus.grpc);
  const watcher = (name: string, values: readonly string[], from: string): Watcher => {
    const plan = { name, watch: watchOf(values), from, base: () => behind.http };
    return new Watcher(plan, context.fork()).start(context);
  };
  const moved = [0, 10, 59].map((place) =>
    watcher(`moved ${place}`, cast.executions, publisher.acknowledged[place]?.id ?? ''),
  );
  const fresh = await behind.system.sse({ execution_id: stranger });
  hold(fresh.status !== 404, () => `an execution that the bus has: ${fresh.text}`);
  fresh.cut();
  const returning = watcher('returning', [stranger], publisher.acknowledged[59]?.id ?? '');
  await Promise.all([...moved, returning].map((one) => one.until(({ open }) => open, 'a stream')));
  await behind.system.untilMetric('rivulet_window_sequence', {}, (sequence) => sequence < 200);
  await publisher.batch(20);
  for (const execution of [...cast.executions, stranger]) {
    await mustPut(ahead.system, execution, { status: 'completed' });
  }
  const journal = await journalOf(bus.grpc);
  for (const one of [...moved, returning]) {
    await expectAllDelivered(context, [one], journal, { gaps: one.gaps.length });
    hold(one.gaps.length <= 1, () => `more than one gap; ${one.summary}`);
    const refused = one.seen.find((seen) => seen.kind === 'refused' && seen.status === 404);
    hold(refused === undefined, () => `an execution that the bus has is said not to be there; ${one.summary}`);
  }
}

const exactly = 'each client has exactly its matching events of the journal, once and in order, without a gap.';

export const twoRouterScenarios: readonly Scenario[] = [
  {
    name: 'two-routers: clients alternate, one router is stopped now and then',
    invariant: `While one of two routers is held still by SIGSTOP twelve times and clients move between the two, ${exactly}`,
    quick: false,
    run: (context) => held(context, 12, 'stopped'),
  },
  {
    name: 'two-routers: clients alternate, one router hears of nothing now and then',
    invariant: `While the subscription of one of two routers is held up in the network and clients move between the two, ${exactly}`,
    quick: true,
    run: (context) => held(context, 4, 'network'),
  },
  {
    name: 'two-routers: a cursor in the future of the slower one waits',
    invariant:
      'A position that the bus has and this router has not is answered 200 with heartbeats and without ready; when the router has it, ready names it, and exactly the events behind it follow, without a gap.',
    quick: false,
    run: future,
  },
  {
    name: 'two-routers: what one has acknowledged is known to the other',
    invariant:
      'A tag that one router has acknowledged is never unknown to the other, which slept meanwhile: its stream is 200, and has exactly what is behind the answer’s last_event_id.',
    quick: false,
    run: (context) => newHere(context, 8),
  },
  {
    name: 'two-routers: the journal is replaced behind the back of one',
    invariant:
      'A router whose subscription hangs while another journal takes the place of its own gives a client with a position of the new one nothing of the old: exactly the events behind that position, or behind the one gap that it is told of; and what the new journal has is never answered 404.',
    quick: false,
    run: replacedUnnoticed,
  },
  {
    name: 'two-routers: each is killed in its turn',
    invariant: `While two routers are killed with -9 in turn, three times each, publishers and clients go to the other and ${exactly}`,
    quick: false,
    run: (context) => killedInTurn(context, 6),
  },
];
