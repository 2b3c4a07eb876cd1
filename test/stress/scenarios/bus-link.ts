import { setTimeout as sleep } from 'node:timers/promises';
import { hold, type Scenario, type StressContext } from '../scenario.ts';
import { audienceOf, type Cast, castOf, endAll } from '../tools/cast.ts';
import { untilAllFinished } from '../tools/ends.ts';
import { expectAllDelivered } from '../tools/expect-delivered.ts';
import { expectAcknowledged, expectOnce, journalOf } from '../tools/journal.ts';
import { busPlace, type Place, routerPlace } from '../tools/place.ts';
import { overBus, overHttp, Publisher } from '../tools/publisher.ts';
import type { Watcher } from '../tools/watcher.ts';
import { WeatherProxy } from '../tools/weather-proxy.ts';

/** A network between the router and its bus. */

interface Stage {
  readonly bus: Place;
  readonly router: Place;
  readonly link: WeatherProxy;
  readonly cast: Cast;
  readonly watchers: readonly Watcher[];
  /** Straight to the bus, and through the router. */
  readonly direct: Publisher;
  readonly through: Publisher;
}

async function stageOf(context: StressContext): Promise<Stage> {
  const bus = await busPlace(context);
  const link = await WeatherProxy.start(context, () => bus.grpc);
  const router = await routerPlace(context, link.address);
  const cast = await castOf(context, router.system, 6);
  const watchers = await audienceOf(context, cast, { count: 10, base: () => router.http });
  const load = { executions: cast.executions, batchMax: 25, pauseMsMax: 8, fillBytesMax: 500 };
  const direct = new Publisher({ ...load, name: 'direct', send: overBus(context, bus.grpc) }, context.fork());
  const through = new Publisher({ ...load, name: 'through', send: overHttp(() => router.http) }, context.fork());
  return { bus, router, link, cast, watchers, direct: direct.start(context), through: through.start(context) };
}

async function settle(context: StressContext, stage: Stage): Promise<void> {
  const { bus, router, cast, watchers, direct, through } = stage;
  await direct.stop();
  await through.stop();
  await router.system.untilReady('ready');
  await endAll(router.system, cast);
  await untilAllFinished(watchers);
  const journal = await journalOf(bus.grpc);
  for (const { acknowledged } of [direct, through]) expectAcknowledged(context, acknowledged, journal);
  expectOnce(context, journal);
  await expectAllDelivered(context, watchers, journal);
  // The bus may be away for a router; that is no reason to end a stream.
  for (const { plan, connections } of watchers) {
    hold(
      connections === 1,
      `${plan.name} needed ${connections} connections, and nothing happened between it and the router`,
    );
  }
}

/** centrifugal/centrifugo #798: a lost link to the broker loses messages, and clients learn it as `recovered: false` at best. */
async function badLink(context: StressContext): Promise<void> {
  const stage = await stageOf(context);
  const { link, direct } = stage;
  const random = context.fork();
  for (let round = 0; round < 10; round += 1) {
    link.weather.latencyMs = random.pick([0, 5, 40, 120]);
    link.weather.dribbleBytes = random.oneIn(4) ? 400 : 0;
    await direct.more(150);
    if (random.oneIn(2)) {
      link.weather.refusing = true;
      await sleep(random.below(300));
      link.weather.refusing = false;
    }
    context.checked('connections to the bus broken', link.breakAll(random.pick(['end', 'reset'])));
  }
  Object.assign(link.weather, { latencyMs: 0, dribbleBytes: 0 });
  await settle(context, stage);
}

/** `grpc.keepalive_time_ms` and `grpc.keepalive_timeout_ms` together, the backoff after it, and a slow machine. */
const noticedSecondsMax = 25;

/** lolodomo in openhab/openhab-addons #9680, and minio/minio-py #1221: the other side died without a word, and the listener waits for ever. */
async function silentLink(context: StressContext): Promise<void> {
  const stage = await stageOf(context);
  const { link, direct, watchers } = stage;
  await direct.more(300);
  const silenced = link.halt();
  context.checked('connections to the bus silenced', silenced);
  const startMs = performance.now();
  await direct.more(300);
  const last = direct.acknowledged.at(-1)?.id ?? '';
  const [all] = watchers;
  await all?.until(
    ({ lastId }) => (lastId ?? '') >= last,
    'an event from behind the silence',
    noticedSecondsMax * 1000,
  );
  const seconds = (performance.now() - startMs) / 1000;
  context.log(`delivered again ${seconds.toFixed(1)} s after ${silenced} connections went silent`);
  await settle(context, stage);
}

export const busLink: readonly Scenario[] = [
  {
    name: 'bus link: latency, pieces, ends and resets',
    invariant:
      'Over ten losses of a slow link between router and bus every acknowledged event is in the journal once, and every client has exactly its matching events over one single stream, without a gap.',
    quick: false,
    run: badLink,
  },
  {
    name: 'bus link: silent without being closed',
    invariant:
      'When all connections between router and bus go silent, events published meanwhile are delivered within 25 s, and every client has exactly its matching events over one single stream, without a gap.',
    quick: false,
    run: silentLink,
  },
];
