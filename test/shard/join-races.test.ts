import test from 'ava';
import { executionOf, ShardHarness } from '../support/shard-harness.ts';

const a = executionOf(1);
const b = executionOf(2);

// Without "read up to the answer's position first" the event between the registration and the answer would be slept through.
test('an event appended while the answer is on its way arrives, once and after what the cursor owed', (t) => {
  const harness = new ShardHarness();
  const start = harness.event(a, '1');
  const client = harness.connect({ values: [a] });
  harness.event(a, '2');
  const answer = harness.joined(client, { start });
  harness.event(a, '3');
  harness.handle([answer]);
  harness.clock.settle();
  t.deepEqual(client.socket.paths, ['2'], 'up to the position of the answer, no further');
  harness.drain();
  harness.drain();
  t.deepEqual(client.socket.paths, ['2', '3']);
  harness.close();
});

// A drain that was handed out before the answer must leave the shard at or below the answer's position, never above.
test('a join that is answered while a drain is outstanding neither loses nor repeats the events of that drain', (t) => {
  const harness = new ShardHarness();
  harness.change(a, 'running', ['tag']);
  const first = harness.join({ values: [a] });
  harness.event(a, '1');
  const second = harness.connect({ values: [a, 'tag'] });
  harness.drain();
  harness.event(a, '2');
  const answer = harness.joined(second);
  harness.event(a, '3');
  harness.handle([answer]);
  t.deepEqual(first.socket.paths, ['1', '2'], 'the answer carries its own drain');
  harness.drain();
  t.deepEqual(first.socket.paths, ['1', '2', '3']);
  t.deepEqual(second.socket.paths, ['3'], 'live only; an event that two values reach is delivered once');
  harness.close();
});

// The table is exact as of the shard's position only if answers are applied there: a status from the future would end the stream before its events.
test('a status in the answer is not ahead of the events that the shard has read', (t) => {
  const harness = new ShardHarness();
  harness.change(a, 'running');
  const early = harness.join({ values: [a] });
  harness.event(a, '1');
  harness.change(a, 'completed');
  const late = harness.connect({ values: [a] });
  harness.handle([harness.joined(late, { start: 1 })]);
  harness.clock.settle();
  t.deepEqual(early.socket.names, ['ready', 'storage.object.created', 'done']);
  t.deepEqual(late.socket.names, ['ready', 'storage.object.created', 'done']);
  harness.close();
});

test('a client that leaves unanswered releases its values, and the answer that comes too late is dropped', (t) => {
  const harness = new ShardHarness();
  const start = harness.change(a, 'running');
  const gone = harness.connect({ values: [a] });
  const tooLate = harness.joined(gone);
  gone.events.onClosed();
  t.deepEqual(harness.take('leave'), { kind: 'leave', session: gone.key, release: [a] });
  // At once another with the same value: for the owner its interest begins anew, behind the leave.
  const next = harness.connect({ values: [a] });
  harness.event(a, '1');
  harness.handle([tooLate]);
  t.is(
    harness.shard.gauges().executions,
    0,
    'the answer to a stream that is gone resolves nothing: its interest is released',
  );
  harness.handle([harness.joined(next, { start })]);
  harness.clock.settle();
  harness.event(a, '2');
  harness.drain();
  t.deepEqual(next.socket.paths, ['1', '2']);
  t.false(gone.socket.opened);
  harness.close();
});

test('a value is released by the last of its streams, in whatever state they leave', (t) => {
  const harness = new ShardHarness();
  harness.change(a, 'running');
  const live = harness.join({ values: [a, b] });
  const joining = harness.connect({ values: [a] });
  live.events.onClosed();
  t.deepEqual(harness.take('leave')?.release, [b], 'a is still wanted by the one that joins');
  joining.events.onClosed();
  t.deepEqual(harness.take('leave')?.release, [a]);
  t.deepEqual({ ...harness.shard.gauges(), sessions: 0 }, { sessions: 0, groups: 0, values: 0, executions: 0 });
  harness.close();
});

test('refused, timed out and shut-down joins leave nothing behind either', (t) => {
  const harness = new ShardHarness();
  harness.change(a, 'running');
  const refused = harness.connect({ values: [a] });
  harness.handle([{ kind: 'refused', session: refused.key, refusal: { kind: 'unavailable' } }]);
  t.deepEqual(refused.socket.refusal, { kind: 'unavailable' });
  const waiting = harness.connect({ values: [a] });
  harness.handle([{ kind: 'wait', session: waiting.key }]);
  t.deepEqual(waiting.socket.writes, [':\n'], 'opened without ready: nothing is in force yet');
  harness.handle([{ kind: 'refused', session: waiting.key, refusal: { kind: 'unknown-executions', values: [a] } }]);
  t.true(waiting.socket.ended);
  t.deepEqual(waiting.socket.frames, [], 'no done: a client that comes again is told 404');
  harness.connect({ values: [a] });
  harness.handle([{ kind: 'shutdown' }]);
  t.is(harness.take('drained')?.streams, 1);
  t.deepEqual({ ...harness.shard.gauges(), sessions: 0 }, { sessions: 0, groups: 0, values: 0, executions: 0 });
  harness.close();
});

test('events and the terminal status in one batch: the events first, then done at the position of the whole drain', (t) => {
  const harness = new ShardHarness();
  harness.change(a, 'running');
  const client = harness.join({ values: [a] });
  const keepOpen = harness.join({ values: [a], keepOpen: true });
  harness.event(a, '1');
  harness.change(a, 'completed');
  harness.event(a, 'late');
  const last = harness.event(b, 'of another');
  harness.drain();
  t.deepEqual(client.socket.paths, ['1', 'late']);
  t.is(client.socket.names.at(-1), 'done');
  const done = client.socket.named('done')[0];
  t.is(done?.id, harness.at(last).id);
  t.like(done?.data, { type: 'done', reason: 'executions_terminal', last_event_id: harness.at(last).id });
  t.true(client.socket.ended);
  t.deepEqual(keepOpen.socket.names, ['ready', 'storage.object.created', 'storage.object.created']);
  t.deepEqual(harness.faults, []);
  harness.close();
});

test('a stream of several executions ends with the last of them, whichever batch that is in', (t) => {
  const harness = new ShardHarness();
  harness.change(a, 'running', ['tag']);
  harness.change(b, 'running', ['tag']);
  const client = harness.join({ values: ['tag', b] });
  harness.change(a, 'failed');
  harness.drain();
  t.false(client.socket.ended);
  harness.change(b, 'cancelled');
  harness.drain();
  t.true(client.socket.ended);
  harness.close();
});

test('a tag that comes in the middle of a batch counts from there on', (t) => {
  const harness = new ShardHarness();
  harness.change(b, 'running', ['tag']);
  const client = harness.join({ values: ['tag'] });
  harness.event(a, 'before');
  harness.change(a, null, ['tag']);
  harness.event(a, 'after');
  harness.drain();
  t.deepEqual(client.socket.paths, ['after']);
  harness.close();
});

// The index does not look at sequences, the replay must: it meets events from before the tag.
test('a replay gives an execution of a tag only from the tag on, from the window and from history alike', (t) => {
  for (const lapped of [false, true]) {
    const harness = new ShardHarness(80_000);
    const start = harness.change(b, 'running', ['tag']);
    harness.event(a, 'before');
    harness.event(b, 'b');
    harness.change(a, null, ['tag']);
    harness.event(a, 'after');
    if (lapped) harness.lap();
    const client = harness.join({ values: ['tag'] }, { start });
    t.is(harness.serveHistory() > 0, lapped);
    t.deepEqual(client.socket.paths, ['b', 'after']);
    const named = harness.join({ values: ['tag', a] }, { start });
    harness.serveHistory();
    t.deepEqual(named.socket.paths, ['before', 'b', 'after'], 'the execution itself counts from its beginning');
    harness.close();
  }
});

test('204 when nothing matches behind the cursor, 200 with what is left when something does', (t) => {
  const harness = new ShardHarness();
  const start = harness.event(a, '1');
  harness.change(a, 'completed');
  harness.event(b, 'of another');
  const nothing = harness.join({ values: [a] }, { start, mayBeComplete: true });
  t.deepEqual(nothing.socket.refusal, { kind: 'no-content' });
  t.false(nothing.socket.opened);
  const left = harness.join({ values: [a] }, { start: start - 1, mayBeComplete: true });
  t.deepEqual(left.socket.names, ['ready', 'storage.object.created', 'done']);
  const keepOpen = harness.join({ values: [a], keepOpen: true }, { start, mayBeComplete: true });
  t.deepEqual(keepOpen.socket.names, ['ready']);
  const plain = harness.join(
    { values: [a], controlEvents: false },
    { start, mayBeComplete: false, mayBeCompletePlain: true },
  );
  t.deepEqual(plain.socket.refusal, { kind: 'no-content' });
  harness.close();
});

test('history that does not come for 2 s opens the stream, and goes on when it does', (t) => {
  const harness = new ShardHarness(80_000);
  const start = harness.event(a, '1');
  harness.event(a, '2');
  harness.change(a, 'completed');
  harness.lap();
  const client = harness.join({ values: [a] }, { start, mayBeComplete: true });
  const report = harness.take('read-history');
  if (report === null) throw new TypeError('it must ask for history');
  harness.clock.advance(1_900);
  t.false(client.socket.opened, 'not decided yet');
  harness.clock.advance(500);
  t.deepEqual(client.socket.names, ['ready']);
  harness.handle([{ kind: 'history', ticket: report.ticket, outcome: harness.block(report) }]);
  harness.clock.settle();
  t.deepEqual(client.socket.names, ['ready', 'storage.object.created', 'done']);
  harness.close();
});

// While it is being decided, the tag may get an execution that runs: 204 would stop an EventSource for good.
test('no 204 when one of its executions runs again by the time it is decided', (t) => {
  const harness = new ShardHarness(80_000);
  harness.change(a, 'running', ['tag']);
  const start = harness.change(a, 'completed');
  harness.event(a, 'unwanted.md');
  harness.lap();
  const filter = { stage: null, path: null, extension: '.json' };
  const client = harness.join({ values: ['tag'], filter }, { start, mayBeComplete: true });
  harness.change(b, 'running', ['tag']);
  harness.drain();
  harness.serveHistory();
  t.is(client.socket.refusal, null);
  t.deepEqual(client.socket.names, ['ready']);
  harness.event(b, 'wanted.json', { extension: '.json' });
  harness.drain();
  t.deepEqual(client.socket.paths, ['wanted.json']);
  harness.close();
});

// With the bus away, each client that came and went left its session and its read behind, asked again four times a second.
test('a block of history that its last stream no longer waits for is dropped, one that another waits for is not', (t) => {
  const harness = new ShardHarness(80_000);
  const start = harness.event(a, '1');
  harness.event(a, '2');
  harness.lap();
  const clients = [1, 2].map(() => harness.join({ values: [a] }, { start }));
  const report = harness.take('read-history');
  t.truthy(report);
  t.is(harness.take('read-history'), null, 'they share one');
  clients[0]?.events.onClosed();
  t.is(harness.take('drop-history'), null);
  clients[1]?.events.onClosed();
  t.is(harness.take('drop-history')?.ticket, report?.ticket);
  harness.close();
});
