import { setTimeout as sleep } from 'node:timers/promises';
import { watchOf } from '../../support/delivery-model.ts';
import { openSse } from '../../support/sse-client.ts';
import type { Scenario, StressContext } from '../scenario.ts';
import { hold } from '../scenario.ts';
import { busClientOf, changeEntry, eventEntry, publishAll } from '../tools/batches.ts';
import { castOf, endAll, mustPut, uuidFrom, watchFrom } from '../tools/cast.ts';
import { completedNumber, expectEnds, untilAllFinished } from '../tools/ends.ts';
import { expectAllDelivered } from '../tools/expect-delivered.ts';
import { journalOf } from '../tools/journal.ts';
import { upPlace } from '../tools/place.ts';
import { overBus, overHttp, Publisher } from '../tools/publisher.ts';
import { Watcher } from '../tools/watcher.ts';
import { WeatherProxy } from '../tools/weather-proxy.ts';

/** Streams that end when everything watched is over: not before, not never, and with everything that came before. */

const runningNumber = 2;

/**
 * kestra-io/kestra #6913 and #7226: the follow stream stops before the last log, because its end is a guess about time.
 * dunglas/mercure #243: the last of several updates in quick succession never arrives.
 */
async function endInOneBatch(context: StressContext): Promise<void> {
  const up = await upPlace(context);
  await up.system.untilReady('ready');
  const random = context.fork();
  const bus = busClientOf(context, up.grpc);
  const other = busClientOf(context, up.grpc);
  const executions = Array.from({ length: 120 }, () => uuidFrom(random));
  await publishAll(
    bus,
    executions.map((execution) => changeEntry(execution, runningNumber)),
  );
  const watchers = executions.map((execution, index) =>
    new Watcher(
      { name: `follower ${index}`, watch: watchOf([execution]), from: 'live', base: () => up.http },
      context.fork(),
    ).start(context),
  );
  await Promise.all(watchers.map((watcher) => watcher.ready()));
  const started: Promise<unknown>[] = [];
  for (const execution of executions) {
    const events = Array.from({ length: random.below(6) }, (_, index) => eventEntry(execution, `e${index}`));
    const end = changeEntry(execution, completedNumber + random.below(3));
    if (random.oneIn(3)) {
      // Two connections race: what the end overtakes is late, and not owed.
      started.push(
        bus.publish({ entries: [...events, eventEntry(execution, 'race')] }),
        other.publish({ entries: [end] }),
      );
    } else {
      const late = Array.from({ length: random.below(3) }, (_, index) => eventEntry(execution, `late${index}`));
      started.push(bus.publish({ entries: [...events, end, ...late] }));
    }
    if (random.oneIn(8)) await sleep(random.below(5));
  }
  await Promise.all(started);
  await untilAllFinished(watchers);
  const journal = await journalOf(up.grpc);
  await expectAllDelivered(context, watchers, journal);
  expectEnds(context, watchers, journal);
}

/** kestra-io/kestra #6913 for many executions at once: a page that follows a loop of sub-executions is told that it is over while one still runs. */
async function tagEndsAtRandom(context: StressContext): Promise<void> {
  const up = await upPlace(context);
  await up.system.untilReady('ready');
  const cast = await castOf(context, up.system, 40);
  const random = context.fork();
  const watchers = Array.from({ length: 30 }, (_, index) => {
    const own = context.fork();
    const watch = own.oneIn(3) ? watchFrom(own, cast) : watchOf([own.pick(cast.tags)]);
    const from = own.oneIn(2) ? 'live' : 'earliest';
    return new Watcher({ name: `client ${index}`, watch, from, base: () => up.http }, own).start(context);
  });
  await Promise.all(watchers.map((watcher) => watcher.ready()));
  const load = { executions: cast.executions, batchMax: 12, pauseMsMax: 4 };
  const publishers = [
    new Publisher({ ...load, name: 'http', send: overHttp(() => up.http) }, context.fork()).start(context),
    new Publisher({ ...load, name: 'bus', send: overBus(context, up.grpc) }, context.fork()).start(context),
  ];
  const added = Array.from({ length: 8 }, () => uuidFrom(random));
  const left = [...cast.executions];
  while (left.length > 0) {
    const [execution = ''] = left.splice(random.below(left.length), 1);
    const newcomer = left.length > 8 && random.oneIn(4) ? added.pop() : undefined;
    if (newcomer !== undefined) {
      await mustPut(up.system, newcomer, { status: 'running', tags: [random.pick(cast.tags)] });
      left.push(newcomer);
    }
    await mustPut(up.system, execution, { status: random.pick(['completed', 'failed', 'cancelled']) });
    await sleep(random.below(40));
  }
  for (const publisher of publishers) await publisher.stop();
  await untilAllFinished(watchers);
  const journal = await journalOf(up.grpc);
  await expectAllDelivered(context, watchers, journal);
  expectEnds(context, watchers, journal);
}

/**
 * aegra/aegra #472 and langchain-ai/langgraph's join of a finished run: who comes back with its last id after the end waits for ever.
 * kestra-io/kestra #6725: a stream without a single event is never let go.
 */
async function overWhileAway(context: StressContext): Promise<void> {
  const up = await upPlace(context);
  await up.system.untilReady('ready');
  const cast = await castOf(context, up.system, 4);
  const proxy = await WeatherProxy.start(context, () => new URL(up.http).host);
  const silent = uuidFrom(context.random);
  await mustPut(up.system, silent, { status: 'running' });
  const open = (name: string, from: string, base: string, values: readonly string[]): Watcher =>
    new Watcher({ name, watch: watchOf(values), from, base: () => base }, context.fork()).start(context);
  const numbers = [0, 1, 2, 3];
  const parked = numbers.map((index) => open(`parked ${index}`, 'live', up.http, [...cast.executions, silent]));
  const absent = numbers.map((index) => open(`absent ${index}`, 'live', proxy.url, cast.executions));
  const idle = numbers.map((index) =>
    open(`without events ${index}`, 'live', index % 2 === 0 ? up.http : proxy.url, [silent]),
  );
  await Promise.all([...parked, ...absent, ...idle].map((watcher) => watcher.ready()));
  for (const watcher of parked) watcher.pause();
  proxy.weather.refusing = true;
  context.checked('connections broken', proxy.breakAll('reset'));
  // More than the sockets and the window hold.
  for (const execution of cast.executions) await up.system.publishMany(execution, 4_000, 1_000);
  const behind = numbers.map((index) => open(`catching up ${index}`, 'earliest', up.http, cast.executions));
  await behind[0]?.until(({ events }) => events > 100, 'a beginning');
  await endAll(up.system, { executions: [...cast.executions, silent], tags: [] });
  await sleep(context.random.below(400));
  for (const watcher of parked) watcher.resume();
  proxy.weather.refusing = false;
  const watchers = [...parked, ...absent, ...idle, ...behind];
  await untilAllFinished(watchers);
  const journal = await journalOf(up.grpc);
  await expectAllDelivered(context, watchers, journal);
  expectEnds(context, watchers, journal);
}

/** kestra-io/kestra #19703: a loop fans out hundreds of executions, and its page loses its stream. */
async function tagOf500(context: StressContext): Promise<void> {
  const up = await upPlace(context);
  await up.system.untilReady('ready');
  const random = context.fork();
  const bus = busClientOf(context, up.grpc);
  const other = busClientOf(context, up.grpc);
  const executions = Array.from({ length: 500 }, () => uuidFrom(random));
  await publishAll(
    bus,
    executions.map((execution) => changeEntry(execution, runningNumber, ['fan-out'])),
  );
  await up.system.untilReady('ready');
  const watchers = ['live', 'earliest', 'live'].map((from, index) =>
    new Watcher(
      { name: `client ${index}`, watch: watchOf(['fan-out']), from, base: () => up.http },
      context.fork(),
    ).start(context),
  );
  const plain = await openSse(up.http, { query: { execution_id: 'fan-out' } });
  context.teardown(() => {
    plain.cut();
  });
  const { data } = await plain.first('ready');
  hold(membersOf(data) === 500, `ready names ${membersOf(data)} executions instead of 500`);
  await Promise.all(watchers.map((watcher) => watcher.ready()));
  const left = [...executions];
  while (left.length > 0) {
    const group = Array.from(
      { length: Math.min(left.length, 1 + random.below(20)) },
      () => left.splice(random.below(left.length), 1)[0] ?? '',
    );
    await Promise.all([
      bus.publish({ entries: executions.slice(0, 40).map((execution) => eventEntry(execution, `at ${left.length}`)) }),
      other.publish({ entries: group.map((execution) => changeEntry(execution, completedNumber)) }),
    ]);
  }
  const done = await plain.first('done');
  hold(membersOf(done.data) === 500, `done names ${membersOf(done.data)} executions instead of 500`);
  await untilAllFinished(watchers);
  const journal = await journalOf(up.grpc);
  await expectAllDelivered(context, watchers, journal);
  expectEnds(context, watchers, journal);
}

function membersOf(data: Record<string, unknown>): number {
  return (data['executions'] as readonly unknown[]).length;
}

/** langchain-ai/langgraph #6202: the stream stops midway while the run goes on. A time-out is such a stop; nothing may be lost at it. */
async function timeoutWhileCatchingUp(context: StressContext): Promise<void> {
  const up = await upPlace(context);
  await up.system.untilReady('ready');
  const cast = await castOf(context, up.system, 3);
  for (const execution of cast.executions) await up.system.publishMany(execution, 8_000, 1_200);
  const proxy = await WeatherProxy.start(context, () => new URL(up.http).host);
  proxy.weather.latencyMs = 15;
  const watchers = cast.executions.map((execution, index) =>
    new Watcher(
      { name: `slow ${index}`, watch: watchOf([execution]), from: 'earliest', timeout: 1, base: () => proxy.url },
      context.fork(),
    ).start(context),
  );
  await Promise.all(watchers.map((watcher) => watcher.until(({ events }) => events >= 4_000, 'half of it', 60_000)));
  await endAll(up.system, cast);
  await untilAllFinished(watchers);
  const journal = await journalOf(up.grpc);
  await expectAllDelivered(context, watchers, journal);
  for (const { seen } of watchers) {
    context.checked('time-outs', seen.filter((one) => one.kind === 'done' && one.reason === 'timeout').length);
  }
}

export const endings: readonly Scenario[] = [
  {
    name: 'endings: the last events and the end come in one batch',
    invariant:
      'A stream on one execution is told `done` once, at a position at or behind the terminal change, and has every event before that position, whether the end came in the batch of the last events or from another connection.',
    quick: true,
    run: endInOneBatch,
  },
  {
    name: 'endings: executions of a tag end at random times',
    invariant:
      'A stream on tags and executions is told `done` once, at a position of the journal at which every execution that it watched there is over, and has exactly its matching events up to it.',
    quick: false,
    run: tagEndsAtRandom,
  },
  {
    name: 'endings: everything is over while the client is away',
    invariant:
      'A client that was parked, absent, catching up or without any event when everything it watches ended has exactly its events and is told `done` once, and never gets nothing for 30 s after it came back.',
    quick: false,
    secondsMax: 300,
    run: overWhileAway,
  },
  {
    name: 'endings: a tag of five hundred executions',
    invariant:
      '`ready` and `done` name all 500 executions of the tag; `done` comes once, when the last of them is over, and every event before it has come.',
    quick: false,
    run: tagOf500,
  },
  {
    name: 'endings: the time-out comes while a slow client catches up',
    invariant:
      'A client whose stream ends by time-out again and again while it catches up has in the end exactly its events, once and in order.',
    quick: false,
    run: timeoutWhileCatchingUp,
  },
];
