import test from 'ava';
import { nilId } from '../../src/core/event-id.ts';
import { eventAt, newExecution } from '../support/execution-names.ts';
import { startSystem } from '../support/system.ts';

/** Resume: what a cursor behind retention is told. */

// Retention takes away in steps; what it has taken must be said, and what it has not must come.
test('a cursor behind retention: gap expired with the oldest available, then from the oldest kept', async (t) => {
  const system = await startSystem(t, ['--window-bytes=4MiB', '--retention-bytes=16MiB']);
  const execution = newExecution();
  await system.put(execution, { status: 'running' });
  const [first = ''] = await system.publish(eventAt(execution, 'first'));
  const ids = await system.publishMany(execution, 1_600, 20_000);
  // What retention will take it has taken: from here on the oldest kept stays where it is.
  await system.untilMetric('rivulet_journal_newest_sequence', {}, (newest) => newest >= ids.length);
  // Newest is told as it is received, the rest with the next description: one from before the trim says few bytes too.
  await system.untilMetric('rivulet_journal_oldest_sequence', {}, (oldest) => oldest > 1);
  await system.untilMetric('rivulet_journal_retained_bytes', {}, (bytes) => bytes <= 16 * 1024 * 1024);

  const client = await system.sse({ execution_id: execution }, { 'last-event-id': first });
  const gap = await client.first('gap');
  const oldest = String(gap.data['oldest_available']);
  t.deepEqual(gap.data, { type: 'gap', requested: first, oldest_available: oldest, reason: 'expired' });
  t.is(client.received[1]?.event, 'gap');
  t.is((await client.first('ready')).id, undefined);
  const kept = ids.filter((id) => id >= oldest);
  t.true(kept.length > 100 && kept.length < ids.length);
  await client.count(kept.length);
  t.deepEqual(client.ids, kept);
  client.cut();

  // The id of the gap is the position from which it goes on: cut right after it, nothing is lost and nothing said twice.
  const again = await system.sse({ execution_id: execution }, { 'last-event-id': gap.id ?? '' });
  await again.count(kept.length);
  t.deepEqual(again.ids, kept);
  t.is(again.named('gap').length, 0);
  again.cut();

  // Everything retained is everything that was asked for.
  const earliest = await system.sse({ execution_id: execution }, { 'last-event-id': nilId });
  await earliest.count(kept.length);
  t.deepEqual(earliest.ids, kept);
  t.is(earliest.named('gap').length, 0);
  earliest.cut();

  // Whether or not a match was lost: another execution with one event that is kept.
  const late = newExecution();
  await system.publish(eventAt(late, 'late'));
  const other = await system.sse({ execution_id: late }, { 'last-event-id': first });
  await other.count(1);
  t.is((await other.first('gap')).data['reason'], 'expired');
  other.cut();

  // Over, at an expired cursor, is not 204: the client may have missed something.
  await system.put(late, { status: 'completed' });
  const over = await system.sse({ execution_id: late }, { 'last-event-id': first });
  await over.end();
  t.deepEqual(
    over.received.map(({ event }) => event),
    ['ready', 'gap', 'storage.object.created', 'done'],
  );

  const plain = await system.sse({ execution_id: late, control_events: 'false' }, { 'last-event-id': first });
  await plain.end();
  t.deepEqual(plain.paths, ['late']);
  t.is(plain.received.length, 1);
  t.true((await system.metric('rivulet_gaps_total', { reason: 'expired' })) >= 4);
});
