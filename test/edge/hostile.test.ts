import test from 'ava';
import { startEdge } from '../support/edge-server.ts';
import { ask, RawClient } from '../support/http-client.ts';
import { seeded } from '../support/seeded.ts';

const path = '/api/v1/storage/events';

test('a request line of 1,000 UUIDs is served, one beyond 64 KiB is uWebSockets.js’s own 431', async (t) => {
  const { port, door } = await startEdge(t);
  const query = Array.from(
    { length: 1000 },
    (_, index) => `execution_id=018f4c1e-7b2a-7cc3-98c4-${index.toString(16).padStart(12, '0')}`,
  ).join('&');
  t.true(query.length > 49_000);
  t.is((await ask(port, { path: `${path}?${query}` })).status, 200);
  t.is(door.requests[0]?.values.length, 1000);
  const client = await RawClient.open(t, port);
  client.send(`GET /${'x'.repeat(70_000)} HTTP/1.1\r\nHost: localhost\r\n\r\n`);
  t.regex(await client.untilClosed(), /^HTTP\/1\.1 431 /);
  t.is((await ask(port, { path: '/nope' })).status, 404);
});

test('pipelined requests are answered in order, a body on a GET is skipped', async (t) => {
  const { port } = await startEdge(t);
  const client = await RawClient.open(t, port);
  client.send(
    `GET /nope HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nhelloPUT ${path} HTTP/1.1\r\nHost: localhost\r\n\r\nOPTIONS ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`,
  );
  const text = await client.until((seen) => seen.split('"timestamp"').length === 4);
  t.deepEqual(text.match(/HTTP\/1\.1 \d+/g), ['HTTP/1.1 404', 'HTTP/1.1 405', 'HTTP/1.1 405']);
});

test('Expect: 100-continue, unknown and lower-case methods, raw bytes and an empty Host', async (t) => {
  const { port, control, door } = await startEdge(t);
  control.answer = () => ({ kind: 'published', ids: ['1'], visible: true });
  const exchange = async (text: string | Uint8Array, until: string): Promise<string> => {
    const client = await RawClient.open(t, port);
    return await client.send(text).until((seen) => seen.includes(until));
  };
  t.regex(
    await exchange(
      `POST ${path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n{}`,
      'detail',
    ),
    /HTTP\/1\.1 422 /,
  );
  t.regex(await exchange(`BREW ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`, 'detail'), /^HTTP\/1\.1 405 /);
  t.regex(await exchange(`get ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`, 'detail'), /^HTTP\/1\.1 405 /);
  t.regex(
    await exchange(`GET ${path}/?\xff\xe9=\x80 HTTP/1.1\r\nHost: localhost\r\n\r\n`, '\r\n\r\n'),
    /Location: http:\/\/localhost\/api\/v1\/storage\/events\?[!-~]+\r\n/,
  );
  t.regex(await exchange(`GET ${path}?execution_id=a HTTP/1.1\r\nHost:\r\n\r\n`, 'detail'), /^HTTP\/1\.1 403 /);
  t.is(door.requests.length, 0);
});

// The request line itself is sent whole: this uWebSockets.js answers 505 when a segment ends right after the method or inside
// ` HTTP/1.1` (measured at every position), which is before any code of ours.
test('a head that arrives in two pieces, cut anywhere after its request line, is served', async (t) => {
  const { port } = await startEdge(t);
  const line = 'GET /nope HTTP/1.1\r\n';
  const rest = 'Host: localhost\r\nX-Request-ID: cut\r\n\r\n';
  for (let cut = 1; cut < rest.length; cut += 1) {
    const client = await RawClient.open(t, port);
    client.socket.setNoDelay(true);
    client.send(line + rest.slice(0, cut));
    await new Promise((resolve) => setImmediate(resolve));
    client.send(rest.slice(cut));
    t.regex(await client.until((seen) => seen.includes('"correlation_id":"cut"')), /^HTTP\/1\.1 404 /, `cut at ${cut}`);
  }
});

const pieces = [
  'GET ',
  'POST ',
  'OPTIONS ',
  path,
  '/',
  '?',
  'execution_id=',
  'a',
  '%',
  '%zz',
  '&',
  '=',
  ' HTTP/1.1\r\n',
  ' HTTP/1.0\r\n',
  'Host: localhost\r\n',
  'Host: \xff\r\n',
  'Content-Length: 3\r\n',
  'Content-Length: -1\r\n',
  'Transfer-Encoding: chunked\r\n',
  'Content-Type: application/json\r\n',
  'Last-Event-ID: \x01\xfe\r\n',
  'Origin: http://localhost\r\n',
  '\r\n',
  '\r\n\r\n',
  '{}',
  '0\r\n\r\n',
  'ffffffffffff\r\n',
  '\0',
  '\n',
  ':',
  'X-Forwarded-For: ,,1\r\n',
  'Expect: 100-continue\r\n',
] as const;

// The server is native code below: a crash would end this process, a leak of the exchange would show as an unanswered request.
test('2,000 seeded shreds of HTTP neither crash it nor make it answer 5xx', async (t) => {
  const { port, control, failures, answered } = await startEdge(t, { trustedProxies: ['127.0.0.1'] });
  control.answer = () => ({ kind: 'published', ids: ['1'], visible: true });
  const random = seeded(t, 0xed6e);
  for (let round = 0; round < 2_000; round += 1) {
    const client = await RawClient.open(t, port);
    let text = round % 2 === 0 ? `GET ${path}?` : `POST ${path} HTTP/1.1\r\nHost: localhost\r\n`;
    for (let left = random.below(12); left > 0; left -= 1) text += random.pick(pieces);
    client.send(Buffer.from(text, 'latin1'));
    if (random.below(2) === 0) client.socket.end();
    else client.socket.destroy();
  }
  t.is((await ask(port, { path: '/nope' })).status, 404);
  t.deepEqual(failures, []);
  t.deepEqual(
    answered.filter((line) => / 5\d\d$/.test(line)),
    [],
  );
});

// Without this, one request line of slashes would hold the shard's loop for a second (a pattern anchored at the end is quadratic).
test('60 KiB of slashes in path, stage or query cost milliseconds', async (t) => {
  const { port } = await startEdge(t);
  const slashes = '/'.repeat(60_000);
  const start = performance.now();
  t.is((await ask(port, { path: `/x${slashes}x/` })).status, 404);
  t.is((await ask(port, { path: `${path}?execution_id=a&stage=x${slashes}x` })).status, 200);
  t.is((await ask(port, { path: `${path}?execution_id=a&timeout=${'1'.repeat(60_000)}x` })).status, 422);
  t.true(performance.now() - start < 500);
});
