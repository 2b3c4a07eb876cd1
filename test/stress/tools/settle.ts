import { hold, type StressContext } from '../scenario.ts';
import { type Cast, endAll } from './cast.ts';
import { type Expectation, expectAllDelivered } from './expect-delivered.ts';
import { expectAcknowledged, expectOnce, type Journal, journalOf } from './journal.ts';
import type { Place } from './place.ts';
import { overHttp, Publisher, type Waits } from './publisher.ts';
import type { Watcher } from './watcher.ts';

/** Two publishers over HTTP, as fast as they are answered but for a moment between two batches. */
export function publishersOf(
  context: StressContext,
  cast: Cast,
  http: () => string,
  waits: Waits = () => false,
): Publisher[] {
  return ['p', 'q'].map((name) => {
    const load = {
      executions: cast.executions,
      name,
      send: overHttp(http, waits),
      batchMax: 20,
      pauseMsMax: 8,
      fillBytesMax: 400,
    };
    return new Publisher(load, context.fork()).start(context);
  });
}

export interface Stage {
  /** Where executions are ended. */
  readonly http: Place;
  /** Address of the bus. */
  readonly bus: string;
  readonly cast: Cast;
  readonly watchers: readonly Watcher[];
  readonly publishers: readonly Publisher[];
}

/** Publishing stops and everything is ended; then each acknowledged event and each client is compared with the journal. */
export async function settle(context: StressContext, stage: Stage, expectation: Expectation = {}): Promise<Journal> {
  const { http, bus, cast, watchers, publishers } = stage;
  for (const publisher of publishers) await publisher.stop();
  await http.system.untilReady('ready');
  await endAll(http.system, cast);
  const journal = await journalOf(bus);
  for (const { acknowledged } of publishers) expectAcknowledged(context, acknowledged, journal);
  if (publishers.length > 0) expectOnce(context, journal);
  await expectAllDelivered(context, watchers, journal, expectation);
  const sum = (of: (publisher: Publisher) => number): number => publishers.reduce((all, one) => all + of(one), 0);
  context.log(
    `${journal.events.length} events in the journal, ${sum((one) => one.acknowledged.length)} acknowledged, ` +
      `${sum((one) => one.retries)} batches sent again; ${journal.positions}`,
  );
  return journal;
}

/** All of them are where they were: no stream was ended, and none is. */
export function expectOneStreamEach(context: StressContext, watchers: readonly Watcher[]): void {
  for (const watcher of watchers) {
    hold(watcher.connections === 1, () => `${watcher.plan.name} lost its stream; ${watcher.summary}`);
  }
  context.checked('streams that stayed', watchers.length);
}
