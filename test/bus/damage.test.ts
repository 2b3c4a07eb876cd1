import { randomBytes } from 'node:crypto';
import {
  closeSync,
  copyFileSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  statSync,
  truncateSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { checkJournal } from '../../src/bus/check/check-journal.ts';
import { repairJournal } from '../../src/bus/check/repair-journal.ts';
import { journalFileName, LmdbStore } from '../../src/bus/engine/lmdb-store.ts';
import { startBus } from '../../src/bus/start-bus.ts';
import { systemClock } from '../../src/core/clock.ts';
import { StartError } from '../../src/core/failure.ts';
import { append, changeEntry, eventEntry, executionOf, recordsAfter } from '../support/journal-input.ts';
import { journalIn, temporaryDirectory } from '../support/open-journal.ts';

const pageBytes = 4_096;
const events = { onWarning: () => undefined };

/** A journal of 4,000 records, closed. */
async function filledDirectory(t: ExecutionContext): Promise<{ directory: string; ids: string[]; tag: number }> {
  const directory = temporaryDirectory(t);
  const { journal } = await journalIn(t, () => new LmdbStore(directory));
  await append(journal, changeEntry(1, 'completed', ['nightly']));
  const ids: string[] = [];
  for (let n = 0; n < 20; n += 1) {
    const entries = Array.from({ length: 200 }, (_, index) => eventEntry(2, { source_id: `${n}-${index}` }));
    ids.push(...(await append(journal, ...entries)).ids);
  }
  const { tag } = journal.describe();
  await journal.close();
  return { directory, ids, tag };
}

function overwrite(path: string, page: number, bytes: Buffer): void {
  const file = openSync(path, 'r+');
  writeSync(file, bytes, 0, bytes.length, page * pageBytes);
  closeSync(file);
}

/** Overwrites every page in which a text stands, old copies of it included. */
function overwriteAround(path: string, text: string, bytes: Buffer): void {
  const content = readFileSync(path);
  for (let at = content.indexOf(text); at !== -1; at = content.indexOf(text, at + 1)) {
    overwrite(path, Math.floor(at / pageBytes), bytes);
  }
}

const pagesOf = (path: string): number => Math.floor(statSync(path).size / pageBytes);

const damages: Record<string, (path: string, id: string) => void> = {
  'cut in half': (path) => {
    truncateSync(path, statSync(path).size / 2);
  },
  emptied: (path) => {
    truncateSync(path, 0);
  },
  'zeroed at its head': (path) => {
    overwrite(path, 0, Buffer.alloc(2 * pageBytes));
  },
  'zeroed in the middle': (path, id) => {
    overwriteAround(path, id, Buffer.alloc(pageBytes));
  },
  'garbage in the middle': (path, id) => {
    overwriteAround(path, id, randomBytes(pageBytes));
  },
  'garbage from one end to the other': (path) => {
    overwrite(path, 0, randomBytes(pagesOf(path) * pageBytes));
  },
};

for (const [name, damage] of Object.entries(damages)) {
  // Without this, the bus would end with SIGBUS and no word, or serve an empty journal as if nothing had happened.
  test.serial(`a journal that is ${name} is named, left alone, and repaired on demand`, async (t) => {
    const { directory, ids, tag } = await filledDirectory(t);
    const path = join(directory, journalFileName);
    damage(path, ids[2_000] ?? '');
    const before = readFileSync(path);
    const settings = { engine: 'lmdb', dataDirectory: directory, host: '127.0.0.1', port: 0 } as const;
    const error = await t.throwsAsync(startBus(settings, events), { instanceOf: StartError });
    t.is(error.exitCode, 1);
    t.true(error.message.includes(path) && error.message.includes('rivulet bus --repair'), error.message);
    t.false(error.message.includes('\n'));
    t.log(error.message.replace(directory, ''));
    t.true(readFileSync(path).equals(before), 'nothing was changed');
    const report = await repairJournal(directory, systemClock);
    t.log(JSON.stringify({ ...report, keptAs: '' }));
    t.true(readFileSync(report.keptAs).equals(before), 'the damaged file is kept');
    await checkJournal(directory, systemClock);
    const { journal } = await journalIn(t, () => new LmdbStore(directory));
    const records = await recordsAfter(journal, journal.describe().horizonSequence);
    t.is(records.length, report.records);
    const known = new Set(ids);
    t.true(records.every(({ id, change }) => known.has(id) || change !== undefined));
    t.not(journal.describe().tag, tag);
    const next = await append(journal, eventEntry(3));
    t.true(records.every(({ id }) => id < (next.ids[0] ?? '')));
    for (const { id, sequence } of records.slice(0, 50)) {
      const placement = await journal.place(id);
      const { verdict } = placement;
      t.true(verdict === 'placed' || (verdict === 'unknown-position' && !report.complete), verdict);
      t.deepEqual([placement.id as string, Number(placement.sequence)], [id, sequence]);
    }
  });
}

// Without this, one bad page would cost everything behind it.
test.serial('a repair keeps what lies before and behind the damage', async (t) => {
  const { directory, ids } = await filledDirectory(t);
  overwriteAround(join(directory, journalFileName), ids[2_000] ?? '', randomBytes(pageBytes));
  await t.throwsAsync(checkJournal(directory, systemClock), { instanceOf: StartError });
  const report = await repairJournal(directory, systemClock);
  t.true(report.records > 3_500 && report.records < 4_001, `kept ${report.records} of 4,001`);
  // Without this, a client that comes back from before the damage would go on behind it and never hear of what it lacks.
  const { journal } = await journalIn(t, () => new LmdbStore(directory));
  const verdictOf = async (id: string | undefined) => (await journal.place(id ?? '')).verdict;
  t.is(await verdictOf(ids[1_000]), 'unknown-position', 'something is missing behind it');
  t.is(await verdictOf(ids[3_500]), 'placed', 'nothing is missing behind it');
  const place = await journal.place(ids[1_000] ?? '');
  t.deepEqual([place.id, Number(place.sequence)], [ids[1_000] as never, 1_002], 'it goes on just there');
});

test.serial('a repair of a journal that is whole loses nothing', async (t) => {
  const { directory, ids } = await filledDirectory(t);
  const report = await repairJournal(directory, systemClock);
  t.like(report, { records: 4_001, executions: 2, complete: true });
  const { journal } = await journalIn(t, () => new LmdbStore(directory));
  t.like(journal.execution(executionOf(1)), { status: 'completed', tags: [{ tag: 'nightly', sequence: 1 }] });
  const again = await append(journal, eventEntry(2, { source_id: '19-199' }));
  t.is(again.ids[0], ids.at(-1) as never);
  t.deepEqual(readdirSync(directory).filter((name) => name.includes('damaged')).length, 1);
});

test.serial('a fresh directory is fine; one without a journal has nothing to repair', async (t) => {
  const directory = join(temporaryDirectory(t), 'made', 'on', 'demand');
  await t.throwsAsync(repairJournal(directory, systemClock), { instanceOf: StartError, message: /no journal/ });
  const settings = { engine: 'lmdb', dataDirectory: directory, host: '127.0.0.1', port: 0 } as const;
  const bus = await startBus(settings, events);
  await bus.stop();
  t.true(statSync(join(directory, journalFileName)).size > 0);
});

test.serial('a copy of a journal serves as well as the journal', async (t) => {
  const { directory } = await filledDirectory(t);
  const copy = join(directory, 'copy');
  mkdirSync(copy);
  copyFileSync(join(directory, journalFileName), join(copy, journalFileName));
  await checkJournal(copy, systemClock);
  const { journal } = await journalIn(t, () => new LmdbStore(copy), { restored: true });
  t.is(Number(journal.describe().newestSequence), 4_001);
});
