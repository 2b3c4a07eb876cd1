import test from 'ava';
import { systemClock } from '../../src/core/clock.ts';
import { BusError } from '../../src/core/failure.ts';
import { historyBlockBytes } from '../../src/core/limits.ts';
import { toSequence } from '../../src/core/sequence.ts';
import { BusGateway } from '../../src/upstream/bus-gateway.ts';
import { JournalView } from '../../src/upstream/journal-view.ts';
import { runningBus } from '../support/running-bus.ts';
import { executionOf } from '../support/shard-harness.ts';

const a = executionOf(1);

async function busWith(t: Parameters<typeof runningBus>[0], count: number) {
  const running = await runningBus(t);
  const event = { execution_id: a, stage: 's', path: 'p' };
  await running.bus.journal.append(
    Array.from({ length: count }, () => ({ kind: 'event', event }) as const),
    1,
  );
  const newest = await running.client.describe();
  return {
    ...running,
    newest: { sequence: toSequence(newest.newest_sequence), id: newest.newest_id },
    id: newest.journal_id,
  };
}

// Without this a client with a position of the new journal is given what the old one has behind that sequence, and 404 for what is new.
test('what another journal answers counts as no answer, until the router is in it too', async (t) => {
  const old = await busWith(t, 20);
  const now = await busWith(t, 10);
  const view = new JournalView();
  const gateway = new BusGateway(now.client, view, systemClock);
  t.is(
    (await gateway.describe(null, 2_000)).journalId,
    now.id,
    'before the first view there is nothing to compare with',
  );
  view.begin(old.id, toSequence(5));
  await t.throwsAsync(gateway.describe(null, 2_000), { instanceOf: BusError, message: /another journal/ });
  const until = { sequence: old.newest.sequence, id: old.newest.id as never };
  await t.throwsAsync(
    gateway.history({ executionIds: [a], after: toSequence(0), until, bytesMax: historyBlockBytes }),
    { instanceOf: BusError },
  );
  view.begin(now.id, now.newest.sequence);
  t.is((await gateway.describe(null, 2_000)).newest.sequence, toSequence(10));
  const own = { sequence: now.newest.sequence, id: now.newest.id as never };
  t.like(await gateway.history({ executionIds: [a], after: toSequence(0), until: own, bytesMax: historyBlockBytes }), {
    kind: 'block',
    through: own,
  });
});

test('a journal put back to before what this router has counts as another', async (t) => {
  const { client, id } = await busWith(t, 10);
  const view = new JournalView();
  const gateway = new BusGateway(client, view, systemClock);
  view.begin(id, toSequence(3));
  view.advance(toSequence(10));
  t.is((await gateway.describe(null, 2_000)).newest.sequence, toSequence(10));
  view.advance(toSequence(11));
  await t.throwsAsync(gateway.describe(null, 2_000), { instanceOf: BusError, message: /another journal/ });
});

// The stream and the call are answered on two connections: what comes over the first meanwhile must not count against the second.
test('what arrives while a description is under way is no reason to doubt it', async (t) => {
  const { client, id } = await busWith(t, 10);
  const view = new JournalView();
  view.begin(id, toSequence(10));
  const describing = new BusGateway(client, view, systemClock).describe(null, 2_000);
  view.advance(toSequence(12));
  t.is((await describing).newest.sequence, toSequence(10));
});
