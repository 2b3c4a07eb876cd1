import { randomUUID } from 'node:crypto';
import test, { type ExecutionContext } from 'ava';
import { type BusSettings, type RunningBus, startBus } from '../../src/bus/start-bus.ts';
import type { JournalEntry } from '../../src/contract/journal.ts';
import { systemClock } from '../../src/core/clock.ts';
import { historyBlockBytes } from '../../src/core/limits.ts';
import { toSequence } from '../../src/core/sequence.ts';
import { Backoff } from '../../src/upstream/backoff.ts';
import { BusGateway } from '../../src/upstream/bus-gateway.ts';
import { JournalView } from '../../src/upstream/journal-view.ts';
import { Upstream } from '../../src/upstream/upstream.ts';
import { type BusClient, createBusClient } from '../../src/wire/bus/bus-client.ts';
import { FakeSink } from '../support/fake-sink.ts';
import { executionOf } from '../support/shard-harness.ts';
import { temporaryDirectory } from '../support/system.ts';

const a = executionOf(1);

/** A bus that can be stopped and started again on its port, with its directory or with another. */
class Host {
  bus: RunningBus | null = null;
  port = 0;
  readonly #t: ExecutionContext;

  constructor(t: ExecutionContext) {
    this.#t = t;
    t.teardown(() => this.stop());
  }

  async start(settings: Partial<BusSettings> = {}): Promise<RunningBus> {
    const whole = { engine: 'memory', dataDirectory: '', host: '127.0.0.1', port: this.port, ...settings } as const;
    const bus = await startBus(whole, {
      onWarning: (message) => {
        this.#t.log(message);
      },
    });
    this.bus = bus;
    this.port = bus.port;
    return bus;
  }

  async stop(): Promise<void> {
    const bus = this.bus;
    this.bus = null;
    await bus?.stop();
  }
}

interface Router {
  readonly sink: FakeSink;
  readonly upstream: Upstream;
  readonly client: BusClient;
  reconnections: number;
  readonly troubles: string[];
}

function startUpstream(t: ExecutionContext, port: number, fillBytes = 1_048_576): Router {
  const client = createBusClient(`127.0.0.1:${port}`, { clock: systemClock });
  const sink = new FakeSink();
  const troubles: string[] = [];
  const upstream = new Upstream({
    client,
    sink,
    view: new JournalView(),
    clock: systemClock,
    random: () => 0,
    fillBytes,
    onReconnected: () => {
      router.reconnections += 1;
    },
    onTrouble: (what) => {
      troubles.push(what);
    },
  });
  const router: Router = { sink, upstream, client, reconnections: 0, troubles };
  const run = upstream.run();
  t.teardown(async () => {
    upstream.stop();
    client.close();
    await run;
  });
  return router;
}

function events(count: number, bytes = 10): JournalEntry[] {
  return Array.from({ length: count }, (_, index) => ({
    kind: 'event',
    event: { execution_id: a, stage: 's', path: `${index}.md`, metadata: metadataOf(bytes) },
  }));
}

function metadataOf(bytes: number): Record<string, string> {
  const values = Math.ceil(bytes / 1_000);
  return Object.fromEntries(
    Array.from({ length: values }, (_, index) => [`k${index}`, 'v'.repeat(Math.min(bytes, 1_000))]),
  );
}

async function append(bus: RunningBus, entries: readonly JournalEntry[]): Promise<void> {
  await bus.journal.append(entries, 1);
}

function range(from: number, to: number): number[] {
  return Array.from({ length: to - from + 1 }, (_, index) => from + index);
}

test('the fill: a view of the registry, the newest records, and filled once all that the bus had is here', async (t) => {
  const host = new Host(t);
  const bus = await host.start();
  await append(bus, events(50));
  await append(bus, [{ kind: 'change', executionId: a, status: 'completed', tags: ['tag'], reason: '' }]);
  const { sink, troubles } = startUpstream(t, host.port);
  await sink.until(({ fills }) => fills === 1);
  t.is(sink.views.length, 1);
  t.like(sink.views[0], { start: { sequence: 0 }, gap: null });
  t.like(sink.views[0]?.executions[0], { executionId: a, status: 'completed', events: 50 });
  t.is(sink.recordsAtFill, 51);
  t.deepEqual(sink.sequences, range(1, 51));
  t.deepEqual(sink.connections, [true]);
  await append(bus, events(10));
  await sink.until(({ records }) => records.length === 61);
  t.is(sink.fills, 1);
  t.deepEqual(troubles, []);
});

test('the fill takes the newest bytes only, and says where it starts', async (t) => {
  const host = new Host(t);
  const bus = await host.start();
  await append(bus, events(200, 900));
  const { sink } = startUpstream(t, host.port, 20_000);
  await sink.until(({ fills }) => fills === 1);
  const start = sink.views[0]?.start.sequence ?? 0;
  t.true(start > 150 && start < 200, `it starts after ${start}`);
  t.is(String(sink.views[0]?.start.id), (await bus.journal.idAt(start as never)) ?? '');
  t.deepEqual(sink.sequences, range(start + 1, 200));
});

test('an empty journal is filled at once', async (t) => {
  const host = new Host(t);
  const bus = await host.start();
  const { sink } = startUpstream(t, host.port);
  await sink.until(({ fills }) => fills === 1);
  t.is(sink.views[0]?.start.id, bus.journal.describe().originId);
  await append(bus, events(1));
  await sink.until(({ records }) => records.length === 1);
  t.pass();
});

test('a bus that is stopped and comes back on its port: nothing is lost and nothing comes twice', async (t) => {
  const host = new Host(t);
  const dataDirectory = await temporaryDirectory(t);
  const bus = await host.start({ engine: 'lmdb', dataDirectory });
  await append(bus, events(20));
  const router = startUpstream(t, host.port);
  const { sink } = router;
  await sink.until(({ records }) => records.length === 20);
  for (let round = 1; round <= 2; round += 1) {
    await host.stop();
    await sink.until(({ connections }) => connections.at(-1) === false);
    const again = await host.start({ engine: 'lmdb', dataDirectory });
    // Appended before the router is back.
    await append(again, events(10));
    await sink.until(({ records }) => records.length === 20 + 10 * round);
    t.is(router.reconnections, round);
  }
  t.deepEqual(sink.sequences, range(1, 40));
  t.is(sink.views.length, 1, 'the same view goes on');
  t.is(sink.fills, 1);
  t.true(
    sink.presents.every((present) => present.has(a)),
    'what was forgotten meanwhile is asked for',
  );
  t.is(sink.presents.length, 2);
  t.is(sink.connections.at(-1), true);
});

test('a bus that is not there yet is waited for', async (t) => {
  const host = new Host(t);
  await host.start();
  await host.stop();
  const { sink, troubles } = startUpstream(t, host.port);
  await sink.until(({ connections }) => connections.includes(false));
  t.true(troubles.includes('upstream'));
  await host.start();
  await sink.until(({ fills }) => fills === 1);
  t.is(sink.connections.at(-1), true);
});

test('another journal on the same port: a new view with journal_replaced, from where its registry stands', async (t) => {
  const host = new Host(t);
  await append(await host.start(), events(5));
  const { sink } = startUpstream(t, host.port);
  await sink.until(({ records }) => records.length === 5);
  await host.stop();
  const other = await host.start();
  const b = executionOf(2);
  await append(other, [{ kind: 'change', executionId: b, status: 'running', tags: [], reason: '' }]);
  await append(other, events(9));
  await sink.until(({ views }) => views.length === 2);
  const { oldestId, newestId } = other.journal.describe();
  t.deepEqual(sink.views[1]?.gap, {
    reason: 'journal_replaced',
    oldestAvailable: oldestId === '' ? null : oldestId,
    resumeAfter: { sequence: 10 as never, id: newestId },
  });
  t.like(sink.views[1]?.start, { sequence: 10 });
  t.deepEqual(sink.views[1]?.executions.map(({ executionId }) => executionId).sort(), [a, b]);
  await append(other, events(1));
  await sink.until(({ records }) => records.length === 1);
  t.deepEqual(sink.sequences, [11]);
});

// What the first fill was to reach is a position of the old journal: the new one, which is shorter, might not get there for days.
test('a journal that is replaced before the first fill is over: filled with what the new one has', async (t) => {
  const host = new Host(t);
  const bus = await host.start();
  const batches = 40;
  for (let batch = 0; batch < batches; batch += 1) await append(bus, events(20, 20_000));
  const { sink, upstream } = startUpstream(t, host.port, 64 * 1_048_576);
  await sink.until(({ views }) => views.length === 1);
  upstream.hold();
  await host.stop();
  t.is(sink.fills, 0, `${sink.records.length} of ${batches * 20} have come`);
  const other = await host.start();
  await append(other, events(3));
  upstream.release();
  await sink.until(({ views }) => views.length === 2);
  await sink.until(({ fills }) => fills === 1);
  t.is(sink.views[1]?.gap?.reason, 'journal_replaced');
});

test('retention that passes the router while it is away: a new view with overtaken, to be read from the oldest that is kept', async (t) => {
  const host = new Host(t);
  const dataDirectory = await temporaryDirectory(t);
  await append(await host.start({ engine: 'lmdb', dataDirectory }), events(5));
  const { sink } = startUpstream(t, host.port);
  await sink.until(({ records }) => records.length === 5);
  const { port } = host;
  await host.stop();
  // Out of the router's sight, on another port.
  host.port = 0;
  const trimming = await host.start({ engine: 'lmdb', dataDirectory, retentionBytes: 3_000 });
  for (let batch = 0; batch < 10; batch += 1) await append(trimming, events(10, 100));
  while (await trimming.journal.sweep());
  const { oldestSequence, oldestId } = trimming.journal.describe();
  await host.stop();
  t.true(oldestSequence > 6, `the oldest is ${oldestSequence}`);
  host.port = port;
  const again = await host.start({ engine: 'lmdb', dataDirectory });
  await sink.until(({ views }) => views.length === 2);
  t.like(sink.views[1], {
    start: { sequence: 105 },
    gap: { reason: 'overtaken', oldestAvailable: oldestId, resumeAfter: { sequence: oldestSequence - 1 } },
  });
  await append(again, events(1));
  await sink.until(({ records }) => records.length === 1);
  t.deepEqual(sink.sequences, [106]);
});

/** So many round trips that whatever was on its way to the router has come. */
async function roundTrips(client: BusClient): Promise<void> {
  for (let trip = 0; trip < 50; trip += 1) await client.describe();
}

test('held back, the stream stands while other calls are answered; released, it goes on with nothing lost', async (t) => {
  const host = new Host(t);
  const bus = await host.start();
  await append(bus, events(1));
  const { sink, upstream, client } = startUpstream(t, host.port);
  await sink.until(({ fills }) => fills === 1);
  upstream.hold();
  const batches = 40;
  for (let batch = 0; batch < batches; batch += 1) await append(bus, events(20, 20_000));
  const total = 1 + batches * 20;
  await roundTrips(client);
  t.true(sink.records.length < total / 2, `${sink.records.length} of ${total} came while it was held back`);
  upstream.release();
  await sink.until(({ records }) => records.length === total);
  t.deepEqual(sink.sequences, range(1, total));
});

test('a stream that is held back stays so over a reconnection', async (t) => {
  const host = new Host(t);
  const dataDirectory = await temporaryDirectory(t);
  await append(await host.start({ engine: 'lmdb', dataDirectory }), events(1));
  const { sink, upstream, client } = startUpstream(t, host.port);
  await sink.until(({ fills }) => fills === 1);
  upstream.hold();
  await host.stop();
  await sink.until(({ connections }) => connections.at(-1) === false);
  const again = await host.start({ engine: 'lmdb', dataDirectory });
  await append(again, events(5));
  await sink.until(({ presents }) => presents.length === 1);
  await roundTrips(client);
  t.is(sink.records.length, 1);
  upstream.release();
  await sink.until(({ records }) => records.length === 6);
  t.deepEqual(sink.sequences, range(1, 6));
});

test('history: blocks up to their bound, a start that retention has passed, and executions that nobody has', async (t) => {
  const host = new Host(t);
  const bus = await host.start({ retentionBytes: 3_000 });
  await append(bus, events(300, 2_000));
  const client = createBusClient(`127.0.0.1:${host.port}`, { clock: systemClock });
  t.teardown(() => {
    client.close();
  });
  const gateway = new BusGateway(client, new JournalView(), systemClock);
  const last = await bus.journal.idAt(toSequence(300));
  if (last === null) throw new TypeError('record 300 was appended');
  const until = { sequence: toSequence(300), id: last };
  let after = toSequence(0);
  let blocks = 0;
  for (; after < 300; blocks += 1) {
    const outcome = await gateway.history({ executionIds: [a], after, until, bytesMax: historyBlockBytes });
    if (outcome.kind !== 'block') throw new TypeError('nothing is gone yet');
    t.true(outcome.through.sequence > after && outcome.through.sequence <= 300);
    t.true(outcome.length > 0 && outcome.length <= 262_144 && outcome.bytes.byteLength === 262_144);
    gateway.giveBack(outcome.bytes);
    t.is(String(outcome.through.id), (await bus.journal.idAt(outcome.through.sequence)) ?? '');
    after = outcome.through.sequence;
  }
  t.true(blocks > 2);
  // A tag may grow beyond what the bus takes in one call: then all is read, and the shard leaves out what is not watched.
  const many = [a, ...Array.from({ length: 10_000 }, () => randomUUID())];
  const wide = await gateway.history({
    executionIds: many,
    after: toSequence(299),
    until,
    bytesMax: historyBlockBytes,
  });
  t.like(wide, { kind: 'block', through: until });
  t.true(wide.kind === 'block' && wide.length > 0);
  const nobody = await gateway.history({ executionIds: [], after: toSequence(0), until, bytesMax: historyBlockBytes });
  t.like(nobody, { kind: 'block', through: until });
  await append(bus, events(1));
  while (await bus.journal.sweep());
  const { oldestSequence, oldestId } = bus.journal.describe();
  t.true(oldestSequence > 1);
  t.like(await gateway.history({ executionIds: [a], after: toSequence(0), until, bytesMax: historyBlockBytes }), {
    kind: 'too-old',
    resumeAfter: { sequence: oldestSequence - 1 },
    oldestAvailable: oldestId,
  });
});

test('backoff doubles to its cap, spread over the whole of it but never none', (t) => {
  const least = new Backoff(100, 5_000, () => 0);
  const most = new Backoff(100, 5_000, () => 1);
  const waits = Array.from({ length: 8 }, () => most.next());
  t.deepEqual(waits, [100, 200, 400, 800, 1_600, 3_200, 5_000, 5_000]);
  t.is(least.next(), 10);
  most.reset();
  t.is(most.next(), 100);
});
