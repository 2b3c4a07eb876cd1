import { watchOf } from '../../support/delivery-model.ts';
import { hold, InvariantError, type Scenario, type StressContext } from '../scenario.ts';
import { busClientOf, eventEntry } from '../tools/batches.ts';
import { castOf, endAll, uuidFrom } from '../tools/cast.ts';
import { expectAllDelivered } from '../tools/expect-delivered.ts';
import { partsOf } from '../tools/id-parts.ts';
import { expectOnce, journalOf } from '../tools/journal.ts';
import { busPlace, upPlace } from '../tools/place.ts';
import { overBus, overHttp, type Published, type Send } from '../tools/publisher.ts';
import { Watcher } from '../tools/watcher.ts';

/** An id is one event's, for ever: it rises, and a publish that is sent again has the same. */

/** langchain-ai/langgraph #8112: events of one millisecond have one id, so that a resume loses or repeats them. */
async function oneBurst(context: StressContext): Promise<void> {
  const up = await upPlace(context);
  await up.system.untilReady('ready');
  const cast = await castOf(context, up.system, 5);
  const watchers = [0, 1].map((index) =>
    new Watcher(
      {
        name: `client ${index}`,
        watch: watchOf(cast.executions),
        from: index === 0 ? 'live' : 'earliest',
        base: () => up.http,
      },
      context.fork(),
    ).start(context),
  );
  await Promise.all(watchers.map((watcher) => watcher.ready()));
  const bus = busClientOf(context, up.grpc);
  const batches = Array.from({ length: 20 }, (_, batch) => ({
    entries: Array.from({ length: 1_000 }, (_none, index) =>
      eventEntry(cast.executions[index % 5] ?? '', `${batch}/${index}`),
    ),
  }));
  const answers = await Promise.all(batches.map((batch) => bus.publish(batch, 30_000)));
  const ids = answers.flatMap((answer) => answer.ids);
  for (const answer of answers) {
    for (const [place, id] of answer.ids.entries()) {
      hold(place === 0 || id > (answer.ids[place - 1] ?? ''), `${id} does not rise inside its batch`);
    }
  }
  hold(new Set(ids).size === 20_000, `${ids.length - new Set(ids).size} of ${ids.length} ids are not their own`);
  await endAll(up.system, cast);
  const journal = await journalOf(up.grpc);
  for (const id of ids) hold(journal.event(id) !== undefined, `${id} was acknowledged and is not in the journal`);
  await expectAllDelivered(context, watchers, journal);
  const perMillisecond = new Map<number, number>();
  for (const id of ids) perMillisecond.set(partsOf(id).timeMs, (perMillisecond.get(partsOf(id).timeMs) ?? 0) + 1);
  context.log(`the fullest millisecond has ${Math.max(...perMillisecond.values())} events`);
  context.checked('ids', ids.length);
}

/** centrifugal/centrifugo #798: a restart of the server begins its positions anew, and who was away cannot resume. */
async function overRestarts(context: StressContext): Promise<void> {
  const bus = await busPlace(context);
  const random = context.fork();
  const execution = uuidFrom(random);
  const known: string[] = [];
  for (let round = 0; round < 20; round += 1) {
    const client = busClientOf(context, bus.grpc);
    const pipe = Array.from({ length: 1 + random.below(5) }, (_, index) =>
      client.publish({
        entries: Array.from({ length: 1 + random.below(50) }, () => eventEntry(execution, `${round}/${index}`)),
      }),
    );
    const answers = await Promise.all(pipe);
    const before = known.at(-1) ?? '';
    const ids = answers.flatMap((answer) => answer.ids).sort();
    hold((ids[0] ?? '') > before, `after restart ${round} the id ${ids[0] ?? 'none'} does not come behind ${before}`);
    known.push(...ids);
    // One under way when it dies: whether it is appended or not, what comes later comes behind it.
    const underWay = client.publish({ entries: [eventEntry(execution, 'under way')] }, 2_000).catch(() => null);
    await bus.kill(random.oneIn(2) ? 'SIGKILL' : 'SIGTERM');
    known.push(...((await underWay)?.ids ?? []));
    client.close();
    await bus.start();
    context.checked('restarts', 1);
  }
  const journal = await journalOf(bus.grpc);
  const places = known.map((id) => {
    const event = journal.event(id);
    hold(event !== undefined, `${id} was acknowledged and is not in the journal; ${journal.positions}`);
    hold(partsOf(id).sequence === event.sequence, `${id} does not carry its sequence ${event.sequence}`);
    return event.sequence;
  });
  for (const [index, place] of places.entries()) {
    hold(
      index === 0 || place > (places[index - 1] ?? 0),
      `sequence ${place} does not come behind ${places[index - 1] ?? 0}`,
    );
  }
  context.checked('ids', known.length);
}

/** The storage adapters' own complaint (minio/minio #8403): a publisher that sends again because nobody answered makes two of one. */
async function racingPublishers(context: StressContext): Promise<void> {
  const up = await upPlace(context);
  await up.system.untilReady('ready');
  const cast = await castOf(context, up.system, 4);
  const sends: Send[] = Array.from({ length: 8 }, (_, index) =>
    index % 2 === 0 ? overHttp(() => up.http) : overBus(context, up.grpc),
  );
  const events: Published[] = Array.from({ length: 1_200 }, (_, index) => ({
    executionId: context.random.pick(cast.executions),
    stage: 'ingest',
    path: `p${index}`,
    sourceId: `s${index}`,
    metadata: {},
  }));
  const answered = new Map<string, string>();
  await Promise.all(
    sends.map(async (send) => {
      const random = context.fork();
      for (let at = 0; at < events.length; ) {
        const batch = events.slice(at, at + 1 + random.below(40));
        // Each in an order of its own.
        if (random.oneIn(2)) batch.reverse();
        const ids = await send(batch);
        if (ids === null) continue;
        at += batch.length;
        for (const [place, { sourceId }] of batch.entries()) {
          const id = ids[place] ?? '';
          const first = answered.get(sourceId) ?? id;
          if (first !== id) throw new InvariantError(`${sourceId} was acknowledged as ${first} and as ${id}`);
          answered.set(sourceId, id);
          context.checked('acknowledgements', 1);
        }
      }
    }),
  );
  const journal = await journalOf(up.grpc);
  hold(
    journal.events.length === events.length,
    `${events.length} events published, ${journal.events.length} in the journal`,
  );
  for (const { id, sourceId } of journal.events) {
    hold(
      answered.get(sourceId) === id,
      `${sourceId} stands as ${id}, acknowledged as ${answered.get(sourceId) ?? 'nothing'}`,
    );
  }
  expectOnce(context, journal);
}

export const ids: readonly Scenario[] = [
  {
    name: 'ids: twenty thousand events at once',
    invariant:
      'The ids of 20,000 events that are published at once are all different, rise with the journal and inside each batch, and come to live and to late clients in that order, each once.',
    quick: false,
    run: oneBurst,
  },
  {
    name: 'ids: they rise over restarts and kills',
    invariant:
      'Over 20 restarts of the bus, half of them kills, every id is above every id that was acknowledged before it, carries its sequence, and its event is in the journal.',
    quick: false,
    secondsMax: 300,
    run: overRestarts,
  },
  {
    name: 'ids: eight publishers race the same source_ids',
    invariant:
      'Each (execution_id, source_id) that eight publishers send at once over HTTP and gRPC has one id in every acknowledgement and stands in the journal once, with that id.',
    quick: true,
    run: racingPublishers,
  },
];
