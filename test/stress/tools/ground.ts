import { setTimeout as sleep } from 'node:timers/promises';
import { watchOf } from '../../support/delivery-model.ts';
import type { Random } from '../../support/seed.ts';
import type { StressContext } from '../scenario.ts';
import { type Cast, castOf } from './cast.ts';
import { type Crowd } from './crowd.ts';
import { expectCrowd } from './expect-crowd.ts';
import { expectAcknowledged, expectOnce, type Journal, journalOf } from './journal.ts';
import type { MemberPlan } from './member.ts';
import type { Place } from './place.ts';
import { overHttp, Publisher } from './publisher.ts';

/** What a crowd of clients meets: executions of very different weight, and one in which nothing ever happens. */
export interface Ground {
  readonly cast: Cast;
  /** Each execution as often as its weight: 128, 64, … 1. */
  readonly weighted: readonly string[];
  readonly quiet: string;
}

const weightedCount = 8;

export async function groundOf(context: StressContext, place: Place): Promise<Ground> {
  const cast = await castOf(context, place.system, weightedCount + 1);
  const [quiet = '', ...busy] = cast.executions;
  const weighted = busy.flatMap((execution, index) =>
    Array.from({ length: 2 ** (weightedCount - 1 - index) }, () => execution),
  );
  return { cast, weighted, quiet };
}

/** One in ten watches everything, one in ten nothing that ever happens, the others an execution each: what they are owed lies between none and all. */
export function memberPlan(ground: Ground, random: Random, base: () => string): Omit<MemberPlan, 'name'> {
  const { executions } = ground.cast;
  const kind = random.below(10);
  const values = kind === 9 ? executions : [executions[kind] ?? ground.quiet];
  const stage = random.oneIn(4) ? random.pick(['boost', 'boost*', 'ingest']) : null;
  const extension = random.oneIn(6) ? random.pick(['md', 'json']) : null;
  return { watch: watchOf(values, { stage, extension }), from: 'live', base };
}

export interface PublisherSettings {
  readonly name: string;
  readonly batchMax?: number;
  readonly pauseMsMax?: number;
}

/** Not started; it publishes over HTTP, to each execution according to its weight. */
export function publisherOf(
  context: StressContext,
  ground: Ground,
  base: () => string,
  { name, batchMax = 10, pauseMsMax = 100 }: PublisherSettings,
): Publisher {
  const load = { executions: ground.weighted, name, send: overHttp(base), batchMax, pauseMsMax, fillBytesMax: 300 };
  return new Publisher(load, context.fork());
}

/** So many events, exactly, in batches of at most 500, as fast as they are acknowledged. */
export async function burst(publisher: Publisher, events: number): Promise<void> {
  for (let left = events; left > 0; left -= 500) await publisher.batch(Math.min(500, left));
}

/** The publishers stop, and every acknowledged event and every member is compared with the journal. */
export async function settleCrowd(
  context: StressContext,
  crowd: Crowd,
  publishers: readonly Publisher[],
  bus: string,
): Promise<Journal> {
  await Promise.all(publishers.map((publisher) => publisher.stop()));
  const journal = await journalOf(bus);
  for (const { acknowledged } of publishers) expectAcknowledged(context, acknowledged, journal);
  expectOnce(context, journal);
  const deliveries = await expectCrowd(context, crowd.members, journal);
  const sum = (of: (publisher: Publisher) => number): number => publishers.reduce((all, one) => all + of(one), 0);
  context.log(
    `${crowd.members.length} clients, ${deliveries} deliveries compared, ${journal.events.length} events in the journal, ` +
      `${sum((one) => one.acknowledged.length)} acknowledged, ${sum((one) => one.retries)} batches sent again`,
  );
  return journal;
}

/** Settles with what `work` does, and says how long it took. */
export async function timed(context: StressContext, what: string, work: () => Promise<unknown>): Promise<number> {
  const startMs = performance.now();
  await work();
  const ms = Math.round(performance.now() - startMs);
  context.log(`${what}: ${ms} ms`);
  return ms;
}

/** Waits for as long as the scenario is about: a client that does nothing for so many seconds. */
export function nothingFor(seconds: number): Promise<void> {
  return sleep(seconds * 1000);
}
