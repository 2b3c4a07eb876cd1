import test from 'ava';
import { executionOf, ShardHarness } from '../support/shard-harness.ts';

const a = executionOf(1);

function started(): ShardHarness {
  const harness = new ShardHarness();
  harness.change(a, 'running');
  return harness;
}

test('15 s of silence are followed by a heartbeat of one line end, and a write starts them anew', (t) => {
  const harness = started();
  const client = harness.join({ values: [a] });
  harness.clock.advance(14_900);
  t.is(client.socket.heartbeats, 0);
  harness.clock.advance(500);
  t.is(client.socket.heartbeats, 1);
  t.is(client.socket.writes.at(-1), ':\n', 'two line ends would be a phantom event to some clients');
  harness.clock.advance(10_000);
  harness.event(a, '1');
  harness.drain();
  harness.clock.advance(14_500);
  t.is(client.socket.heartbeats, 1, 'the event was a sign of life');
  harness.clock.advance(1_000);
  t.is(client.socket.heartbeats, 2);
  harness.close();
});

test('a stream that waits for the owner is kept alive too, and ends at its timeout with done', (t) => {
  const harness = started();
  const client = harness.connect({ values: [a], timeoutMs: 40_000 });
  harness.clock.advance(60_000);
  t.false(client.socket.opened, 'a join is answered by the owner, not by the clock');
  harness.handle([{ kind: 'wait', session: client.key }]);
  harness.clock.advance(250);
  t.deepEqual(client.socket.names, ['done']);
  t.like(client.socket.only('done')[0]?.data, { reason: 'timeout', last_event_id: null });
  harness.close();
});

test('the timeout ends a live stream at the position of the shard, and a parked one at its own', (t) => {
  const harness = started();
  const live = harness.join({ values: [a], timeoutMs: 20_000 });
  const parked = harness.join({ values: [a], timeoutMs: 20_000 });
  parked.socket.fill();
  const one = harness.event(a, '1');
  harness.drain();
  const two = harness.event(a, '2');
  harness.drain();
  harness.clock.advance(19_500);
  t.false(live.socket.ended);
  harness.clock.advance(1_000);
  t.deepEqual(live.socket.paths, ['1', '2']);
  t.is(live.socket.only('done')[0]?.id, harness.at(two).id);
  t.is(
    parked.socket.only('done')[0]?.id,
    harness.at(one).id,
    'what it was not given is still owed when it comes again',
  );
  t.like(parked.socket.only('done')[0]?.data, { reason: 'timeout' });
  harness.close();
});

test('a parked stream is nudged every 4 s and cut after 60 s without progress', (t) => {
  const harness = started();
  const client = harness.join({ values: [a] });
  client.socket.fill();
  harness.event(a, '1');
  harness.drain();
  harness.clock.advance(3_000);
  const first = client.socket.nudges;
  harness.clock.advance(40_000);
  const nudges = client.socket.nudges - first;
  t.true(nudges >= 9 && nudges <= 10, `${nudges} nudges in 40 s`);
  t.is(client.socket.heartbeats, 0, 'no heartbeat behind bytes that have not left');
  harness.clock.advance(16_500);
  t.false(client.socket.aborted);
  harness.clock.advance(1_000);
  t.true(client.socket.aborted);
  t.false(client.socket.ended, 'no done: it was not told everything');
  t.deepEqual(harness.seen.disconnected, ['stalled']);
  t.deepEqual(harness.take('leave')?.release, [a]);
  harness.close();
});

test('a drain is progress: the 60 s begin anew', (t) => {
  const harness = started();
  const client = harness.join({ values: [a] });
  client.socket.fill();
  harness.event(a, '1');
  harness.drain();
  for (let minute = 0; minute < 4; minute += 1) {
    harness.clock.advance(50_000);
    client.drain(0);
    harness.clock.settle();
  }
  t.false(client.socket.aborted);
  harness.clock.advance(61_000);
  t.true(client.socket.aborted);
  harness.close();
});

test('shutdown ends every open stream with done and a retry, and refuses those that are not open', (t) => {
  const harness = started();
  const live = harness.join({ values: [a] });
  const parked = harness.join({ values: [a] });
  const plain = harness.join({ values: [a], controlEvents: false });
  const joining = harness.connect({ values: [a] });
  parked.socket.fill();
  harness.event(a, '1');
  harness.drain();
  harness.handle([{ kind: 'shutdown' }]);
  for (const client of [live, parked]) {
    t.like(client.socket.only('done')[0]?.data, { reason: 'shutdown' });
    t.regex(client.socket.writes.at(-1) ?? '', /^retry: 3000$/m, 'spread by the random that was handed in');
  }
  t.deepEqual(plain.socket.names, ['storage.object.created']);
  t.true(plain.socket.ended);
  t.deepEqual(joining.socket.refusal, { kind: 'shutting-down' });
  const late = harness.connect({ values: [a] });
  t.deepEqual(late.socket.refusal, { kind: 'shutting-down' });
  t.is(harness.take('drained')?.streams, 4);
  harness.close();
});
