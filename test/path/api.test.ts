import test from 'ava';
import { parseEventId } from '../../src/core/event-id.ts';
import { eventAt, newExecution } from '../support/execution-names.ts';
import { ownerOf, type System, startSystem } from '../support/system.ts';

/** Publishing and the small routes, through the whole program. */

const owner = ownerOf(test);
let system: System;

test.before(async () => {
  system = await startSystem(owner);
});

interface Fault {
  readonly loc: readonly unknown[];
  readonly msg: string;
  readonly type: string;
}

async function refused(body: unknown): Promise<Fault[]> {
  const response = await system.post(body);
  if (response.status !== 422) throw new RangeError(`${response.status}: ${await response.text()}`);
  return ((await response.json()) as { detail: Fault[] }).detail;
}

test('one event: 202, accepted, and its id', async (t) => {
  const response = await system.post(eventAt(newExecution(), 'a'));
  t.is(response.status, 202);
  const body = (await response.json()) as { accepted: number; ids: string[] };
  t.deepEqual(Object.keys(body), ['accepted', 'ids']);
  t.is(body.accepted, 1);
  t.is(body.ids.length, 1);
  t.truthy(parseEventId(body.ids[0] ?? ''));
  t.is(response.headers.get('rivulet-visible'), null);
});

test('a batch: ids in the order of the request, rising', async (t) => {
  const execution = newExecution();
  const client = await (async () => {
    await system.put(execution, { status: 'running' });
    return system.sse({ execution_id: execution });
  })();
  const paths = Array.from({ length: 1_000 }, (_, index) => `p${index}`);
  const ids = await system.publish(...paths.map((path) => eventAt(execution, path)));
  t.deepEqual(ids, [...ids].sort());
  t.is(new Set(ids).size, 1_000);
  await client.count(1_000);
  t.deepEqual(client.ids, ids);
  t.deepEqual(client.paths, paths);
  client.cut();
});

// A batch is atomic: one bad event, and nothing of it is seen.
test('a bad event refuses its whole batch, with the field and the reason', async (t) => {
  const execution = newExecution();
  await system.put(execution, { status: 'running' });
  const faults = await refused({ events: [eventAt(execution, 'good'), eventAt(execution, '/bad')] });
  t.deepEqual(faults[0]?.loc, ['body', 'events', 1, 'path']);
  t.true((faults[0]?.msg.length ?? 0) > 0);
  t.is((await system.json(`/api/v1/executions/${execution}`))['events'], 0);
});

const id = newExecution();
const long = (length: number): string => 'x'.repeat(length);
const metadataOf = (count: number): Record<string, string> =>
  Object.fromEntries(Array.from({ length: count }, (_, index) => [`k${index}`, 'v']));

const badEvents: readonly (readonly [string, unknown, readonly unknown[]])[] = [
  ['no execution', { stage: 'a', path: 'b' }, ['body', 'execution_id']],
  ['an execution that is no UUID', eventAt('nightly', 'a'), ['body', 'execution_id']],
  ['no stage', { execution_id: id, path: 'a' }, ['body', 'stage']],
  ['no path', { execution_id: id, stage: 'a' }, ['body', 'path']],
  ['an empty stage', eventAt(id, 'a', { stage: '' }), ['body', 'stage']],
  ['an empty segment', eventAt(id, 'a//b'), ['body', 'path']],
  ['a . segment', eventAt(id, 'a/./b'), ['body', 'path']],
  ['a .. segment', eventAt(id, '../b'), ['body', 'path']],
  ['a trailing slash', eventAt(id, 'a/'), ['body', 'path']],
  ['a leading slash in stage', eventAt(id, 'a', { stage: '/a' }), ['body', 'stage']],
  ['a stage of 513 bytes', eventAt(id, 'a', { stage: long(513) }), ['body', 'stage']],
  ['a stage of 33 segments', eventAt(id, 'a', { stage: 'a/'.repeat(32) + 'a' }), ['body', 'stage']],
  ['a path of 1,025 bytes', eventAt(id, long(1_025)), ['body', 'path']],
  ['a path of 65 segments', eventAt(id, `${'a/'.repeat(64)}a`), ['body', 'path']],
  ['an id of its own', eventAt(id, 'a', { id: newExecution() }), ['body', 'id']],
  ['a field that nobody knows', eventAt(id, 'a', { colour: 'red' }), ['body', 'colour']],
  ['a size that is text', eventAt(id, 'a', { size: 'large' }), ['body', 'size']],
  ['a negative size', eventAt(id, 'a', { size: -1 }), ['body', 'size']],
  ['a time that is none', eventAt(id, 'a', { time: 'yesterday' }), ['body', 'time']],
  ['metadata of 33 keys', eventAt(id, 'a', { metadata: metadataOf(33) }), ['body', 'metadata']],
  ['metadata that is not text', eventAt(id, 'a', { metadata: { k: 1 } }), ['body', 'metadata', 'k']],
  ['a metadata value of 1,025 bytes', eventAt(id, 'a', { metadata: { k: long(1_025) } }), ['body', 'metadata', 'k']],
  ['an empty batch', { events: [] }, ['body', 'events']],
  ['1,001 events', { events: Array.from({ length: 1_001 }, () => eventAt(id, 'a')) }, ['body', 'events']],
  ['a list', [eventAt(id, 'a')], ['body']],
];

for (const [name, body, loc] of badEvents) {
  test(`422: ${name}`, async (t) => {
    const [fault] = await refused(body);
    t.deepEqual(fault?.loc, loc);
    t.deepEqual(
      [fault?.msg, fault?.type].map((text) => typeof text === 'string' && text !== ''),
      [true, true],
    );
  });
}

test('limits are taken to the last byte', async (t) => {
  const events = [
    eventAt(id, long(1_024), { stage: long(512) }),
    eventAt(id, `${'a/'.repeat(63)}a`, { stage: `${'a/'.repeat(31)}a` }),
    eventAt(id, 'a', { metadata: { [long(128)]: long(1_024), ...metadataOf(31) } }),
  ];
  t.is((await system.publish(...events)).length, 3);
});

test('an event whose JSON is above 64 KiB is 422, though each of its fields is within bounds', async (t) => {
  const metadata = Object.fromEntries(Array.from({ length: 32 }, (_, index) => [`k${index}`, '"'.repeat(1_024)]));
  const [fault] = await refused(eventAt(id, 'a', { metadata }));
  t.deepEqual(fault?.loc, ['body']);
  t.regex(fault?.msg ?? '', /65,?536/);
});

test('a body that is not JSON is 422, of another type 415, above 1 MiB 413', async (t) => {
  const [fault] = await refused('{"execution_id":');
  t.is(fault?.type, 'json_invalid');
  for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data']) {
    const response = await system.fetch('/api/v1/storage/events', {
      method: 'POST',
      headers: { 'content-type': type },
      body: JSON.stringify(eventAt(id, 'a')),
    });
    t.is(response.status, 415, type);
    t.is(((await response.json()) as Record<string, unknown>)['error_code'], 'UNSUPPORTED_MEDIA_TYPE');
  }
  const large = await system.post({ events: [eventAt(id, 'a', { metadata: { k: long(1_100_000) } })] });
  t.is(large.status, 413);
});

test('source_id: the same again is acknowledged with the first id and not appended', async (t) => {
  const execution = newExecution();
  const event = eventAt(execution, 'a', { source_id: 's-1' });
  const [first] = await system.publish(event);
  const [again, other] = await system.publish(event, eventAt(execution, 'b', { source_id: 's-2' }));
  t.is(again, first);
  t.not(other, first);
  t.is((await system.json(`/api/v1/executions/${execution}`))['events'], 2);
  // The same source_id of another execution is another event.
  const [elsewhere] = await system.publish(eventAt(newExecution(), 'a', { source_id: 's-1' }));
  t.not(elsewhere, first);
});

test('source_id: twice in one batch they share an id, in the order of the request', async (t) => {
  const execution = newExecution();
  const [one, two] = [eventAt(execution, '1', { source_id: 'a' }), eventAt(execution, '2', { source_id: 'b' })];
  const ids = await system.publish(one, two, one, two);
  t.deepEqual(ids, [ids[0], ids[1], ids[0], ids[1]]);
  t.is(new Set(ids).size, 2);
  t.is((await system.json(`/api/v1/executions/${execution}`))['events'], 2);
});

test('source_id: with other input it is 409, and nothing of the batch is appended', async (t) => {
  const execution = newExecution();
  await system.publish(eventAt(execution, 'a', { source_id: 's', size: 1 }));
  const response = await system.post({
    events: [eventAt(execution, 'new'), eventAt(execution, 'a', { source_id: 's', size: 2 })],
  });
  t.is(response.status, 409);
  const body = (await response.json()) as Record<string, unknown>;
  t.is(body['error_code'], 'SOURCE_ID_CONFLICT');
  t.deepEqual(Object.keys(body), ['detail', 'error_code', 'correlation_id', 'timestamp']);
  t.is((await system.json(`/api/v1/executions/${execution}`))['events'], 1);
});

test('health, readiness, description, page and console', async (t) => {
  await system.untilReady('ready');
  t.is((await system.fetch('/healthz')).status, 200);
  t.is((await system.json('/healthz'))['status'], 'ok');
  const ready = await system.fetch('/readyz');
  t.is(ready.status, 200);
  const openapi = await system.json('/openapi.json');
  t.regex(String(openapi['openapi']), /^3\.1\./);
  const paths = Object.keys(openapi['paths'] as object);
  for (const path of ['/api/v1/storage/events', '/api/v1/executions', '/healthz', '/readyz']) {
    t.true(paths.includes(path), path);
  }
  for (const path of ['/docs', '/']) {
    const page = await system.fetch(path);
    t.is(page.status, 200);
    t.regex(page.headers.get('content-type') ?? '', /^text\/html/);
  }
});

test('404, 405 and HEAD are ErrorResponses with a correlation id', async (t) => {
  const nowhere = await system.fetch('/api/v1/nowhere');
  t.is(nowhere.status, 404);
  const body = (await nowhere.json()) as Record<string, unknown>;
  t.is(body['detail'], 'Not Found');
  t.is(body['correlation_id'], nowhere.headers.get('x-request-id'));
  for (const method of ['DELETE', 'PATCH', 'OPTIONS', 'HEAD']) {
    const response = await system.fetch('/api/v1/storage/events', { method });
    t.is(response.status, 405, method);
    t.is(response.headers.get('allow'), 'GET, POST');
  }
  // What is not visible ASCII, or too long, is replaced.
  for (const own of ['x'.repeat(129), 'a b']) {
    const answer = await system.fetch('/healthz', { headers: { 'x-request-id': own } });
    t.not(answer.headers.get('x-request-id'), own);
    t.truthy(answer.headers.get('x-request-id'));
  }
});

test('loopback origins may read and resume, but not write', async (t) => {
  const origin = 'http://localhost:3000';
  const preflight = await system.fetch('/api/v1/storage/events', {
    method: 'OPTIONS',
    headers: { origin, 'access-control-request-method': 'GET', 'access-control-request-headers': 'last-event-id' },
  });
  t.is(preflight.status, 204);
  t.is(preflight.headers.get('access-control-allow-origin'), origin);
  t.regex(preflight.headers.get('access-control-allow-headers') ?? '', /last-event-id.*x-request-id/i);
  t.regex(
    (await system.fetch('/healthz', { headers: { origin } })).headers.get('access-control-expose-headers') ?? '',
    /x-request-id/i,
  );
  const write = await system.fetch('/api/v1/storage/events', {
    method: 'POST',
    headers: { origin, 'content-type': 'application/json' },
    body: JSON.stringify(eventAt(id, 'a')),
  });
  t.is(write.status, 403);
  const evil = await system.fetch('/healthz', { headers: { origin: 'https://evil.example' } });
  t.is(evil.headers.get('access-control-allow-origin'), null);
});

test('metrics name what an operator looks for, after traffic', async (t) => {
  const execution = newExecution();
  await system.put(execution, { status: 'running' });
  const client = await system.sse({ execution_id: execution });
  await system.publish(eventAt(execution, 'a'));
  await client.count(1);
  await system.put(execution, { status: 'completed' });
  await client.end();
  const series: readonly (readonly [string, Record<string, string>])[] = [
    ['rivulet_deliveries_total', {}],
    ['rivulet_delivered_bytes_total', {}],
    ['rivulet_delivery_latency_seconds_count', {}],
    ['rivulet_mailbox_wait_seconds_count', {}],
    ['rivulet_publish_seconds_count', {}],
    ['rivulet_stream_ends_total', { reason: 'executions_terminal' }],
    ['rivulet_http_requests_total', { route: 'events', status: '200' }],
    ['rivulet_window_sequence', {}],
    ['rivulet_window_fill_ratio', {}],
    ['rivulet_upstream_connected', {}],
    ['rivulet_executions', {}],
  ];
  for (const [name, labels] of series) t.true((await system.metric(name, labels)) > 0, name);
  t.is(await system.metric('rivulet_shards_responsive'), 2);
  await system.untilMetric('rivulet_journal_newest_sequence', {}, (newest) => newest > 0);
});
