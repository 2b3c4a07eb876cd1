import test from 'ava';
import { batchBytesMax, bodyBytesInFlightMax } from '../../src/core/limits.ts';
import { parsePublish } from '../../src/edge/api/publish.ts';
import { startEdge } from '../support/edge-server.ts';
import { ask, eventually, postJson, RawClient } from '../support/http-client.ts';
import { seeded } from '../support/seeded.ts';

const path = '/api/v1/storage/events';
const event = { execution_id: '018f4c1e-7b2a-7cc3-98c4-dc0c0c07398f', stage: 'a', path: 'b.md' };
const head = `POST ${path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n`;

// Without this, a few thousand clients that send 1 MiB and stall would take the memory of the whole router.
test('bodies in flight are bounded over all connections, and given back when their clients leave', async (t) => {
  const { port, control } = await startEdge(t);
  control.answer = () => ({ kind: 'published', ids: ['1'], visible: true });
  const clients: RawClient[] = [];
  for (let index = 0; index < bodyBytesInFlightMax / batchBytesMax; index += 1) {
    const client = await RawClient.open(t, port);
    clients.push(client.send(`${head}Content-Length: ${batchBytesMax}\r\n\r\n${' '.repeat(batchBytesMax - 1)}`));
  }
  let refused = await postJson(port, path, event);
  while (refused.status === 202) refused = await postJson(port, path, event);
  t.is(refused.status, 503);
  t.is(refused.json()['error_code'], 'OVERLOADED');
  t.is(refused.headers['retry-after'], '1');
  for (const client of clients) client.socket.destroy();
  let accepted = await postJson(port, path, event);
  while (accepted.status === 503) accepted = await postJson(port, path, event);
  t.is(accepted.status, 202);
});

test('a POST without any length has no body', async (t) => {
  const { port } = await startEdge(t);
  const client = await RawClient.open(t, port);
  const text = await client.send(`${head}\r\n`).until((seen) => seen.includes('}]}'));
  t.true(text.endsWith('{"detail":[{"type":"missing","loc":["body"],"msg":"Field required","input":null}]}'));
});

test('a client that leaves in the middle of its body is forgotten', async (t) => {
  const { port, control, failures } = await startEdge(t);
  const client = await RawClient.open(t, port);
  client.send(`${head}Content-Length: 100\r\n\r\n{"execution_id"`);
  t.is((await ask(port, { path: '/nope' })).status, 404);
  client.socket.destroy();
  await eventually(() => client.closed);
  t.is((await ask(port, { path: '/nope' })).status, 404);
  t.deepEqual([control.calls, failures], [[], []]);
});

const values = [
  event,
  [event],
  { events: [event] },
  { events: [[]] },
  { ...event, metadata: { k: 'v' } },
  { ...event, time: '2026-01-01T00:00:00Z' },
  null,
  1,
  -1e300,
  'x',
  '',
  true,
  {},
  [],
  '\u2028',
  '\ud800',
  { __proto__: 1 },
  { toString: 1 },
  { length: 1e9 },
  { constructor: [] },
] as const;
const keys = [
  'execution_id',
  'stage',
  'path',
  'size',
  'metadata',
  'time',
  'events',
  'id',
  '__proto__',
  'constructor',
  'toString',
  'length',
  '0',
] as const;

// Without this, one odd body could throw inside the rim: a 500 that blames the server for its caller's input.
test('20,000 seeded bodies are either a call or a list of faults that can be written', (t) => {
  const random = seeded(t, 0xb0d1);
  let calls = 0;
  for (let round = 0; round < 20_000; round += 1) {
    const fields: [string, unknown][] = Object.entries(random.pick(values) ?? {});
    for (let left = random.below(3); left > 0; left -= 1) fields.push([random.pick(keys), random.pick(values)]);
    let bytes = Buffer.from(JSON.stringify(random.below(4) === 0 ? random.pick(values) : Object.fromEntries(fields)));
    if (random.below(4) === 0)
      bytes = Buffer.concat([bytes.subarray(0, random.below(bytes.length)), Buffer.of(random.below(256))]);
    const parsed = parsePublish(bytes);
    if (parsed.kind === 'call') calls += 1;
    else if (parsed.faults.length === 0 || JSON.stringify(parsed.faults).length > 100_000)
      t.fail(bytes.toString('latin1'));
  }
  t.true(calls > 500, `only ${calls} bodies were accepted`);
});
