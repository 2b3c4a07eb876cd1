import { setTimeout as sleep } from 'node:timers/promises';
import test from 'ava';
import { eventAt, newExecution } from '../support/execution-names.ts';
import { ownerOf, type System, startSystem } from '../support/system.ts';

/** Slow client: parked, not dropped. */

const owner = ownerOf(test);
let system: System;

test.before(async () => {
  system = await startSystem(owner, ['--window-bytes=4MiB']);
});

const counts = { events: 1_200, bytes: 26_000 };

// About 30 MB: more than the sockets' buffers and seven times the window, so that it has to come back through the journal.
test.serial(
  'a client that stops reading is parked, the others go on, and it then gets everything once, in order',
  async (t) => {
    const execution = newExecution();
    await system.put(execution, { status: 'running' });
    const slow = await system.sse({ execution_id: execution });
    const others = await Promise.all([1, 2, 3].map(() => system.sse({ execution_id: execution })));
    await Promise.all([slow, ...others].map((client) => client.first('ready')));
    slow.pause();
    const ids = await system.publishMany(execution, counts.events, counts.bytes);
    await system.untilMetric('rivulet_sessions', { state: 'parked' }, (parked) => parked >= 1);
    for (const other of others) {
      await other.count(counts.events);
      t.deepEqual(other.ids, ids);
    }
    t.true(slow.eventCount < counts.events / 2);
    t.true((await system.metric('rivulet_parks_total')) >= 1);
    const [live] = await system.publish(eventAt(execution, 'live'));
    slow.resume();
    await slow.count(counts.events + 1);
    t.deepEqual(slow.ids, [...ids, live]);
    t.is(slow.named('gap').length, 0);
    // Live again, and its end is decided like that of the others.
    await system.untilMetric('rivulet_sessions', { state: 'parked' }, (parked) => parked === 0);
    await system.put(execution, { status: 'completed' });
    for (const client of [slow, ...others]) {
      await client.end();
      t.is(client.received.at(-1)?.event, 'done');
    }
  },
);

// uWebSockets.js would cut it about 10 s after the failed write.
test.serial('a client that does not read for 15 s is not cut', async (t) => {
  const execution = newExecution();
  await system.put(execution, { status: 'running' });
  const slow = await system.sse({ execution_id: execution });
  await slow.first('ready');
  slow.pause();
  const ids = await system.publishMany(execution, 400, counts.bytes);
  await system.untilMetric('rivulet_sessions', { state: 'parked' }, (parked) => parked === 1);
  await system.put(execution, { status: 'completed' });
  await sleep(15_000);
  t.is(await system.metric('rivulet_sessions', { state: 'parked' }), 1);
  slow.resume();
  await slow.end();
  t.deepEqual(slow.ids, ids);
  t.is((await slow.first('done')).data['reason'], 'executions_terminal');
});

// `done` in front of what was owed is a loss that looks like success: no client comes back after it.
test.serial(
  'a stream whose executions end while its client is behind has done behind its last event, not before',
  async (t) => {
    const execution = newExecution();
    await system.put(execution, { status: 'running' });
    const [slow, quick] = await Promise.all([1, 2].map(() => system.sse({ execution_id: execution })));
    if (slow === undefined || quick === undefined) throw new TypeError('there are two');
    await Promise.all([slow, quick].map((client) => client.first('ready')));
    slow.pause();
    const ids = await system.publishMany(execution, counts.events, counts.bytes);
    await system.untilMetric('rivulet_sessions', { state: 'parked' }, (parked) => parked === 1);
    await system.put(execution, { status: 'completed' });
    await quick.end();
    t.is(quick.received.at(-1)?.event, 'done');
    const { last_event_id: head } = await system.json(`/api/v1/executions/${execution}`);
    t.is(await system.metric('rivulet_sessions', { state: 'parked' }), 1, 'it is still open');
    t.is(slow.named('done').length, 0);
    t.true(slow.eventCount < counts.events / 2, `${slow.eventCount} of ${counts.events} when the others had their end`);
    slow.resume();
    await slow.end();
    t.deepEqual(
      slow.received.map(({ event }) => event),
      ['ready', ...ids.map(() => 'storage.object.created'), 'done'],
    );
    t.deepEqual(slow.ids, ids);
    const done = slow.received.at(-1);
    t.is(done?.data['reason'], 'executions_terminal');
    t.true((done?.id ?? '') > (ids.at(-1) ?? ''), 'its position is behind the last event');
    t.true((done?.id ?? '~') <= String(head));
  },
);

test.serial('a client that goes away while it is parked is forgotten', async (t) => {
  const execution = newExecution();
  await system.put(execution, { status: 'running' });
  const slow = await system.sse({ execution_id: execution });
  await slow.first('ready');
  slow.pause();
  await system.publishMany(execution, 400, counts.bytes);
  await system.untilMetric('rivulet_sessions', { state: 'parked' }, (parked) => parked === 1);
  slow.cut();
  await system.untilMetric('rivulet_sessions', { state: 'parked' }, (parked) => parked === 0);
  await system.untilMetric('rivulet_connections', {}, (connections) => connections === 0);
  t.pass();
});
