import { closeSync, openSync, readFileSync, statSync, truncateSync, writeSync } from 'node:fs';
import { copyFile } from 'node:fs/promises';
import { join } from 'node:path';
import { runCommand } from '../../support/command.ts';
import { watchOf } from '../../support/delivery-model.ts';
import type { Random } from '../../support/seed.ts';
import { temporaryDirectory } from '../../support/system.ts';
import { hold, type Scenario, type StressContext } from '../scenario.ts';
import { audienceOf, type Cast, castOf, cutNowAndThen, endAll, mustPut } from '../tools/cast.ts';
import { expectAllDelivered } from '../tools/expect-delivered.ts';
import { expectAcknowledged, Journal, journalOf } from '../tools/journal.ts';
import { busPlace, type Place, routerPlace } from '../tools/place.ts';
import { overHttp, Publisher } from '../tools/publisher.ts';
import { publishersOf } from '../tools/settle.ts';
import { Watcher } from '../tools/watcher.ts';

/** A journal that is damaged where nobody can see it, the repair, and the clients that come back. */

type Damage = (path: string, before: Journal, random: Random) => void;

const pageBytes = 4_096;

/** The file ends early: after a half to nine tenths of it. */
const cutShort: Damage = (path, _before, random) => {
  truncateSync(path, Math.floor((statSync(path).size * (50 + random.below(40))) / 100));
};

/** A run of pages of nothing, over every page in which a record of the middle stands. */
const zeroed: Damage = (path, before, random) => {
  const { length } = before.events;
  const { id = '' } = before.events[Math.floor(length / 4) + random.below(Math.floor(length / 2))] ?? {};
  const content = readFileSync(path);
  const pagesMax = Math.floor(content.length / pageBytes);
  const file = openSync(path, 'r+');
  for (let at = content.indexOf(id); at !== -1; at = content.indexOf(id, at + 1)) {
    const page = Math.floor(at / pageBytes);
    const pages = Math.min(1 + random.below(4), pagesMax - page);
    writeSync(file, Buffer.alloc(pages * pageBytes), 0, pages * pageBytes, page * pageBytes);
  }
  closeSync(file);
};

/** What the bus held when it was killed, read from a copy. */
async function readCopy(context: StressContext, directory: string): Promise<Journal> {
  const copy = await temporaryDirectory(context);
  await copyFile(join(directory, 'journal.mdb'), join(copy, 'journal.mdb'));
  const bus = await busPlace(context, { directory: copy });
  const journal = await journalOf(bus.grpc);
  await bus.kill();
  return journal;
}

/** The start refuses and says the way out, and changes nothing; the repair goes that way. */
async function refusedAndRepaired(context: StressContext, directory: string): Promise<void> {
  const path = join(directory, 'journal.mdb');
  const damaged = readFileSync(path);
  const refused = await runCommand(context, ['bus', '--bus-port=0', `--data-dir=${directory}`]);
  hold(refused.code === 1, () => `a damaged journal: exit ${refused.code ?? -1}: ${refused.error}`);
  const told = refused.error.includes(path) && refused.error.includes('bus --repair --data-dir');
  hold(told && /is damaged \(.+\)/.test(refused.error), () => `it does not say what is damaged: ${refused.error}`);
  hold(readFileSync(path).equals(damaged), 'the damaged file was changed by a start');
  const repaired = await runCommand(context, ['bus', '--repair', `--data-dir=${directory}`]);
  hold(repaired.code === 0, () => `bus --repair: exit ${repaired.code ?? -1}: ${repaired.error}`);
  context.log(`${/\((.+)\); nothing/.exec(refused.error)?.[1] ?? ''}; ${repaired.out.split('\n')[0] ?? ''}`);
  context.checked('refusals and repairs', 1);
}

/** Both lives of the journal in one: what a client is owed that was never told of a gap. */
function both(before: Journal, after: Journal): Journal {
  const known = new Set(before.records.map(({ id }) => id));
  return new Journal(after.description, [...before.records, ...after.records.filter(({ id }) => !known.has(id))]);
}

/** Those who were told of a gap have what was before it and what is behind it; those who were not have everything, as if nothing had been lost. */
async function expectAll(
  context: StressContext,
  watchers: readonly Watcher[],
  before: Journal,
  after: Journal,
): Promise<void> {
  const told = watchers.filter(({ gaps }) => gaps.length > 0);
  const untold = watchers.filter(({ gaps }) => gaps.length === 0);
  context.log(`${told.length} of ${watchers.length} were told of a gap; ${after.positions}`);
  if (told.length > 0) {
    await expectAllDelivered(context, told, after, { gaps: 1, before });
    context.checked('gaps', told.length);
  }
  if (untold.length > 0) await expectAllDelivered(context, untold, both(before, after));
}

function absentOf(context: StressContext, cast: Cast, before: Journal, router: Place): Watcher[] {
  const random = context.fork();
  return Array.from({ length: 8 }, (_, index) => {
    const place = random.below(before.events.length);
    const from = index === 0 ? (before.events.at(-1)?.id ?? '') : (before.events[place]?.id ?? '');
    const plan = {
      name: `absent ${index} at ${place}`,
      watch: watchOf(cast.executions),
      from,
      base: () => router.http,
    };
    return new Watcher(plan, context.fork()).start(context);
  });
}

/** @param restarted whether the router is a new one as well, which knows nothing but the repaired journal */
async function damaged(context: StressContext, damage: Damage, restarted: boolean): Promise<void> {
  const directory = await temporaryDirectory(context);
  const bus = await busPlace(context, { directory });
  const router = await routerPlace(context, bus.grpc);
  const cast = await castOf(context, router.system, 6);
  const watchers = await audienceOf(context, cast, { count: 8, base: () => router.http });
  const publishers = publishersOf(context, cast, () => router.http);
  const random = context.fork();
  const stop = cutNowAndThen(context, watchers, 60);
  await Promise.all(publishers.map((publisher) => publisher.more(1_000 + random.below(1_500))));
  context.checked('cuts', stop());
  await bus.kill();
  const before = await readCopy(context, directory);
  const acknowledged = publishers.map((publisher) => [...publisher.acknowledged]);
  for (const each of acknowledged) expectAcknowledged(context, each, before);
  damage(join(directory, 'journal.mdb'), before, random);
  await refusedAndRepaired(context, directory);
  if (restarted) await router.kill();
  await bus.start();
  if (restarted) await router.start();
  await router.system.untilReady('ready');
  const after = await journalOf(bus.grpc);
  hold(after.description.journal_tag !== before.description.journal_tag, 'it goes by the tag of the damaged one');
  for (const { id, sequence } of after.records) {
    // A journal of which nothing could be read begins again.
    const was = after.description.journal_id === before.description.journal_id ? before.records[sequence - 1]?.id : id;
    hold((was ?? id) === id, () => `record ${sequence} is ${id} and was ${was ?? ''}; ${after.positions}`);
  }
  const lost = before.events.filter(({ id }) => after.event(id) === undefined).length;
  context.log(`${lost} of ${before.events.length} events lost`);
  context.checked('kills', 1);
  const absent = absentOf(context, cast, before, router);
  // What only lost records said of an execution is lost too: it runs, and has its tags.
  for (const [index, execution] of cast.executions.entries()) {
    await mustPut(router.system, execution, { status: 'running', tags: [cast.tags[index % cast.tags.length] ?? ''] });
  }
  await Promise.all(absent.map((watcher) => watcher.ready()));
  await Promise.all(publishers.map((publisher) => publisher.more(100)));
  for (const publisher of publishers) await publisher.stop();
  const load = {
    executions: cast.executions,
    name: 'after',
    send: overHttp(() => router.http),
    batchMax: 20,
    pauseMsMax: 0,
  };
  const late = new Publisher(load, context.fork());
  for (let batch = 0; batch < 10; batch += 1) await late.batch(20);
  await endAll(router.system, cast);
  const end = await journalOf(bus.grpc);
  expectAcknowledged(context, late.acknowledged, end);
  await expectAll(context, [...watchers, ...absent], before, end);
}

const owed =
  'the start after kill -9 under load exits 1, names the file, what is damaged and the repair, and changes nothing; the repaired journal has a new tag and each record that it kept at its place; every client has exactly what it is owed of the old and the repaired journal, each once and in order, and whoever lacks anything was told exactly one gap.';

export const damageScenarios: readonly Scenario[] = [
  {
    name: 'damage: the journal is cut short',
    invariant: `When the end of the file is missing ${owed}`,
    quick: false,
    run: (context) => damaged(context, cutShort, false),
  },
  {
    name: 'damage: pages of the journal are zeroed',
    invariant: `When a run of pages in the middle is zeroed ${owed}`,
    quick: false,
    run: (context) => damaged(context, zeroed, false),
  },
  {
    name: 'damage: pages of the journal are zeroed, and the router is a new one',
    invariant: `When a run of pages in the middle is zeroed and the router is killed as well ${owed}`,
    quick: false,
    run: (context) => damaged(context, zeroed, true),
  },
];
