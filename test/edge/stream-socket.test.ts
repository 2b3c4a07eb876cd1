import test from 'ava';
import type { StreamRefusal, StreamSocket } from '../../src/contract/stream.ts';
import { startEdge } from '../support/edge-server.ts';
import { ask, eventually, RawClient } from '../support/http-client.ts';

const path = '/api/v1/storage/events?execution_id=a';
const get = `GET ${path} HTTP/1.1\r\nHost: localhost\r\nX-Request-ID: r-1\r\n\r\n`;
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

test('open sends status, headers and first bytes at once', async (t) => {
  const { port, door, answered } = await startEdge(t);
  door.act = (socket) => {
    t.is(socket.open(bytes('event: ready\n\n')), 'flushed');
    return {};
  };
  const client = await RawClient.open(t, port);
  const text = await client.send(get).until((seen) => seen.includes('event: ready\n\n'));
  for (const line of [
    'HTTP/1.1 200 OK\r\n',
    'Content-Type: text/event-stream; charset=utf-8\r\n',
    'Cache-Control: no-store, no-transform\r\n',
    'X-Accel-Buffering: no\r\n',
    'X-Request-ID: r-1\r\n',
    'X-Correlation-ID: r-1\r\n',
    'Vary: Origin\r\n',
    'Transfer-Encoding: chunked\r\n',
  ]) {
    t.true(text.includes(line), line);
  }
  t.deepEqual(answered, ['events 200']);
});

test('writes arrive in order and end finishes the response, leaving the connection usable', async (t) => {
  const { port, door } = await startEdge(t);
  const sockets: StreamSocket[] = [];
  door.act = (socket) => {
    sockets.push(socket);
    socket.open(bytes('1'));
    return {};
  };
  const client = await RawClient.open(t, port);
  await client.send(get).until((seen) => seen.endsWith('1\r\n1'));
  const [socket] = sockets;
  // A view into the middle of a larger buffer: the bytes outside of it must not be sent.
  t.is(socket?.write(bytes('xx2xx').subarray(2, 3)), 'flushed');
  socket?.end(bytes('3'));
  socket?.write(bytes('4'));
  socket?.end(bytes('5'));
  socket?.abort();
  socket?.nudge();
  await client.until((seen) => seen.endsWith('\r\n0\r\n\r\n'));
  t.is(client.text.slice(client.text.indexOf('\r\n\r\n') + 4), '1\r\n1\r\n1\r\n2\r\n1\r\n3\r\n0\r\n\r\n');
  client.send('GET /nope HTTP/1.1\r\nHost: localhost\r\n\r\n');
  await client.until((seen) => seen.includes('HTTP/1.1 404'));
  t.deepEqual(door.closed, []);
});

const refusals: readonly [StreamRefusal, number, string, string | undefined][] = [
  [{ kind: 'unknown-executions', values: ['nightly-7', 'b'] }, 404, 'Execution not found: nightly-7, b', undefined],
  [{ kind: 'unavailable' }, 503, 'Storage event streamer not available', '5'],
  [{ kind: 'connections-exhausted', scope: 'server', max: 9 }, 503, 'Too many streams: at most 9', '5'],
  [
    { kind: 'connections-exhausted', scope: 'address', max: 9 },
    429,
    'Too many streams from this address: at most 9',
    '5',
  ],
  [{ kind: 'overloaded' }, 503, 'Too many requests are waiting', '1'],
  [{ kind: 'shutting-down' }, 503, 'The server is shutting down', '5'],
];

test('each refusal has its status, detail and Retry-After', async (t) => {
  const { port, door, answered } = await startEdge(t);
  for (const [refusal, status, detail, retryAfter] of refusals) {
    door.act = (socket) => {
      // Later, as a shard does after it has asked the registry.
      setImmediate(() => {
        socket.refuse(refusal);
      });
      return {};
    };
    const answer = await ask(port, { path });
    t.is(answer.status, status);
    t.is(answer.json()['detail'], detail);
    t.is(answer.headers['retry-after'], retryAfter);
    t.is(answer.json()['correlation_id'], answer.headers['x-request-id']);
    t.is(answer.headers['content-type'], 'application/json');
  }
  t.deepEqual(
    answered,
    refusals.map(([, status]) => `events ${status}`),
  );
});

test('204 has neither body nor Content-Length; too many executions is a 422', async (t) => {
  const { port, door } = await startEdge(t);
  door.act = (socket) => {
    socket.refuse({ kind: 'no-content' });
    return {};
  };
  const empty = await ask(port, { path });
  t.is(empty.status, 204);
  t.is(empty.headers['content-length'], undefined);
  t.is(empty.headers['content-type'], undefined);
  t.truthy(empty.headers['x-request-id']);
  door.act = (socket) => {
    socket.refuse({ kind: 'too-many-executions', count: 10_001, max: 10_000 });
    return {};
  };
  const many = await ask(port, { path });
  t.is(many.status, 422);
  t.is(
    many.text,
    '{"detail":[{"type":"too_long","loc":["query","execution_id"],"msg":"The values stand for 10001 executions, at most 10000 can be watched by one stream","input":null,"ctx":{"field_type":"List","max_length":10000,"actual_length":10001}}]}',
  );
});

// Without this, a shard would keep a session for a client that left while it was still joining.
test('a client that leaves before anything was sent is reported once, and the socket is dead', async (t) => {
  const { port, door, failures } = await startEdge(t);
  const sockets: StreamSocket[] = [];
  door.act = (socket) => {
    sockets.push(socket);
    return {};
  };
  const client = await RawClient.open(t, port);
  client.send(get);
  await eventually(() => sockets.length === 1);
  client.socket.destroy();
  await eventually(() => door.closed.length === 1);
  const [socket] = sockets;
  t.is(socket?.open(bytes('x')), 'flushed');
  socket?.refuse({ kind: 'unavailable' });
  socket?.write(bytes('x'));
  socket?.nudge();
  socket?.end(bytes('x'));
  socket?.abort();
  t.is((await ask(port, { path: '/nope' })).status, 404);
  t.is(door.closed.length, 1);
  t.deepEqual(failures, []);
});

test('abort cuts the connection without a report', async (t) => {
  const { port, door } = await startEdge(t);
  const sockets: StreamSocket[] = [];
  door.act = (socket) => {
    sockets.push(socket);
    socket.open(bytes('1'));
    return {};
  };
  const client = await RawClient.open(t, port);
  await client.send(get).until((seen) => seen.endsWith('1\r\n1'));
  sockets[0]?.abort();
  await client.untilClosed();
  t.false(client.text.endsWith('0\r\n\r\n'));
  t.is((await ask(port, { path: '/nope' })).status, 404);
  t.deepEqual(door.closed, []);
});

// Without this, a slow client would lose bytes, or never be told to go on.
test('backpressure is reported, nudges keep it open, and writing on after onWritable loses nothing', async (t) => {
  const { port, door } = await startEdge(t);
  const block = new Uint8Array(49_152).fill(0x61);
  let written = 0;
  let writables = 0;
  let ended = false;
  const target = 400;
  const sockets: StreamSocket[] = [];
  const fill = (socket: StreamSocket): void => {
    while (written < target) {
      written += 1;
      if (socket.write(block) === 'buffered') return;
    }
    if (!ended) socket.end(bytes('Z'));
    ended = true;
  };
  door.act = (socket) => {
    sockets.push(socket);
    socket.open(bytes(':\n'));
    fill(socket);
    return {
      onWritable: () => {
        writables += 1;
        fill(socket);
      },
    };
  };
  const client = await RawClient.open(t, port);
  client.socket.pause();
  client.send(get);
  await eventually(() => written > 0);
  t.true(written < target, 'loopback took everything: no backpressure was met');
  sockets[0]?.nudge();
  sockets[0]?.nudge();
  client.socket.resume();
  await client.until((seen) => seen.endsWith('\r\n1\r\nZ\r\n0\r\n\r\n'));
  t.true(writables > 0);
  // Chunk sizes are written in hexadecimal: c000 has no `a`, and of the head only what stands before the body counts.
  const body = client.text.slice(client.text.indexOf('\r\n\r\n'));
  t.is(body.split('a').length - 1, target * block.length);
});

// A write below 16 KiB is copied into the cork, and what the kernel does not take of it stays behind unseen.
test('a small write that just fills the socket says flushed; the heartbeat after it knows better', async (t) => {
  const { port, door } = await startEdge(t);
  const seen: string[] = [];
  door.act = (socket) => {
    socket.open(bytes(':\n'));
    let certain = 'flushed';
    for (let writes = 0; certain === 'flushed' && writes < 1_000; writes += 1) {
      seen.push(socket.write(new Uint8Array(15_000)));
      certain = socket.heartbeat();
    }
    seen.push(certain);
    return {};
  };
  const client = await RawClient.open(t, port);
  client.socket.pause();
  client.send(get);
  await eventually(() => seen.at(-1) === 'buffered');
  t.true(seen.length > 10);
  t.deepEqual([...new Set(seen.slice(0, -1))], ['flushed']);
});

// Linux reports writable when a third of up to 4 MB is free. A client of 20 KB/s needs a minute for that, and would be taken for one that stands still.
test('a nudge says that the bounded write has left as soon as there is room for it', async (t) => {
  const { port, door } = await startEdge(t);
  const block = new Uint8Array(49_152).fill(0x61);
  const sockets: StreamSocket[] = [];
  let writables = 0;
  door.act = (socket) => {
    sockets.push(socket);
    socket.open(bytes(':\n'));
    return {
      onWritable: () => {
        writables += 1;
      },
    };
  };
  const client = await RawClient.open(t, port);
  client.socket.pause();
  client.send(get);
  await eventually(() => sockets.length === 1);
  const [socket] = sockets;
  // The kernel's buffer grows while it fills: until a nudge, too, finds no room.
  await eventually(() => {
    while (socket?.write(block) === 'flushed');
    return socket?.nudge() === 'buffered';
  });
  writables = 0;
  const before = client.socket.bytesRead;
  client.socket.on('data', () => {
    if (client.socket.bytesRead - before > 400_000) client.socket.pause();
  });
  client.socket.resume();
  await eventually(() => socket?.nudge() === 'flushed');
  t.is(writables, 0, 'and no writable has come');
});

// With a writable handler registered uWebSockets.js does not drain its buffer by itself; ending must hand that back to it.
test('what was buffered when the response was ended still arrives', async (t) => {
  const { port, door } = await startEdge(t);
  const length = 20_000_000;
  let outcome = '';
  door.act = (socket) => {
    socket.open(bytes(':\n'));
    outcome = socket.write(new Uint8Array(length).fill(0x7a));
    socket.end(bytes('END'));
    return {};
  };
  const client = await RawClient.open(t, port);
  client.socket.pause();
  client.send(get);
  await eventually(() => outcome !== '');
  t.is(outcome, 'buffered');
  client.socket.resume();
  await client.until((seen) => seen.endsWith('END\r\n0\r\n\r\n'));
  t.true(client.text.length > length);
  t.deepEqual(door.closed, []);
});

test('a shard that throws out of an event loses that stream and no other', async (t) => {
  const { port, door, failures } = await startEdge(t);
  door.act = (socket) => {
    socket.open(bytes('1'));
    return {
      onClosed: () => {
        throw new TypeError('broken');
      },
    };
  };
  const client = await RawClient.open(t, port);
  await client.send(get).until((seen) => seen.endsWith('1\r\n1'));
  client.socket.destroy();
  await eventually(() => failures.length === 1);
  t.is((await ask(port, { path: '/nope' })).status, 404);
});

// Without this, the shard would keep a session whose socket is gone.
test('a shard that throws out of onWritable is told that its stream was cut', async (t) => {
  const { port, door, failures } = await startEdge(t);
  door.act = (socket) => {
    socket.open(new Uint8Array(20_000_000));
    return {
      onWritable: () => {
        throw new TypeError('broken');
      },
    };
  };
  const client = await RawClient.open(t, port);
  client.send(get);
  await client.untilClosed();
  await eventually(() => door.closed.length === 1);
  t.is(failures.length, 1);
  t.is((await ask(port, { path: '/nope' })).status, 404);
});

test('a shard that throws after it opened cuts the stream: a second head would be garbage', async (t) => {
  const { port, door, failures } = await startEdge(t);
  door.act = (socket) => {
    socket.open(bytes('1'));
    throw new TypeError('broken');
  };
  const client = await RawClient.open(t, port);
  const text = await client.send(get).untilClosed();
  t.true(text.split('HTTP/1.1').length <= 2, text);
  t.false(text.endsWith('0\r\n\r\n'));
  t.is(failures.length, 1);
});
