import { setTimeout as sleep } from 'node:timers/promises';
import type { Scenario, StressContext } from '../scenario.ts';
import { audienceOf, castOf, cutNowAndThen, endAll } from '../tools/cast.ts';
import { expectEnds, untilAllFinished } from '../tools/ends.ts';
import { expectAllDelivered } from '../tools/expect-delivered.ts';
import { journalOf } from '../tools/journal.ts';
import { upPlace } from '../tools/place.ts';
import { overBus, overHttp, Publisher } from '../tools/publisher.ts';
import { WeatherProxy } from '../tools/weather-proxy.ts';

/** minio/minio-js #1317 and dunglas/mercure #243: a listener with a prefix or a topic gets nothing, or too little, and nobody can say why. */
async function manyFilters(context: StressContext): Promise<void> {
  const up = await upPlace(context, { more: ['--shards=3'] });
  await up.system.untilReady('ready');
  const proxy = await WeatherProxy.start(context, () => new URL(up.http).host);
  const cast = await castOf(context, up.system, 50);
  const watchers = await audienceOf(context, cast, {
    count: 300,
    base: (client) => (client % 3 === 0 ? proxy.url : up.http),
  });
  const load = { executions: cast.executions, batchMax: 40, pauseMsMax: 12 };
  const publishers = [
    new Publisher({ ...load, name: 'http', send: overHttp(() => up.http) }, context.fork()).start(context),
    new Publisher({ ...load, name: 'bus', send: overBus(context, up.grpc) }, context.fork()).start(context),
  ];
  const stop = cutNowAndThen(context, watchers, 25);
  const random = context.fork();
  for (let round = 0; round < 6; round += 1) {
    await sleep(600 + random.below(600));
    // A third of them at once, as when a proxy restarts.
    context.checked('connections broken at once', proxy.breakAll(random.pick(['end', 'reset'])));
  }
  for (const publisher of publishers) await publisher.stop();
  context.checked('cuts', stop());
  await endAll(up.system, cast);
  await untilAllFinished(watchers);
  const journal = await journalOf(up.grpc);
  await expectAllDelivered(context, watchers, journal);
  expectEnds(
    context,
    watchers.filter(({ seen }) => seen.some(({ kind }) => kind === 'done')),
    journal,
  );
}

export const filters: readonly Scenario[] = [
  {
    name: 'filters: three hundred clients over fifty executions',
    invariant:
      'Each of 300 clients with a random filter of executions, tags, stage, path and extension, cut at random and a hundred of them at once, has exactly the events that the obvious matcher names, once and in order, without a gap.',
    quick: false,
    run: manyFilters,
  },
];
