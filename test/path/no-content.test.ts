import test from 'ava';
import { nilId } from '../../src/core/event-id.ts';
import { eventAt, newExecution } from '../support/execution-names.ts';
import type { SseClient } from '../support/sse-client.ts';
import { ownerOf, type System, startSystem } from '../support/system.ts';

/** 204, which is what tells a browser to stop, and everything that is not one. */

const owner = ownerOf(test);
let system: System;

test.before(async () => {
  system = await startSystem(owner);
});

async function running(tags: readonly string[] = []): Promise<string> {
  const execution = newExecution();
  const { status } = await system.put(execution, { status: 'running', ...(tags.length === 0 ? {} : { tags }) });
  if (status !== 200) throw new RangeError(`PUT ${status}`);
  return execution;
}

const kinds = (client: SseClient): unknown[] => client.received.map(({ event }) => event);

const event = 'storage.object.created';

/** An execution that is over with three events, its ids, and the id of done. */
async function over(): Promise<{ execution: string; ids: string[]; done: string }> {
  const execution = await running();
  const client = await system.sse({ execution_id: execution });
  await client.first('ready');
  const ids = await system.publish(...['a.md', 'b.txt', 'c.txt'].map((path) => eventAt(execution, path)));
  await system.put(execution, { status: 'completed' });
  await client.end();
  return { execution, ids, done: (await client.first('done')).id ?? '' };
}

// A browser that comes back with it must be told to stop: every other answer is another reconnect, or an error.
test('204: over, cursor at or after the end, nothing left', async (t) => {
  const { execution, done } = await over();
  const client = await system.sse({ execution_id: execution }, { 'last-event-id': done });
  await client.end();
  t.is(client.status, 204);
  t.is(client.text, '');
});

test('204 also for query cursor and capitals, and for a filter that matches nothing', async (t) => {
  const { execution, done } = await over();
  const query = await system.sse({ execution_id: execution, last_event_id: done.toUpperCase(), stage: 'nowhere' });
  t.is((await query.end()).status, 204);
});

test('not 204 before the terminal change, even if nothing that matches is left: ready and done', async (t) => {
  const { execution, ids } = await over();
  const client = await system.sse({ execution_id: execution }, { 'last-event-id': ids[2] ?? '' });
  await client.end();
  t.is(client.status, 200);
  t.deepEqual(kinds(client), ['ready', 'done']);
});

test('204 before the terminal change with control_events=false: there is no done to miss', async (t) => {
  const { execution, ids } = await over();
  const plain = { execution_id: execution, control_events: 'false' };
  const last = await system.sse(plain, { 'last-event-id': ids[2] ?? '' });
  t.is((await last.end()).status, 204);
  const left = await system.sse(plain, { 'last-event-id': ids[1] ?? '' });
  await left.end();
  t.is(left.status, 200);
  t.deepEqual(left.paths, ['c.txt']);
  const filtered = await system.sse({ ...plain, extension: 'md' }, { 'last-event-id': ids[0] ?? '' });
  t.is((await filtered.end()).status, 204);
});

test('not 204 without a cursor, with a nil or malformed one, or with latest', async (t) => {
  const { execution } = await over();
  for (const cursor of ['', nilId, 'earliest', 'latest', 'nonsense']) {
    const client = await system.sse({ execution_id: execution, ...(cursor === '' ? {} : { last_event_id: cursor }) });
    await client.end();
    t.is(client.status, 200, cursor);
    t.is(client.received.at(-1)?.event, 'done', cursor);
    t.is(client.eventCount, cursor === nilId || cursor === 'earliest' ? 3 : 0, cursor);
  }
});

test('not 204 when events came after the end', async (t) => {
  const { execution, done } = await over();
  await system.publish(eventAt(execution, 'late'));
  const client = await system.sse({ execution_id: execution }, { 'last-event-id': done });
  await client.end();
  t.deepEqual(kinds(client), ['ready', event, 'done']);
});

test('not 204 with keep_open, nor while one of the executions goes on', async (t) => {
  const { execution, done } = await over();
  const other = await running();
  const open = await system.sse({ execution_id: execution, keep_open: 'true' }, { 'last-event-id': done });
  const set = await system.sse({ execution_id: [execution, other] }, { 'last-event-id': done });
  t.is(open.status, 200);
  t.is(set.status, 200);
  await Promise.all([open.first('ready'), set.first('ready')]);
  t.is(set.named('done').length, 0);
  open.cut();
  set.cut();
});
