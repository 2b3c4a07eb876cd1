import { request } from 'node:http';
import { journalDefaults } from '../../../src/bus/journal/journal-settings.ts';
import { openEngine } from '../../../src/bus/open-engine.ts';
import { createBusService } from '../../../src/bus/service/bus-service.ts';
import { publishGate } from '../../../src/bus/service/publish-gate.ts';
import { systemClock } from '../../../src/core/clock.ts';
import { serveBus } from '../../../src/wire/bus/bus-server.ts';
import type { BusService } from '../../../src/wire/bus/bus-service.ts';
import type { Random } from '../../support/seed.ts';
import type { System } from '../../support/system.ts';
import { hold, type Scenario, type StressContext } from '../scenario.ts';
import { uuidFrom } from '../tools/cast.ts';
import { expectNobody, type Footprint, footprintOf, footprintText } from '../tools/footprint.ts';
import { burst, type Ground, groundOf, publisherOf, timed } from '../tools/ground.ts';
import { askHealth } from '../tools/health.ts';
import { routerPlace, upPlace } from '../tools/place.ts';

/** Requests that come to nothing, and many of them: ids that nobody knows, clients that leave as soon as they are there. */

interface Answer {
  readonly status: number;
  readonly text: string;
}

/** One request for a stream: the answer of a refusal, or the first bytes of a stream, which is then cut. */
function knock(base: string, query: string, headers: Record<string, string> = {}): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const asked = request(new URL(`/api/v1/storage/events?${query}`, base), { agent: false, headers }, (response) => {
      const status = response.statusCode ?? 0;
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => {
        text += chunk;
        if (status === 200) asked.destroy();
      });
      response.on('error', () => undefined);
      response.on('close', () => {
        resolve({ status, text });
      });
    });
    asked.on('error', (error) => {
      // Destroyed by us, after its answer: the response has said so already.
      reject(error);
    });
    asked.end();
  });
}

/** `width` at a time, `count` in all. */
async function inParallel(count: number, width: number, one: (index: number) => Promise<void>): Promise<void> {
  let next = 0;
  const lane = async (): Promise<void> => {
    while (next < count) {
      const index = next;
      next += 1;
      await one(index);
    }
  };
  await Promise.all(Array.from({ length: width }, lane));
}

/** A bus in this process whose Describe calls are counted. */
async function countingBus(context: StressContext): Promise<{ address: string; describes: () => number }> {
  const settings = { engine: 'memory', dataDirectory: '', host: '127.0.0.1', port: 0 } as const;
  const engine = await openEngine(settings, journalDefaults, { clock: systemClock, signal: undefined });
  const service = createBusService(engine.journal, publishGate(0, systemClock), systemClock);
  let describes = 0;
  const counting: BusService = {
    ...service,
    describe(asked) {
      describes += 1;
      return service.describe(asked);
    },
  };
  const server = await serveBus(counting, {
    host: '127.0.0.1',
    port: 0,
    clock: systemClock,
    onInternalError: (error) => {
      context.log(`the bus: ${String(error)}`);
    },
  });
  context.teardown(async () => {
    await server.stop();
    await engine.close();
  });
  return { address: `127.0.0.1:${server.port}`, describes: () => describes };
}

/** One Describe serves everybody who asks while another is under way: so many joins at least for each. */
const joinsPerDescribe = 4;

async function unknownId(context: StressContext, count: number): Promise<void> {
  const bus = await countingBus(context);
  const router = await routerPlace(context, bus.address);
  const health = askHealth(context, router.http);
  const nobody = uuidFrom(context.fork());
  const before = bus.describes();
  let refused = 0;
  await timed(context, `${count} joins on one unknown id`, () =>
    inParallel(count, count, async () => {
      const { status, text } = await knock(router.http, `execution_id=${nobody}`);
      hold(status === 404, `a join on an unknown id was answered ${status} ${text}`);
      const body = JSON.parse(text) as Record<string, unknown>;
      hold(body['error_code'] === 'EXECUTION_NOT_FOUND', `404 says ${text}`);
      hold(body['detail'] === `Execution not found: ${nobody}`, `404 says ${text}`);
      refused += 1;
    }),
  );
  const describes = bus.describes() - before;
  context.log(`${describes} Describe calls for ${count} joins`);
  hold(describes >= 1, 'nobody asked the bus: the answer was a guess');
  hold(describes * joinsPerDescribe <= count, `${describes} Describe calls for ${count} joins`);
  context.checked('404 answers', refused);
  // Known from now on: nothing of the refusals may have stuck.
  await router.system.put(nobody, { status: 'running' });
  const { status } = await knock(router.http, `execution_id=${nobody}`);
  hold(status === 200, `known now, and still ${status}`);
  await expectNobody(context, router.system);
  await health();
}

/** One arrival of a client that leaves at once: live, behind an id, from the beginning, on something unknown, or with a filter of its own. */
async function visit(system: System, ground: Ground, random: Random, cursors: readonly string[]): Promise<void> {
  const execution = random.pick(ground.cast.executions);
  const kind = random.below(5);
  const query = [
    `execution_id=${kind === 0 ? uuidFrom(random) : execution}`,
    ...(kind === 1 ? ['last_event_id=earliest'] : []),
    ...(kind === 2 ? [`stage=s${random.below(1_000)}`] : []),
  ].join('&');
  const { status, text } = await knock(system.http, query, kind === 3 ? { 'last-event-id': random.pick(cursors) } : {});
  const wanted = kind === 0 ? 404 : 200;
  hold(status === wanted, `an arrival of kind ${kind} was answered ${status} ${text.slice(0, 200)}`);
}

interface Visits {
  /** Before what is measured: caches, code that is being compiled, pools that grow to their size. */
  readonly warm: number;
  readonly measured: number;
  /**
   * Resident memory may be so much above that before, in the least of the looks over the second half. The heaps of four isolates breathe by tens of MiB
   * between two collections (242 to 257 MiB over 70,000 reconnects); one kept session for each of 40,000 reconnects would be above 40 MiB.
   */
  readonly bandMib: number;
}

async function leaveNothing(context: StressContext, { warm, measured, bandMib }: Visits): Promise<void> {
  const up = await upPlace(context);
  await up.system.untilReady('ready');
  const ground = await groundOf(context, up);
  const publisher = publisherOf(context, ground, () => up.http, { name: 'p' });
  await burst(publisher, 2_000);
  const cursors = publisher.acknowledged.map(({ id }) => id);
  const random = context.fork();
  const visits = (count: number): Promise<void> =>
    inParallel(count, 40, () => visit(up.system, ground, random, cursors));
  await visits(warm);
  await expectNobody(context, up.system);
  const before = await footprintOf(up.system);
  // The least of the looks over the second half: the heaps breathe by tens of MiB between two collections, and what is kept is in every look from then on.
  const looks: Footprint[] = [];
  await timed(context, `${measured} reconnects, 40 at a time`, async () => {
    for (let quarter = 1; quarter <= 4; quarter += 1) {
      await visits(measured / 4);
      if (quarter <= 2) continue;
      await expectNobody(context, up.system);
      looks.push(await footprintOf(up.system));
    }
  });
  await expectNobody(context, up.system);
  const after = { ...(await footprintOf(up.system)), residentMib: Math.min(...looks.map((one) => one.residentMib)) };
  context.log(`before: ${footprintText(before)}; after: ${footprintText(after)}`);
  hold(
    after.residentMib - before.residentMib <= bandMib,
    `resident memory grew beyond ${bandMib} MiB: before ${footprintText(before)}, after ${footprintText(after)}`,
  );
  hold(
    after.descriptors <= before.descriptors + 4,
    `descriptors are left: before ${footprintText(before)}, after ${footprintText(after)}`,
  );
  context.checked('reconnects', measured);
}

export const arrivals: readonly Scenario[] = [
  {
    name: 'storm: joins on one unknown id',
    invariant:
      '500 clients that ask for the same unknown id at once are all told 404 with its name, for at most one Describe for each four of them; none of it stays behind, and the id is served as soon as it is known; every answer of /healthz is 200.',
    quick: true,
    run: (context) => unknownId(context, 500),
  },
  {
    name: 'storm: 1,000 arrivals leave nothing behind',
    invariant:
      'After clients that came and left at once (live, behind an id, from the beginning, unknown) no stream, filter group or interest is left, no descriptor, and no memory beyond the band.',
    quick: true,
    run: (context) => leaveNothing(context, { warm: 500, measured: 1_000, bandMib: 48 }),
  },
  {
    name: 'storm: 40,000 reconnects leave nothing behind',
    invariant: 'The same over 40,000 reconnects behind 20,000 that are not measured.',
    quick: false,
    secondsMax: 400,
    run: (context) => leaveNothing(context, { warm: 20_000, measured: 40_000, bandMib: 32 }),
  },
];
