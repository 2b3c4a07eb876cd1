import test from 'ava';
import { parsePublish } from '../../src/edge/api/publish.ts';
import { startEdge } from '../support/edge-server.ts';
import { ask, postJson, RawClient } from '../support/http-client.ts';

const path = '/api/v1/storage/events';
const executionId = '018f4c1e-7b2a-7cc3-98c4-dc0c0c07398f';
const event = { execution_id: executionId, stage: 'boost/routines', path: 'reports/a.md' };

interface Detail {
  type: string;
  loc: (string | number)[];
  msg: string;
  input: unknown;
}

function faultsOf(body: unknown): Detail[] {
  const parsed = parsePublish(Buffer.from(typeof body === 'string' ? body : JSON.stringify(body)));
  return parsed.kind === 'invalid' ? (JSON.parse(JSON.stringify(parsed.faults)) as Detail[]) : [];
}

const briefly = (body: unknown): string[] =>
  faultsOf(body).map((fault) => `${fault.type} ${fault.loc.join('.')}: ${fault.msg}`);

test('one event and a batch are accepted with 202 and ids, normalised', async (t) => {
  const { port, control } = await startEdge(t);
  control.answer = (call) => ({
    kind: 'published',
    ids: ['1', '2'].slice(0, call.kind === 'publish' ? call.events.length : 0),
    visible: true,
  });
  const one = await postJson(port, path, {
    ...event,
    execution_id: executionId.toUpperCase(),
    time: '2026-11-24T15:27:48+01:00',
    size: null,
    metadata: { k: 'v' },
  });
  t.is(one.status, 202);
  t.deepEqual(one.json(), { accepted: 1, ids: ['1'] });
  t.is(one.headers['rivulet-visible'], undefined);
  const [call] = control.calls;
  t.deepEqual(call?.kind === 'publish' ? call.events : [], [
    { ...event, time: '2026-11-24T14:27:48.000Z', metadata: { k: 'v' } },
  ]);
  const two = await postJson(port, path, { events: [event, event] });
  t.deepEqual(two.json(), { accepted: 2, ids: ['1', '2'] });
});

test('an accepted write that is not yet visible says so', async (t) => {
  const { port, control } = await startEdge(t);
  control.answer = () => ({ kind: 'published', ids: ['1'], visible: false });
  const answer = await postJson(port, path, event);
  t.is(answer.status, 202);
  t.is(answer.headers['rivulet-visible'], 'pending');
});

// Without this, any web page could publish with a form: text/plain needs no preflight.
test('only application/json is taken, and no cross-origin write', async (t) => {
  const { port, control } = await startEdge(t, { corsWriteOrigins: ['https://write.example'] });
  control.answer = () => ({ kind: 'published', ids: ['1'], visible: true });
  const body = JSON.stringify(event);
  for (const type of ['text/plain', 'application/jsonx', 'application/x-www-form-urlencoded', 'text/json', '']) {
    const answer = await ask(port, { method: 'POST', path, headers: { 'Content-Type': type }, body });
    t.is(answer.status, 415, type);
    t.is(answer.json()['error_code'], 'UNSUPPORTED_MEDIA_TYPE');
  }
  for (const type of ['application/json', 'Application/JSON; charset=utf-8', 'application/json;x=y']) {
    t.is((await ask(port, { method: 'POST', path, headers: { 'Content-Type': type }, body })).status, 202, type);
  }
  const headers = { 'Content-Type': 'application/json' };
  for (const [Origin, status] of [
    ['https://write.example', 202],
    [`http://127.0.0.1:${port}`, 202],
    ['http://localhost:1', 403],
    ['https://evil.example', 403],
    ['null', 403],
  ] as const) {
    t.is((await ask(port, { method: 'POST', path, headers: { ...headers, Origin }, body })).status, status, Origin);
  }
});

test('a body above the bound is 413, announced or not, and the connection goes on', async (t) => {
  const { port, control } = await startEdge(t);
  control.answer = () => ({ kind: 'published', ids: ['1'], visible: true });
  const body = 'x'.repeat(1_048_577);
  const announced = await ask(port, { method: 'POST', path, headers: { 'Content-Type': 'application/json' }, body });
  t.is(announced.status, 413);
  t.is(announced.json()['error_code'], 'BODY_TOO_LARGE');
  const client = await RawClient.open(t, port);
  client.send(
    `POST ${path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n`,
  );
  client.send(`${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\nGET /nope HTTP/1.1\r\nHost: localhost\r\n\r\n`);
  const text = await client.until((seen) => seen.includes('HTTP/1.1 404'));
  t.true(text.startsWith('HTTP/1.1 413 '));
  t.is(control.calls.length, 0);
});

test('a body of exactly the bound is read, in pieces, with a delay between', async (t) => {
  const { port, control } = await startEdge(t);
  control.answer = () => ({ kind: 'published', ids: ['1'], visible: true });
  const json = JSON.stringify(event);
  const body = json.padEnd(1_048_576, ' ');
  const client = await RawClient.open(t, port);
  client.send(
    `POST ${path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n`,
  );
  for (let at = 0; at < body.length; at += 100_000) {
    client.send(body.slice(at, at + 100_000));
    await new Promise((resolve) => setImmediate(resolve));
  }
  t.true((await client.until((seen) => seen.includes('"accepted":1'))).startsWith('HTTP/1.1 202 '));
  t.deepEqual(control.calls, [{ kind: 'publish', events: [event], bytes: 1_048_576 }]);
});

test('what is no JSON, or no UTF-8, is json_invalid; nothing reaches the bus', async (t) => {
  const { port, control } = await startEdge(t);
  const bodies: (string | Uint8Array)[] = [
    '{',
    '[1,',
    'nope',
    '{"a":NaN}',
    '\ufeff{}x',
    Buffer.from([0x22, 0xff, 0x22]),
    Buffer.from([0x22, 0xed, 0xa0, 0x80, 0x22]),
  ];
  for (const body of bodies) {
    const answer = await ask(port, { method: 'POST', path, headers: { 'Content-Type': 'application/json' }, body });
    t.is(answer.status, 422);
    const [fault] = answer.json()['detail'] as (Detail & { ctx: { error: string } })[];
    t.is(fault?.type, 'json_invalid');
    t.is(fault?.msg, 'JSON decode error');
    t.is(fault?.loc[0], 'body');
    t.is(typeof fault?.loc[1], 'number');
    t.true((fault?.ctx.error.length ?? 0) > 0);
  }
  const empty = await ask(port, { method: 'POST', path, headers: { 'Content-Type': 'application/json' } });
  t.is(empty.text, '{"detail":[{"type":"missing","loc":["body"],"msg":"Field required","input":null}]}');
  t.is(control.calls.length, 0);
});

test('every fault of every event is named with its place', (t) => {
  t.deepEqual(briefly({ events: [event, { ...event, stage: 'a//b', path: '../x' }, { stage: 1, path: 'x' }] }), [
    'value_error body.events.1.stage: Value error, must not start or end with a slash or have an empty segment',
    "value_error body.events.1.path: Value error, must not have a '..' segment",
    'missing body.events.2.execution_id: Field required',
    'string_type body.events.2.stage: Input should be a valid string',
  ]);
  t.deepEqual(briefly({ ...event, execution_id: 'x', size: 1.5, stag: 'typo' }), [
    'int_type body.size: Input should be a valid integer',
    'extra_forbidden body.stag: Extra inputs are not permitted',
  ]);
  t.deepEqual(briefly({ ...event, size: -1, metadata: { k: 1 } }), [
    'string_type body.metadata.k: Input should be a valid string',
  ]);
  t.deepEqual(briefly({ ...event, size: -1, time: 'noon' }), [
    'value_error body.size: Value error, must be a whole number from 0 to 9007199254740991',
    'value_error body.time: Value error, must be an RFC 3339 date-time',
  ]);
  t.deepEqual(briefly([event]), [
    'model_attributes_type body: Input should be a valid dictionary or object to extract fields from',
  ]);
  t.deepEqual(briefly('null'), [
    'model_attributes_type body: Input should be a valid dictionary or object to extract fields from',
  ]);
});

test('input shows what was sent; for a missing field the object that lacks it', (t) => {
  t.deepEqual(faultsOf({ ...event, stage: 7 })[0]?.input, 7);
  t.deepEqual(faultsOf({ stage: 'a', path: 'b' })[0]?.input, { stage: 'a', path: 'b' });
});

// A received event sent back is a likely mistake: its id would silently be another one.
test('id, type and extension are refused with the reason', (t) => {
  const messages = briefly({ ...event, id: executionId, type: 'storage.object.created', extension: '.md' });
  t.is(messages.length, 3);
  for (const message of messages) t.regex(message, /is assigned by the bus, leave it out/);
});

test('a batch has 1 to 1,000 events and nothing beside them', (t) => {
  t.deepEqual(briefly({ events: [] }), [
    'too_short body.events: List should have at least 1 item after validation, not 0',
  ]);
  t.deepEqual(briefly({ events: Array(1000).fill(event) }), []);
  t.deepEqual(briefly({ events: Array(1001).fill(event) }), [
    'too_long body.events: List should have at most 1000 items after validation, not 1001',
  ]);
  t.deepEqual(briefly({ events: event }), ['list_type body.events: Input should be a valid list']);
  t.deepEqual(briefly({ events: [event], stage: 'x' }), ['extra_forbidden body.stage: Extra inputs are not permitted']);
});

test('an event is bounded as the JSON that subscribers see, escapes counted', (t) => {
  const metadataOf = (value: string): object =>
    Object.fromEntries(Array.from({ length: 32 }, (_, key) => [`k${key}`, value]));
  t.deepEqual(briefly({ ...event, metadata: metadataOf('x'.repeat(1024)) }), []);
  t.regex(
    briefly({ ...event, metadata: metadataOf('\u0001'.repeat(1024)) })[0] ?? '',
    /value_error body: .*at most 65536 bytes, is 19\d{4}/,
  );
});

test('a metadata key named __proto__ is a key like any other', (t) => {
  const parsed = parsePublish(
    Buffer.from(`{"execution_id":"${executionId}","stage":"a","path":"b","metadata":{"__proto__":"v"}}`),
  );
  const call = parsed.kind === 'call' && parsed.call.kind === 'publish' ? parsed.call : null;
  t.deepEqual(Object.entries(call?.events[0]?.metadata ?? {}), [['__proto__', 'v']]);
});

// Without these bounds a 1 MiB body would be answered with tens of MiB, or overflow the stack.
test('an answer to a body full of faults is bounded', (t) => {
  const many = Object.fromEntries(Array.from({ length: 50_000 }, (_, key) => [`k${key}`, 1]));
  t.is(faultsOf({ ...event, ...many }).length, 1000);
  const deep = `{"stage":${'['.repeat(200_000)}${']'.repeat(200_000)}}`;
  const faults = faultsOf(deep);
  t.true(JSON.stringify(faults).length < 10_000);
  const long = faultsOf({ ...event, size: 'x'.repeat(100_000) });
  t.true(JSON.stringify(long).length < 2_000);
});

test('failures of the bus have a status each', async (t) => {
  const { port, control } = await startEdge(t);
  for (const [code, status, errorCode, retry] of [
    ['conflict', 409, 'SOURCE_ID_CONFLICT', undefined],
    ['terminal', 409, 'EXECUTION_TERMINAL', undefined],
    ['exhausted', 507, 'STORAGE_EXHAUSTED', undefined],
    ['unavailable', 503, 'BUS_UNAVAILABLE', '5'],
    ['deadline', 503, 'BUS_DEADLINE', '5'],
    ['identity', 503, 'BUS_CHANGED', '5'],
    ['internal', 500, 'INTERNAL_ERROR', undefined],
  ] as const) {
    control.answer = () => ({ kind: 'failed', code, detail: 'the reason', faults: [] });
    const answer = await postJson(port, path, event);
    t.is(answer.status, status, code);
    t.is(answer.json()['error_code'], errorCode);
    t.is(answer.json()['detail'], code === 'internal' ? 'Internal Server Error' : 'the reason');
    t.is(answer.headers['retry-after'], retry);
  }
  control.answer = () => ({ kind: 'overloaded', detail: 'too many writes in flight' });
  const overloaded = await postJson(port, path, event);
  t.is(overloaded.status, 503);
  t.is(overloaded.headers['retry-after'], '1');
  const faults = [{ field: ['entries', 0, 'event', 'stage'], reason: 'no' }];
  control.answer = () => ({ kind: 'failed', code: 'invalid', detail: 'invalid', faults });
  t.is(
    (await postJson(port, path, event)).text,
    '{"detail":[{"type":"value_error","loc":["body","stage"],"msg":"Value error, no","input":null}]}',
  );
});

test('a client that leaves before its answer harms nobody', async (t) => {
  const { port, control, failures } = await startEdge(t);
  let release = (): void => undefined;
  control.answer = () =>
    new Promise((resolve) => {
      release = () => {
        resolve({ kind: 'published', ids: ['1'], visible: true });
      };
    });
  const client = await RawClient.open(t, port);
  const body = JSON.stringify(event);
  client.send(
    `POST ${path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
  );
  while (control.calls.length === 0) await new Promise((resolve) => setImmediate(resolve));
  client.socket.destroy();
  const next = ask(port, { path: '/nope' });
  t.is((await next).status, 404);
  release();
  t.is((await ask(port, { path: '/nope' })).status, 404);
  t.deepEqual(failures, []);
});
