import { setTimeout as sleep } from 'node:timers/promises';
import { openSse } from '../../support/sse-client.ts';
import { hold, type Scenario, type StressContext } from '../scenario.ts';
import { audienceOf, type Cast, castOf, endAll, mustPut, uuidFrom } from '../tools/cast.ts';
import { expectEnds, untilAllFinished } from '../tools/ends.ts';
import { expectAllDelivered } from '../tools/expect-delivered.ts';
import { journalOf } from '../tools/journal.ts';
import { type Place, upPlace } from '../tools/place.ts';
import { overHttp, Publisher } from '../tools/publisher.ts';
import { headOf, rawAnswer } from '../tools/raw-http.ts';
import { together } from '../tools/together.ts';
import type { Watcher } from '../tools/watcher.ts';
import { WeatherProxy } from '../tools/weather-proxy.ts';

/** Clients behind a network that is slow, silent, torn or gone. */

interface Stage {
  readonly up: Place;
  readonly proxy: WeatherProxy;
  readonly cast: Cast;
  readonly watchers: readonly Watcher[];
  readonly publisher: Publisher;
}

async function stageOf(context: StressContext, count: number): Promise<Stage> {
  const up = await upPlace(context);
  await up.system.untilReady('ready');
  const proxy = await WeatherProxy.start(context, () => new URL(up.http).host);
  const cast = await castOf(context, up.system, 6);
  const watchers = await audienceOf(context, cast, { count, base: () => proxy.url });
  // What is published does not go through the bad network.
  const load = {
    executions: cast.executions,
    name: 'p',
    send: overHttp(() => up.http),
    batchMax: 25,
    pauseMsMax: 6,
    fillBytesMax: 600,
  };
  return { up, proxy, cast, watchers, publisher: new Publisher(load, context.fork()).start(context) };
}

async function settle(context: StressContext, { up, cast, watchers, publisher }: Stage): Promise<void> {
  await publisher.stop();
  await endAll(up.system, cast);
  await untilAllFinished(watchers);
  const journal = await journalOf(up.grpc);
  await expectAllDelivered(context, watchers, journal);
}

/**
 * minio/minio #3424: events are lost now and then when the network goes down and comes back. minio/minio-java #1589: in a poor network the
 * listening stops without a word.
 */
async function deadForAWhile(context: StressContext): Promise<void> {
  const stage = await stageOf(context, 10);
  const { proxy, publisher, watchers } = stage;
  const random = context.fork();
  for (let round = 0; round < 4; round += 1) {
    await publisher.more(200);
    context.checked('connections silenced', proxy.halt());
    await publisher.more(400);
    await sleep(random.below(1_500));
    // Some come back to the same connection, some gave it up meanwhile.
    for (const watcher of watchers) if (random.oneIn(3)) watcher.cut();
    await sleep(random.below(300));
    proxy.go();
  }
  await settle(context, stage);
}

/** dunglas/mercure #395: the connection is gone for the server and open for the client. EventSource/eventsource #27: the next one asks behind the wrong id. */
async function tornConnections(context: StressContext): Promise<void> {
  const stage = await stageOf(context, 16);
  const { proxy, publisher, watchers } = stage;
  const random = context.fork();
  proxy.weather.budget = () => ({
    bytes: random.oneIn(4) ? random.below(600) : random.below(120_000),
    ending: random.pick(['end', 'reset']),
  });
  context.checked('connections broken', proxy.breakAll('reset'));
  const weathers = [
    { latencyMs: 0, dribbleBytes: 0 },
    { latencyMs: 20, dribbleBytes: 0 },
    { latencyMs: 0, dribbleBytes: 37 },
  ];
  for (const weather of weathers) {
    Object.assign(proxy.weather, weather);
    await publisher.more(700);
    for (const watcher of watchers) if (random.oneIn(4)) watcher.cut();
  }
  Object.assign(proxy.weather, { latencyMs: 0, dribbleBytes: 0, budget: null });
  proxy.breakAll('end');
  await settle(context, stage);
  context.checked('connections torn in the middle', proxy.broken);
}

const storyPaths = ['a.md', 'größe/übersicht-€.json', 'data/𝄞.tar.gz', 'reports/deep/last'];

/** nchan and EventSource polyfills: after a cut in the middle of a message it is lost, or comes twice, or comes in half. */
async function cutAtEveryByte(context: StressContext, stride: number): Promise<void> {
  const up = await upPlace(context);
  await up.system.untilReady('ready');
  const execution = uuidFrom(context.random);
  const events = storyPaths.map((path) => ({ execution_id: execution, stage: 's', path, metadata: { k: '…' } }));
  const owed = await up.system.publish(...events);
  await mustPut(up.system, execution, { status: 'completed' });
  const query = { execution_id: execution, last_event_id: 'earliest' };
  const path = `/api/v1/storage/events?${new URLSearchParams(query).toString()}`;
  const whole = await rawAnswer(up.http, [headOf(up.http, path)]);
  const length = whole.length;
  const from = context.random.below(stride);
  await together(Math.floor((length - from) / stride), 8, async (index) => {
    const bytes = from + index * stride;
    const proxy = await WeatherProxy.start(context, () => new URL(up.http).host);
    proxy.weather.budget = () => ({ bytes, ending: index % 2 === 0 ? 'end' : 'reset' });
    const first = await openSse(proxy.url, { query }).catch(() => null);
    await first?.end();
    proxy.close();
    const lastId = first?.lastId;
    const had = first?.ids ?? [];
    const say = (what: string): string => `cut behind byte ${bytes} of ${length}, last id ${lastId ?? 'none'}: ${what}`;
    hold(
      had.every((id, place) => id === owed[place]),
      () => say(`it had ${had.join(' ')}`),
    );
    hold(had.length === 0 || (lastId ?? '') >= (had.at(-1) ?? ''), () => say(`it had ${had.join(' ')}`));
    const second = await openSse(up.http, { query, headers: lastId === undefined ? {} : { 'last-event-id': lastId } });
    await second.end();
    const wasDone = first !== null && first.named('done').length > 0;
    hold(second.status === (wasDone ? 204 : 200), () => say(`it came back and was answered ${second.status}`));
    const all = [...had, ...second.ids];
    hold(JSON.stringify(all) === JSON.stringify(owed), () =>
      say(`together ${all.join(' ')} instead of ${owed.join(' ')}`),
    );
    hold(wasDone || second.named('done').length === 1, () => say('it was never told done'));
    context.checked('cuts', 1);
  });
  context.log(`an answer of ${length} bytes`);
}

/**
 * Where a head may not be cut today: behind the method, and inside ` HTTP/1.1\r\n`. There the HTTP library takes what is missing for another
 * version and answers 505 (uNetworking/uWebSockets #1776, mended in later versions than the one that is on the registry).
 */
function mayBeCut(head: string, place: number): boolean {
  const lineEnd = head.indexOf('\r\n');
  return place !== 4 && (place < lineEnd - ' HTTP/1.1'.length + 1 || place > lineEnd + 1);
}

/** Clients behind a phone network or a careful proxy send their head in pieces; a request line of 1,000 executions comes in many. */
async function headsInPieces(context: StressContext): Promise<void> {
  const up = await upPlace(context);
  await up.system.untilReady('ready');
  const cast = await castOf(context, up.system, 4);
  const owed = await up.system.publish(
    ...cast.executions.map((execution) => ({ execution_id: execution, stage: 's', path: 'a' })),
  );
  await endAll(up.system, cast);
  const random = context.fork();
  await together(120, 6, async (index) => {
    const count = 4 + random.below(index % 5 === 0 ? 900 : 12);
    const values = Array.from({ length: count }, (_, place) => cast.executions[place % 4] ?? '');
    const path = `/api/v1/storage/events?last_event_id=earliest&execution_id=${values.join('&execution_id=')}`;
    const head = headOf(up.http, path);
    const places = Array.from({ length: index % 5 === 1 ? head.length : 1 + random.below(40) }, (_, place) =>
      index % 5 === 1 ? place : random.below(head.length),
    );
    const cuts = [...new Set(places.filter((place) => mayBeCut(head, place)))].sort((one, other) => one - other);
    const pieces = [0, ...cuts].map((from, place) => head.slice(from, cuts[place])).filter((piece) => piece !== '');
    const text = (await rawAnswer(up.http, pieces)).toString();
    const say = (): string =>
      `a head of ${head.length} bytes in ${pieces.length} pieces was answered ${text.slice(0, 300)}`;
    hold(text.startsWith('HTTP/1.1 200 '), say);
    const ids = [...text.matchAll(/^id: (.*)\nevent: storage\.object\.created$/gm)].map(([, id]) => id);
    hold(JSON.stringify(ids) === JSON.stringify(owed), say);
    context.checked('heads', 1);
    context.checked('pieces', pieces.length);
  });
}

const badGateway = 'HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\nConnection: close\r\n\r\n';
const unavailable =
  'HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nContent-Type: text/html\r\nContent-Length: 9\r\nConnection: close\r\n\r\n<p>no</p>';

/** symfony/mercure #121: after a deployment, during which the proxy says 502, the page gets no updates any more. */
async function badGateways(context: StressContext): Promise<void> {
  const stage = await stageOf(context, 12);
  const { proxy, publisher, watchers } = stage;
  const random = context.fork();
  let gateways = 0;
  for (let round = 0; round < 6; round += 1) {
    await publisher.more(150);
    proxy.weather.instead = () => {
      if (random.oneIn(3)) return null;
      const isGateway = random.oneIn(2);
      gateways += isGateway ? 1 : 0;
      return isGateway ? badGateway : unavailable;
    };
    proxy.breakAll(random.pick(['end', 'reset']));
    await publisher.more(150);
    proxy.weather.instead = null;
  }
  await publisher.stop();
  // The proxy's own answer is no fault of the server's.
  let told = 0;
  for (const { faults } of watchers) {
    const others = faults.filter((fault) => !fault.startsWith('status 502'));
    told += faults.length - others.length;
    faults.splice(0, faults.length, ...others);
  }
  hold(told <= gateways, `${told} answers of 502, and the proxy gave ${gateways}`);
  await settle(context, stage);
  context.checked('answers in place of the server', proxy.answered);
  expectEnds(context, watchers, await journalOf(stage.up.grpc));
}

export const network: readonly Scenario[] = [
  {
    name: 'network: dead for a while, then data again',
    invariant:
      'A client whose connection goes silent for seconds without being closed, and which then either reads on or comes back with its last id, has exactly its matching events, once and in order, without a gap.',
    quick: false,
    run: deadForAWhile,
  },
  {
    name: 'network: torn, slow and dribbling connections',
    invariant:
      'A client whose connections break behind any number of bytes, by an end or a reset, under latency and byte by byte, has exactly its matching events, once and in order, without a gap.',
    quick: false,
    run: tornConnections,
  },
  {
    name: 'network: cut behind some bytes of an answer',
    invariant:
      'Wherever an answer is cut, the last id is that of the last whole frame, and the next stream brings exactly the rest: nothing lost, nothing twice.',
    quick: true,
    run: (context) => cutAtEveryByte(context, 61),
  },
  {
    name: 'network: cut behind every byte of an answer',
    invariant:
      'The same behind each byte: in the head, in a chunk size, in each field, in a character, between frames.',
    quick: false,
    secondsMax: 300,
    run: (context) => cutAtEveryByte(context, 1),
  },
  {
    name: 'network: request heads in pieces',
    invariant:
      'A request whose head of up to 900 values comes in pieces, cut anywhere but in the version of its first line, is answered as one that comes whole.',
    quick: false,
    run: headsInPieces,
  },
  {
    name: 'network: a proxy that answers 502 and 503 between',
    invariant:
      'A client that is answered 502 or 503 by a proxy between two streams has exactly its matching events, once and in order, without a gap.',
    quick: false,
    run: badGateways,
  },
];
