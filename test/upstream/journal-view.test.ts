import test from 'ava';
import { systemClock } from '../../src/core/clock.ts';
import { BusError } from '../../src/core/failure.ts';
import { historyBlockBytes } from '../../src/core/limits.ts';
import { toSequence } from '../../src/core/sequence.ts';
import { BusGateway, descriptionOf } from '../../src/upstream/bus-gateway.ts';
import { JournalView } from '../../src/upstream/journal-view.ts';
import { testId } from '../support/record-batch.ts';
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
    journal: descriptionOf(newest),
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
    now.journal.journalId,
    'before the first view there is nothing to compare with',
  );
  view.begin(old.journal, toSequence(5));
  await t.throwsAsync(gateway.describe(null, 2_000), { instanceOf: BusError, message: /another journal/ });
  const until = { sequence: old.newest.sequence, id: old.newest.id as never };
  await t.throwsAsync(
    gateway.history({ executionIds: [a], after: toSequence(0), until, bytesMax: historyBlockBytes }),
    { instanceOf: BusError },
  );
  view.begin(now.journal, now.newest.sequence);
  t.is((await gateway.describe(null, 2_000)).newest.sequence, toSequence(10));
  const own = { sequence: now.newest.sequence, id: now.newest.id as never };
  t.like(await gateway.history({ executionIds: [a], after: toSequence(0), until: own, bytesMax: historyBlockBytes }), {
    kind: 'block',
    through: own,
  });
});

test('a journal put back to before what this router has counts as another', async (t) => {
  const { client, journal } = await busWith(t, 10);
  const view = new JournalView();
  const gateway = new BusGateway(client, view, systemClock);
  view.begin(journal, toSequence(3));
  view.advance(toSequence(10));
  t.is((await gateway.describe(null, 2_000)).newest.sequence, toSequence(10));
  view.advance(toSequence(11));
  await t.throwsAsync(gateway.describe(null, 2_000), { instanceOf: BusError, message: /another journal/ });
});

// The stream and the call are answered on two connections: what comes over the first meanwhile must not count against the second.
test('what arrives while a description is under way is no reason to doubt it', async (t) => {
  const { client, journal } = await busWith(t, 10);
  const view = new JournalView();
  view.begin(journal, toSequence(10));
  const describing = new BusGateway(client, view, systemClock).describe(null, 2_000);
  view.advance(toSequence(12));
  t.is((await describing).newest.sequence, toSequence(10));
});

// Calls and the stream are two connections: a write may reach the journal that has just taken the place of the one our view is of, whose positions are lower.
test('an acknowledgement is of the view only if the journal of the view gave it', async (t) => {
  const old = await busWith(t, 20);
  const now = await busWith(t, 10);
  const view = new JournalView();
  view.begin(old.journal, toSequence(20));
  const toOld = new BusGateway(old.client, view, systemClock);
  const toNow = new BusGateway(now.client, view, systemClock);
  const entry = (source_id: string) =>
    ({ kind: 'event', event: { execution_id: a, stage: 's', path: 'p', source_id } }) as const;
  const atOld = await toOld.publish([entry('1')]);
  t.is(atOld.lastSequence, toSequence(21));
  t.true(await atOld.isOfView(0), 'its tag says so: no call');
  const atNow = await toNow.publish([entry('1')]);
  t.is(atNow.lastSequence, toSequence(11));
  t.false(await atNow.isOfView(2_000), 'position 11 was passed, in another journal');
  t.true(await (await toOld.publish([entry('1')])).isOfView(2_000), 'repeated: the bus knows the id');
  view.begin(now.journal, toSequence(11));
  t.false(await atOld.isOfView(2_000), 'the view has gone over to the other');
  t.true(await atNow.isOfView(2_000));
  t.false(
    view.holds(atOld.ids[0] ?? testId(1), await toNow.describe(atOld.ids[0] ?? '', 2_000)),
    'placed by comparison',
  );
  now.client.close();
  t.false(await (await toOld.publish([entry('2')])).isOfView(2_000));
});

test('what a journal that was put back acknowledges is not of the view: its positions were passed with other records', async (t) => {
  const { client, journal } = await busWith(t, 10);
  const view = new JournalView();
  view.begin(journal, toSequence(40));
  const gateway = new BusGateway(client, view, systemClock);
  const receipt = await gateway.publish([{ kind: 'event', event: { execution_id: a, stage: 's', path: 'p' } }]);
  t.is(receipt.lastSequence, toSequence(11));
  t.false(await receipt.isOfView(2_000));
});
