import { watchOf } from '../../support/delivery-model.ts';
import type { System } from '../../support/system.ts';
import { hold, type Scenario, type StressContext } from '../scenario.ts';
import { castOf, endAll } from '../tools/cast.ts';
import { Crowd } from '../tools/crowd.ts';
import { expectCrowd } from '../tools/expect-crowd.ts';
import { nothingFor, timed } from '../tools/ground.ts';
import { describeBus, journalOf } from '../tools/journal.ts';
import type { Member } from '../tools/member.ts';
import { type Place, upPlace } from '../tools/place.ts';

/** Clients that read slowly, not at all, or again after a long time. */

/** Bytes of one event of the load that fills sockets. */
const heavyBytes = 26_000;
/** Events of it in one portion: 2.6 MB. */
const portion = 100;
/** So many portions are published to park somebody before it is a failure: a loopback socket takes a few MB, two of them four times as much. */
const portionsMax = 16;

interface Scene {
  readonly up: Place;
  readonly execution: string;
  readonly slow: readonly Member[];
  readonly healthy: readonly Member[];
  readonly crowd: Crowd;
  /** Ids of everything that was published, in order. */
  readonly published: string[];
}

interface SceneSettings {
  readonly slow: number;
  readonly healthy?: number;
  readonly more?: readonly string[];
}

/** One execution, clients of it, and those of them that stop reading. */
async function sceneOf(context: StressContext, settings: SceneSettings): Promise<Scene> {
  const { slow, healthy = 0, more = [] } = settings;
  const up = await upPlace(context, { more });
  await up.system.untilReady('ready');
  const cast = await castOf(context, up.system, 1);
  const [execution = ''] = cast.executions;
  const plan = () => ({ watch: watchOf([execution]), from: 'live', base: () => up.http });
  const crowd = await new Crowd(context, { count: slow + healthy, plan }).join();
  const members = crowd.members.slice(0, slow);
  for (const member of members) member.pause();
  context.checked('clients that stop reading', slow);
  return { up, execution, crowd, slow: members, healthy: crowd.members.slice(slow), published: [] };
}

async function publish(context: StressContext, scene: Scene, events: number, bytes = heavyBytes): Promise<void> {
  const prefix = `e${scene.published.length}-${context.random.below(1_000)}-`;
  scene.published.push(...(await scene.up.system.publishMany(scene.execution, events, bytes, prefix)));
}

function parkedIn(system: System): Promise<number> {
  return system.metric('rivulet_sessions', { state: 'parked' });
}

/** Publishes until so many streams are parked, and answers how many portions that took. */
async function parkAll(context: StressContext, scene: Scene): Promise<number> {
  for (let portions = 1; portions <= portionsMax; portions += 1) {
    await publish(context, scene, portion);
    if ((await parkedIn(scene.up.system)) >= scene.slow.length) {
      context.log(`${scene.slow.length} parked after ${portions} portions of ${portion} events of ${heavyBytes} bytes`);
      return portions;
    }
  }
  await scene.up.system.untilMetric('rivulet_sessions', { state: 'parked' }, (parked) => parked >= scene.slow.length);
  return portionsMax;
}

/** Everybody has every event of the journal, and that is what was acknowledged; nobody came more often than said. */
async function settle(context: StressContext, scene: Scene, connections = 1): Promise<void> {
  const { up, crowd, published } = scene;
  const journal = await journalOf(up.grpc);
  const ids = journal.events.map(({ id }) => id);
  hold(
    ids.length === published.length && ids.every((id, index) => id === published[index]),
    () => `the journal has ${ids.length} events and ${published.length} were acknowledged; ${journal.positions}`,
  );
  context.checked('acknowledged events found', published.length);
  const deliveries = await expectCrowd(context, crowd.members, journal);
  const often = crowd.members.find((member) => member.connections > connections);
  hold(often === undefined, () => `${often?.plan.name ?? ''} was cut: ${often?.summary ?? ''}`);
  context.log(`${crowd.members.length} clients, ${deliveries} deliveries compared, ${published.length} events`);
}

function wake(members: readonly Member[]): void {
  for (const member of members) member.resume();
}

/** Until so many seconds after a moment: what was done meanwhile counts. */
async function untilSecondsAfter(sinceMs: number, seconds: number): Promise<void> {
  await nothingFor(Math.max(0, seconds - (performance.now() - sinceMs) / 1000));
}

async function idle(context: StressContext, seconds: number): Promise<void> {
  const scene = await sceneOf(context, { slow: 3, healthy: 2 });
  const { system } = scene.up;
  // Nobody is parked before it, and so nobody's minute is over before `seconds` and a margin are.
  const sinceMs = performance.now();
  await parkAll(context, scene);
  await untilSecondsAfter(sinceMs, seconds / 2);
  await publish(context, scene, 20, 400);
  await untilSecondsAfter(sinceMs, seconds);
  const parked = await parkedIn(system);
  const broken = await system.metric('rivulet_disconnects_total');
  const took = (performance.now() - sinceMs) / 1000;
  hold(took < seconds + 9, `the machine took ${Math.round(took)} s for ${seconds}: it says nothing`);
  hold(parked === scene.slow.length, `${parked} of ${scene.slow.length} are parked after ${seconds} s`);
  hold(broken === 0, `${broken} streams were cut within ${seconds} s`);
  wake(scene.slow);
  await settle(context, scene);
}

async function steadyButSlow(context: StressContext, seconds: number): Promise<void> {
  const bytesPerSecond = 20_000;
  const scene = await sceneOf(context, { slow: 2, healthy: 1 });
  await parkAll(context, scene);
  // More than they can read in that time, so that they stay behind throughout.
  await publish(context, scene, 3 * portion);
  const before = scene.slow.map(({ bytes }) => bytes);
  wake(scene.slow);
  const stops = scene.slow.map((member) => member.throttle(bytesPerSecond));
  for (let left = seconds; left > 0; left -= 10) {
    await nothingFor(Math.min(10, left));
    await publish(context, scene, 5, 400);
    const cut = scene.slow.find(({ connections, open }) => connections !== 1 || !open);
    hold(
      cut === undefined,
      () => `cut ${seconds - left} to ${seconds - left + 10} s after it began: ${cut?.summary ?? ''}`,
    );
  }
  const read = scene.slow.map(({ bytes }, index) => bytes - (before[index] ?? 0));
  context.log(`read in ${seconds} s: ${read.join(' and ')} bytes`);
  const most = bytesPerSecond * seconds * 1.2 + 131_072;
  hold(
    read.every((bytes) => bytes > 0 && bytes < most),
    `not as slow as was meant: ${read.join(' and ')} bytes`,
  );
  for (const stop of stops) stop();
  await settle(context, scene);
}

async function stalled(context: StressContext): Promise<void> {
  const scene = await sceneOf(context, { slow: 2, healthy: 1 });
  const { system } = scene.up;
  const sinceMs = performance.now();
  await parkAll(context, scene);
  const parkedMs = performance.now();
  await untilSecondsAfter(sinceMs, 50);
  hold((await parkedIn(system)) === scene.slow.length, 'closed before 60 s without progress were over');
  await untilSecondsAfter(parkedMs, 55);
  const count = (): Promise<number> => system.metric('rivulet_disconnects_total', { reason: 'stalled' });
  await system.untilMetric('rivulet_disconnects_total', { reason: 'stalled' }, (closed) => closed >= scene.slow.length);
  context.log(`closed ${Math.round((performance.now() - sinceMs) / 1000)} s after they began to be parked`);
  hold((await count()) === scene.slow.length, 'others were closed than those that read nothing');
  context.checked('streams closed without progress', scene.slow.length);
  await publish(context, scene, 50, 400);
  wake(scene.slow);
  await settle(context, scene, 2);
  const stayed = scene.slow.find(({ connections }) => connections !== 2);
  hold(stayed === undefined, () => `it was to come back once: ${stayed?.summary ?? ''}`);
}

async function besideSlow(context: StressContext, slow: number): Promise<void> {
  const scene = await sceneOf(context, { slow, healthy: 10 });
  await parkAll(context, scene);
  await publish(context, scene, 200, 1_000);
  const { healthy, published } = scene;
  const all = (): boolean => healthy.every(({ ids }) => ids.length >= published.length);
  await timed(context, 'the healthy have everything', () => scene.crowd.until(all, 'the healthy have everything'));
  // The point of it: they have it all, in order, while the others have read nothing.
  for (const { plan, ids } of healthy) {
    const wrong = ids.findIndex((id, index) => id !== published[index]);
    hold(wrong < 0 && ids.length === published.length, `${plan.name}: place ${wrong} of ${ids.length}`);
    context.checked('deliveries beside slow clients', ids.length);
  }
  hold((await parkedIn(scene.up.system)) >= slow, 'the slow clients were not parked meanwhile');
  const behind = scene.slow.every(({ ids }) => ids.length < published.length / 2);
  hold(behind, 'the slow clients were not slow');
  wake(scene.slow);
  await settle(context, scene);
}

async function lapped(context: StressContext, laps: number): Promise<void> {
  const windowBytes = 4_194_304;
  const scene = await sceneOf(context, { slow: 3, more: [`--window-bytes=${windowBytes / 1_048_576}MiB`] });
  const start = await parkAll(context, scene);
  const perPortion = portion * heavyBytes;
  const portions = Math.ceil((laps * windowBytes) / perPortion);
  for (let done = 0; done < portions; done += 1) await publish(context, scene, portion);
  context.checked('laps of the window', Math.floor((portions * perPortion) / windowBytes));
  context.log(`parked by ${start} portions, lapped by ${portions} more`);
  wake(scene.slow);
  await publish(context, scene, 50, 400);
  await settle(context, scene);
}

async function overWhilePaused(context: StressContext): Promise<void> {
  const scene = await sceneOf(context, { slow: 3, healthy: 1 });
  await parkAll(context, scene);
  await publish(context, scene, 10, 400);
  await endAll(scene.up.system, { executions: [scene.execution], tags: [] });
  await scene.crowd.until(() => scene.healthy.every(({ finished }) => finished), 'the healthy one is told done');
  hold((await parkedIn(scene.up.system)) === scene.slow.length, 'a parked stream was ended before it had everything');
  wake(scene.slow);
  await scene.crowd.until(() => scene.crowd.members.every(({ finished }) => finished), 'all are told done');
  await settle(context, scene);
  for (const { plan, dones, summary } of scene.crowd.members) {
    hold(dones.length === 1 && dones[0]?.reason === 'executions_terminal', `${plan.name}: ${summary}`);
    hold((dones[0].id ?? '') > (scene.published.at(-1) ?? ''), `${plan.name}: done before its last event: ${summary}`);
  }
  context.checked('done behind the last event', scene.crowd.members.length);
}

async function allWake(context: StressContext, count: number): Promise<void> {
  const scene = await sceneOf(context, { slow: count, healthy: 5 });
  await parkAll(context, scene);
  await publish(context, scene, 2 * portion);
  wake(scene.slow);
  await timed(context, `${count} parked clients woke at once and have everything`, () => settle(context, scene));
}

async function trimmedPast(context: StressContext): Promise<void> {
  const scene = await sceneOf(context, { slow: 2, more: ['--retention-bytes=16MiB'] });
  await parkAll(context, scene);
  await publish(context, scene, 16 * portion);
  const { up, published, slow, crowd } = scene;
  const retained = 16_777_216;
  await timed(context, 'retention has trimmed', async () => {
    for (;;) {
      const { retained_bytes: bytes } = await describeBus(up.grpc);
      if (bytes <= retained) return;
      await nothingFor(0.2);
    }
  });
  const journal = await journalOf(up.grpc);
  const kept = journal.events.map(({ id }) => id);
  hold(kept.length > 0 && kept.length < published.length, `${kept.length} of ${published.length} are kept`);
  wake(slow);
  await crowd.until(() => slow.every(({ lastId }) => lastId === published.at(-1)), 'the slow have the last event');
  await nothingFor(0.3);
  for (const { plan, ids, gaps, faults, summary, connections } of slow) {
    hold(faults.length === 0 && connections === 1, `${plan.name}: ${summary}`);
    hold(gaps.length === 1, () => `${plan.name}: ${gaps.length} gaps: ${summary}`);
    const at = gaps[0]?.at ?? 0;
    const before = ids.slice(0, at);
    const behind = ids.slice(at);
    const lost = before.findIndex((id, index) => id !== published[index]);
    hold(
      lost < 0,
      () => `${plan.name}: before the gap, place ${lost}: ${before[lost] ?? ''} instead of ${published[lost] ?? ''}`,
    );
    hold((before.at(-1) ?? '') < (kept[0] ?? ''), `${plan.name}: its cursor had not been trimmed past`);
    const wrong = behind.findIndex((id, index) => id !== kept[index]);
    hold(
      wrong < 0 && behind.length === kept.length,
      () => `${plan.name}: behind the gap, place ${wrong} of ${behind.length}, of ${kept.length} kept; ${summary}`,
    );
    context.checked('deliveries', ids.length);
  }
  context.checked('gaps', slow.length);
  context.log(`${published.length} events published, ${kept.length} kept; ${journal.positions}`);
}

export const slow: readonly Scenario[] = [
  {
    name: 'slow: reads nothing for 50 s',
    invariant:
      'A client that stops reading for 50 s under load is not cut, and when it reads again it has every event once, in order and without a gap, over the same connection.',
    quick: false,
    secondsMax: 240,
    run: (context) => idle(context, 50),
  },
  {
    name: 'slow: reads 20 KB a second for two and a half minutes',
    invariant:
      'A client that reads 20,000 bytes a second for 150 s and is behind throughout is never cut, and has every event once, in order and without a gap, over the same connection.',
    quick: false,
    secondsMax: 400,
    run: (context) => steadyButSlow(context, 150),
  },
  {
    name: 'slow: closed after a minute without progress',
    invariant:
      'A client that takes nothing is still there after 50 s, is closed when 60 s without progress are over, and nobody else; when it comes back with its last id it has every event once, in order and without a gap.',
    quick: false,
    secondsMax: 240,
    run: stalled,
  },
  {
    name: 'slow: does not hold up the healthy',
    invariant:
      'While 10 clients read nothing, 10 healthy clients of the same execution have every acknowledged event, in order and once; then the slow ones have them too.',
    quick: false,
    run: (context) => besideSlow(context, 10),
  },
  {
    name: 'slow: 50 that read nothing do not hold up the healthy',
    invariant: 'The same beside 50 clients that read nothing.',
    quick: false,
    run: (context) => besideSlow(context, 50),
  },
  {
    name: 'slow: the window laps a parked client',
    invariant:
      'A parked client that the window has passed at least six times reads on out of the journal and has every event once, in order and without a gap, over the same connection.',
    quick: false,
    run: (context) => lapped(context, 6),
  },
  {
    name: 'slow: executions end while it is paused',
    invariant:
      'A parked client whose execution ends is not ended before it has everything: it has every event, and then one done with a position behind the last of them.',
    quick: true,
    run: overWhilePaused,
  },
  {
    name: 'slow: 200 parked clients wake at once',
    invariant:
      'Two hundred parked clients that all begin to read at the same moment have every event once, in order and without a gap, each over the same connection.',
    quick: false,
    run: (context) => allWake(context, 200),
  },
  {
    name: 'slow: retention passes a parked client',
    invariant:
      'A parked client whose cursor has been trimmed away has a beginning of what was published, then exactly one gap, and then every event from the oldest kept on, once and in order.',
    quick: false,
    run: trimmedPast,
  },
];
