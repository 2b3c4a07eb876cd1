import { once } from 'node:events';
import { type ClientHttp2Session, connect } from 'node:http2';
import { setTimeout as sleep } from 'node:timers/promises';
import { watchOf } from '../../support/delivery-model.ts';
import type { Random } from '../../support/seed.ts';
import { hold, type Scenario, type StressContext } from '../scenario.ts';
import { Crowd } from '../tools/crowd.ts';
import { type Ground, groundOf, memberPlan, publisherOf, settleCrowd } from '../tools/ground.ts';
import type { Member, MemberDone } from '../tools/member.ts';
import { busPlace, type Place, routerPlace, upPlace } from '../tools/place.ts';
import { overBus, Publisher } from '../tools/publisher.ts';

/** Processes that are asked to stop, under load, and come back. */

/** What the program promises of a stop. */
const stopMsMax = 10_000;
const retryMs = { least: 1_000, most: 5_000 };

/** As a browser would: after the time that it was last told. */
function crowdOn(context: StressContext, ground: Ground, count: number, base: (random: Random) => string): Crowd {
  const moves = context.fork();
  return new Crowd(context, { count, plan: (_, random) => memberPlan(ground, random, () => base(moves)) });
}

/** SIGTERM, and how it came out: exit code 0 within ten seconds. */
async function stopInOrder(context: StressContext, place: Place, what: string): Promise<void> {
  const startMs = performance.now();
  const { code, signal } = await place.system.stop('SIGTERM');
  const ms = Math.round(performance.now() - startMs);
  context.log(`${what} ended ${ms} ms after SIGTERM`);
  hold(
    code === 0,
    () => `${what} ended with ${code ?? signal ?? ''} after ${ms} ms: ${place.system.stderr().slice(-800)}`,
  );
  hold(ms <= stopMsMax, `${what} took ${ms} ms to stop`);
  context.checked('stops in order', 1);
}

/** The dones of a shutdown: one for each that had a stream, with a position and a `retry` of its own drawing. */
function expectShutdown(context: StressContext, members: readonly Member[], from: ReadonlyMap<Member, number>): void {
  const retries: number[] = [];
  for (const member of members) {
    const dones = member.dones.slice(from.get(member) ?? 0).filter(({ reason }) => reason === 'shutdown');
    const say = (what: string): string => `${member.plan.name}: ${what}; ${member.summary}`;
    hold(dones.length === 1, () => say(`${dones.length} dones with reason shutdown instead of one`));
    const { id, retry } = dones[0] as MemberDone;
    hold(id !== null, () => say('done without a position'));
    hold(retry !== null && retry >= retryMs.least && retry <= retryMs.most, () => say(`retry ${retry ?? 'none'}`));
    retries.push(retry);
  }
  const quarters = new Set(
    retries.map((retry) => Math.floor((4 * (retry - retryMs.least)) / (retryMs.most - retryMs.least + 1))),
  );
  hold(
    quarters.size === 4,
    `the retries are not spread: quarters ${[...quarters].join(', ')} of ${members.length} clients`,
  );
  context.log(
    `${members.length} were told done, retry from ${Math.min(...retries)} to ${Math.max(...retries)} ms, ${new Set(retries).size} different`,
  );
  context.checked('shutdowns told', members.length);
}

async function termUnderLoad(context: StressContext, count: number): Promise<void> {
  const up = await upPlace(context);
  await up.system.untilReady('ready');
  const base = (): string => up.http;
  const ground = await groundOf(context, up);
  const crowd = await crowdOn(context, ground, count, base).join();
  const publishers = ['p', 'q'].map((name) =>
    publisherOf(context, ground, base, { name, batchMax: 20, pauseMsMax: count > 500 ? 100 : 20 }).start(context),
  );
  await Promise.all(publishers.map((publisher) => publisher.more(100 + context.random.below(200))));
  const before = new Map(crowd.members.map((member) => [member, member.dones.length]));
  await stopInOrder(context, up, '`up`');
  await crowd.until(() => crowd.members.every(({ open }) => !open), 'every stream has ended');
  expectShutdown(context, crowd.members, before);
  await up.start();
  await Promise.all(publishers.map((publisher) => publisher.more(50)));
  await crowd.back();
  await settleCrowd(context, crowd, publishers, up.grpc);
}

async function rolling(context: StressContext, rounds: number): Promise<void> {
  const bus = await busPlace(context);
  const routers = [await routerPlace(context, bus.grpc), await routerPlace(context, bus.grpc)] as const;
  const [first, second] = routers;
  const ground = await groundOf(context, first);
  const crowd = await crowdOn(context, ground, 60, (random) => random.pick(routers).http).join();
  const publishers = [
    ...routers.map((router, index) =>
      publisherOf(context, ground, () => router.http, { name: `p${index}`, pauseMsMax: 40 }),
    ),
    new Publisher(
      { executions: ground.weighted, name: 'direct', send: overBus(context, bus.grpc), batchMax: 10, pauseMsMax: 40 },
      context.fork(),
    ),
  ];
  for (const publisher of publishers) publisher.start(context);
  const direct = publishers[2];
  hold(direct !== undefined, 'there is a publisher to the bus');
  for (let round = 0; round < rounds; round += 1) {
    for (const [router, other] of [
      [first, second],
      [second, first],
    ] as const) {
      await direct.more(100 + context.random.below(200));
      await stopInOrder(context, router, `router ${round}`);
      await direct.more(50 + context.random.below(200));
      await router.start();
      await router.system.untilReady('ready');
      hold(other.system.process.exitCode === null, 'the other router ended too');
    }
  }
  await crowd.back();
  await settleCrowd(context, crowd, publishers, bus.grpc);
}

/** A call to the bus that is begun and never finished: a stop waits for it, so that there is time for a second signal. */
async function callThatHangs(context: StressContext, grpc: string): Promise<ClientHttp2Session> {
  const session = connect(`http://${grpc}`);
  session.on('error', () => undefined);
  context.teardown(() => {
    session.destroy();
  });
  const call = session.request({
    ':method': 'POST',
    ':path': '/rivulet.bus.v1.StorageEventBus/Publish',
    'content-type': 'application/grpc',
    te: 'trailers',
  });
  call.on('error', () => undefined);
  // Half of a message's head: the server has the call and waits for the rest.
  call.write(Buffer.from([0, 0]));
  await once(session, 'connect');
  await new Promise<void>((resolve, reject) => {
    session.ping((error) => {
      if (error === null) resolve();
      else reject(error);
    });
  });
  return session;
}

/** Presses of one key come twice within half a second; what comes later is meant. */
const secondSignalMs = 700;
/** From the second signal to the end of the process: the kernel's work alone. */
const atOnceMs = 1_000;

async function secondSignal(context: StressContext): Promise<void> {
  const up = await upPlace(context);
  await up.system.untilReady('ready');
  const base = (): string => up.http;
  const ground = await groundOf(context, up);
  const crowd = await crowdOn(context, ground, 40, base).join();
  const publishers = ['p', 'q'].map((name) =>
    publisherOf(context, ground, base, { name, pauseMsMax: 20 }).start(context),
  );
  await Promise.all(publishers.map((publisher) => publisher.more(100)));
  await callThatHangs(context, up.grpc);
  const { system } = up;
  const ended = system.exited();
  system.process.kill('SIGTERM');
  await sleep(secondSignalMs);
  hold(system.process.exitCode === null, 'it had stopped before the second signal: nothing was shown');
  const signal = context.random.pick(['SIGTERM', 'SIGINT'] as const);
  // One press of each kind is a first one of its kind; the program counts signals, not kinds.
  const startMs = performance.now();
  system.process.kill(signal);
  const outcome = await ended;
  const ms = Math.round(performance.now() - startMs);
  context.log(`ended by ${outcome.signal ?? `exit ${outcome.code ?? ''}`} ${ms} ms after a second signal, ${signal}`);
  hold(outcome.signal === signal, `ended by ${outcome.signal ?? `exit ${outcome.code ?? ''}`} instead of ${signal}`);
  hold(ms <= atOnceMs, `it took ${ms} ms after the second signal`);
  context.checked('ends by a second signal', 1);
  await up.start();
  await Promise.all(publishers.map((publisher) => publisher.more(50)));
  await crowd.back();
  await settleCrowd(context, crowd, publishers, up.grpc);
}

async function termWhileParked(context: StressContext): Promise<void> {
  const up = await upPlace(context);
  await up.system.untilReady('ready');
  const ground = await groundOf(context, up);
  const [execution = ''] = ground.weighted;
  const plan = () => ({ watch: watchOf([execution]), from: 'live', base: () => up.http });
  const crowd = await new Crowd(context, { count: 8, plan }).join();
  const parked = crowd.members.slice(0, 5);
  for (const member of parked) member.pause();
  const count = (): Promise<number> => up.system.metric('rivulet_sessions', { state: 'parked' });
  let portions = 0;
  for (; portions < 16 && (await count()) < parked.length; portions += 1) {
    await up.system.publishMany(execution, 100, 26_000, `e${portions}-`);
  }
  hold((await count()) === parked.length, `${await count()} of ${parked.length} are parked`);
  context.checked('clients parked', parked.length);
  const publisher = publisherOf(context, ground, () => up.http, { name: 'p' }).start(context);
  await publisher.more(30);
  await stopInOrder(context, up, '`up` with parked streams');
  await up.start();
  await publisher.more(30);
  for (const member of parked) member.resume();
  await settleCrowd(context, crowd, [publisher], up.grpc);
}

async function busTerm(context: StressContext, rounds: number): Promise<void> {
  const bus = await busPlace(context);
  const router = await routerPlace(context, bus.grpc);
  const base = (): string => router.http;
  const ground = await groundOf(context, router);
  const crowd = await crowdOn(context, ground, 40, base).join();
  const publishers = [
    publisherOf(context, ground, base, { name: 'p', pauseMsMax: 30 }),
    new Publisher(
      { executions: ground.weighted, name: 'direct', send: overBus(context, bus.grpc), batchMax: 20, pauseMsMax: 20 },
      context.fork(),
    ),
  ];
  for (const publisher of publishers) publisher.start(context);
  for (let round = 0; round < rounds; round += 1) {
    await Promise.all(publishers.map((publisher) => publisher.more(50 + context.random.below(200))));
    await stopInOrder(context, bus, 'the bus');
    await router.system.untilReady('bus-away');
    await sleep(context.random.below(500));
    await bus.start();
  }
  await Promise.all(publishers.map((publisher) => publisher.more(50)));
  await router.system.untilReady('ready');
  await settleCrowd(context, crowd, publishers, bus.grpc);
  const cut = crowd.members.find(({ connections }) => connections !== 1);
  hold(cut === undefined, () => `a stream of the router was cut: ${cut?.summary ?? ''}`);
  context.checked('streams that stayed', crowd.members.length);
}

async function rapid(context: StressContext, restarts: number): Promise<void> {
  const up = await upPlace(context);
  await up.system.untilReady('ready');
  const base = (): string => up.http;
  const ground = await groundOf(context, up);
  const crowd = await crowdOn(context, ground, 30, base).join();
  const publisher = publisherOf(context, ground, base, { name: 'p', pauseMsMax: 20 }).start(context);
  await publisher.more(100);
  for (let restart = 0; restart < restarts; restart += 1) {
    await stopInOrder(context, up, `restart ${restart}`);
    await up.start();
    await sleep(context.random.below(400));
  }
  await publisher.more(50);
  await crowd.back();
  await settleCrowd(context, crowd, [publisher], up.grpc);
}

const termInvariant =
  'SIGTERM under load: every stream gets one done with reason shutdown, a position, and a retry between 1,000 and 5,000 ms that is spread; the process ends with 0 within 10 s; after a restart every client that comes back with its last id has exactly its matching events of the journal, nothing twice, and every acknowledged event is there.';

export const graceful: readonly Scenario[] = [
  {
    name: 'graceful: SIGTERM under load',
    invariant: termInvariant,
    quick: true,
    run: (context) => termUnderLoad(context, 100),
  },
  {
    name: 'graceful: SIGTERM under 1,000 connections and load',
    invariant: termInvariant,
    quick: false,
    run: (context) => termUnderLoad(context, 1_000),
  },
  {
    name: 'graceful: rolling restart of two routers',
    invariant:
      'While two routers on one bus are restarted in turn, three times each, every stop is in order, and clients that go to either of them, whichever they were at before, have exactly their matching events of the journal, without a gap.',
    quick: false,
    secondsMax: 400,
    run: (context) => rolling(context, 3),
  },
  {
    name: 'graceful: a second signal ends it at once',
    invariant:
      'A second signal, 700 ms after SIGTERM, while a call still holds the stop up, ends the process at once and by that signal, without an abort; after a restart every acknowledged event is in the journal once, and every client has exactly its matching events.',
    quick: true,
    run: secondSignal,
  },
  {
    name: 'graceful: SIGTERM while clients are parked',
    invariant:
      'SIGTERM with parked streams ends the process with 0 within 10 s; after a restart those clients read on behind their last id and have exactly their matching events, once and without a gap.',
    quick: false,
    run: termWhileParked,
  },
  {
    name: 'graceful: SIGTERM of the bus beside a router',
    invariant:
      'Each of three times that the bus is asked to stop under load it ends with 0 within 10 s; no stream of the router is cut, and when the bus is back every client has exactly its matching events of the journal, without a gap.',
    quick: false,
    run: (context) => busTerm(context, 3),
  },
  {
    name: 'graceful: ten rapid restarts',
    invariant:
      'Ten restarts by SIGTERM, each within 400 ms of the last, under load: each stop is in order, and every client has exactly its matching events of the journal, without a gap.',
    quick: false,
    // A start that a busy machine takes its time for is none of its promises.
    secondsMax: 400,
    run: (context) => rapid(context, 10),
  },
];
