import test from 'ava';
import { historyBlockBytes, historyProbeBytes, sessionWriteBytesMax } from '../../src/core/limits.ts';
import { executionOf, ShardHarness } from '../support/shard-harness.ts';

const a = executionOf(1);

function numbers(from: number, to: number): string[] {
  return Array.from({ length: to - from + 1 }, (_, index) => `${from + index}.md`);
}

/** Events of about 4 KiB: a slice holds a dozen. */
function append(harness: ShardHarness, from: number, to: number): void {
  for (const path of numbers(from, to)) harness.event(a, path, { uri: 'u'.repeat(4_000) });
}

/** A stream that was parked with the first of fifteen events, all of which the window has left since. */
function parkedAndLapped(harness: ShardHarness): ReturnType<ShardHarness['join']> {
  harness.change(a, 'running');
  const client = harness.join({ values: [a] });
  client.socket.fill();
  append(harness, 1, 3);
  harness.drain();
  append(harness, 4, 15);
  harness.drain();
  harness.lap();
  return client;
}

// A write that was buffered was taken: to send it again would be a duplicate, to skip the rest of the batch a loss.
test('a stream that parks in the middle of a batch goes on exactly behind the slice that it took', (t) => {
  for (let room = 0; room < 4; room += 1) {
    const harness = new ShardHarness();
    harness.change(a, 'running');
    const slow = harness.join({ values: [a] });
    const quick = harness.join({ values: [a] });
    append(harness, 1, 50);
    slow.socket.fill(room);
    harness.drain();
    t.deepEqual(quick.socket.paths, numbers(1, 50), 'the one beside it is not held up');
    t.true(slow.socket.blocked);
    const taken = slow.socket.paths.length;
    t.true(taken > 0 && taken < 50, `${taken} of 50 with room for ${room}`);
    t.true(Math.max(...slow.socket.writes.map((text) => text.length)) <= sessionWriteBytesMax);
    append(harness, 51, 60);
    harness.drain();
    harness.clock.settle();
    t.is(slow.socket.paths.length, taken, 'nothing is handed to a parked stream');
    t.is(slow.socket.writesWhileBlocked, 0);
    slow.drain();
    harness.clock.settle();
    t.deepEqual(slow.socket.paths, numbers(1, 60));
    append(harness, 61, 62);
    harness.drain();
    t.deepEqual(slow.socket.paths, numbers(1, 62), 'and is live again');
    t.is(harness.seen.parked, 1);
    harness.close();
  }
});

// A thousand streams that are owed 200 KB each are 200 MB of writes: in one step, everybody else would wait for it.
test('what is too much for one drain is read by turns, and a light stream beside it is served at once', (t) => {
  const b = executionOf(2);
  const harness = new ShardHarness(1_048_576, 1_000_000);
  harness.change(a, 'running');
  harness.change(b, 'running');
  const many = Array.from({ length: 40 }, () => harness.join({ values: [a] }));
  const light = harness.join({ values: [b] });
  append(harness, 1, 50);
  harness.event(b, 'light.md');
  harness.change(a, 'completed');
  harness.drain();
  t.deepEqual(light.socket.paths, ['light.md']);
  t.true(many.every(({ socket }) => socket.paths.length === 0));
  t.is(harness.shard.gauges().sessions['catching-up'], 40);
  // Between two turns others have theirs.
  harness.clock.turn();
  const afterOne = many.filter(({ socket }) => socket.paths.length > 0).length;
  t.true(afterOne > 0 && afterOne < 40, `${afterOne} of 40 after one turn`);
  harness.event(b, 'between.md');
  harness.drain();
  t.deepEqual(light.socket.paths, ['light.md', 'between.md']);
  harness.clock.settle();
  for (const { socket } of many) {
    t.deepEqual(socket.paths, numbers(1, 50));
    t.like(socket.named('done')[0]?.data, { reason: 'executions_terminal' }, 'and ends when it has caught up');
  }
  t.is(harness.seen.parked, 0);
  harness.close();
});

test('a stream that takes one write at a time gets everything once, in order, with a write at each drain', (t) => {
  const harness = new ShardHarness();
  const start = harness.change(a, 'running');
  append(harness, 1, 60);
  const client = harness.connect({ values: [a] });
  client.socket.fill();
  harness.handle([harness.joined(client, { start })]);
  harness.clock.settle();
  t.deepEqual(client.socket.names, ['ready'], 'ready was buffered: it parks before the first event');
  for (let drains = 0; client.socket.paths.length < 60 && drains < 50; drains += 1) {
    const before = client.socket.writes.length;
    client.drain(1);
    harness.clock.settle();
    t.true(client.socket.writes.length > before, 'uWebSockets.js empties its buffer only when something is written');
    t.is(client.socket.writesWhileBlocked, 0);
  }
  t.deepEqual(client.socket.paths, numbers(1, 60));
  harness.close();
});

test('the window laps a parked stream: history, then the window, then live, with no gap and no duplicate at the seams', (t) => {
  for (const blockBytes of [8_000, 60_000, 262_144]) {
    const harness = new ShardHarness(90_000);
    const client = parkedAndLapped(harness);
    append(harness, 16, 25);
    harness.drain();
    client.drain();
    harness.clock.settle();
    // While the block is on its way the journal goes on.
    const report = harness.take('read-history');
    if (report === null) throw new TypeError('it must ask for history');
    t.deepEqual(report.executionIds, [a]);
    append(harness, 26, 27);
    harness.drain();
    harness.handle([{ kind: 'history', ticket: report.ticket, outcome: harness.block(report, blockBytes) }]);
    harness.clock.settle();
    harness.serveHistory(blockBytes);
    append(harness, 28, 29);
    harness.drain();
    t.deepEqual(client.socket.paths, numbers(1, 29), `blocks of ${blockBytes}`);
    t.deepEqual(harness.seen.gaps, []);
    harness.close();
  }
});

// 256 KiB read for a write of 20 KiB, each 4 s: the bus read thirteen bytes for one that was delivered.
test('a socket that stands still asks for what one write takes, and for whole blocks once it has reported room', (t) => {
  const harness = new ShardHarness(90_000);
  const client = parkedAndLapped(harness);
  // Room for what waits, the heartbeat of the nudge and one write more.
  client.socket.fill(2);
  harness.clock.advance(4_250);
  harness.clock.settle();
  const first = harness.take('read-history');
  t.is(first?.bytesMax, historyProbeBytes);
  if (first === null) return;
  harness.handle([{ kind: 'history', ticket: first.ticket, outcome: harness.block(first, first.bytesMax) }]);
  harness.clock.settle();
  client.drain();
  harness.clock.settle();
  t.is(harness.take('read-history')?.bytesMax, historyBlockBytes);
  harness.close();
});

test('the memory of a block goes back when the last who asked for it has had it, or is gone', (t) => {
  const harness = new ShardHarness(90_000);
  const start = harness.change(a, 'running');
  append(harness, 1, 5);
  harness.lap();
  const [, second] = [harness.join({ values: [a] }, { start }), harness.join({ values: [a] }, { start })];
  const report = harness.take('read-history');
  if (report === null) throw new TypeError('it must ask for history');
  const outcome = harness.block(report);
  harness.handle([{ kind: 'history', ticket: report.ticket, outcome }]);
  second.events.onClosed();
  t.is(harness.take('history-spent'), null, 'the first has not had its turn');
  harness.clock.settle();
  t.is(harness.take('history-spent')?.bytes.byteLength, historyBlockBytes);
  t.is(harness.take('history-spent'), null, 'once');
  t.is(outcome.bytes.byteLength, 0, 'transferred');
  harness.close();
});

test('a block that arrives after its stream has parked or gone is not written', (t) => {
  const harness = new ShardHarness(90_000);
  const start = harness.change(a, 'running');
  append(harness, 1, 5);
  harness.lap();
  const parks = harness.join({ values: [a] }, { start });
  const leaves = harness.join({ values: [a] }, { start });
  const report = harness.take('read-history');
  if (report === null) throw new TypeError('it must ask for history');
  t.is(harness.take('read-history'), null, 'two that want the same share one request');
  parks.socket.fill();
  harness.clock.advance(15_250);
  t.true(parks.socket.blocked, 'a heartbeat parked it');
  leaves.events.onClosed();
  harness.handle([{ kind: 'history', ticket: report.ticket, outcome: harness.block(report) }]);
  harness.clock.settle();
  t.deepEqual(parks.socket.paths, []);
  t.deepEqual(leaves.socket.paths, []);
  parks.drain();
  harness.clock.settle();
  t.is(harness.serveHistory(), 1, 'the block was dropped, so it is asked for again');
  t.deepEqual(parks.socket.paths, numbers(1, 5));
  t.deepEqual(harness.faults, []);
  harness.close();
});

// A storm of streams with a cursor each would otherwise have a block of 256 KiB each on the heap.
test('a shard has eight blocks of history at most; whoever waits for one has its turn, with those that want the same', (t) => {
  const harness = new ShardHarness(90_000);
  const start = harness.change(a, 'running');
  append(harness, 1, 30);
  harness.lap();
  const clients = Array.from({ length: 40 }, (_, index) =>
    harness.join({ values: [a] }, { start: start + (index % 20) }),
  );
  const asked = Array.from({ length: 20 }, () => harness.take('read-history')).filter((report) => report !== null);
  t.is(asked.length, 8);
  clients[9]?.events.onClosed();
  // Half of those that wait for room are parked meanwhile, by their heartbeat.
  const parked = clients.slice(8, 20).filter((_, index) => index !== 1);
  for (const { socket } of parked) socket.fill();
  harness.clock.advance(15_250);
  t.true(parked.every(({ socket }) => socket.blocked));
  const [first, ...others] = asked;
  for (const report of [first, ...others]) {
    if (report === undefined) continue;
    harness.handle([{ kind: 'history', ticket: report.ticket, outcome: harness.block(report) }]);
    harness.clock.settle();
  }
  harness.serveHistory();
  t.true(parked.every(({ socket }) => socket.paths.length === 0));
  for (const client of parked) client.drain();
  harness.clock.settle();
  harness.serveHistory();
  for (const [index, { socket }] of clients.entries()) {
    if (index !== 9) t.deepEqual(socket.paths, numbers(1 + (index % 20), 30), `client ${index}`);
  }
  harness.close();
});

// Each of the eight asks for its next block the moment it has written the last: without a line a ninth would have nothing until one of them is through.
test('whoever waits for a block has it before those that have just had one', (t) => {
  const harness = new ShardHarness(90_000);
  const start = harness.change(a, 'running');
  append(harness, 1, 200);
  harness.lap();
  const clients = Array.from({ length: 12 }, (_, index) =>
    // Each wants something of its own.
    harness.join({ values: [a, executionOf(50 + index)] }, { start }),
  );
  let served = 0;
  for (; clients.some(({ socket }) => socket.paths.length === 0); served += 1) {
    const report = harness.take('read-history');
    if (report === null || served > 60) break;
    // A few records a block: each client needs dozens.
    harness.handle([{ kind: 'history', ticket: report.ticket, outcome: harness.block(report, 2_000) }]);
    harness.clock.settle();
  }
  t.true(
    clients.every(({ socket }) => socket.paths.length > 0),
    `after ${served} blocks`,
  );
  t.true(clients.every(({ socket }) => socket.paths.length < 100));
  harness.close();
});

test('a drain that comes before the block leaves one request, and the block is still taken', (t) => {
  const harness = new ShardHarness(90_000);
  const start = harness.change(a, 'running');
  append(harness, 1, 5);
  harness.lap();
  const client = harness.join({ values: [a] }, { start });
  const report = harness.take('read-history');
  if (report === null) throw new TypeError('it must ask for history');
  client.socket.fill();
  harness.clock.advance(15_250);
  client.drain();
  harness.clock.settle();
  t.is(harness.take('read-history'), null);
  harness.handle([{ kind: 'history', ticket: report.ticket, outcome: harness.block(report) }]);
  harness.clock.settle();
  t.deepEqual(client.socket.paths, numbers(1, 5));
  harness.close();
});

test('history that retention has taken is said as a gap, in its place, and the stream goes on behind it', (t) => {
  const harness = new ShardHarness(90_000);
  const start = harness.change(a, 'running');
  append(harness, 1, 5);
  harness.lap();
  const outcome = { kind: 'too-old', resumeAfter: harness.at(4), oldestAvailable: harness.at(5).id } as const;
  const client = harness.join({ values: [a] }, { start });
  const ticket = harness.take('read-history')?.ticket ?? 0;
  harness.handle([{ kind: 'history', ticket, outcome }]);
  harness.clock.settle();
  harness.serveHistory();
  t.deepEqual(client.socket.names.slice(0, 2), ['ready', 'gap']);
  const gap = client.socket.named('gap')[0];
  t.is(gap?.id, harness.at(4).id, 'a cut right behind the gap resumes where the stream goes on');
  t.like(gap?.data, { reason: 'overtaken', requested: harness.at(start).id, oldest_available: harness.at(5).id });
  t.deepEqual(client.socket.paths, numbers(4, 5));
  // For `earliest` it is what was asked for.
  const earliest = harness.join({ values: [a], cursor: { kind: 'earliest' } }, { start, fromEarliest: true });
  const second = harness.take('read-history')?.ticket ?? 0;
  harness.handle([{ kind: 'history', ticket: second, outcome }]);
  harness.clock.settle();
  harness.serveHistory();
  t.deepEqual(earliest.socket.named('gap'), []);
  t.deepEqual(earliest.socket.paths, numbers(4, 5));
  harness.close();
});

test('done waits for a parked stream, and says the position that it reached', (t) => {
  const harness = new ShardHarness();
  harness.change(a, 'running');
  const client = harness.join({ values: [a] });
  append(harness, 1, 40);
  client.socket.fill();
  const last = harness.change(a, 'completed');
  harness.drain();
  t.false(client.socket.ended);
  client.drain();
  harness.clock.settle();
  t.deepEqual(client.socket.paths, numbers(1, 40));
  t.is(client.socket.named('done')[0]?.id, harness.at(last).id);
  harness.close();
});
