import test from 'ava';
import { eventIdParts, formatEventId, type JournalTag, nilId, parseEventId } from '../../src/core/event-id.ts';
import type { Sequence } from '../../src/core/sequence.ts';
import { eventAt, newExecution } from '../support/execution-names.ts';
import { ownerOf, type System, startSystem } from '../support/system.ts';

/** Resume: where a stream starts. The window is small, so most of this is answered by the journal. */

const owner = ownerOf(test);
let system: System;

test.before(async () => {
  system = await startSystem(owner, ['--window-bytes=4MiB']);
});

interface Run {
  readonly execution: string;
  readonly ids: readonly string[];
}

const paths = ['e0', 'e1', 'e2', 'e3', 'e4', 'e5', 'e6', 'e7'];

/** A running execution with eight events. */
async function runOfEight(): Promise<Run> {
  const execution = newExecution();
  await system.put(execution, { status: 'running' });
  return { execution, ids: await system.publish(...paths.map((path) => eventAt(execution, path))) };
}

const idAt = (run: Run, index: number): string => run.ids[index] ?? '';

test('with a cursor: what is after it, in order, then what comes', async (t) => {
  const run = await runOfEight();
  const client = await system.sse({ execution_id: run.execution }, { 'last-event-id': idAt(run, 2) });
  t.is((await client.first('ready')).id, idAt(run, 2));
  await client.count(5);
  await system.publish(eventAt(run.execution, 'live'));
  await client.count(6);
  t.deepEqual(client.paths, [...paths.slice(3), 'live']);
  t.is(client.named('gap').length, 0);
  client.cut();
});

test('without a cursor, or with latest: only what comes', async (t) => {
  const run = await runOfEight();
  const absent = await system.sse({ execution_id: run.execution });
  const latest = await system.sse({ execution_id: run.execution, last_event_id: 'latest' });
  const header = await system.sse({ execution_id: run.execution }, { 'last-event-id': 'latest' });
  for (const client of [absent, latest, header]) {
    await client.first('ready');
    await system.publish(eventAt(run.execution, 'live'));
    await client.count(1);
    t.is(client.paths[0], 'live');
    t.is(client.named('gap').length, 0);
    client.cut();
  }
});

test('earliest and the nil UUID: everything retained, and never a gap', async (t) => {
  const run = await runOfEight();
  const ways = [
    await system.sse({ execution_id: run.execution, last_event_id: 'earliest' }),
    await system.sse({ execution_id: run.execution, last_event_id: nilId }),
    await system.sse({ execution_id: run.execution }, { 'last-event-id': nilId }),
    await system.sse({ execution_id: run.execution }, { 'last-event-id': 'earliest' }),
  ];
  for (const client of ways) {
    await client.count(8);
    t.deepEqual(client.paths, paths);
    t.deepEqual(
      client.received.slice(0, 2).map(({ event }) => event),
      ['ready', 'storage.object.created'],
    );
    client.cut();
  }
});

test('a valid header wins over the query; a malformed one gives way to a valid query', async (t) => {
  const run = await runOfEight();
  const header = await system.sse(
    { execution_id: run.execution, last_event_id: idAt(run, 6) },
    { 'last-event-id': idAt(run, 4) },
  );
  await header.count(3);
  t.deepEqual(header.paths, paths.slice(5));
  const query = await system.sse(
    { execution_id: run.execution, last_event_id: idAt(run, 6) },
    { 'last-event-id': 'not-an-id' },
  );
  await query.count(1);
  t.deepEqual(query.paths, paths.slice(7));
  t.is(query.named('gap').length, 0);
  header.cut();
  query.cut();
});

test('a cursor in capitals is the same cursor', async (t) => {
  const run = await runOfEight();
  const client = await system.sse({ execution_id: run.execution }, { 'last-event-id': idAt(run, 5).toUpperCase() });
  await client.count(2);
  t.deepEqual(client.paths, paths.slice(6));
  t.is((await client.first('ready')).id, idAt(run, 5));
  client.cut();
});

const malformed = ['nonsense', '42', '0d9be1a2-7c3e-4f4e-9a56-3f1c6f6b2a10', 'x'.repeat(400)];

for (const cursor of malformed) {
  // The id stands on the gap: had ready one, a cut between the two would swallow it.
  test(`malformed ${cursor.slice(0, 40)}: ready without id, gap with the new start, then live`, async (t) => {
    const run = await runOfEight();
    const client = await system.sse({ execution_id: run.execution }, { 'last-event-id': cursor });
    const gap = await client.first('gap');
    t.deepEqual(
      client.received.map(({ event }) => event),
      ['ready', 'gap'],
    );
    t.false(client.text.split('\n\n')[0]?.includes('id:'));
    t.is((await client.first('ready')).data['last_event_id'], null);
    t.deepEqual(Object.keys(gap.data), ['type', 'requested', 'oldest_available', 'reason']);
    t.is(gap.data['reason'], 'malformed');
    t.is(gap.data['requested'], cursor.slice(0, 128));
    t.truthy(parseEventId(String(gap.data['oldest_available'])));
    t.true((gap.id ?? '') >= idAt(run, 7));
    await system.publish(eventAt(run.execution, 'live'));
    await client.count(1);
    t.deepEqual(client.paths, ['live']);
    client.cut();
  });
}

test('a malformed query alone is a gap too', async (t) => {
  const run = await runOfEight();
  const client = await system.sse({ execution_id: run.execution, last_event_id: 'yesterday' });
  t.is((await client.first('gap')).data['requested'], 'yesterday');
  client.cut();
});

test('an empty header counts as absent', async (t) => {
  const run = await runOfEight();
  const client = await system.sse(
    { execution_id: run.execution, last_event_id: idAt(run, 6) },
    { 'last-event-id': '' },
  );
  await client.count(1);
  t.deepEqual(client.paths, ['e7']);
  client.cut();
});

test('a position that the bus does not have yet: gap unknown_position, then live', async (t) => {
  const run = await runOfEight();
  const { timeMs, sequence, tag } = eventIdParts(
    parseEventId(idAt(run, 7)) ?? formatEventId(0, 0 as Sequence, 0 as JournalTag),
  );
  const future = formatEventId(timeMs + 1_000, (sequence + 1_000_000) as Sequence, tag);
  const client = await system.sse({ execution_id: run.execution }, { 'last-event-id': future });
  const gap = await client.first('gap');
  t.is(gap.data['reason'], 'unknown_position');
  t.is(gap.data['requested'], future);
  await system.publish(eventAt(run.execution, 'live'));
  await client.count(1);
  t.deepEqual(client.paths, ['live']);
  client.cut();
});

test('an id of another generator far in the future: gap unknown_position, then live', async (t) => {
  const run = await runOfEight();
  const future = 'fedcba98-7654-7123-8abc-def012345678';
  const client = await system.sse({ execution_id: run.execution }, { 'last-event-id': future });
  t.is((await client.first('gap')).data['reason'], 'unknown_position');
  await system.publish(eventAt(run.execution, 'live'));
  await client.count(1);
  t.deepEqual(client.paths, ['live']);
  client.cut();
});

/** An id with our bits but for the tag: to the bus it is a stranger's. */
function foreign(id: string, bitsUp: number): string {
  const last = (Number.parseInt(id.slice(-6), 16) ^ (0x2a_5555 & 0x3f_ffff)) >>> 0;
  return id.slice(0, -6) + ((last & 0x3f_ffff) | bitsUp).toString(16).padStart(6, '0');
}

test('an id of another generator is placed by comparison, without a gap', async (t) => {
  const run = await runOfEight();
  const between = foreign(idAt(run, 4), Number.parseInt(idAt(run, 4).slice(-6), 16) & 0xc0_0000);
  const client = await system.sse({ execution_id: run.execution }, { 'last-event-id': between });
  const expected = between > idAt(run, 4) ? paths.slice(5) : paths.slice(4);
  await client.count(expected.length);
  t.deepEqual(client.paths, expected);
  t.is(client.named('gap').length, 0);
  client.cut();
});

// The tag says that it is ours, the record says that it is not: some of what it saw may be gone.
test('an id of ours that no record has: gap unknown_position', async (t) => {
  const run = await runOfEight();
  const id = parseEventId(idAt(run, 3));
  if (id === null) return t.fail();
  const { timeMs, sequence, tag } = eventIdParts(id);
  const forged = formatEventId(timeMs + 1, sequence, tag);
  const client = await system.sse({ execution_id: run.execution }, { 'last-event-id': forged });
  const gap = await client.first('gap');
  t.is(gap.data['reason'], 'unknown_position');
  client.cut();
});

test('an id older than the journal: gap expired, then from the oldest kept', async (t) => {
  const run = await runOfEight();
  const old = '01000000-0000-7000-8000-000000000001';
  const client = await system.sse({ execution_id: run.execution }, { 'last-event-id': old });
  t.is((await client.first('gap')).data['reason'], 'expired');
  await client.count(8);
  t.deepEqual(client.paths, paths);
  client.cut();
});

// Without it a browser cut after ready and before its first event would come back with nothing, and lose what came meanwhile.
test("ready's id is a start: what came between two connections is there", async (t) => {
  const run = await runOfEight();
  const first = await system.sse({ execution_id: run.execution });
  const { id = '' } = await first.first('ready');
  first.cut();
  await system.publish(eventAt(run.execution, 'meanwhile'));
  const second = await system.sse({ execution_id: run.execution }, { 'last-event-id': id });
  await second.count(1);
  t.deepEqual(second.paths, ['meanwhile']);
  second.cut();
});

test('history behind the window comes from the journal, filtered, and goes over into live', async (t) => {
  const run = await runOfEight();
  const other = newExecution();
  await system.publishMany(other, 300, 20_000);
  await system.publish(eventAt(run.execution, 'late.md'));
  await system.publishMany(other, 300, 20_000);
  const client = await system.sse({ execution_id: run.execution }, { 'last-event-id': idAt(run, 0) });
  await client.count(8);
  const filtered = await system.sse({ execution_id: run.execution, extension: 'md', last_event_id: 'earliest' });
  await filtered.count(1);
  await system.publish(eventAt(run.execution, 'live.md'));
  await client.count(9);
  await filtered.count(2);
  t.deepEqual(client.paths, [...paths.slice(1), 'late.md', 'live.md']);
  t.deepEqual(filtered.paths, ['late.md', 'live.md']);
  client.cut();
  filtered.cut();
});

test('six thousand events behind the window arrive once each, in order', async (t) => {
  const execution = newExecution();
  const ids = await system.publishMany(execution, 6_000, 1_500);
  await system.put(execution, { status: 'completed' });
  const client = await system.sse({ execution_id: execution, last_event_id: 'earliest' });
  await client.end();
  t.deepEqual(client.ids, ids);
  t.is(client.received.at(-1)?.event, 'done');
});
