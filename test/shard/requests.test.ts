import test from 'ava';
import type { ShardReport } from '../../src/contract/shard-messages.ts';
import { shardRequestsMax } from '../../src/core/limits.ts';
import { ControlLine } from '../../src/shard/control-line.ts';
import { type Client, executionOf, ShardHarness } from '../support/shard-harness.ts';

/** What one shard may have with the main thread, at n and at n + 1. What `overloaded` is over HTTP: test/edge/stream-socket.test.ts and publish.test.ts. */

// While the main thread stands still, a flood of requests would otherwise be kept in memory, each with its socket, for as long as it lasts.
test('joins without an answer: the 32,768th waits, the next is refused as overloaded; each answer and each client that leaves makes room for one', (t) => {
  const harness = new ShardHarness();
  const a = executionOf(1);
  harness.change(a, 'running');
  const clients: Client[] = [];
  for (let n = 0; n < shardRequestsMax; n += 1) clients.push(harness.connect({ values: [a] }));
  t.is(clients.at(-1)?.socket.refusal, null);
  const refused = (): unknown => {
    const { socket, key } = harness.connect({ values: [a] });
    if (socket.refusal !== null) t.is(key, -1, 'nothing is asked for who is refused');
    return socket.refusal;
  };
  t.deepEqual(refused(), { kind: 'overloaded' });
  t.deepEqual(refused(), { kind: 'overloaded' });
  const [answered, left] = clients;
  if (answered === undefined || left === undefined) throw new TypeError('there are thousands');
  harness.handle([harness.joined(answered)]);
  t.deepEqual(answered.socket.names, ['ready']);
  t.is(refused(), null);
  t.deepEqual(refused(), { kind: 'overloaded' });
  left.events.onClosed();
  t.is(refused(), null);
  t.deepEqual(refused(), { kind: 'overloaded' });
  t.is(harness.seen.ended.filter((reason) => reason === 'refused').length, 4);
  harness.close();
});

test('calls of a shard: the 32,768th is sent, the next is answered as overloaded at once; an answer makes room for one', async (t) => {
  const reports: ShardReport[] = [];
  const line = new ControlLine((report) => reports.push(report));
  const calls = Array.from({ length: shardRequestsMax }, () => line.call({ kind: 'health' }));
  t.is(reports.length, shardRequestsMax);
  t.like(await line.call({ kind: 'health' }), { kind: 'overloaded', detail: '32768 calls of this shard are waiting' });
  t.is(reports.length, shardRequestsMax, 'it is not sent');
  line.onAnswer(1, { kind: 'not-found' });
  t.deepEqual(await calls[0], { kind: 'not-found' });
  const [taken, refused] = [line.call({ kind: 'health' }), line.call({ kind: 'health' })];
  t.is((await refused).kind, 'overloaded');
  line.onAnswer(shardRequestsMax + 1, { kind: 'not-found' });
  t.deepEqual(await taken, { kind: 'not-found' });
});
