import test, { type ExecutionContext } from 'ava';
import { startEdge } from '../support/edge-server.ts';
import type { HttpAnswer } from '../support/http-client.ts';
import { ask } from '../support/http-client.ts';

const stream = '/api/v1/storage/events';
const uuid = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

function assertErrorResponse(t: ExecutionContext, answer: HttpAnswer): void {
  const body = answer.json();
  t.deepEqual(Object.keys(body), ['detail', 'error_code', 'correlation_id', 'timestamp']);
  t.is(body['correlation_id'], answer.headers['x-request-id']);
  t.is(new Date(String(body['timestamp'])).toISOString(), String(body['timestamp']));
  t.is(answer.headers['content-type'], 'application/json');
}

test('a 422 is byte for byte what FastAPI writes', async (t) => {
  const { port } = await startEdge(t);
  const answer = await ask(port, { path: `${stream}?timeout=0.5&keep_open=%C3%A9&execution_id=a` });
  t.is(answer.status, 422);
  t.is(
    answer.text,
    '{"detail":[{"type":"greater_than_equal","loc":["query","timeout"],"msg":"Input should be greater than or equal to 1","input":"0.5","ctx":{"ge":1.0}},' +
      '{"type":"bool_parsing","loc":["query","keep_open"],"msg":"Input should be a valid boolean, unable to interpret input","input":"é"}]}',
  );
  t.is(answer.headers['content-type'], 'application/json');
  t.regex(String(answer.headers['x-request-id']), uuid);
});

test('unknown routes are 404 ErrorResponses, whatever the method', async (t) => {
  const { port } = await startEdge(t);
  for (const [method, path] of [
    ['GET', '/nope'],
    ['POST', '/api/v1'],
    ['GET', '/api/v1/storage/events/x'],
    ['DELETE', '/%'],
    ['GET', '/assets/..%2Fpackage.json'],
    ['GET', '/assets/package.json'],
    ['GET', '/api/v1/executions/a/b'],
  ] as const) {
    const answer = await ask(port, { method, path });
    t.is(answer.status, 404, path);
    t.is(answer.json()['detail'], 'Not Found', path);
    assertErrorResponse(t, answer);
  }
});

test('a wrong method is 405 with the allowed ones, before any validation', async (t) => {
  const { port, answered } = await startEdge(t);
  for (const [method, path, allow] of [
    ['PUT', `${stream}?timeout=abc`, 'GET, POST'],
    ['DELETE', stream, 'GET, POST'],
    ['PATCH', stream, 'GET, POST'],
    ['OPTIONS', stream, 'GET, POST'],
    ['POST', '/api/v1/executions/x', 'GET, PUT'],
    ['POST', '/healthz', 'GET'],
    ['PUT', '/', 'GET'],
  ] as const) {
    const answer = await ask(port, { method, path });
    t.is(answer.status, 405, `${method} ${path}`);
    t.is(answer.headers.allow, allow, path);
    t.is(answer.json()['detail'], 'Method Not Allowed');
    assertErrorResponse(t, answer);
  }
  t.true(answered.every((line) => line.endsWith(' 405')));
});

test('HEAD is 405 with the length of the body and no body', async (t) => {
  const { port } = await startEdge(t);
  const answer = await ask(port, { method: 'HEAD', path: `${stream}?execution_id=a` });
  t.is(answer.status, 405);
  t.is(answer.headers.allow, 'GET, POST');
  t.is(answer.text, '');
  t.true(Number(answer.headers['content-length']) > 50);
});

test('routing works on the percent-decoded path', async (t) => {
  const { port, door } = await startEdge(t);
  for (const path of ['/api/v1/storage%2Fevents', '/api/v1/storage/event%73', '/%61pi/v1/storage/events']) {
    t.is((await ask(port, { path: `${path}?execution_id=a` })).status, 200, path);
  }
  t.is(door.requests.length, 3);
  t.is((await ask(port, { path: '/api/v1/storage%252Fevents?execution_id=a' })).status, 404);
});

test('trailing slashes redirect with 307 to an absolute location, raw query kept', async (t) => {
  const { port } = await startEdge(t);
  for (const [method, path, location] of [
    ['GET', `${stream}///?a=%2F+b&c`, `http://localhost:99${stream}?a=%2F+b&c`],
    ['POST', `${stream}/`, `http://localhost:99${stream}`],
    ['DELETE', `${stream}/`, `http://localhost:99${stream}`],
    ['GET', '/docs/', 'http://localhost:99/docs'],
    ['GET', '//', 'http://localhost:99/'],
    ['GET', '/api/v1/executions/a%0d%0ab/', 'http://localhost:99/api/v1/executions/a%0D%0Ab'],
  ] as const) {
    const answer = await ask(port, { method, path, headers: { Host: 'localhost:99' } });
    t.is(answer.status, 307, path);
    t.is(answer.headers.location, location);
    t.is(answer.text, '');
    t.is(answer.headers['content-length'], '0');
  }
  t.is((await ask(port, { path: '/nope/' })).status, 404);
});

// Without this, a page whose name was rebound to 127.0.0.1 could read every event of a local router.
test('a Host that is neither loopback nor configured is refused before anything else', async (t) => {
  const { port, door } = await startEdge(t, { allowedHosts: ['Events.example'] });
  for (const Host of [
    'evil.example',
    'localhost.evil.example',
    '127.0.0.1.evil.example',
    'events.example@evil.example',
    'a b',
    '10.0.0.1',
  ]) {
    const answer = await ask(port, { path: `${stream}?execution_id=a`, headers: { Host } });
    t.is(answer.status, 403, Host);
    t.is(answer.json()['error_code'], 'HOST_NOT_ALLOWED');
    assertErrorResponse(t, answer);
  }
  t.is(door.requests.length, 0);
  for (const Host of [
    'localhost',
    'LOCALHOST:1',
    'app.localhost',
    '127.0.0.9:80',
    '[::1]:8080',
    'events.EXAMPLE:443',
    'localhost.',
  ]) {
    t.is((await ask(port, { path: `${stream}?execution_id=a`, headers: { Host } })).status, 200, Host);
  }
});

test('the correlation id is the caller’s when it is 1 to 128 visible characters, else new', async (t) => {
  const { port } = await startEdge(t);
  const idOf = async (headers: Record<string, string>): Promise<string> => {
    const answer = await ask(port, { path: '/nope', headers });
    t.is(answer.headers['x-correlation-id'], answer.headers['x-request-id']);
    return String(answer.json()['correlation_id']);
  };
  t.is(await idOf({ 'X-Request-ID': 'abc-1' }), 'abc-1');
  t.is(await idOf({ 'X-Correlation-ID': 'corr' }), 'corr');
  t.is(await idOf({ 'X-Request-ID': 'r', 'X-Correlation-ID': 'c' }), 'r');
  t.is(await idOf({ 'X-Request-ID': 'x'.repeat(128) }), 'x'.repeat(128));
  t.regex(await idOf({ 'X-Request-ID': 'x'.repeat(129) }), uuid);
  t.is(await idOf({ 'X-Request-ID': 'two words', 'X-Correlation-ID': 'c' }), 'c');
  t.regex(await idOf({}), uuid);
});

const preflight = (origin: string, method = 'GET'): Record<string, string> => ({
  Origin: origin,
  'Access-Control-Request-Method': method,
  'Access-Control-Request-Headers': 'last-event-id',
});

test('a preflight is 204; loopback and configured origins may read, configured ones may write', async (t) => {
  const settings = { corsOrigins: ['https://read.example'], corsWriteOrigins: ['https://write.example'] };
  const { port } = await startEdge(t, settings);
  for (const [origin, methods] of [
    ['http://localhost:5173', 'GET'],
    ['https://127.0.0.1', 'GET'],
    ['http://[::1]:3000', 'GET'],
    ['https://read.example', 'GET'],
    ['https://write.example', 'GET, POST, PUT'],
    ['https://evil.example', undefined],
    ['http://localhost.evil.example', undefined],
    ['null', undefined],
  ] as const) {
    const answer = await ask(port, { method: 'OPTIONS', path: stream, headers: preflight(origin) });
    t.is(answer.status, 204, origin);
    t.is(answer.text, '');
    t.is(answer.headers['access-control-allow-methods'], methods, origin);
    t.is(answer.headers['access-control-allow-origin'], methods === undefined ? undefined : origin);
    t.is(answer.headers.vary, 'Origin');
    if (methods !== undefined)
      t.regex(String(answer.headers['access-control-allow-headers']), /Last-Event-ID, X-Request-ID/);
  }
});

test('a stream and an error can be read, with their correlation id, by an allowed origin only', async (t) => {
  const { port } = await startEdge(t);
  for (const path of [`${stream}?execution_id=a`, stream, '/nope']) {
    const allowed = await ask(port, { path, headers: { Origin: 'http://localhost:3000' } });
    t.is(allowed.headers['access-control-allow-origin'], 'http://localhost:3000');
    t.regex(String(allowed.headers['access-control-expose-headers']), /X-Request-ID/);
    const refused = await ask(port, { path, headers: { Origin: 'https://evil.example' } });
    t.is(refused.headers['access-control-allow-origin'], undefined);
    t.is(refused.headers.vary, 'Origin');
  }
});

test('health and readiness give their reports with 200 or 503', async (t) => {
  const { port, control } = await startEdge(t);
  const ready = { status: 'ready', upstream: 'connected', last_event_id: null, lag: 0 } as const;
  control.answer = () => ({ kind: 'readiness', ready: true, report: ready });
  t.deepEqual((await ask(port, { path: '/readyz' })).json(), { ...ready });
  control.answer = () => ({ kind: 'readiness', ready: false, report: { ...ready, status: 'filling' } });
  const filling = await ask(port, { path: '/readyz' });
  t.is(filling.status, 503);
  t.is(filling.json()['status'], 'filling');
  const shards = [{ shard: 0, responsive: false }];
  control.answer = () => ({ kind: 'health', healthy: false, report: { status: 'failing', shards } });
  const failing = await ask(port, { path: '/healthz' });
  t.is(failing.status, 503);
  t.deepEqual(failing.json(), { status: 'failing', shards });
});

// Without this, an exception behind a door would leave the client waiting and say nothing to the operator.
test('a door that throws or rejects is a 500 with a correlation id, and reported', async (t) => {
  const { port, control, door, failures } = await startEdge(t);
  control.answer = () => {
    throw new TypeError('broken');
  };
  door.act = () => {
    throw new TypeError('broken too');
  };
  for (const path of ['/healthz', `${stream}?execution_id=a`]) {
    const answer = await ask(port, { path, headers: { 'X-Request-ID': 'r-1' } });
    t.is(answer.status, 500);
    t.is(answer.json()['error_code'], 'INTERNAL_ERROR');
    t.is(answer.json()['correlation_id'], 'r-1');
    t.false(answer.text.includes('broken'));
  }
  t.is(failures.length, 2);
});
