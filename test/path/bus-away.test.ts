import test from 'ava';
import { eventAt, newExecution, newTag } from '../support/execution-names.ts';
import { freePort } from '../support/free-port.ts';
import { type Owner, type System, startProgram, temporaryDirectory } from '../support/system.ts';

/** Answers: what a router does while its bus is away, and when another one is there. */

interface Apart {
  readonly bus: System;
  readonly router: System;
  /** Starts the bus again, on the same port. */
  readonly restart: (directory: string) => Promise<System>;
  readonly directory: string;
}

function startBus(t: Owner, directory: string, port: string): Promise<System> {
  return startProgram(t, ['bus', `--bus-port=${port}`, `--data-dir=${directory}`]);
}

function startRouter(t: Owner, bus: string): Promise<System> {
  return startProgram(t, ['router', `--bus=${bus}`, '--port=0', '--ops-port=0', '--shards=2', '--window-bytes=4MiB']);
}

async function startApart(t: Owner): Promise<Apart> {
  const directory = await temporaryDirectory(t);
  const bus = await startBus(t, directory, '0');
  const router = await startRouter(t, bus.grpc);
  await router.untilReady('ready');
  const port = bus.grpc.split(':')[1] ?? '';
  return { bus, router, directory, restart: (other) => startBus(t, other, port) };
}

test.serial(
  'the bus goes: streams stay, what is known is served, what is unknown is 503; it comes back: all of it arrives',
  async (t) => {
    const { bus, router, restart, directory } = await startApart(t);
    const execution = newExecution();
    const tag = newTag();
    await router.put(execution, { status: 'running', tags: [tag] });
    const ids = await router.publish(eventAt(execution, 'a'), eventAt(execution, 'b'));
    const open = await router.sse({ execution_id: execution }, { 'last-event-id': ids[0] ?? '' });
    await open.count(1);
    await bus.stop('SIGKILL');
    await router.untilReady('bus-away');
    t.is((await router.fetch('/readyz')).status, 503);
    t.is((await router.fetch('/healthz')).status, 200);

    const startMs = performance.now();
    const unknown = await (await router.sse({ execution_id: newExecution() })).end();
    const tookMs = performance.now() - startMs;
    t.is(unknown.status, 503);
    t.is(unknown.body['detail'], 'Storage event streamer not available');
    t.true(Number(unknown.headers['retry-after']) >= 1);
    t.true(tookMs < 4_000, `${tookMs} ms`);

    const known = await router.sse({ execution_id: tag });
    t.is(known.status, 200);
    await known.first('ready');
    // In the window: answered without the bus.
    const cursor = await router.sse({ execution_id: execution }, { 'last-event-id': ids[0] ?? '' });
    await cursor.count(1);
    // Unknown here, but it comes with a position: it was watching before, so it waits.
    const stranger = newExecution();
    const returning = await router.sse({ execution_id: stranger }, { 'last-event-id': ids[1] ?? '' });
    t.is(returning.status, 200);
    t.is((await router.post(eventAt(execution, 'refused'))).status, 503);
    t.false(open.ended);

    // The same journal on another port, which this router does not know, takes writes meanwhile.
    const elsewhere = await startBus(t, directory, '0');
    const published = await publishOver(t, elsewhere, [stranger, execution]);
    await elsewhere.stop();
    t.false(open.ended);
    await restart(directory);
    await router.untilReady('ready');
    await router.publish(eventAt(execution, 'c'));
    for (const client of [open, known, cursor]) await client.until(({ paths }) => paths.includes('c'));
    t.deepEqual(open.paths, ['b', 'meanwhile', 'c']);
    t.deepEqual(known.paths, ['meanwhile', 'c']);
    t.deepEqual(cursor.paths, ['b', 'meanwhile', 'c']);
    await returning.count(1);
    t.deepEqual(returning.ids, [published[0]]);
    t.is(returning.named('gap').length + open.named('gap').length, 0);
  },
);

/** Over a second router of its own: the one under test is still away. */
async function publishOver(t: Owner, bus: System, executions: readonly string[]): Promise<string[]> {
  const other = await startRouter(t, bus.grpc);
  await other.untilReady('ready');
  const ids = await other.publish(...executions.map((execution) => eventAt(execution, 'meanwhile')));
  await other.stop();
  return ids;
}

test.serial('a stream that waited for an absent bus ends when its execution proves unknown', async (t) => {
  const { bus, router, restart, directory } = await startApart(t);
  const execution = newExecution();
  await router.put(execution, { status: 'running' });
  const [id = ''] = await router.publish(eventAt(execution, 'a'));
  await bus.stop();
  await router.untilReady('bus-away');
  const client = await router.sse({ execution_id: newExecution() }, { 'last-event-id': id });
  t.is(client.status, 200);
  await client.until(({ text }) => text.startsWith(':\n'));
  await restart(directory);
  await client.end();
  t.is(client.received.length, 0);
});

test.serial('another journal in its place: each stream is told journal_replaced and goes on', async (t) => {
  const { bus, router, restart } = await startApart(t);
  const execution = newExecution();
  await router.put(execution, { status: 'running' });
  const ids = await router.publishMany(execution, 20);
  const open = await router.sse({ execution_id: execution, keep_open: 'true' });
  const plain = await router.sse({ execution_id: execution, keep_open: 'true', control_events: 'false' });
  await open.first('ready');
  await bus.stop();
  await router.untilReady('bus-away');
  await restart(await temporaryDirectory(t));
  await router.untilReady('ready');
  const gap = await open.first('gap');
  t.is(gap.data['reason'], 'journal_replaced');
  await router.put(execution, { status: 'running' });
  const [next = ''] = await router.publish(eventAt(execution, 'new'));
  await open.count(1);
  await plain.count(1);
  t.deepEqual(open.ids, [next]);
  t.is(plain.received.length, 1);
  // A cursor of the journal that is gone.
  const old = await router.sse({ execution_id: execution }, { 'last-event-id': ids[19] ?? '' });
  const said = await old.first('gap');
  t.true(['expired', 'unknown_position'].includes(String(said.data['reason'])));
  await old.until(({ paths }) => paths.includes('new') || old.eventCount === 0);
  // And the gap's own id is good.
  const after = await router.sse({ execution_id: execution }, { 'last-event-id': gap.id ?? '' });
  await after.count(1);
  t.deepEqual(after.paths, ['new']);
  t.is(after.named('gap').length, 0);
});

// The change makes the execution known and ends it in one record.
test.serial('after journal_replaced a stream still ends when its execution is over', async (t) => {
  const { bus, router, restart } = await startApart(t);
  const [named, tagged] = [newExecution(), newExecution()];
  const tag = newTag();
  await router.put(named, { status: 'running' });
  await router.put(tagged, { status: 'running', tags: [tag] });
  const byName = await router.sse({ execution_id: named });
  const byTag = await router.sse({ execution_id: tag });
  await Promise.all([byName.first('ready'), byTag.first('ready')]);
  await bus.stop();
  await router.untilReady('bus-away');
  await restart(await temporaryDirectory(t));
  await Promise.all([byName.first('gap'), byTag.first('gap')]);
  await router.put(named, { status: 'completed' });
  await router.put(tagged, { status: 'failed', tags: [tag] });
  await Promise.all([byName.end(), byTag.end()]);
  t.deepEqual((await byName.first('done')).data['executions'], [{ execution_id: named, status: 'completed' }]);
  t.deepEqual((await byTag.first('done')).data['executions'], [{ execution_id: tagged, status: 'failed' }]);
});

// What another router has acknowledged is known here: to the bus, if not yet to this router.
test.serial('two routers: what one has written the other knows, and its ids are cursors there', async (t) => {
  const { bus, router } = await startApart(t);
  const other = await startRouter(t, bus.grpc);
  await other.untilReady('ready');
  for (let round = 0; round < 25; round += 1) {
    const execution = newExecution();
    // This one sleeps while the other writes, and wakes up to the request.
    if (round % 2 === 0) router.process.kill('SIGSTOP');
    const [first = '', second] = await other.publish(eventAt(execution, 'a'), eventAt(execution, 'b'));
    const opening = [
      router.sse({ execution_id: execution }),
      router.sse({ execution_id: execution }, { 'last-event-id': first }),
    ];
    router.process.kill('SIGCONT');
    const [live, cursor] = await Promise.all(opening);
    t.deepEqual([live?.status, cursor?.status], [200, 200]);
    await cursor?.count(1);
    t.deepEqual(cursor?.ids, [second]);
    t.is(cursor?.named('gap').length, 0);
    live?.cut();
    cursor?.cut();
  }
});

test.serial('before the first fill a request is held; the bus comes, and it is answered', async (t) => {
  const directory = await temporaryDirectory(t);
  const execution = newExecution();
  const elsewhere = await startBus(t, directory, '0');
  const ids = await publishOver(t, elsewhere, [execution, newExecution()]);
  await elsewhere.stop();
  const port = await freePort();
  const router = await startRouter(t, `127.0.0.1:${port}`);
  t.is((await router.json('/readyz'))['status'], 'filling');
  t.is((await router.fetch('/readyz')).status, 503);
  const unknown = newExecution();
  const opening = Promise.all([
    router.sse({ execution_id: execution }),
    router.sse({ execution_id: execution }, { 'last-event-id': ids[1] ?? '' }),
    router.sse({ execution_id: execution, last_event_id: 'earliest' }),
    router.sse({ execution_id: unknown }),
  ]);
  await startBus(t, directory, String(port));
  const [live, cursor, earliest, stranger] = await opening;
  t.deepEqual([live.status, cursor.status, earliest.status, stranger.status], [200, 200, 200, 404]);
  await earliest.count(1);
  t.deepEqual(earliest.ids, [ids[0]]);
  await Promise.all([live.first('ready'), cursor.first('ready')]);
  const [next] = await router.publish(eventAt(execution, 'next'));
  for (const client of [live, cursor, earliest]) {
    await client.until(({ paths }) => paths.includes('next'));
    t.is(client.ids.at(-1), next);
  }
});

test.serial('no bus at all: 503 after 10 s for a new request, 200 and waiting for one with a cursor', async (t) => {
  const router = await startRouter(t, `127.0.0.1:${await freePort()}`);
  const startMs = performance.now();
  const execution = newExecution();
  const [fresh, returning] = await Promise.all([
    router.sse({ execution_id: execution }),
    router.sse({ execution_id: execution }, { 'last-event-id': '01999999-0000-7000-8000-000000000001' }),
  ]);
  const tookMs = performance.now() - startMs;
  await fresh.end();
  t.is(fresh.status, 503);
  t.is(fresh.body['detail'], 'Storage event streamer not available');
  t.true(tookMs > 9_500 && tookMs < 14_000, `${tookMs} ms`);
  t.is(returning.status, 200);
  t.false(returning.ended);
  t.is((await router.stop()).code, 0);
});
