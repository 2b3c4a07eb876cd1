import { setTimeout as sleep } from 'node:timers/promises';
import { openBrowser } from '../../support/browser.ts';
import { watchOf } from '../../support/delivery-model.ts';
import { hold, type Scenario, type StressContext } from '../scenario.ts';
import { castOf, endAll } from '../tools/cast.ts';
import { journalOf } from '../tools/journal.ts';
import { upPlace } from '../tools/place.ts';
import { overHttp, Publisher } from '../tools/publisher.ts';
import { WeatherProxy } from '../tools/weather-proxy.ts';

interface Seen {
  readonly ids: string[];
  readonly states: string[];
}

/** dunglas/mercure #646 and EventSource/eventsource #27: what a browser has after its connections were cut again and again. */
async function chromiumInABadNetwork(context: StressContext): Promise<void> {
  const up = await upPlace(context);
  await up.system.untilReady('ready');
  const proxy = await WeatherProxy.start(context, () => new URL(up.http).host);
  const cast = await castOf(context, up.system, 4);
  const browser = await openBrowser();
  context.teardown(() => browser.close());
  const page = await browser.newPage();
  await page.goto(`${proxy.url}/healthz`);
  const query = new URLSearchParams(cast.executions.map((execution): [string, string] => ['execution_id', execution]));
  query.append('last_event_id', 'earliest');
  await page.evaluate((text) => {
    const seen: Seen = { ids: [], states: [] };
    const source = new EventSource(`/api/v1/storage/events?${text}`);
    Object.assign(globalThis, { seen });
    source.addEventListener('storage.object.created', (event) => {
      seen.ids.push((event as Event & { readonly lastEventId: string }).lastEventId);
    });
    source.onmessage = () => seen.states.push('message');
    for (const name of ['ready', 'gap', 'done']) source.addEventListener(name, () => seen.states.push(name));
    source.addEventListener('error', () => seen.states.push(`error ${source.readyState}`));
  }, query.toString());
  const load = { executions: cast.executions, name: 'p', send: overHttp(() => up.http), batchMax: 15, pauseMsMax: 30 };
  const publisher = new Publisher(load, context.fork()).start(context);
  const random = context.fork();
  proxy.weather.budget = () => ({ bytes: 800 + random.below(60_000), ending: random.pick(['end', 'reset']) });
  const startMs = performance.now();
  while (performance.now() - startMs < 10_000) {
    await sleep(300 + random.below(1_500));
    if (random.oneIn(3)) {
      proxy.halt();
      await sleep(random.below(400));
      proxy.go();
    }
    proxy.breakAll(random.pick(['end', 'reset']));
  }
  proxy.weather.budget = null;
  await publisher.stop();
  await endAll(up.system, cast);
  await page.waitForFunction(`globalThis.seen.states.includes('error 2')`, undefined, { timeout: 30_000 });
  const { ids, states } = await page.evaluate(() => (globalThis as unknown as { seen: Seen }).seen);
  const owed = (await journalOf(up.grpc)).owed(watchOf(cast.executions), null, null);
  const place = owed.findIndex((id, index) => ids[index] !== id);
  hold(
    place === -1 && ids.length === owed.length,
    `${ids.length} events instead of ${owed.length}, at place ${place} ${ids[place] ?? 'nothing'} instead of ${owed[place] ?? 'nothing'}`,
  );
  hold(!states.includes('gap') && !states.includes('message'), `it saw ${states.join(', ')}`);
  hold(states.filter((state) => state === 'done').length === 1, `it saw ${states.join(', ')}`);
  context.checked('deliveries', ids.length);
  context.checked('connections torn in the middle', proxy.broken);
  context.checked('streams', states.filter((state) => state === 'ready').length);
}

export const browser: readonly Scenario[] = [
  {
    name: 'browser: Chromium in a bad network',
    invariant:
      "A page's EventSource whose connections are cut, reset and silenced for ten seconds has every event once and in order, is told `done` once, and is stopped by 204.",
    quick: false,
    run: chromiumInABadNetwork,
  },
];
