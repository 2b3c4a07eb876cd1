import { hold, type Scenario, type StressContext } from '../scenario.ts';
import { Crowd } from '../tools/crowd.ts';
import { descriptorsMax, footprintOf, footprintText } from '../tools/footprint.ts';
import { burst, groundOf, memberPlan, publisherOf, settleCrowd, timed } from '../tools/ground.ts';
import { askHealth } from '../tools/health.ts';
import { busPlace, routerPlace, upPlace } from '../tools/place.ts';
import { overBus, Publisher } from '../tools/publisher.ts';

/** Everybody at once: cut, gone, back. */

/** Everybody is back so long after the cut. */
const backMsMax = 2_000;
/** Published while nobody is connected: what a client that watches everything is owed. */
const owedMax = 5_000;
/** A client's share of this process's descriptors, and the server's of its own, beside everything else that they have open. */
const descriptorsKept = 1_000;

async function cutAtOnce(context: StressContext, wanted: number): Promise<void> {
  const most = (await descriptorsMax()) - descriptorsKept;
  const count = Math.min(wanted, most);
  if (count < wanted) context.log(`${count} clients instead of ${wanted}: more descriptors are not to be had`);
  const window = context.random.pick(['4MiB', '64MiB']);
  const up = await upPlace(context, { more: [`--window-bytes=${window}`] });
  await up.system.untilReady('ready');
  const base = (): string => up.http;
  const ground = await groundOf(context, up);
  const crowd = new Crowd(context, { count, plan: (_, random) => memberPlan(ground, random, base) });
  await timed(context, `${count} clients joined, window ${window}`, () => crowd.join());
  const trickle = publisherOf(context, ground, base, { name: 'trickle' }).start(context);
  await trickle.more(20);
  const health = askHealth(context, base());
  const bursts = publisherOf(context, ground, base, { name: 'burst' });
  const cutMs = performance.now();
  crowd.cutAll('when let');
  context.checked('cuts', count);
  await burst(bursts, owedMax);
  // What is left of the two seconds: all of them are spent on coming back.
  const left = Math.max(200, backMsMax - (performance.now() - cutMs));
  crowd.letBack((random) => random.below(left));
  await timed(context, `all are back, owed 0 to ${owedMax} events each`, () => crowd.back());
  await settleCrowd(context, crowd, [trickle, bursts], up.grpc);
  context.log(`everybody has everything ${Math.round(performance.now() - cutMs)} ms after the cut`);
  await health();
  const twice = crowd.members.filter(({ connections }) => connections !== 2);
  hold(twice.length === 0, () => `${twice.length} were not served at their first return: ${twice[0]?.summary ?? ''}`);
  context.log(`the server then: ${footprintText(await footprintOf(up.system))}`);
}

async function emptyWindow(context: StressContext, count: number): Promise<void> {
  const bus = await busPlace(context);
  const router = await routerPlace(context, bus.grpc);
  const base = (): string => router.http;
  const ground = await groundOf(context, router);
  const crowd = new Crowd(context, { count, plan: (_, random) => memberPlan(ground, random, base) });
  await crowd.join();
  const direct = (name: string): Publisher => {
    const send = overBus(context, bus.grpc);
    const load = { executions: ground.weighted, name, send, batchMax: 10, pauseMsMax: 60, fillBytesMax: 300 };
    return new Publisher(load, context.fork());
  };
  const [bursts, trickle] = [direct('burst'), direct('trickle')];
  await burst(bursts, 500);
  trickle.start(context);
  await trickle.more(10);
  await router.kill();
  // More than the smallest window: what a new router fills itself with is not what they are owed.
  await burst(bursts, 8_000);
  await router.start();
  const health = askHealth(context, base());
  await timed(context, 'all are back at the new router', () => crowd.back());
  context.checked('kills', router.kills);
  await settleCrowd(context, crowd, [bursts, trickle], bus.grpc);
  await health();
  context.log(`the router then: ${footprintText(await footprintOf(router.system))}`);
  context.log(`the bus then: ${footprintText(await footprintOf(bus.system))}`);
}

async function herd(context: StressContext, count: number): Promise<void> {
  const up = await upPlace(context);
  await up.system.untilReady('ready');
  const base = (): string => up.http;
  const ground = await groundOf(context, up);
  const bursts = publisherOf(context, ground, base, { name: 'burst' });
  await burst(bursts, 6_000);
  const trickle = publisherOf(context, ground, base, { name: 'trickle' }).start(context);
  const health = askHealth(context, base());
  const crowd = new Crowd(context, {
    count,
    plan: (_, random) => ({ ...memberPlan(ground, random, base), from: 'earliest' }),
  });
  await timed(context, `${count} clients joined from the beginning, all at once`, () => crowd.join(count));
  await trickle.more(100);
  await settleCrowd(context, crowd, [trickle, bursts], up.grpc);
  await health();
}

const everybodyInvariant =
  'Clients that are cut at once and come back within two seconds with their last id, each owed between 0 and 5,000 events while publishing goes on, are all served at their first return and have exactly their matching events of the journal, without a gap; every answer of /healthz, asked ten times a second throughout, is 200.';

export const storm: readonly Scenario[] = [
  {
    name: 'storm: 300 clients are cut at once and come back',
    invariant: everybodyInvariant,
    quick: true,
    run: (context) => cutAtOnce(context, 300),
  },
  {
    name: 'storm: 5,000 clients are cut at once and come back',
    invariant: everybodyInvariant,
    quick: false,
    secondsMax: 600,
    run: (context) => cutAtOnce(context, 5_000),
  },
  {
    name: 'storm: back at a router that has just been restarted',
    invariant:
      'Clients of a router that was killed all come back at once to its successor, whose window does not hold what they are owed, and have exactly their matching events out of the journal, without a gap, while publishing goes on; every answer of /healthz is 200.',
    quick: false,
    secondsMax: 240,
    run: (context) => emptyWindow(context, 200),
  },
  {
    name: 'storm: everybody asks for everything at once',
    invariant:
      '400 clients that ask from the beginning at the same moment, of a journal that the window does not hold, have all of their matching events, those published meanwhile included, in order and once, without a gap; every answer of /healthz is 200.',
    quick: false,
    run: (context) => herd(context, 400),
  },
];
