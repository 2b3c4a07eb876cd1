import test from 'ava';
import { eventAt, newExecution } from '../support/execution-names.ts';
import { type Owner, type System, startProgram, startSystem, temporaryDirectory } from '../support/system.ts';

/** Streams that retention has passed while they were open, and history that an absent bus owes. */

const small = ['--retention-bytes=16MiB'];

function startBus(t: Owner, directory: string, port: string): Promise<System> {
  return startProgram(t, ['bus', `--bus-port=${port}`, `--data-dir=${directory}`, ...small]);
}

function startRouter(t: Owner, bus: string): Promise<System> {
  return startProgram(t, ['router', `--bus=${bus}`, '--port=0', '--ops-port=0', '--shards=2', '--window-bytes=4MiB']);
}

const portOf = (bus: System): string => bus.grpc.split(':')[1] ?? '';

/** Retention has taken what it will take. */
async function trimmed(router: System, events: number): Promise<void> {
  await router.untilMetric('rivulet_journal_newest_sequence', {}, (newest) => newest >= events);
  // Newest is told as it is received, the rest with the next description: one from before the trim says few bytes too.
  await router.untilMetric('rivulet_journal_oldest_sequence', {}, (oldest) => oldest > 1);
  await router.untilMetric('rivulet_journal_retained_bytes', {}, (bytes) => bytes <= 16 * 1024 * 1024);
}

test('the router was away while retention passed it: every open stream is told overtaken, then goes on from the oldest kept', async (t) => {
  const directory = await temporaryDirectory(t);
  const bus = await startBus(t, directory, '0');
  const router = await startRouter(t, bus.grpc);
  await router.untilReady('ready');
  const [busy, quiet] = [newExecution(), newExecution()];
  await router.put(busy, { status: 'running' });
  await router.put(quiet, { status: 'running' });
  await router.publish(eventAt(busy, 'before'), eventAt(quiet, 'before'));
  const open = await router.sse({ execution_id: busy });
  const other = await router.sse({ execution_id: quiet });
  const plain = await router.sse({ execution_id: busy, control_events: 'false' });
  await Promise.all([open.first('ready'), other.first('ready'), plain.until(({ text }) => text !== '')]);
  await bus.stop();
  await router.untilReady('bus-away');

  const elsewhere = await startBus(t, directory, '0');
  const writer = await startRouter(t, elsewhere.grpc);
  await writer.untilReady('ready');
  const ids = await writer.publishMany(busy, 1_500, 20_000);
  await trimmed(writer, ids.length);
  await writer.stop();
  await elsewhere.stop();

  await startBus(t, directory, portOf(bus));
  await router.untilReady('ready');
  const gap = await open.first('gap');
  t.is(gap.data['reason'], 'overtaken');
  const oldest = String(gap.data['oldest_available']);
  t.truthy(gap.data['requested']);
  const kept = ids.filter((id) => id >= oldest);
  t.true(kept.length > 100 && kept.length < ids.length);
  await open.count(kept.length);
  await plain.count(kept.length);
  t.deepEqual(open.ids, kept);
  t.deepEqual(plain.ids, kept);
  // Whether or not a match was lost.
  t.is((await other.first('gap')).data['reason'], 'overtaken');
  await router.publish(eventAt(busy, 'live'), eventAt(quiet, 'live'));
  for (const client of [open, other, plain]) await client.until((one) => one.events.at(-1)?.data['path'] === 'live');
  t.deepEqual(other.paths, ['live']);
  await router.put(busy, { status: 'completed' });
  await open.end();
  t.is(open.named('gap').length, 1);
});

test('a parked client that retention has passed: everything up to a gap overtaken, then from the oldest kept', async (t) => {
  const system = await startSystem(t, ['--window-bytes=4MiB', ...small]);
  const execution = newExecution();
  await system.put(execution, { status: 'running' });
  const slow = await system.sse({ execution_id: execution });
  await slow.first('ready');
  slow.pause();
  const ids = await system.publishMany(execution, 2_400, 20_000);
  await system.untilMetric('rivulet_sessions', { state: 'parked' }, (parked) => parked === 1);
  await trimmed(system, ids.length);
  slow.resume();
  await slow.until(({ received }) => received.at(-1)?.id === ids.at(-1));
  const gap = await slow.first('gap');
  t.is(gap.data['reason'], 'overtaken');
  t.is(slow.named('gap').length, 1);
  const at = slow.received.indexOf(gap);
  const before = slow.received.slice(1, at).map(({ id }) => id);
  const after = slow.received.slice(at + 1).map(({ id }) => id);
  t.deepEqual(before, ids.slice(0, before.length));
  t.is(gap.data['requested'], before.at(-1));
  t.deepEqual(
    after,
    ids.filter((id) => id >= String(gap.data['oldest_available'])),
  );
});

// Any status but 200 closes a browser's EventSource for good.
test('a known execution whose history an absent bus has: 200, it waits, and gets all of it when the bus is back', async (t) => {
  const directory = await temporaryDirectory(t);
  const bus = await startBus(t, directory, '0');
  const router = await startRouter(t, bus.grpc);
  await router.untilReady('ready');
  const execution = newExecution();
  await router.put(execution, { status: 'running' });
  const ids = await router.publishMany(execution, 700, 15_000);
  await bus.stop();
  await router.untilReady('bus-away');
  const behind = await router.sse({ execution_id: execution }, { 'last-event-id': ids[9] ?? '' });
  const earliest = await router.sse({ execution_id: execution, last_event_id: 'earliest' });
  const timed = await router.sse({ execution_id: execution, last_event_id: 'earliest', timeout: '1' });
  t.deepEqual([behind.status, earliest.status, timed.status], [200, 200, 200]);
  await timed.end();
  t.is((await timed.first('done')).data['reason'], 'timeout');
  t.is(behind.eventCount + earliest.eventCount, 0);
  await startBus(t, directory, portOf(bus));
  await behind.count(690);
  await earliest.count(700);
  t.deepEqual(behind.ids, ids.slice(10));
  t.deepEqual(earliest.ids, ids);
  t.is(behind.named('gap').length, 0);
});
