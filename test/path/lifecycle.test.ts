import test from 'ava';
import { runCommand } from '../support/command.ts';
import { eventAt, newExecution, newTag } from '../support/execution-names.ts';
import type { SseClient } from '../support/sse-client.ts';
import { ownerOf, type System, startSystem } from '../support/system.ts';

/** When a stream ends and what it says then; what is known, and since when. */

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

test('done comes after the last event, with the position, the reason and the statuses', async (t) => {
  const execution = await running();
  const client = await system.sse({ execution_id: execution });
  await client.first('ready');
  const ids = await system.publish(eventAt(execution, 'a'), eventAt(execution, 'b'));
  await system.put(execution, { status: 'completed' });
  await client.end();
  t.deepEqual(kinds(client), ['ready', event, event, 'done']);
  const done = await client.first('done');
  t.true((done.id ?? '') >= (ids[1] ?? ''));
  t.deepEqual(done.data, {
    type: 'done',
    reason: 'executions_terminal',
    executions: [{ execution_id: execution, status: 'completed' }],
    last_event_id: done.id,
  });
  t.deepEqual(Object.keys(done.data), ['type', 'reason', 'executions', 'last_event_id']);
  t.true(client.text.includes('event: done\ndata: {"type":"done",'));
});

for (const status of ['completed', 'failed', 'cancelled']) {
  test(`${status} is terminal`, async (t) => {
    const execution = await running();
    const client = await system.sse({ execution_id: execution });
    await client.first('ready');
    await system.put(execution, { status });
    const { data } = await (await client.end()).first('done');
    t.deepEqual(data['executions'], [{ execution_id: execution, status }]);
  });
}

test('a set is over when the last of its executions is', async (t) => {
  const executions = [await running(), await running(), await running()];
  const client = await system.sse({ execution_id: executions });
  await client.first('ready');
  const [first = '', second = '', third = ''] = executions;
  await system.put(second, { status: 'failed' });
  await system.publish(eventAt(first, 'one'));
  await system.put(first, { status: 'completed' });
  await system.publish(eventAt(third, 'two'), eventAt(second, 'late'));
  await client.count(3);
  t.is(client.named('done').length, 0);
  await system.put(third, { status: 'cancelled' });
  await client.end();
  t.deepEqual(client.paths, ['one', 'two', 'late']);
  t.deepEqual((await client.first('done')).data['executions'], [
    { execution_id: first, status: 'completed' },
    { execution_id: second, status: 'failed' },
    { execution_id: third, status: 'cancelled' },
  ]);
});

test('a stream whose filter matches nothing ends all the same', async (t) => {
  const execution = await running();
  const client = await system.sse({ execution_id: execution, stage: 'nowhere' });
  await client.first('ready');
  await system.publish(eventAt(execution, 'a'));
  await system.put(execution, { status: 'completed' });
  await client.end();
  t.deepEqual(kinds(client), ['ready', 'done']);
});

test('keep_open goes on after the end, and delivers what is written then', async (t) => {
  const execution = await running();
  const client = await system.sse({ execution_id: execution, keep_open: 'true' });
  await client.first('ready');
  await system.put(execution, { status: 'completed' });
  await system.publish(eventAt(execution, 'late'));
  await client.count(1);
  t.deepEqual(client.paths, ['late']);
  t.is(client.named('done').length, 0);
  t.is((await system.json(`/api/v1/executions/${execution}`))['late_events'], 1);
  client.cut();
});

test('an event after the end is delivered to a cursor', async (t) => {
  const execution = await running();
  await system.put(execution, { status: 'completed' });
  await system.publish(eventAt(execution, 'late'));
  const client = await system.sse({ execution_id: execution, last_event_id: 'earliest' });
  await client.end();
  t.deepEqual(client.paths, ['late']);
});

test('timeout=1 ends the stream after a second, with done and the position', async (t) => {
  const execution = await running();
  const startMs = performance.now();
  const client = await system.sse({ execution_id: execution, timeout: '1' });
  await client.first('ready');
  const publishing = system.publish(eventAt(execution, 'a'));
  await client.end();
  t.true(performance.now() - startMs > 950);
  const { data, id: position = '' } = await client.first('done');
  t.is(data['reason'], 'timeout');
  t.true(position >= (client.ids.at(-1) ?? ''));
  t.deepEqual(data['executions'], [{ execution_id: execution, status: 'running' }]);
  await publishing;
  await system.publish(eventAt(execution, 'b'));
  const next = await system.sse({ execution_id: execution }, { 'last-event-id': position });
  await next.until(({ paths }) => paths.includes('b'));
  t.deepEqual([...client.paths, ...next.paths], ['a', 'b']);
  next.cut();
});

test('timeout ends a keep_open stream too, and one without control events', async (t) => {
  const execution = await running();
  const open = await system.sse({ execution_id: execution, timeout: '1', keep_open: 'true' });
  const plain = await system.sse({ execution_id: execution, timeout: '1.0', control_events: 'false' });
  await Promise.all([open.end(), plain.end()]);
  t.is((await open.first('done')).data['reason'], 'timeout');
  t.is(plain.received.length, 0);
});

test('executions that get the tag later join a stream that is open', async (t) => {
  const tag = newTag();
  const first = await running([tag]);
  const client = await system.sse({ execution_id: tag });
  await client.first('ready');
  const second = newExecution();
  await system.publish(eventAt(second, 'before the tag'));
  await system.put(second, { tags: [tag] });
  await system.publish(eventAt(second, 'second'), eventAt(first, 'first'));
  await system.put(first, { status: 'completed' });
  const third = await running([tag]);
  await system.publish(eventAt(third, 'third'));
  await client.count(3);
  await system.put(second, { status: 'completed' });
  t.is(client.named('done').length, 0);
  await system.put(third, { status: 'failed' });
  await client.end();
  t.deepEqual(client.paths, ['second', 'first', 'third']);
  const listed = (await client.first('done')).data['executions'] as Record<string, unknown>[];
  t.deepEqual(listed.map(({ execution_id }) => execution_id).sort(), [first, second, third].sort());
});

test('a tag whose executions are all over ends; keep_open waits for those to come', async (t) => {
  const tag = newTag();
  const first = await running([tag]);
  const open = await system.sse({ execution_id: tag, keep_open: 'true' });
  const closing = await system.sse({ execution_id: tag });
  await Promise.all([open.first('ready'), closing.first('ready')]);
  await system.put(first, { status: 'completed' });
  await closing.end();
  const second = await running([tag]);
  await system.publish(eventAt(second, 'next'));
  await open.count(1);
  t.deepEqual(open.paths, ['next']);
  open.cut();
});

test('404 names every unknown value, verified against the bus', async (t) => {
  const execution = await running();
  const unknown = newExecution();
  const client = await system.sse({ execution_id: [execution, unknown, 'nightly-7'] }, { 'x-request-id': 'r-1' });
  await client.end();
  t.is(client.status, 404);
  const { timestamp, ...rest } = client.body;
  t.deepEqual(rest, {
    detail: `Execution not found: ${unknown}, nightly-7`,
    error_code: 'EXECUTION_NOT_FOUND',
    correlation_id: 'r-1',
  });
  t.false(Number.isNaN(Date.parse(String(timestamp))));
  t.is(client.headers['x-request-id'], 'r-1');
});

test('422 comes before 404', async (t) => {
  const client = await system.sse({ execution_id: 'nightly-8', timeout: '0' });
  t.is((await client.end()).status, 422);
});

test('known once any event or status change named it; a tag once something has it', async (t) => {
  const named = newExecution();
  await system.publish(eventAt(named, 'a'));
  const client = await system.sse({ execution_id: named });
  t.deepEqual((await client.first('ready')).data['executions'], [{ execution_id: named, status: 'running' }]);
  client.cut();
  const pending = newExecution();
  const tag = newTag();
  await system.put(pending, { tags: [tag] });
  const tagged = await system.sse({ execution_id: tag });
  const [listed] = (await tagged.first('ready')).data['executions'] as Record<string, unknown>[];
  t.is(listed?.['execution_id'], pending);
  tagged.cut();
});

// The write is held until the upstream has passed it: without that every second of these would be a 404.
test('PUT, then subscribe at once, on any shard, 200 times', async (t) => {
  for (let round = 0; round < 200; round += 1) {
    const execution = newExecution();
    const tag = newTag();
    await system.put(execution, { status: 'running', tags: [tag] });
    const client = await system.sse({ execution_id: round % 2 === 0 ? execution : tag });
    if (client.status !== 200) t.fail(`round ${round}: ${client.status}`);
    client.cut();
  }
  t.pass();
});

test('subscribing after the last_event_id of a PUT misses nothing', async (t) => {
  const execution = newExecution();
  const put = await system.put(execution, { status: 'running' });
  await system.publish(eventAt(execution, 'a'));
  const client = await system.sse({ execution_id: execution, last_event_id: String(put.body['last_event_id']) });
  await client.count(1);
  t.deepEqual(client.paths, ['a']);
  t.is(client.named('gap').length, 0);
  client.cut();
});

// No retry cures it, so it is not a 503; and one ready frame must not list a million executions.
test('a tag that stands for more than 10,000 executions is 422', async (t) => {
  const tag = newTag();
  const lines = Array.from({ length: 10_001 }, () => JSON.stringify({ execution_id: newExecution(), tags: [tag] }));
  const published = await runCommand(t, ['publish', '-', `--bus=${system.grpc}`], { input: `${lines.join('\n')}\n` });
  t.is(published.code, 0, published.error);
  const last = String((JSON.parse(lines.at(-1) ?? '') as Record<string, unknown>)['execution_id']);
  const alone = await system.sse({ execution_id: last });
  t.is(alone.status, 200);
  alone.cut();
  const client = await (await system.sse({ execution_id: tag })).end();
  t.is(client.status, 422);
  const [fault] = client.body['detail'] as Record<string, unknown>[];
  t.deepEqual(fault?.['loc'], ['query', 'execution_id']);
});
