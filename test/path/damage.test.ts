import test from 'ava';
import { eventAt, newExecution } from '../support/execution-names.ts';
import { damageRecord } from '../support/journal-damage.ts';
import { startProgram, temporaryDirectory } from '../support/system.ts';
import { until } from '../support/until.ts';

/** A record that is lost in the middle of the journal, while bus and router run. */

const routerArgs = ['--port=0', '--ops-port=0', '--shards=2', '--window-bytes=4MiB'];

// The router asked ten times a second, said `the bus is away` each time, and /readyz said the same.
test('a router before a damaged place: /readyz says journal-damaged, its log says it once, streams stay open', async (t) => {
  const directory = await temporaryDirectory(t);
  const bus = await startProgram(t, ['bus', '--bus-port=0', `--data-dir=${directory}`]);
  const router = await startProgram(t, ['router', `--bus=${bus.grpc}`, ...routerArgs]);
  await router.untilReady('ready');
  const execution = newExecution();
  await router.put(execution, { status: 'running' });
  const ids = await router.publishMany(execution, 400, 20_000);
  await damageRecord(directory, 150, 'missing');
  t.is((await router.json('/readyz'))['damaged_sequence'], undefined);

  // 8 MB lie behind a window of 4 MiB, so the first half is read from the journal: all of it up to the place, and nothing beyond.
  const behind = await router.sse({ execution_id: execution, last_event_id: 'earliest' });
  await behind.count(148);
  await until(async () => (await router.json('/readyz'))['damaged_sequence'] === 150, '/readyz names the record');
  t.is((await router.json('/readyz'))['status'], 'ready', 'what is live goes on');
  const [live] = await router.publish(eventAt(execution, 'live'));
  const other = await router.sse({ execution_id: execution }, { 'last-event-id': ids.at(-1) ?? '' });
  await other.count(1);
  t.deepEqual(other.ids, [live]);
  t.is(behind.eventCount, 148);
  t.deepEqual(behind.ids, ids.slice(0, 148));
  t.false(behind.ended);

  // One that starts now fills its window from before the place: it cannot, and says why.
  const late = await startProgram(t, ['router', `--bus=${bus.grpc}`, ...routerArgs, '--window-bytes=64MiB']);
  await late.untilReady('journal-damaged');
  const lines = (text: string): string[] =>
    text.split('\n').filter((line) => line.includes('is missing or unreadable'));
  // It knows of the place from the bus's description, and reads up to it; then the bus ends its subscription, which is what its log says.
  await until(() => lines(late.stderr()).length > 0, 'the subscription has ended at the place');
  const ready = await late.fetch('/readyz');
  t.is(ready.status, 503);
  t.like(await ready.json(), { damaged_sequence: 150, upstream: 'connecting' });
  const before = await late.metric('rivulet_upstream_reconnects_total');
  await new Promise((resolve) => setTimeout(resolve, 3_000));
  t.is(await late.metric('rivulet_upstream_reconnects_total'), before, 'it was never let in');
  t.is(lines(late.stderr()).length, 1);
  t.is(lines(router.stderr()).length, 1);
  t.is(lines(bus.stderr()).length, 1);
  for (const { stderr } of [late, router, bus]) {
    t.regex(lines(stderr())[0] ?? '', /record 150 of .*journal\.mdb .*rivulet bus --repair/);
  }
});
