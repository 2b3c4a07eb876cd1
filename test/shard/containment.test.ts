import test from 'ava';
import { parseFilter } from '../../src/core/filter.ts';
import { executionOf, ShardHarness } from '../support/shard-harness.ts';

const a = executionOf(1);

class Broken extends Error {
  override readonly name = 'Broken';
}

// A task holds messages of many streams; one that throws must not take the others' answers with it.
test('an exception in one message is told, and the next messages of the task are handled', (t) => {
  const harness = new ShardHarness();
  harness.change(a, 'running');
  const bad = harness.connect({ values: [a] });
  const good = harness.connect({ values: [a] });
  bad.socket.fault = new Broken('open');
  harness.handle([harness.joined(bad), harness.joined(good)]);
  harness.event(a, '1');
  harness.drain();
  t.is(harness.faults.length, 1);
  t.true(harness.faults[0]?.fault instanceof Broken);
  t.deepEqual(good.socket.paths, ['1']);
  harness.close();
});

// The frames of a batch are noted at their groups before they are written: were they left there by an exception, the next
// batch would send other bytes in their place; were the position not kept, the others would lose the batch.
test('an exception while a batch is delivered costs the one stream, and no other an event', (t) => {
  for (let broken = 0; broken < 3; broken += 1) {
    const harness = new ShardHarness();
    harness.change(a, 'running');
    const filters = ['x', 'y', 'x'].map((path) => parseFilter(null, path, null));
    const clients = filters.map((filter) => harness.join({ values: [a], filter }));
    const victim = clients[broken];
    if (victim === undefined) throw new TypeError('three clients');
    victim.socket.fault = new Broken('write');
    for (const path of ['x/1', 'y/1', 'x/2', 'y/2']) harness.event(a, path);
    harness.drain();
    harness.clock.settle();
    for (const path of ['x/3', 'y/3']) harness.event(a, path);
    harness.drain();
    harness.clock.settle();
    for (const [index, client] of clients.entries()) {
      if (client === victim) continue;
      const side = index === 1 ? 'y' : 'x';
      t.deepEqual(client.socket.paths, [`${side}/1`, `${side}/2`, `${side}/3`]);
    }
    t.true(victim.socket.aborted);
    t.deepEqual(harness.seen.disconnected, ['failure']);
    t.is(harness.take('leave')?.session, victim.key);
    t.deepEqual(
      harness.faults.map(({ fault }) => fault instanceof Broken),
      [true],
    );
    harness.close();
  }
});

// Catch-up walks a queue, and a block of history has many takers: one that throws must not leave the others in neither.
test('an exception in one stream of the catch-up leaves the others of the same turn and block in it', (t) => {
  for (const lapped of [false, true]) {
    const harness = new ShardHarness(90_000);
    const start = harness.change(a, 'running');
    for (const path of ['1', '2', '3']) harness.event(a, path);
    if (lapped) harness.lap();
    const clients = [0, 1, 2].map(() => harness.connect({ values: [a] }));
    for (const client of clients) client.socket.fill();
    for (const client of clients) harness.handle([harness.joined(client, { start })]);
    for (const client of clients) client.drain();
    const bad = clients[0];
    if (bad === undefined) throw new TypeError('three clients');
    bad.socket.fault = new Broken('write');
    harness.clock.settle();
    harness.serveHistory();
    for (const client of clients.slice(1)) t.deepEqual(client.socket.paths, ['1', '2', '3'], `lapped: ${lapped}`);
    t.true(bad.socket.aborted);
    t.is(harness.faults.length, 1);
    harness.close();
  }
});

// The next drain begins at its own first record of interest: without a new view, all between would be lost to everybody without a word.
test('a record that throws makes the shard ask for a new view, with which nothing is lost or repeated', (t) => {
  const harness = new ShardHarness();
  harness.change(a, 'running');
  const client = harness.join({ values: [a] });
  harness.event(a, '1');
  harness.event(a, '2');
  const from = harness.writer.head().offset;
  harness.change(a, null, ['tag']);
  harness.ring.fill(0x21, harness.writer.head().offset - 8, harness.writer.head().offset);
  t.true(harness.writer.head().offset > from);
  harness.event(a, '3');
  harness.drain();
  t.is(harness.faults.length, 1);
  t.truthy(harness.take('lapped'));
  harness.event(a, '4');
  harness.drain();
  harness.resync([a]);
  harness.serveHistory();
  harness.event(a, '5');
  harness.drain();
  t.deepEqual(client.socket.paths, ['1', '2', '3', '4', '5']);
  harness.close();
});

test('a thousand streams in two groups: a filter is kept once, and each stream gets its own', (t) => {
  const harness = new ShardHarness();
  harness.change(a, 'running');
  const clients = Array.from({ length: 1_000 }, (_, index) => {
    const filter = parseFilter(index % 2 === 0 ? '/even/' : 'odd', null, null);
    return harness.join({ values: [a], filter });
  });
  t.is(harness.shard.gauges().groups, 2);
  t.is(harness.shard.gauges().sessions.live, 1_000);
  harness.event(a, '1', { stage: 'even' });
  harness.event(a, '2', { stage: 'odd/deeper' });
  harness.event(a, '3', { stage: 'evening' });
  harness.drain();
  for (const [index, client] of clients.entries()) {
    t.deepEqual(client.socket.paths, [index % 2 === 0 ? '1' : '2']);
    t.is(client.socket.writes.length, 2, 'ready, and one write for the batch');
  }
  for (const client of clients) client.events.onClosed();
  t.deepEqual({ ...harness.shard.gauges(), sessions: 0 }, { sessions: 0, groups: 0, values: 0, executions: 0 });
  harness.close();
});

test('streams that want the same but name their values in another order are one group', (t) => {
  const harness = new ShardHarness();
  harness.change(a, 'running', ['tag']);
  harness.join({ values: [a, 'tag'] });
  harness.join({ values: ['tag', a] });
  t.is(harness.shard.gauges().groups, 1);
  harness.close();
});

// What is done once for a group (its slices, its place in the budget) is no fault of any other: those that have their turn after it were left without the batch, and their position behind it.
for (const heavy of [false, true]) {
  test(`an exception in what is done for a ${heavy ? 'heavy' : 'light'} group closes its members, is told once, and no other group loses an event`, (t) => {
    for (let broken = 0; broken < 3; broken += 1) {
      const harness = new ShardHarness();
      harness.change(a, 'running');
      const clients = ['x', 'y', 'z'].flatMap((path) =>
        [0, 1].map(() => harness.join({ values: [a], filter: parseFilter(null, path, null) })),
      );
      const more = heavy ? { uri: 'u'.repeat(4_000) } : {};
      for (const path of ['x/1', 'y/1', 'z/1', 'x/2', 'y/2', 'z/2']) harness.event(a, path, more);
      let groups = 0;
      harness.observe.latency = () => {
        groups += 1;
        if (groups === broken + 1) throw new Broken('latency');
      };
      harness.drain();
      harness.clock.settle();
      t.is(groups, 3, 'every group has had its turn');
      for (const path of ['x/3', 'y/3', 'z/3']) harness.event(a, path);
      harness.drain();
      for (const [index, client] of clients.entries()) {
        const ofBroken = Math.floor(index / 2) === broken;
        const side = ['x', 'y', 'z'][Math.floor(index / 2)] ?? '';
        t.is(client.socket.aborted, ofBroken);
        t.deepEqual(client.socket.paths, ofBroken ? [] : [`${side}/1`, `${side}/2`, `${side}/3`]);
      }
      t.deepEqual(harness.seen.disconnected, ['failure', 'failure']);
      t.deepEqual(
        harness.faults.map(({ what, fault }) => [what, fault instanceof Broken]),
        [['drain', true]],
      );
      t.is(harness.take('lapped'), null);
      harness.close();
    }
  });
}
