import test from 'ava';
import { createParser, type EventSourceMessage } from 'eventsource-parser';
import { eventAt, newExecution, newTag } from '../support/execution-names.ts';
import { ownerOf, type System, startSystem } from '../support/system.ts';

/** Frames and headers: the bytes on the wire. */

const owner = ownerOf(test);
let system: System;

test.before(async () => {
  system = await startSystem(owner);
});

async function running(): Promise<string> {
  const execution = newExecution();
  await system.put(execution, { status: 'running' });
  return execution;
}

/** Blocks between empty lines, as lines. */
function blocksOf(text: string): string[][] {
  return text
    .split('\n\n')
    .filter((block) => block !== '')
    .map((block) => block.split('\n'));
}

function parsedInPieces(pieces: readonly string[]): EventSourceMessage[] {
  const messages: EventSourceMessage[] = [];
  const parser = createParser({ onEvent: (message) => messages.push(message) });
  for (const piece of pieces) parser.feed(piece);
  return messages;
}

test('ready is the first frame: id, event, retry, data, with the status of each execution', async (t) => {
  const first = newExecution();
  const second = newExecution();
  await system.put(first, { status: 'running' });
  const put = await system.put(second, { status: 'pending' });
  const client = await system.sse({ execution_id: [first, second] });
  await client.first('ready');
  const [block = []] = blocksOf(client.text);
  t.deepEqual(
    block.map((line) => line.split(': ')[0]),
    ['id', 'event', 'retry', 'data'],
  );
  t.is(block[2], 'retry: 1000');
  t.regex(block[3] ?? '', /^data: \{"type":"ready",/);
  const { id, data } = await client.first('ready');
  t.deepEqual(Object.keys(data), ['type', 'last_event_id', 'executions']);
  t.is(data['last_event_id'], id);
  t.true((id ?? '') >= String(put.body['last_event_id']));
  t.deepEqual(data['executions'], [
    { execution_id: first, status: 'running' },
    { execution_id: second, status: 'pending' },
  ]);
  client.cut();
});

test('the head of the response comes at once, with the headers of the contract', async (t) => {
  const client = await system.sse({ execution_id: await running() }, { 'x-request-id': 'mine-1' });
  t.is(client.status, 200);
  t.is(client.headers['content-type'], 'text/event-stream; charset=utf-8');
  t.is(client.headers['cache-control'], 'no-store, no-transform');
  t.is(client.headers['x-accel-buffering'], 'no');
  t.is(client.headers['x-request-id'], 'mine-1');
  t.is(client.headers['x-correlation-id'], 'mine-1');
  client.cut();
});

// Without it a script that cuts lines at a colon, or a client that reads id before data, would break on one of our frames.
test('each event is id, event, data in that order, with LF and no field more', async (t) => {
  const execution = await running();
  const client = await system.sse({ execution_id: execution });
  await client.first('ready');
  const [id] = await system.publish(eventAt(execution, 'a/b.md'));
  await client.count(1);
  t.false(client.text.includes('\r'));
  const block = blocksOf(client.text)[1] ?? [];
  t.is(block.length, 3);
  t.is(block[0], `id: ${id ?? ''}`);
  t.is(block[1], 'event: storage.object.created');
  t.regex(block[2] ?? '', /^data: \{"id":/);
  client.cut();
});

test('the JSON of an event has its keys in the order of the contract', async (t) => {
  const execution = await running();
  const client = await system.sse({ execution_id: execution.toUpperCase() });
  const [id] = await system.publish({
    source_id: 'mine',
    metadata: { z: '1', a: '2' },
    time: '2026-11-24T15:27:48.123456+01:00',
    uri: 'file:///x',
    checksum: 'sha256:00',
    content_type: 'text/markdown',
    size: 1234,
    path: 'reports/Summary.MD',
    stage: 'boost/routines',
    execution_id: execution.toUpperCase(),
  });
  await client.count(1);
  const data = client.events[0]?.data ?? {};
  const { time, ...rest } = data;
  t.is(Date.parse(String(time)), Date.parse('2026-11-24T14:27:48.123Z'));
  t.deepEqual(Object.keys(data), [
    ...['id', 'type', 'execution_id', 'stage', 'path', 'extension', 'size', 'content_type', 'checksum', 'uri', 'time'],
    'metadata',
  ]);
  t.deepEqual(rest, {
    id,
    type: 'storage.object.created',
    execution_id: execution,
    stage: 'boost/routines',
    path: 'reports/Summary.MD',
    extension: '.md',
    size: 1234,
    content_type: 'text/markdown',
    checksum: 'sha256:00',
    uri: 'file:///x',
    metadata: { z: '1', a: '2' },
  });
  client.cut();
});

test('absent optional keys are left out, and time is that of the append', async (t) => {
  const execution = await running();
  const client = await system.sse({ execution_id: execution });
  const beforeMs = Date.now();
  await system.publish(eventAt(execution, 'Makefile'), eventAt(execution, '.bashrc'), eventAt(execution, 'a.d/x'));
  await client.count(3);
  for (const { data } of client.events) {
    t.deepEqual(Object.keys(data), ['id', 'type', 'execution_id', 'stage', 'path', 'time']);
    const appendedMs = Date.parse(String(data['time']));
    t.true(appendedMs >= beforeMs - 1 && appendedMs <= Date.now() + 1);
  }
  client.cut();
});

test('the extension is the last one of the file name, lower case', async (t) => {
  const execution = await running();
  const client = await system.sse({ execution_id: execution });
  const paths = ['a.tar.GZ', 'x/.env.Local', 'dot.', 'a.b/c.JSON'];
  await system.publish(...paths.map((path) => eventAt(execution, path)));
  await client.count(paths.length);
  t.deepEqual(
    client.events.slice(0, 2).map(({ data }) => data['extension']),
    ['.gz', '.local'],
  );
  t.is(client.events[3]?.data['extension'], '.json');
  client.cut();
});

// httpx-sse and openai-python make an event of anything that ends a block: a heartbeat must not.
test('after 15 s of silence comes a heartbeat, a comment with one newline, and nothing else', async (t) => {
  const client = await system.sse({ execution_id: await running() });
  await client.first('ready');
  const before = client.text;
  const startMs = performance.now();
  // In two packets, it may be.
  await client.until(({ text }) => text.length >= before.length + 2);
  const waitedMs = performance.now() - startMs;
  t.is(client.text.slice(before.length), ':\n');
  t.true(waitedMs > 14_000 && waitedMs < 17_000, `${waitedMs} ms`);
  t.is(client.received.length, 1);
  client.cut();
});

test('control_events=false: the first bytes are a comment, and only storage events follow', async (t) => {
  const execution = await running();
  const client = await system.sse({ execution_id: execution, control_events: 'false' });
  await client.until(({ text }) => text.length > 0);
  t.is(client.text, ':\n');
  await system.publish(eventAt(execution, 'a'), eventAt(execution, 'b'));
  await system.put(execution, { status: 'completed' });
  await client.end();
  t.deepEqual(
    client.received.map(({ event }) => event),
    ['storage.object.created', 'storage.object.created'],
  );
});

test('control_events=false: a gap is not said, and the stream goes on', async (t) => {
  const execution = await running();
  const client = await system.sse(
    { execution_id: execution, control_events: 'false' },
    { 'last-event-id': 'nonsense' },
  );
  await client.until(({ text }) => text.length > 0);
  await system.publish(eventAt(execution, 'a'));
  await client.count(1);
  t.is(client.received.length, 1);
  client.cut();
});

// A proxy or a kernel may cut the bytes anywhere.
test('the bytes of a busy run, cut at every position, are the same events', async (t) => {
  const execution = await running();
  const client = await system.sse({ execution_id: execution }, { 'last-event-id': 'nonsense' });
  await client.first('gap');
  const events = Array.from({ length: 12 }, (_, index) =>
    eventAt(execution, `d${index}/ä€😀.md`, { metadata: { text: 'line\nline\r\nü' } }),
  );
  await system.publish(...events);
  await system.put(execution, { status: 'completed' });
  await client.end();
  const whole = parsedInPieces([client.text]);
  t.deepEqual(
    whole.map(({ event }) => event),
    ['ready', 'gap', ...events.map(() => 'storage.object.created'), 'done'],
  );
  for (let at = 1; at < client.text.length; at += 1) {
    const pieces = parsedInPieces([client.text.slice(0, at), client.text.slice(at)]);
    if (JSON.stringify(pieces) !== JSON.stringify(whole)) t.fail(`cut at ${at}`);
  }
  t.deepEqual(parsedInPieces(Array.from(client.text)), whole);
  t.true(client.text.endsWith('\n\n'));
});

/** `U+000A`; a title with the character itself would hide it. */
const codesOf = (text: string): string =>
  Array.from(text, (one) => `U+${(one.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')}`).join(' ');

const breakers = ['\n', '\r', '\r\n\r\n', '\0', '\u2028', '\u2029', '\u0085', '"\\', '\ufeff', '😀', 'data: x\n\n'];

for (const breaker of breakers) {
  test(`metadata with ${codesOf(breaker)} does not break a frame`, async (t) => {
    const execution = await running();
    const client = await system.sse({ execution_id: execution });
    await client.first('ready');
    const metadata = { [`k${breaker}k`]: `a${breaker}b${breaker}` };
    const response = await system.post(eventAt(execution, 'a', { metadata }));
    if (response.status === 422) {
      // A key is a name: it may be refused, a value may not.
      t.is((await system.post(eventAt(execution, 'a', { metadata: { k: `a${breaker}b` } }))).status, 202);
      await client.count(1);
      t.deepEqual(client.events[0]?.data['metadata'], { k: `a${breaker}b` });
    } else {
      await client.count(1);
      t.deepEqual(client.events[0]?.data['metadata'], metadata);
    }
    t.is(blocksOf(client.text)[1]?.length, 3);
    t.false(/[\r\0\u2028\u2029\u0085]/.test(client.text));
    client.cut();
  });
}

const controls = ['\n', '\r', '\0', '\u0085', '\u007f', '\t'];

for (const control of controls) {
  test(`a control character ${codesOf(control)} is refused in stage and path, with the field`, async (t) => {
    const execution = await running();
    for (const field of ['stage', 'path']) {
      const response = await system.post(eventAt(execution, 'a', { [field]: `a${control}b` }));
      t.is(response.status, 422);
      const { detail } = (await response.json()) as { detail: { loc: unknown[] }[] };
      t.deepEqual(detail[0]?.loc, ['body', field]);
    }
  });
}

// They are not control characters: a file may be named so, and the frame has to hold.
test('U+2028 in a path is delivered in one line', async (t) => {
  const execution = await running();
  const client = await system.sse({ execution_id: execution, path: 'a\u2028b' });
  await client.first('ready');
  const response = await system.post(eventAt(execution, 'a\u2028b/c'));
  if (response.status === 202) {
    await client.count(1);
    t.deepEqual(client.paths, ['a\u2028b/c']);
    t.false(client.text.includes('\u2028'));
  } else t.is(response.status, 422);
  client.cut();
});

test('status changes and tags are never frames of the stream', async (t) => {
  const execution = await running();
  const tag = newTag();
  const client = await system.sse({ execution_id: execution, keep_open: 'true' });
  await client.first('ready');
  await system.put(execution, { tags: [tag] });
  await system.put(execution, { status: 'pending' });
  await system.put(execution, { status: 'failed', reason: 'because\n\nevent: done' });
  await system.publish(eventAt(execution, 'late'));
  await client.count(1);
  t.deepEqual(
    client.received.map(({ event }) => event),
    ['ready', 'storage.object.created'],
  );
  client.cut();
});
