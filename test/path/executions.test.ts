import test from 'ava';
import { parseEventId } from '../../src/core/event-id.ts';
import { eventAt, newExecution, newTag } from '../support/execution-names.ts';
import { ownerOf, type System, startSystem } from '../support/system.ts';

/** Executions over HTTP: what a change does and is refused, what is read back. */

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

test('an execution: counts of events and bytes, first and last event time', async (t) => {
  const execution = newExecution();
  const tag = newTag();
  const put = await system.put(execution, { status: 'running', tags: [tag] });
  t.is(put.status, 200);
  t.is(put.body['execution_id'], execution);
  t.truthy(parseEventId(String(put.body['last_event_id'])));
  const at = ['2026-01-01T00:00:00.000Z', '2026-01-02T00:00:00.000Z'];
  await system.publish(...at.map((time, index) => eventAt(execution, `${index}`, { time, size: 100 + index })));
  const body = await system.json(`/api/v1/executions/${execution.toUpperCase()}`);
  t.is(body['events'], 2);
  t.is(body['bytes'], 201);
  t.is(body['status'], 'running');
  t.deepEqual(body['tags'], [tag]);
  t.deepEqual(
    [body['first_event_time'], body['last_event_time']].map((time) => Date.parse(String(time))),
    at.map(Date.parse),
  );
});

test('an unknown execution is 404, a malformed one 422', async (t) => {
  const unknown = newExecution();
  const response = await system.fetch(`/api/v1/executions/${unknown}`, { headers: { 'x-correlation-id': 'c-9' } });
  t.is(response.status, 404);
  const body = (await response.json()) as Record<string, unknown>;
  t.is(body['detail'], `Execution not found: ${unknown}`);
  t.is(body['correlation_id'], 'c-9');
  t.is((await system.fetch('/api/v1/executions/nightly')).status, 422);
});

test('the list: by tag, by status, and page by page', async (t) => {
  const tag = newTag();
  const executions = Array.from({ length: 7 }, newExecution).sort();
  for (const [index, execution] of executions.entries()) {
    await system.put(execution, { status: index < 4 ? 'running' : 'completed', tags: [tag] });
  }
  const seen: unknown[] = [];
  let cursor: unknown = '';
  do {
    const page = await system.json(
      `/api/v1/executions?tag=${tag}&limit=3&cursor=${encodeURIComponent(String(cursor))}`,
    );
    const listed = page['executions'] as Record<string, unknown>[];
    t.true(listed.length <= 3);
    seen.push(...listed.map(({ execution_id }) => execution_id));
    cursor = page['next_cursor'];
  } while (cursor !== null);
  t.deepEqual([...seen].sort(), executions);
  t.is(new Set(seen).size, 7);
  const completed = await system.json(`/api/v1/executions?tag=${tag}&status=completed`);
  t.deepEqual(
    (completed['executions'] as Record<string, unknown>[]).map(({ execution_id }) => execution_id).sort(),
    executions.slice(4),
  );
  t.deepEqual((await system.json('/api/v1/executions?tag=nobody-has-it'))['executions'], []);
  for (const query of ['status=gone', 'limit=0', 'limit=1001', 'limit=x', `cursor=${'x'.repeat(257)}`]) {
    t.is((await system.fetch(`/api/v1/executions?${query}`)).status, 422, query);
  }
});

test('PUT: what is refused', async (t) => {
  const execution = newExecution();
  const bodies: readonly Record<string, unknown>[] = [
    {},
    { status: 'gone' },
    { tags: [] },
    { tags: [''] },
    { tags: ['x'.repeat(129)] },
    { tags: ['a\nb'] },
    { tags: [newExecution()] },
    { status: 'running', reason: 'x'.repeat(1_025) },
    { status: 'running', colour: 'red' },
  ];
  for (const body of bodies) t.is((await system.put(execution, body)).status, 422, JSON.stringify(body));
  t.is((await system.put('nightly', { status: 'running' })).status, 422);
  t.is((await system.fetch(`/api/v1/executions/${execution}`)).status, 404);
  t.is(
    (await system.put(execution, { status: 'failed', tags: ['ü'.repeat(64)], reason: 'x'.repeat(1_024) })).status,
    200,
  );
});

// Not 507: the caller's words, and no retry helps.
test('PUT: tags that would be too many with those that it has are 422, with the field', async (t) => {
  const execution = newExecution();
  const tags = Array.from({ length: 100 }, (_, n) => `many-${execution}-${n}`);
  t.is((await system.put(execution, { tags })).status, 200);
  t.is((await system.put(execution, { tags })).status, 200);
  const refused = await system.put(execution, { tags: ['one more'] });
  t.is(refused.status, 422);
  t.regex(JSON.stringify(refused.body), /"loc":\["body","tags"\].*at most 100 tags/);
});

test('a terminal status is final: another is 409, the same again is fine and changes nothing', async (t) => {
  const execution = await running();
  const first = await system.put(execution, { status: 'failed', reason: 'disk' });
  t.is(first.status, 200);
  for (const status of ['running', 'completed', 'pending', 'cancelled']) {
    const { status: code, body } = await system.put(execution, { status });
    t.is(code, 409, status);
    t.is(body['error_code'], 'EXECUTION_TERMINAL');
    t.deepEqual(Object.keys(body), ['detail', 'error_code', 'correlation_id', 'timestamp']);
  }
  const again = await system.put(execution, { status: 'failed' });
  t.is(again.status, 200);
  t.is(again.body['changed_at'], first.body['changed_at']);
  t.is(again.body['reason'], 'disk');
});

test('from any other status to any status', async (t) => {
  const execution = newExecution();
  for (const status of ['pending', 'running', 'pending', 'running', 'running', 'cancelled']) {
    const { status: code, body } = await system.put(execution, { status });
    t.is(code, 200);
    t.is(body['status'], status);
  }
});

test('tags are only added, after the end too', async (t) => {
  const [first, second, third] = [newTag(), newTag(), newTag()];
  const execution = await running([second]);
  await system.put(execution, { tags: [first, second] });
  await system.put(execution, { status: 'completed' });
  const { status, body } = await system.put(execution, { tags: [third] });
  t.is(status, 200);
  t.deepEqual([...(body['tags'] as string[])].sort(), [first, second, third].sort());
  t.is(body['status'], 'completed');
});
