import test from 'ava';
import type { ViewGap } from '../../src/contract/shard-messages.ts';
import type { Sequence } from '../../src/core/sequence.ts';
import { WatchTable } from '../../src/shard/watch.ts';
import { executionOf, ShardHarness } from '../support/shard-harness.ts';

const a = executionOf(1);
const b = executionOf(2);

test('a shard that was lapped says so once, and a new view brings everybody everything once', (t) => {
  const harness = new ShardHarness(90_000);
  harness.change(a, 'running');
  const live = harness.join({ values: [a] });
  const filtered = harness.join({ values: [a], filter: { stage: null, path: '2', extension: null } });
  const parked = harness.join({ values: [a] });
  parked.socket.fill();
  harness.event(a, '1');
  harness.drain();
  t.true(parked.socket.blocked);
  harness.event(a, '2');
  harness.lap();
  harness.event(a, '3');
  harness.drain();
  harness.drain();
  t.truthy(harness.take('lapped'));
  t.is(harness.take('lapped'), null, 'once, until the new view comes');
  t.deepEqual(live.socket.paths, ['1'], 'nothing torn, nothing skipped');
  // A stream that joins meanwhile waits for the view as well.
  const joiner = harness.connect({ values: [a] });
  harness.handle([harness.joined(joiner, { start: 1 })]);
  harness.clock.settle();
  t.deepEqual(joiner.socket.paths, []);
  harness.resync([a]);
  harness.serveHistory();
  harness.event(a, '4');
  harness.drain();
  t.deepEqual(live.socket.paths, ['1', '2', '3', '4']);
  t.deepEqual(filtered.socket.paths, ['2']);
  t.deepEqual(joiner.socket.paths, ['1', '2', '3', '4']);
  parked.drain();
  harness.clock.settle();
  harness.serveHistory();
  t.deepEqual(parked.socket.paths, ['1', '2', '3', '4']);
  t.deepEqual(harness.seen.gaps, []);
  t.deepEqual(harness.faults, []);
  harness.close();
});

// The execution is reached through two values; were its old status kept for one of them, the stream would never end.
test('a status that changed while the shard was lapped is known after the new view, however many values reach the execution', (t) => {
  const harness = new ShardHarness(90_000);
  harness.change(a, 'running', ['tag']);
  const named = harness.join({ values: [a] });
  const tagged = harness.join({ values: ['tag'] });
  const both = harness.join({ values: [a, 'tag'] });
  harness.change(a, 'completed');
  harness.lap();
  harness.drain();
  harness.resync([a, 'tag']);
  harness.serveHistory();
  for (const client of [named, tagged, both]) {
    t.deepEqual(client.socket.names, ['ready', 'done']);
    t.like(client.socket.named('done')[0]?.data, { executions: [{ execution_id: a, status: 'completed' }] });
  }
  harness.close();
});

function replaced(harness: ShardHarness, resumeAfter: number): ViewGap {
  return {
    reason: 'journal_replaced',
    oldestAvailable: harness.at(resumeAfter + 1).id,
    resumeAfter: harness.at(resumeAfter),
  };
}

test('another journal: a gap for everybody who is there, each at its own moment', (t) => {
  const harness = new ShardHarness();
  harness.change(a, 'running');
  const live = harness.join({ values: [a] });
  const plain = harness.join({ values: [a], controlEvents: false });
  const parked = harness.join({ values: [a] });
  const parkedPlain = harness.join({ values: [a], controlEvents: false });
  parked.socket.fill();
  parkedPlain.socket.fill();
  const had = harness.event(a, 'old');
  harness.drain();
  harness.restart(100);
  harness.change(a, 'running');
  harness.event(a, 'new');
  harness.resync([a], replaced(harness, 100));
  t.deepEqual(live.socket.names, ['ready', 'storage.object.created', 'gap', 'storage.object.created']);
  t.deepEqual(live.socket.paths, ['old', 'new']);
  t.is(live.socket.named('gap')[0]?.id, harness.at(100).id);
  t.like(live.socket.named('gap')[0]?.data, {
    type: 'gap',
    reason: 'journal_replaced',
    requested: harness.at(had).id,
    oldest_available: harness.at(101).id,
  });
  t.deepEqual(plain.socket.names, ['storage.object.created', 'storage.object.created']);
  t.deepEqual(parked.socket.names, ['ready', 'storage.object.created'], 'nothing while it owes a drain');
  t.is(parked.socket.writesWhileBlocked + parkedPlain.socket.writesWhileBlocked, 0);
  const before = parked.socket.writes.length;
  parked.drain();
  t.regex(parked.socket.writes[before] ?? '', /event: gap/, 'the first thing written after the drain');
  harness.clock.settle();
  t.deepEqual(parked.socket.names.slice(2), ['gap', 'storage.object.created']);
  t.deepEqual(harness.seen.gaps.length, 3, 'the fourth has not been told yet');
  harness.close();
});

// uWebSockets.js does not empty its buffer by itself: a plain stream whose gap is only counted would hang until the next heartbeat.
test('a parked stream without control events gets a write at its drain although its gap is only counted', (t) => {
  const harness = new ShardHarness();
  harness.change(a, 'running');
  const client = harness.join({ values: [a], controlEvents: false });
  client.socket.fill();
  harness.event(a, 'old');
  harness.drain();
  harness.restart(100);
  harness.change(a, 'running');
  harness.resync([a], replaced(harness, 101));
  const before = client.socket.writes.length;
  client.drain();
  t.is(client.socket.writes.length, before + 1);
  t.deepEqual(harness.seen.gaps, ['journal_replaced']);
  harness.close();
});

test('a new view while a block of history is on its way: the block is not used, the stream goes on in the new one', (t) => {
  const harness = new ShardHarness(90_000);
  const start = harness.change(a, 'running');
  harness.event(a, 'old');
  harness.lap();
  const client = harness.join({ values: [a] }, { start });
  const report = harness.take('read-history');
  if (report === null) throw new TypeError('it must ask for history');
  const outcome = harness.block(report);
  harness.restart(10_000);
  harness.event(a, 'new');
  harness.resync([a], replaced(harness, 10_000));
  harness.handle([{ kind: 'history', ticket: report.ticket, outcome }]);
  harness.clock.settle();
  t.deepEqual(client.socket.names, ['ready', 'gap', 'storage.object.created']);
  t.deepEqual(client.socket.paths, ['new']);
  harness.close();
});

test('a stream that is being decided is opened by a gap', (t) => {
  const harness = new ShardHarness(90_000);
  const start = harness.event(a, 'old');
  harness.change(a, 'completed');
  harness.lap();
  const client = harness.join({ values: [a] }, { start, mayBeComplete: true });
  t.false(client.socket.opened);
  harness.restart(10_000);
  harness.change(a, 'completed');
  harness.resync([a], replaced(harness, 10_000));
  t.deepEqual(client.socket.names, ['ready', 'gap', 'done']);
  t.is(client.socket.named('ready')[0]?.id, undefined, 'ready has no id when a gap follows');
  harness.close();
});

// After a change of journal nothing names the execution; the stream stays open, and the first record that does may be its end.
test('a value that is named anew by its terminal change ends its streams', (t) => {
  const harness = new ShardHarness();
  harness.change(a, 'running');
  const named = harness.join({ values: [a] });
  harness.change(b, 'running', ['tag']);
  const tagged = harness.join({ values: ['tag'] });
  harness.restart(100);
  harness.resync([a, 'tag'], replaced(harness, 100));
  t.false(named.socket.ended);
  harness.change(a, 'completed');
  harness.change(b, 'failed', ['tag']);
  harness.drain();
  t.true(named.socket.ended);
  t.true(tagged.socket.ended);
  harness.close();
});

test('the watch table keeps the status of an execution once, and forgets it with its last value', (t) => {
  const table = new WatchTable<null>();
  const execution = { executionId: a, status: 'running', since: 0 as Sequence } as const;
  const own = table.retain(a);
  const tag = table.retain('tag');
  table.resolve({ value: a, known: true, executions: [execution] });
  table.resolve({ value: 'tag', known: true, executions: [execution] });
  const over = table.applyChange({ executionId: a, status: 'failed', tags: [], sequence: 1 as Sequence });
  t.deepEqual(new Set(over), new Set([own, tag]));
  t.true(table.release(own));
  t.is(table.execution(a)?.status, 'failed');
  t.true(table.release(tag));
  t.is(table.executionCount, 0);
});
