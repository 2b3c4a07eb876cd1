import { statSync } from 'node:fs';
import { join } from 'node:path';
import { journalFileName } from '../../../src/bus/engine/lmdb-store.ts';
import { watchOf } from '../../support/delivery-model.ts';
import { lackOfLimits, limitFileSize, makeSmallDisk } from '../../support/disk.ts';
import { temporaryDirectory } from '../../support/system.ts';
import { until } from '../../support/until.ts';
import { hold, NotCheckedError, type Scenario, type StressContext } from '../scenario.ts';
import { audienceOf, type Cast, castOf, cutNowAndThen } from '../tools/cast.ts';
import { type Place, upPlace } from '../tools/place.ts';
import { overBus, Publisher } from '../tools/publisher.ts';
import { publishersOf, settle } from '../tools/settle.ts';
import { Watcher } from '../tools/watcher.ts';

/** A disk that takes no more while others write and read. */

/** Counts refusals that say why, over HTTP and gRPC; every other refusal fails the publisher that got it. */
class Refusals {
  http = 0;
  grpc = 0;
  readonly #reason: string;

  constructor(reason: string) {
    this.#reason = reason;
  }

  readonly overHttp = (status: number | string, text: string): boolean => {
    if (status !== 507) return false;
    const body = JSON.parse(text) as { error_code?: string; detail?: string };
    const told = body.error_code === 'STORAGE_EXHAUSTED' && body.detail === this.#reason;
    this.http += told ? 1 : 0;
    return told;
  };

  readonly overBus = (code: number | string, text: string): boolean => {
    const told = code === 'exhausted' && text === this.#reason;
    this.grpc += told ? 1 : 0;
    return told;
  };

  /** So many more of each. */
  async more(count: number): Promise<void> {
    const [http, grpc] = [this.http + count, this.grpc + count];
    await until(() => this.http >= http && this.grpc >= grpc, `${count} refusals: ${this.#reason}`);
  }
}

interface Stage {
  readonly up: Place;
  readonly cast: Cast;
  readonly watchers: Watcher[];
  readonly publishers: readonly Publisher[];
  readonly refusals: Refusals;
}

/** Three publishers, one of them straight to the bus, and twelve clients of which one is cut now and then. */
async function stageOf(context: StressContext, directory: string, reason: string): Promise<Stage> {
  const up = await upPlace(context, { directory });
  await up.system.untilReady('ready');
  const cast = await castOf(context, up.system, 6);
  const watchers = await audienceOf(context, cast, { count: 12, base: () => up.http });
  const refusals = new Refusals(reason);
  const load = { executions: cast.executions, name: 'direct', batchMax: 100, pauseMsMax: 8, fillBytesMax: 900 };
  const direct = new Publisher({ ...load, send: overBus(context, up.grpc, refusals.overBus) }, context.fork());
  const publishers = [...publishersOf(context, cast, () => up.http, refusals.overHttp), direct.start(context)];
  return { up, cast, watchers, publishers, refusals };
}

async function more({ publishers }: Stage, count: number): Promise<void> {
  await Promise.all(publishers.map((publisher) => publisher.more(count)));
}

/** While nothing can be written: refusals go on, whoever comes now has everything that was acknowledged, and the program says it is well. */
async function expectReading(context: StressContext, stage: Stage): Promise<void> {
  const { up, cast, watchers, publishers, refusals } = stage;
  const owed = publishers.reduce((sum, { acknowledged }) => sum + acknowledged.length, 0);
  const plan = { name: `came at ${owed}`, watch: watchOf(cast.executions), from: 'earliest', base: () => up.http };
  const late = new Watcher(plan, context.fork()).start(context);
  watchers.push(late);
  await late.until(({ events }) => events >= owed, `${owed} events read while nothing can be written`);
  await refusals.more(3);
  const ready = await up.system.fetch('/readyz');
  hold(ready.status === 200, `/readyz answers ${ready.status} while nothing can be written`);
  context.checked('events read while nothing could be written', owed);
}

const headroomBytes = 262_144;

async function fullAgainAndAgain(context: StressContext, rounds: number): Promise<void> {
  const lack = lackOfLimits();
  if (lack !== null) throw new NotCheckedError(lack);
  const directory = await temporaryDirectory(context);
  const stage = await stageOf(context, directory, 'the disk of the journal is full');
  const { up, watchers, refusals } = stage;
  const random = context.fork();
  const stop = cutNowAndThen(context, watchers, 80);
  for (let round = 0; round < rounds; round += 1) {
    await more(stage, 50 + random.below(300));
    limitFileSize(up.system.process.pid, statSync(join(directory, journalFileName)).size + random.below(headroomBytes));
    await refusals.more(10);
    await expectReading(context, stage);
    // The last time it is killed while it is full; there is room when it comes back.
    if (round === rounds - 1) await up.restart();
    else limitFileSize(up.system.process.pid, null);
  }
  await more(stage, 200);
  await end(context, stage, stop());
}

async function end(context: StressContext, stage: Stage, cuts: number): Promise<void> {
  const { up, refusals } = stage;
  context.checked('cuts', cuts);
  context.checked('refusals over HTTP', refusals.http);
  context.checked('refusals over gRPC', refusals.grpc);
  await settle(context, { ...stage, http: up, bus: up.grpc });
}

const diskBytes = 67_108_864;

async function readOnly(context: StressContext): Promise<void> {
  const disk = makeSmallDisk(context, await temporaryDirectory(context), diskBytes);
  if ('what' in disk) throw new NotCheckedError(disk);
  const stage = await stageOf(context, join(disk.directory, 'data'), 'the disk of the journal is read-only');
  const { up, watchers, refusals } = stage;
  const stop = cutNowAndThen(context, watchers, 80);
  await more(stage, 100 + context.fork().below(300));
  disk.turnReadOnly();
  await refusals.more(10);
  await expectReading(context, stage);
  const exit = await up.system.stop();
  hold(exit.code === 0, `SIGTERM on a read-only disk: ${JSON.stringify(exit)}`);
  disk.repair();
  await up.start();
  await more(stage, 200);
  const cuts = stop();
  await end(context, stage, cuts);
  // Nothing may have a file open on it when it is detached.
  await up.system.stop();
}

const whole =
  'every acknowledged event is in the journal once, with its id and in its publisher’s order, and every client has exactly its matching events, each once and in order, without a gap.';

export const disk: readonly Scenario[] = [
  {
    name: 'disk: full while others read and write',
    invariant: `Three times the disk is full, the last time with a kill -9: every publish is then answered 507 or RESOURCE_EXHAUSTED with the reason, whoever comes reads all that was acknowledged, writing goes on by itself when there is room; ${whole}`,
    quick: false,
    run: (context) => fullAgainAndAgain(context, 3),
  },
  {
    name: 'disk: read-only while others read and write',
    invariant: `From the moment at which the file system turns read-only every publish is answered 507 or RESOURCE_EXHAUSTED with the reason, and whoever comes reads all that was acknowledged; repaired and started again, ${whole}`,
    quick: false,
    run: readOnly,
  },
];
