import test from 'ava';
import type { ExecutionView } from '../../src/contract/control.ts';
import { startEdge } from '../support/edge-server.ts';
import { ask, type HttpAnswer } from '../support/http-client.ts';

const id = '018f4c1e-7b2a-7cc3-98c4-dc0c0c07398f';
const view: ExecutionView = {
  execution_id: id,
  status: 'running',
  tags: ['demo'],
  created_at: '2026-11-24T14:27:48.123Z',
  changed_at: '2026-11-24T14:27:48.123Z',
  events: 0,
  bytes: 0,
  late_events: 0,
  last_event_id: id,
};

const put = (port: number, path: string, value: unknown): Promise<HttpAnswer> =>
  ask(port, { method: 'PUT', path, headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(value) });

const briefly = (answer: HttpAnswer): string[] =>
  (answer.json()['detail'] as { type: string; loc: string[]; msg: string }[]).map(
    (fault) => `${fault.type} ${fault.loc.join('.')}: ${fault.msg}`,
  );

test('PUT hands over a normalised change and answers with the execution', async (t) => {
  const { port, control } = await startEdge(t);
  control.answer = () => ({ kind: 'execution', execution: view, visible: false });
  const answer = await put(port, `/api/v1/executions/${id.toUpperCase()}`, {
    status: 'failed',
    tags: ['a', 'b', 'a'],
    reason: 'line\nline',
  });
  t.is(answer.status, 200);
  t.is(answer.headers['rivulet-visible'], 'pending');
  t.is(answer.text, JSON.stringify(view));
  t.deepEqual(control.calls, [
    { kind: 'change-execution', executionId: id, status: 'failed', tags: ['a', 'b'], reason: 'line\nline' },
  ]);
  await put(port, `/api/v1/executions/${id}`, { tags: ['a'], status: null });
  t.deepEqual(control.calls[1], { kind: 'change-execution', executionId: id, status: null, tags: ['a'], reason: null });
});

test('PUT names every fault, those of the path first', async (t) => {
  const { port, control } = await startEdge(t);
  const change = async (value: unknown, where = id): Promise<string[]> => {
    const answer = await put(port, `/api/v1/executions/${where}`, value);
    t.is(answer.status, 422);
    return briefly(answer);
  };
  t.deepEqual(await change({}), ['value_error body: Value error, status or tags must be given']);
  t.deepEqual(await change({ reason: 'x', tags: [] }), ['value_error body: Value error, status or tags must be given']);
  t.deepEqual(await change({ status: 'done' }), [
    "literal_error body.status: Input should be 'pending', 'running', 'completed', 'failed' or 'cancelled'",
  ]);
  t.deepEqual(await change({ status: 'running', tags: ['', id, 'a\nb'], reason: 'x'.repeat(1025) }), [
    'value_error body.tags.0: Value error, must not be empty',
    'value_error body.tags.1: Value error, must not be shaped like a UUID',
    'value_error body.tags.2: Value error, must not contain control characters',
    'value_error body.reason: Value error, must be at most 1024 bytes, is 1025',
  ]);
  t.deepEqual(await change({ status: 'running', tags: Array.from({ length: 101 }, (_, index) => `t${index}`) }), [
    'too_long body.tags: List should have at most 100 items after validation, not 101',
  ]);
  t.deepEqual(await change({ state: 'running' }, 'nightly'), [
    'uuid_parsing path.execution_id: Input should be a valid UUID, in the hyphenated form of 36 characters',
    'extra_forbidden body.state: Extra inputs are not permitted',
  ]);
  t.deepEqual(control.calls, []);
});

test('GET of one execution: 200, 404 with its id, 422 for no UUID', async (t) => {
  const { port, control } = await startEdge(t);
  const missing = await ask(port, { path: `/api/v1/executions/${id}` });
  t.is(missing.status, 404);
  t.is(missing.json()['detail'], `Execution not found: ${id}`);
  t.is(missing.json()['error_code'], 'EXECUTION_NOT_FOUND');
  control.answer = () => ({ kind: 'execution', execution: view, visible: true });
  const found = await ask(port, { path: `/api/v1/executions/${id}` });
  t.is(found.text, JSON.stringify(view));
  t.is(found.headers['cache-control'], 'no-store');
  t.is((await ask(port, { path: '/api/v1/executions/nightly' })).status, 422);
});

test('the list takes tag, status, limit and cursor, by FastAPI rules', async (t) => {
  const { port, control } = await startEdge(t);
  control.answer = () => ({ kind: 'executions', executions: [view], nextCursor: 'next' });
  const page = await ask(port, { path: '/api/v1/executions?tag=a&tag=demo&status=running&limit=+10&cursor=c&x=y' });
  t.is(page.status, 200);
  t.deepEqual(page.json(), { executions: [view], next_cursor: 'next' });
  await ask(port, { path: '/api/v1/executions?status=&tag=&cursor=' });
  t.deepEqual(control.calls, [
    { kind: 'list-executions', tag: 'demo', status: 'running', limit: 10, cursor: 'c' },
    { kind: 'list-executions', tag: null, status: null, limit: 100, cursor: null },
  ]);
  for (const [query, fault] of [
    ['limit=0', 'greater_than_equal query.limit: Input should be greater than or equal to 1'],
    ['limit=1001', 'less_than_equal query.limit: Input should be less than or equal to 1000'],
    ['limit=1e400', 'int_parsing query.limit: Input should be a valid integer, unable to parse string as an integer'],
    [
      'status=done',
      "literal_error query.status: Input should be 'pending', 'running', 'completed', 'failed' or 'cancelled'",
    ],
    [`cursor=${'x'.repeat(257)}`, 'value_error query.cursor: Value error, is not the next_cursor of a page'],
  ] as const) {
    const refused = await ask(port, { path: `/api/v1/executions?${query}` });
    t.is(refused.status, 422);
    t.deepEqual(briefly(refused), [fault]);
  }
  control.answer = () => ({ kind: 'bad-cursor' });
  const bad = await ask(port, { path: '/api/v1/executions?cursor=zz' });
  t.is(
    bad.text,
    '{"detail":[{"type":"value_error","loc":["query","cursor"],"msg":"Value error, is not the next_cursor of a page","input":"zz"}]}',
  );
});

test('a terminal execution and a tag bound refused by the bus', async (t) => {
  const { port, control } = await startEdge(t);
  const detail = 'entries[0].change.status: completed is final';
  control.answer = () => ({ kind: 'failed', code: 'terminal', detail, faults: [] });
  const terminal = await put(port, `/api/v1/executions/${id}`, { status: 'running' });
  t.is(terminal.status, 409);
  t.is(terminal.json()['detail'], 'status: completed is final');
  control.answer = () => ({
    kind: 'failed',
    code: 'exhausted',
    detail: 'too many tags',
    faults: [{ field: ['entries', 0, 'change', 'tags'], reason: 'at most 100' }],
  });
  const tags = await put(port, `/api/v1/executions/${id}`, { tags: ['x'] });
  t.is(tags.status, 422);
  t.deepEqual(briefly(tags), ['value_error body.tags: Value error, at most 100']);
});
