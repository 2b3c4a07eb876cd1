import { connect } from 'node:net';
import test from 'ava';
import { runCommand } from '../support/command.ts';
import { eventAt, newExecution } from '../support/execution-names.ts';
import { startProgram, startSystem, startUp, temporaryDirectory } from '../support/system.ts';

/** How the program starts, stops and refuses. */

const free = ['--port=0', '--bus-port=0', '--ops-port=0', '--shards=2', '--window-bytes=4MiB'];

test.serial('up prints one ready line with http, grpc and, as its port was 0, ops', async (t) => {
  const system = await startSystem(t);
  t.regex(system.out(), /^rivulet ready http=http:\/\/127\.0\.0\.1:\d+ grpc=127\.0\.0\.1:\d+ ops=127\.0\.0\.1:\d+\n$/);
  await system.untilReady('ready');
  t.deepEqual(await system.stop(), { code: 0, signal: null });
  t.regex(system.out(), /^rivulet ready [^\n]*\n$/);
});

test.serial('bus prints only grpc=, router only http= and ops=; both stop with 0', async (t) => {
  const bus = await startProgram(t, ['bus', '--bus-port=0', `--data-dir=${await temporaryDirectory(t)}`]);
  t.regex(bus.out(), /^rivulet ready grpc=127\.0\.0\.1:\d+\n$/);
  const router = await startProgram(t, ['router', `--bus=${bus.grpc}`, '--port=0', '--ops-port=0']);
  t.regex(router.out(), /^rivulet ready http=http:\/\/127\.0\.0\.1:\d+ ops=127\.0\.0\.1:\d+\n$/);
  t.is((await router.stop()).code, 0);
  t.is((await bus.stop('SIGINT')).code, 0);
});

for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  // A deployment must not look like a fault to fifty clients, nor bring them back all at once.
  test.serial(
    `${signal} under 50 open streams and a stuck one: each gets done with shutdown and a retry of its own, and the exit code is 0`,
    async (t) => {
      const system = await startSystem(t);
      const execution = newExecution();
      await system.put(execution, { status: 'running' });
      const clients = await Promise.all(Array.from({ length: 50 }, () => system.sse({ execution_id: execution })));
      await Promise.all(clients.map((client) => client.first('ready')));
      const [id = ''] = await system.publish(eventAt(execution, 'a'));
      await Promise.all(clients.map((client) => client.count(1)));
      const plain = await system.sse({ execution_id: execution, control_events: 'false' });
      const stuck = newExecution();
      await system.put(stuck, { status: 'running' });
      const parked = await system.sse({ execution_id: stuck });
      await parked.first('ready');
      parked.pause();
      await system.publishMany(stuck, 300, 30_000);
      await system.untilMetric('rivulet_sessions', { state: 'parked' }, (count) => count === 1);
      const startMs = performance.now();
      // Ctrl-C under npm arrives twice; that is one press.
      system.process.kill(signal);
      const exit = await system.stop(signal);
      t.deepEqual(exit, { code: 0, signal: null });
      t.true(performance.now() - startMs < 10_000);
      await plain.end();
      t.is(plain.received.length, 0);
      const retries = new Set<number>();
      for (const client of clients) {
        await client.end();
        const done = await client.first('done');
        t.is(done.data['reason'], 'shutdown');
        t.true((done.id ?? '') >= id);
        const retry = /event: done\nretry: (\d+)\n/.exec(client.text)?.[1];
        retries.add(Number(retry));
      }
      t.true([...retries].every((retry) => retry >= 1_000 && retry <= 5_000));
      t.true(retries.size > 25, `${retries.size} different`);
    },
  );
}

test.serial('a port that is taken: one line, exit 1', async (t) => {
  const system = await startSystem(t);
  const port = new URL(system.http).port;
  const directory = await temporaryDirectory(t);
  const taken = await runCommand(t, [
    'up',
    `--port=${port}`,
    '--bus-port=0',
    '--ops-port=0',
    `--data-dir=${directory}`,
  ]);
  t.is(taken.code, 1);
  t.is(taken.out, '');
  t.regex(taken.error, new RegExp(`^rivulet: [^\\n]*${port}[^\\n]*\\n$`));
  const bus = await runCommand(t, ['bus', `--bus-port=${system.grpc.split(':')[1] ?? ''}`, `--data-dir=${directory}`]);
  t.is(bus.code, 1);
  t.regex(bus.error, /^rivulet: [^\n]*\n$/);
});

test.serial('a data directory in use: one line, exit 1, and the one who has it goes on', async (t) => {
  const directory = await temporaryDirectory(t);
  const system = await startUp(t, directory);
  const second = await runCommand(t, ['up', ...free, `--data-dir=${directory}`]);
  t.is(second.code, 1);
  t.is(second.out, '');
  t.regex(second.error, /^rivulet: [^\n]*\n$/);
  t.true(second.error.includes(directory));
  t.is((await system.put(newExecution(), { status: 'running' })).status, 200);
});

test.serial('an address beyond loopback without --insecure: exit 2, naming the option', async (t) => {
  const names = ['host', 'bus-host', 'ops-host'];
  const runs = names.map((option) => runCommand(t, ['up', ...free, `--${option}=0.0.0.0`]));
  for (const [index, { code, error, out }] of (await Promise.all(runs)).entries()) {
    const option = names[index] ?? '';
    t.is(code, 2);
    t.is(out, '');
    t.regex(error, /^rivulet: [^\n]*\n$/);
    t.true(error.includes(option) && error.includes('--insecure'), error);
  }
});

test.serial('with --insecure it is served, and other hosts are still refused by name', async (t) => {
  const system = await startSystem(t, ['--host=0.0.0.0', '--insecure']);
  const port = new URL(system.http).port;
  const at = (host: string): Promise<string> =>
    new Promise((resolve, reject) => {
      let text = '';
      const socket = connect(Number(port), '127.0.0.1', () => {
        socket.write(`GET /healthz HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`);
      });
      socket.on('data', (chunk) => {
        text += chunk.toString();
        socket.destroy();
      });
      socket.on('close', () => {
        resolve(text.split('\r\n')[0] ?? '');
      });
      socket.on('error', reject);
    });
  t.is(await at(`localhost:${port}`), 'HTTP/1.1 200 OK');
  t.true((await at('evil.example')).startsWith('HTTP/1.1 403'));
});

test.serial('--connections=3: the fourth stream is 503 with Retry-After, and taken once there is room', async (t) => {
  const system = await startSystem(t, ['--connections=3']);
  const execution = newExecution();
  await system.put(execution, { status: 'running' });
  const open = await Promise.all([1, 2, 3].map(() => system.sse({ execution_id: execution })));
  await Promise.all(open.map((client) => client.first('ready')));
  const refused = await (await system.sse({ execution_id: execution })).end();
  t.is(refused.status, 503);
  t.true(Number(refused.headers['retry-after']) >= 1);
  t.is(refused.body['error_code'], 'CONNECTIONS_EXHAUSTED');
  open[0]?.cut();
  await system.untilMetric('rivulet_connections', {}, (connections) => connections === 2);
  const taken = await system.sse({ execution_id: execution });
  t.is(taken.status, 200);
});

test.serial(
  '--connections-per-address=2: the third stream is 429 with Retry-After; trusted proxies tell clients apart',
  async (t) => {
    const system = await startSystem(t, ['--connections-per-address=2', '--trusted-proxies=127.0.0.1']);
    const execution = newExecution();
    await system.put(execution, { status: 'running' });
    const from = (address: string) => system.sse({ execution_id: execution }, { 'x-forwarded-for': address });
    t.is((await from('192.0.2.1')).status, 200);
    t.is((await from('192.0.2.1')).status, 200);
    const refused = await (await from('192.0.2.1')).end();
    t.is(refused.status, 429);
    t.true(Number(refused.headers['retry-after']) >= 1);
    t.is(refused.body['error_code'], 'TOO_MANY_CONNECTIONS');
    t.is((await from('192.0.2.2')).status, 200);
  },
);

// What was acknowledged is durable, and the cursors that clients hold are good after it.
test.serial('SIGKILL and a restart on the same data: clients resume with nothing lost', async (t) => {
  const directory = await temporaryDirectory(t);
  const first = await startUp(t, directory);
  const execution = newExecution();
  await first.put(execution, { status: 'running', tags: ['nightly'] });
  const clients = await Promise.all(Array.from({ length: 5 }, () => first.sse({ execution_id: 'nightly' })));
  await Promise.all(clients.map((client) => client.first('ready')));
  const ids = await first.publishMany(execution, 500);
  await Promise.all(clients.map((client) => client.count(100)));
  t.is((await first.stop('SIGKILL')).signal, 'SIGKILL');
  await Promise.all(clients.map((client) => client.end()));

  const second = await startUp(t, directory);
  const [after = ''] = await second.publish(eventAt(execution, 'after'));
  await second.put(execution, { status: 'completed' });
  for (const client of clients) {
    const resumed = await second.sse({ execution_id: 'nightly' }, { 'last-event-id': client.lastId ?? '' });
    await resumed.end();
    t.deepEqual([...client.ids, ...resumed.ids], [...ids, after]);
    t.deepEqual(
      resumed.received.filter(({ event }) => event !== 'storage.object.created').map(({ event }) => event),
      ['ready', 'done'],
    );
  }
  const known = await second.json(`/api/v1/executions/${execution}`);
  t.is(known['events'], 501);
});
