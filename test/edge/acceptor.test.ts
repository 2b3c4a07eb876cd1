import { createServer } from 'node:net';
import { Worker } from 'node:worker_threads';
import test from 'ava';
import { systemClock } from '../../src/core/clock.ts';
import { StartError } from '../../src/core/failure.ts';
import { createAcceptor } from '../../src/edge/acceptor.ts';
import { createEdge } from '../../src/edge/edge.ts';
import { loadUws, noBinary } from '../../src/edge/uws.ts';
import { plainSettings, ScriptedControlDoor, ScriptedStreamDoor } from '../support/edge-server.ts';
import { ask, eventually } from '../support/http-client.ts';

// Without this, a second `rivulet up` would share the port (SO_REUSEPORT) and take half of the connections of the first.
test('a taken port is said plainly, also when another acceptor has it', async (t) => {
  const server = createServer();
  t.teardown(() => server.close());
  const port = await new Promise<number>((resolve) => {
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      resolve(typeof address === 'object' ? (address?.port ?? 0) : 0);
    });
  });
  const taken = await t.throwsAsync(createAcceptor('127.0.0.1', port, []), { instanceOf: StartError });
  t.is(taken.exitCode, 1);
  t.is(
    taken.message,
    `cannot listen on 127.0.0.1:${port}: the port is taken by another program; choose another with --port, or 0 for a free one`,
  );
  const first = await createAcceptor('127.0.0.1', 0, []);
  t.teardown(() => {
    first.close();
  });
  await t.throwsAsync(createAcceptor('127.0.0.1', first.port, []), {
    instanceOf: StartError,
    message: /port is taken/,
  });
});

// Connections that the killed one had linger in TIME_WAIT: a restart on the same port once failed for a minute.
test('the port of a predecessor that cut its connections can be had at once, and is then as taken as any', async (t) => {
  const serve = async (port: number): Promise<{ port: number; close: () => void }> => {
    const door = new ScriptedStreamDoor();
    door.act = (socket) => {
      socket.open(Buffer.from(':\n'));
      return {};
    };
    const control = new ScriptedControlDoor();
    const edge = await createEdge({ door, control, settings: plainSettings, clock: systemClock });
    const acceptor = await createAcceptor('127.0.0.1', port, [edge.app.getDescriptor()]);
    const close = (): void => {
      acceptor.stopAccepting();
      edge.close();
      acceptor.close();
    };
    return { port: acceptor.port, close };
  };
  const first = await serve(0);
  const stream = ask(first.port, { path: '/api/v1/storage/events?execution_id=a' });
  await t.notThrowsAsync(ask(first.port, { path: '/nope' }));
  first.close();
  await t.throwsAsync(stream);
  const second = await serve(first.port);
  t.teardown(second.close);
  t.is((await ask(second.port, { path: '/nope' })).status, 404);
  await t.throwsAsync(createAcceptor('127.0.0.1', second.port, []), { message: /port is taken/ });
});

test('a host that is not of this machine is said plainly', async (t) => {
  for (const host of ['203.0.113.9', 'no-such-host.invalid']) {
    const error = await t.throwsAsync(createAcceptor(host, 0, []), { instanceOf: StartError });
    t.regex(error.message, /not an address of this machine/, host);
  }
});

test('a stopped acceptor refuses new connections, running ones live on', async (t) => {
  const door = new ScriptedStreamDoor();
  const edge = await createEdge({
    door,
    control: new ScriptedControlDoor(),
    settings: plainSettings,
    clock: systemClock,
  });
  const acceptor = await createAcceptor('127.0.0.1', 0, [edge.app.getDescriptor()]);
  t.teardown(() => {
    edge.close();
    acceptor.close();
  });
  let finish = (): void => undefined;
  door.act = (socket) => {
    socket.open(Buffer.from(':\n'));
    finish = () => {
      socket.end(Buffer.from('done'));
    };
    return {};
  };
  const running = ask(acceptor.port, { path: '/api/v1/storage/events?execution_id=a' });
  while (door.requests.length === 0) await new Promise((resolve) => setImmediate(resolve));
  acceptor.stopAccepting();
  acceptor.stopAccepting();
  await t.throwsAsync(ask(acceptor.port, { path: '/healthz' }), { code: 'ECONNREFUSED' });
  finish();
  t.is((await running).text, ':\ndone');
});

test('closing the edge reports every open stream as closed, once', async (t) => {
  const door = new ScriptedStreamDoor();
  const control = new ScriptedControlDoor();
  const edge = await createEdge({ door, control, settings: plainSettings, clock: systemClock });
  const acceptor = await createAcceptor('127.0.0.1', 0, [edge.app.getDescriptor()]);
  t.teardown(() => {
    acceptor.close();
  });
  door.act = (socket, request) => {
    if (request.values[0] === 'open') socket.open(Buffer.from(':\n'));
    return {};
  };
  const paths = ['open', 'waiting'].map((value) => `/api/v1/storage/events?execution_id=${value}`);
  const cut = paths.map((path) => ask(acceptor.port, { path }));
  const unanswered = ask(acceptor.port, { path: '/healthz' });
  let answer = (): void => undefined;
  control.answer = () =>
    new Promise((resolve) => {
      answer = () => {
        resolve({ kind: 'not-found' });
      };
    });
  await eventually(() => door.requests.length === 2 && control.calls.length === 1);
  acceptor.stopAccepting();
  edge.close();
  edge.close();
  // An answer that comes after the app has gone must touch nothing of it.
  answer();
  for (const request of [...cut, unanswered]) await t.throwsAsync(request);
  t.is(door.closed.length, 2);
});

const workerSource = (edgeUrl: string, clockUrl: string, settings: string): string => `
import { parentPort } from 'node:worker_threads';
const { createEdge } = await import(${JSON.stringify(edgeUrl)});
const { systemClock } = await import(${JSON.stringify(clockUrl)});
const door = { openStream(request, socket) { socket.open(Buffer.from('values ' + request.values.length)); socket.end(new Uint8Array(0)); return { onWritable() {}, onClosed() {} }; } };
const edge = await createEdge({ door, control: { call: async () => ({ kind: 'not-found' }) }, settings: ${settings}, clock: systemClock });
parentPort.postMessage(edge.app.getDescriptor());
parentPort.once('message', () => { edge.close(); parentPort.close(); });
`;

test('connections are dealt to apps in worker threads, long heads included, and all ends in order', async (t) => {
  await loadUws();
  const source = workerSource(
    new URL('../../src/edge/edge.js', import.meta.url).href,
    new URL('../../src/core/clock.js', import.meta.url).href,
    JSON.stringify(plainSettings),
  );
  const url = new URL(`data:text/javascript,${encodeURIComponent(source)}`);
  const workers = [new Worker(url), new Worker(url)];
  const descriptors = await Promise.all(
    workers.map(
      (worker) => new Promise<number>((resolve, reject) => worker.once('message', resolve).once('error', reject)),
    ),
  );
  const acceptor = await createAcceptor('127.0.0.1', 0, descriptors);
  const query = Array.from(
    { length: 1000 },
    (_, index) => `execution_id=018f4c1e-7b2a-7cc3-98c4-${index.toString(16).padStart(12, '0')}`,
  ).join('&');
  for (let round = 0; round < 4; round += 1) {
    const answer = await ask(acceptor.port, { path: `/api/v1/storage/events?${query}` });
    t.is(answer.text, 'values 1000');
  }
  acceptor.stopAccepting();
  const exits = workers.map((worker) => new Promise<number>((resolve) => worker.once('exit', resolve)));
  for (const worker of workers) worker.postMessage('close');
  t.deepEqual(await Promise.all(exits), [0, 0]);
  acceptor.close();
});

test('a Node version without a binary gets one clear sentence', (t) => {
  const error = noBinary('v24.1.0', 'linux-x64', new TypeError('cannot open'));
  t.is(
    error.message,
    'uWebSockets.js has no binary for Node v24.1.0 on linux-x64: run Rivulet with Node 20 or 22 (glibc Linux, macOS or Windows)',
  );
  t.is(error.exitCode, 1);
});
