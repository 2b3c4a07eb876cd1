import test from 'ava';
import type { ShardMessage } from '../../src/contract/shard-messages.ts';
import type { FaultPlace } from '../../src/contract/shard-observer.ts';
import type { FakeSocket } from '../support/fake-socket.ts';
import { executionOf, ShardHarness } from '../support/shard-harness.ts';

const a = executionOf(1);

class Broken extends Error {
  override readonly name = 'Broken';
}

type Client = ReturnType<ShardHarness['connect']>;

/** What throws, where: brings a shard with one stream to the step, and takes it. Answers the stream's client. */
interface Case {
  readonly place: FaultPlace;
  readonly run: (harness: ShardHarness) => Client;
}

const breakAt = (socket: FakeSocket, method: 'open' | 'refuse' | 'write' | 'end'): void => {
  socket[method] = () => {
    throw new Broken(method);
  };
};

const cases: readonly Case[] = [
  {
    place: 'joined',
    run(harness) {
      const client = harness.connect({ values: [a] });
      breakAt(client.socket, 'open');
      harness.handle([harness.joined(client)]);
      return client;
    },
  },
  {
    place: 'wait',
    run(harness) {
      const client = harness.connect({ values: [a] });
      breakAt(client.socket, 'open');
      harness.handle([{ kind: 'wait', session: client.key }]);
      return client;
    },
  },
  {
    place: 'refused',
    run(harness) {
      const client = harness.connect({ values: [a] });
      breakAt(client.socket, 'refuse');
      harness.handle([{ kind: 'refused', session: client.key, refusal: { kind: 'unavailable' } }]);
      return client;
    },
  },
  {
    place: 'history',
    run(harness) {
      const start = harness.change(a, 'running');
      harness.event(a, '1');
      harness.drain();
      harness.lap();
      const client = harness.connect({ values: [a] });
      harness.handle([harness.joined(client, { start })]);
      breakAt(client.socket, 'write');
      harness.serveHistory();
      return client;
    },
  },
  {
    place: 'catch-up',
    run(harness) {
      const start = harness.change(a, 'running');
      harness.event(a, '1');
      const client = harness.connect({ values: [a] });
      client.socket.fill();
      harness.handle([harness.joined(client, { start })]);
      client.drain();
      breakAt(client.socket, 'write');
      harness.clock.settle();
      return client;
    },
  },
  {
    place: 'drain',
    run(harness) {
      const client = harness.join({ values: [a] });
      breakAt(client.socket, 'write');
      harness.event(a, '1');
      harness.drain();
      return client;
    },
  },
  {
    place: 'writable',
    run(harness) {
      const client = harness.join({ values: [a] });
      client.socket.fill();
      harness.event(a, '1');
      harness.drain();
      breakAt(client.socket, 'write');
      client.events.onWritable();
      return client;
    },
  },
  {
    place: 'end',
    run(harness) {
      const client = harness.join({ values: [a] });
      breakAt(client.socket, 'end');
      harness.change(a, 'completed');
      harness.drain();
      return client;
    },
  },
  {
    place: 'sweep',
    run(harness) {
      const client = harness.join({ values: [a] });
      breakAt(client.socket, 'write');
      harness.clock.advance(16_000);
      return client;
    },
  },
  {
    place: 'shutdown',
    run(harness) {
      const client = harness.join({ values: [a] });
      breakAt(client.socket, 'end');
      harness.handle([{ kind: 'shutdown' }]);
      return client;
    },
  },
];

// A stream that is neither served nor closed would leave its client waiting for ever, without a word and without a reconnection.
for (const { place, run } of cases) {
  test(`an exception in '${place}' closes the stream that it concerns, is told with its place, and gives everything back`, (t) => {
    const harness = new ShardHarness(90_000);
    harness.change(a, 'running');
    const bystander = harness.join({ values: [a], keepOpen: true });
    const victim = run(harness);
    t.deepEqual(
      harness.faults.map(({ what }) => what),
      [place],
    );
    t.true(victim.socket.aborted);
    t.deepEqual(harness.seen.disconnected, ['failure']);
    if (place === 'shutdown') {
      t.is(harness.take('leave')?.session, bystander.key, 'the one before it has been ended in order');
      t.is(harness.take('drained')?.streams, 2, 'the main thread waits for it');
      t.is(harness.take('leave')?.session, victim.key);
    } else {
      t.is(harness.take('leave')?.session, victim.key);
      harness.event(a, 'after');
      harness.drain();
      t.is(bystander.socket.paths.at(-1), 'after');
      bystander.events.onClosed();
    }
    t.deepEqual({ ...harness.shard.gauges(), sessions: 0 }, { sessions: 0, groups: 0, values: 0, executions: 0 });
    harness.close();
  });
}

// Its streams stand in a view that is half made: none of them may go on as if nothing had happened.
test('an exception in a new view closes every stream, and the shard goes on with those that come back', (t) => {
  const harness = new ShardHarness();
  harness.change(a, 'running');
  const clients = [0, 1].map(() => harness.join({ values: [a] }));
  harness.handle([{ kind: 'resync', at: harness.head(), values: null, gap: null } as unknown as ShardMessage]);
  t.deepEqual(
    clients.map(({ socket }) => socket.aborted),
    [true, true],
  );
  t.true(harness.faults.every(({ what }) => what === 'resync'));
  const back = harness.join({ values: [a] });
  harness.event(a, '1');
  harness.drain();
  t.deepEqual(back.socket.paths, ['1']);
  harness.close();
});
