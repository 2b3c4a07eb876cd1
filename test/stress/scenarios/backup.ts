import { copyFile } from 'node:fs/promises';
import { join } from 'node:path';
import { runCommand } from '../../support/command.ts';
import { watchOf } from '../../support/delivery-model.ts';
import { temporaryDirectory } from '../../support/system.ts';
import { hold, type Scenario, type StressContext } from '../scenario.ts';
import { audienceOf, castOf } from '../tools/cast.ts';
import { expectAllDelivered } from '../tools/expect-delivered.ts';
import { type Journal, journalOf } from '../tools/journal.ts';
import { busPlace, routerPlace } from '../tools/place.ts';
import { overHttp, Publisher } from '../tools/publisher.ts';
import { publishersOf, settle } from '../tools/settle.ts';
import { Watcher } from '../tools/watcher.ts';

/** A copy of a journal that is being written to, and the clients of the original at a router on the copy. */

/** Takes the copy while publishers go on; answers how many records it says to have, and its file. */
async function copyUnderLoad(
  context: StressContext,
  directory: string,
  publishers: readonly Publisher[],
): Promise<{ readonly file: string; readonly records: number; readonly newestId: string }> {
  const file = join(await temporaryDirectory(context), 'copy.mdb');
  const acknowledged = (): number => publishers.reduce((sum, one) => sum + one.acknowledged.length, 0);
  const before = acknowledged();
  const made = await runCommand(context, ['bus', '--backup', file, `--data-dir=${directory}`]);
  hold(made.code === 0, () => `bus --backup: exit ${made.code ?? -1}: ${made.error}`);
  context.checked('events acknowledged while it was copied', acknowledged() - before);
  const [, records = '', newestId = ''] = /^copied: (\d+) records up to (\S+),/.exec(made.out) ?? [];
  return { file, records: Number(records), newestId };
}

/** The copy is the original up to its newest record, and has everything that was acknowledged before it was asked for. */
function expectPrefix(context: StressContext, copy: Journal, original: Journal, owedIds: readonly string[]): void {
  hold(
    copy.description.journal_tag !== original.description.journal_tag,
    'the copy goes by the identity of the original',
  );
  for (const [index, { id }] of copy.records.entries()) {
    const same = original.records[index]?.id ?? 'nothing';
    hold(id === same, () => `record ${index} of the copy is ${id}, of the original ${same}; ${copy.positions}`);
  }
  const lost = owedIds.find((id) => copy.event(id) === undefined);
  hold(lost === undefined, `acknowledged before the copy and not in it: ${lost ?? ''}; ${copy.positions}`);
  context.checked('records of the copy compared', copy.records.length);
}

async function copiedUnderLoad(context: StressContext): Promise<void> {
  const directory = await temporaryDirectory(context);
  const bus = await busPlace(context, { directory });
  const router = await routerPlace(context, bus.grpc);
  const cast = await castOf(context, router.system, 6);
  let home = router;
  const base = (): string => home.http;
  const watchers = await audienceOf(context, cast, { count: 10, base });
  const publishers = publishersOf(context, cast, () => router.http);
  const random = context.fork();
  await Promise.all(publishers.map((publisher) => publisher.more(300 + random.below(1_500))));
  const owedIds = publishers.flatMap(({ acknowledged }) => acknowledged.map(({ id }) => id));
  const { file, records, newestId } = await copyUnderLoad(context, directory, publishers);
  await Promise.all(publishers.map((publisher) => publisher.more(50 + random.below(300))));
  await Promise.all(publishers.map((publisher) => publisher.stop()));
  const original = await journalOf(bus.grpc);
  await expectAllDelivered(context, watchers, original, { until: original.description.newest_id });

  const restored = await temporaryDirectory(context);
  await copyFile(file, join(restored, 'journal.mdb'));
  const copyBus = await busPlace(context, { directory: restored, more: ['--restored'] });
  home = await routerPlace(context, copyBus.grpc);
  const copy = await journalOf(copyBus.grpc);
  hold(
    copy.records.length === records && copy.description.newest_id === newestId,
    () => `it said ${records} records up to ${newestId}; ${copy.positions}`,
  );
  expectPrefix(context, copy, original, owedIds);

  // Some who come for the first time since, with an id of the original: from what the copy has, and from what it has not.
  const absent = [
    random.below(copy.events.length),
    copy.events.length + random.below(original.events.length - copy.events.length),
  ].map((place) =>
    new Watcher(
      { name: `absent at ${place}`, watch: watchOf(cast.executions), from: original.events[place]?.id ?? '', base },
      context.fork(),
    ).start(context),
  );
  const all = [...watchers, ...absent];
  const positionOf = (watcher: Watcher): string => watcher.lastId ?? watcher.plan.from;
  const beyond = new Set(all.filter((watcher) => positionOf(watcher) > newestId));
  await router.kill();
  await Promise.all(all.map((watcher) => watcher.until(({ open }) => open, 'a stream of the copy')));
  await Promise.all([...beyond].map((watcher) => watcher.until(({ gaps }) => gaps.length > 0, 'a gap')));
  for (const { plan, gaps } of beyond) {
    hold(gaps[0]?.reason === 'unknown_position', () => `${plan.name} was told ${JSON.stringify(gaps)}`);
  }
  context.checked('gaps', beyond.size);
  context.checked('streams without a gap', all.length - beyond.size);

  const load = { executions: cast.executions, name: 'after', send: overHttp(base), batchMax: 20, pauseMsMax: 0 };
  const after = new Publisher(load, context.fork());
  for (let batch = 0; batch < 20; batch += 1) await after.batch(1 + random.below(20));
  const same = all.filter((watcher) => !beyond.has(watcher));
  const stage = { http: home, bus: copyBus.grpc, cast, watchers: same, publishers: [after] };
  const end = await settle(context, stage);
  await expectAllDelivered(context, [...beyond], end, { gaps: 1, before: original });
}

export const backup: readonly Scenario[] = [
  {
    name: 'backup: a live journal is copied under load and brought up --restored',
    invariant:
      'The copy made beside publishers is the original record by record up to its newest, with everything acknowledged before it was asked for; served under a new identity, it gives clients with an id that it has exactly the rest without a gap, and those with a later id exactly one gap, unknown_position, and exactly what comes behind it.',
    quick: false,
    run: copiedUnderLoad,
  },
];
