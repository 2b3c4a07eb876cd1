import test from 'ava';
import { executionOf, ShardHarness } from '../support/shard-harness.ts';

const a = executionOf(1);

function started(): ShardHarness {
  const harness = new ShardHarness();
  harness.change(a, 'running');
  return harness;
}

test('15 s of silence are followed by a heartbeat of one line end', (t) => {
  const harness = started();
  const client = harness.join({ values: [a] });
  harness.clock.advance(14_500);
  t.is(client.socket.heartbeats, 0);
  harness.clock.advance(1_000);
  t.is(client.socket.heartbeats, 1);
  t.is(client.socket.writes.at(-1), ':\n', 'two line ends would be a phantom event to some clients');
  harness.clock.advance(14_000);
  t.is(client.socket.heartbeats, 1);
  harness.clock.advance(1_000);
  t.is(client.socket.heartbeats, 2);
  harness.close();
});

// uWebSockets.js says flushed to a small write that the kernel did not take, and cuts the stream 8 to 12 s later. The next write would tell; here none comes.
test('20 KB that nothing follows are asked after in 4 s, and only then do the 15 s begin', (t) => {
  const harness = started();
  const client = harness.join({ values: [a] });
  harness.clock.advance(10_000);
  const before = client.socket.heartbeats;
  for (let event = 0; event < 5; event += 1) harness.event(a, `${event}`, { uri: 'u'.repeat(4_000) });
  harness.drain();
  harness.clock.advance(3_500);
  t.is(client.socket.heartbeats, before);
  client.socket.fill();
  harness.clock.advance(1_000);
  t.is(client.socket.heartbeats, before + 1);
  t.true(client.socket.blocked, 'the doubt was right');
  harness.clock.advance(4_500);
  t.is(client.socket.nudges, 1, 'and the stream is kept from being cut');
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
  t.like(client.socket.named('done')[0]?.data, { reason: 'timeout', last_event_id: null });
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
  t.is(live.socket.named('done')[0]?.id, harness.at(two).id);
  t.is(
    parked.socket.named('done')[0]?.id,
    harness.at(one).id,
    'what it was not given is still owed when it comes again',
  );
  t.like(parked.socket.named('done')[0]?.data, { reason: 'timeout' });
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
  t.is(
    client.socket.writes.length - 2,
    client.socket.nudges,
    'nothing but the nudges goes behind bytes that have not left',
  );
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

// Linux reports a socket as writable when a third of its buffer is free: about 1.3 MB, which is more than a minute at 20 KB/s.
test('a client of 20 KB/s whose socket never reports that it is writable is served and not cut', (t) => {
  const harness = started();
  const client = harness.join({ values: [a] });
  client.socket.fill();
  const sent: string[] = [];
  const publish = (path: string): void => {
    sent.push(path);
    harness.event(a, path, { uri: 'u'.repeat(4_000) });
    harness.drain();
    harness.clock.settle();
  };
  for (let index = 0; index < 200; index += 1) publish(`${index}.md`);
  // Five minutes but a second: what is buffered leaves every 8 s, for one more write.
  for (let spell = 0; spell < 37; spell += 1) {
    harness.clock.advance(4_000);
    publish(`more-${spell}.md`);
    harness.clock.advance(4_000);
    client.socket.room = 2;
  }
  t.false(client.socket.aborted);
  t.is(client.socket.writesWhileBlocked, 0);
  t.deepEqual(client.socket.paths, sent.slice(0, client.socket.paths.length));
  t.true(client.socket.paths.length > 200, 'it has come through what was published at once');
  client.drain();
  harness.clock.settle();
  t.deepEqual(client.socket.paths, sent);
  t.deepEqual(harness.seen.gaps, []);
  t.is(harness.seen.disconnected.length, 0);
  harness.close();
});

test('a client that stops reading for 50 s, and again, is served whole; one that does not come back is cut', (t) => {
  const harness = started();
  const client = harness.join({ values: [a] });
  const gone = harness.join({ values: [a] });
  const sent: string[] = [];
  gone.socket.fill();
  for (let stop = 0; stop < 3; stop += 1) {
    client.socket.fill();
    for (let index = 0; index < 30; index += 1) {
      sent.push(`${stop}-${index}.md`);
      harness.event(a, `${stop}-${index}.md`, { uri: 'u'.repeat(4_000) });
    }
    harness.drain();
    harness.clock.advance(50_000);
    t.true(client.socket.blocked);
    client.drain();
    harness.clock.settle();
    t.deepEqual(client.socket.paths, sent);
  }
  t.true(gone.socket.aborted);
  t.false(client.socket.aborted);
  t.deepEqual(harness.seen.disconnected, ['stalled']);
  harness.close();
});

// The nudge itself starts uWebSockets.js's clock; only a writable ends it. Left alone, a stream that is live again would be cut.
test('after a nudge was flushed the nudges go on until the socket reports that it is writable', (t) => {
  const harness = started();
  const client = harness.join({ values: [a] });
  client.socket.fill();
  harness.event(a, '1');
  harness.drain();
  client.socket.room = 100;
  harness.clock.advance(4_500);
  t.is(client.socket.nudges, 1);
  harness.event(a, '2');
  harness.drain();
  t.deepEqual(client.socket.paths, ['1', '2'], 'it is live again');
  harness.clock.advance(20_000);
  t.is(client.socket.nudges, 6);
  client.drain();
  harness.clock.advance(60_000);
  t.is(client.socket.nudges, 6);
  t.false(client.socket.aborted);
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
    t.like(client.socket.named('done')[0]?.data, { reason: 'shutdown' });
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
