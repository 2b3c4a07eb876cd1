import test, { type ExecutionContext } from 'ava';
import { checkJournal } from '../../src/bus/check/check-journal.ts';
import { repairJournal } from '../../src/bus/check/repair-journal.ts';
import { LmdbStore } from '../../src/bus/engine/lmdb-store.ts';
import { journalDefaults } from '../../src/bus/journal/journal-settings.ts';
import { openJournal } from '../../src/bus/journal/open-journal.ts';
import { startBus } from '../../src/bus/start-bus.ts';
import { systemClock } from '../../src/core/clock.ts';
import { BusError, JournalDamagedError, StartError } from '../../src/core/failure.ts';
import { createBusClient } from '../../src/wire/bus/bus-client.ts';
import { decodeRecordBatch } from '../../src/wire/grpc/grpc-proto.ts';
import { damageRecord } from '../support/journal-damage.ts';
import { append, eventEntry, executionOf, recordsAfter, sequencesOf } from '../support/journal-input.ts';
import { temporaryDirectory } from '../support/open-journal.ts';
import { Collected } from '../support/running-bus.ts';

/** A record in the middle of a journal that is gone or garbage while the bus runs: said, and never passed over. */

interface Room {
  readonly directory: string;
  readonly warnings: string[];
  readonly bus: Awaited<ReturnType<typeof startBus>>;
  readonly client: ReturnType<typeof createBusClient>;
}

async function room(t: ExecutionContext): Promise<Room> {
  const directory = temporaryDirectory(t);
  const warnings: string[] = [];
  const settings = { engine: 'lmdb', dataDirectory: directory, host: '127.0.0.1', port: 0 } as const;
  const bus = await startBus(settings, { onWarning: (message) => warnings.push(message) });
  const client = createBusClient(`127.0.0.1:${bus.port}`, { clock: systemClock });
  t.teardown(async () => {
    client.close();
    await bus.stop();
  });
  // 1 and 2 in turn: odd sequences are of execution 1, even ones of execution 2.
  const entries = Array.from({ length: 40 }, (_, n) => eventEntry((n % 2) + 1, { path: `f${n}` }));
  await append(bus.journal, ...entries);
  return { directory, warnings, bus, client };
}

async function readOf(client: Room['client'], executions: readonly number[]): Promise<[number[], string]> {
  const sequences: number[] = [];
  try {
    for await (const batch of client.read({ execution_ids: executions.map(executionOf) })) {
      sequences.push(...decodeRecordBatch(batch).records.map(({ sequence }) => sequence));
    }
    return [sequences, 'ok'];
  } catch (error) {
    return [sequences, error instanceof BusError ? error.code : String(error)];
  }
}

const range = (from: number, to: number, step = 1): number[] =>
  Array.from({ length: Math.floor((to - from) / step) + 1 }, (_, n) => from + n * step);

for (const how of ['missing', 'garbage'] as const) {
  // Subscribe answered UNAVAILABLE for ever, and Read by execution left the record out without a word.
  test(`a record that is ${how}: what lies before it is sent, then DATA_LOSS with the file and the way out`, async (t) => {
    const { directory, warnings, bus, client } = await room(t);
    await damageRecord(directory, 21, how);
    const seen = new Collected();
    client.subscribe({ oldest: true }, seen);
    await seen.until(() => seen.error !== null);
    t.deepEqual(sequencesOf(seen.records), range(1, 20));
    const error = seen.error as BusError;
    t.is(error.code, 'damaged');
    t.regex(error.message, /record 21 of .*journal\.mdb is missing or unreadable.*`rivulet bus --repair`/);
    t.deepEqual(await readOf(client, [1]), [range(1, 19, 2), 'damaged']);
    t.deepEqual(await readOf(client, [1, 2]), [range(1, 20), 'damaged']);
    t.deepEqual(await readOf(client, [2]), [range(2, 40, 2), 'ok'], 'an execution that lost nothing is read');
    t.deepEqual(await readOf(client, [3]), [[], 'ok']);
    t.is(warnings.length, 1, 'once a place');
    t.true(warnings[0]?.includes(directory));
    t.is((await client.describe()).damaged_sequence, 21);
    // Right behind it reading goes on, and so does writing.
    const { ids } = await append(bus.journal, eventEntry(1));
    const behind = new Collected();
    const subscription = client.subscribe({ after: { sequence: 21, id: '' } }, behind);
    await behind.until(() => behind.records.length === 20);
    t.is(behind.records.at(-1)?.id, ids[0]);
    subscription.cancel();
  });
}

// A reader that is told to begin resets its backoff: it would try ten times a second for ever.
test('a reader that stands right before the place is refused before it is told to begin', async (t) => {
  const { directory, client } = await room(t);
  await damageRecord(directory, 21, 'missing');
  const seen = new Collected();
  client.subscribe({ after: { sequence: 20, id: '' } }, seen);
  await seen.until(() => seen.error !== null);
  t.is(seen.batches.length, 0);
  t.is((seen.error as BusError).code, 'damaged');
});

// On a journal alone: a bus would sweep by itself, perhaps before anybody has met the places.
test('two places are said one by one, and forgotten when retention has passed them', async (t) => {
  const directory = temporaryDirectory(t);
  const settings = { ...journalDefaults, retentionBytes: 1 };
  const journal = await openJournal(new LmdbStore(directory), systemClock, settings);
  t.teardown(() => journal.close());
  const said: number[] = [];
  journal.onDamage(({ sequence }) => said.push(sequence));
  await append(journal, ...Array.from({ length: 40 }, () => eventEntry(1)));
  await damageRecord(directory, 11, 'missing');
  await damageRecord(directory, 31, 'garbage');
  // The horizon cannot be a record of which nothing is known.
  await damageRecord(directory, 40, 'garbage');
  t.is(Number(journal.describe().damagedSequence), 0, 'nobody has met it');
  const error = await t.throwsAsync(recordsAfter(journal, 30), { instanceOf: JournalDamagedError });
  t.is(error.sequence, 31);
  for (let n = 0; n < 3; n += 1) await t.throwsAsync(recordsAfter(journal, 10), { instanceOf: JournalDamagedError });
  t.deepEqual(said, [31, 11]);
  t.is(Number(journal.describe().damagedSequence), 11);
  while (await journal.sweep());
  t.like(journal.describe(), { damagedSequence: 0, horizonSequence: 39, newestSequence: 40 });
});

// A bus that starts on it would find it only when a reader comes by, perhaps days later.
test('a start on a journal that lacks a record anywhere is refused, and a repair keeps all the others', async (t) => {
  const directory = temporaryDirectory(t);
  const journal = await openJournal(new LmdbStore(directory), systemClock, journalDefaults);
  await append(journal, ...Array.from({ length: 40 }, () => eventEntry(1)));
  await journal.close();
  await checkJournal(directory, systemClock);
  await damageRecord(directory, 21, 'missing');
  const error = await t.throwsAsync(checkJournal(directory, systemClock), { instanceOf: StartError });
  t.regex(error.message, /1 of the records that it names are missing.*rivulet bus --repair/);
  t.is((await repairJournal(directory, systemClock)).records, 39);
  await checkJournal(directory, systemClock);
  const repaired = await openJournal(new LmdbStore(directory), systemClock, journalDefaults);
  t.teardown(() => repaired.close());
  t.deepEqual(sequencesOf(await recordsAfter(repaired, 0)), [...range(1, 20), ...range(22, 40)]);
  t.deepEqual(sequencesOf(await recordsAfter(repaired, 0, [1])), [...range(1, 20), ...range(22, 40)]);
  // What the repair kept must be there: a second hole is damage again.
  await damageRecord(directory, 30, 'missing');
  t.deepEqual(sequencesOf(await recordsAfter(repaired, 0, [1])), [...range(1, 20), ...range(22, 29)]);
  await t.throwsAsync(recordsAfter(repaired, 29, [1]), { instanceOf: JournalDamagedError });
});
