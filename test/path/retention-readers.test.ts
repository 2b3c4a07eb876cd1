import test, { type ExecutionContext } from 'ava';
import { newExecution } from '../support/execution-names.ts';
import { seeded } from '../support/seed.ts';
import type { SseClient } from '../support/sse-client.ts';
import { type System, startSystem } from '../support/system.ts';

/** Retention passes readers that are in the middle of a catch-up: what it took from them is said, and nothing else is missing. */

const eventBytes = 20_000;

/**
 * The kernel was seen to take 9 MB for a reader that has stopped, 450 events: who has every second one stands some 900 to 1,000 behind its start at 201
 * then. Of 2,000 events retention keeps those from 1,162 on, which such a reader had come to now and then; of these it keeps those from 1,562 on.
 */
const eventsInAll = 2_400;

interface Reader {
  readonly name: string;
  readonly client: SseClient;
  /** What it is owed from its start on, over the whole run; filled when the run is over. */
  readonly wants: (index: number) => boolean;
  /** Index of the first event that it may see. */
  readonly from: number;
}

/** Takes some more events, then stops reading. What the sockets between hold goes on into them. */
async function readSome(client: SseClient, events: number): Promise<void> {
  const enough = client.eventCount + events;
  client.resume();
  await client.until(({ eventCount }) => eventCount >= enough, `${events} events more`);
  client.pause();
}

/** Retention has taken what it will take of so many events. */
async function trimmed(system: System, newest: number): Promise<void> {
  await system.untilMetric('rivulet_journal_newest_sequence', {}, (value) => value >= newest);
  const kept = Math.floor((16 * 1024 * 1024) / eventBytes);
  await system.untilMetric('rivulet_journal_oldest_sequence', {}, (value) => value >= newest - kept);
}

/**
 * The log of one reader: runs of all that matches, without a hole, between two runs always a gap, and behind each gap what is oldest.
 * Answers how many events retention took from it.
 */
function checkLog(t: ExecutionContext, reader: Reader, ids: readonly string[]): { gaps: number; missed: number } {
  const owed = ids.filter((_, index) => index >= reader.from && reader.wants(index));
  const at = new Map(owed.map((id, index) => [id, index]));
  let next = 0;
  let missed = 0;
  let gaps = 0;
  let before: string | null = null;
  for (const { event, id = '', data } of reader.client.received) {
    if (event === 'gap') {
      gaps += 1;
      t.is(data['reason'], 'overtaken', reader.name);
      const oldest = String(data['oldest_available']);
      if (before !== null) t.true(String(data['requested']) >= before, `${reader.name}: requested is where it stood`);
      const resumed = owed.findIndex((one) => one >= oldest);
      t.true(resumed >= next, `${reader.name}: a gap goes forward`);
      missed += resumed - next;
      next = resumed;
    } else if (event === 'storage.object.created') {
      const place = at.get(id) ?? -1;
      t.is(place, next, `${reader.name}: event ${place} of ${owed.length} where ${next} was owed, behind ${gaps} gaps`);
      next += 1;
      before = id;
    }
  }
  t.is(next, owed.length, `${reader.name}: up to the last`);
  return { gaps, missed };
}

async function openReaders(system: System, execution: string, ids: readonly string[]): Promise<Reader[]> {
  const open = async (name: string, from: number, cursor: string | null, half: boolean): Promise<Reader> => {
    const query = { execution_id: execution, ...(half ? { path: 'even*' } : {}) };
    const client =
      cursor === 'earliest'
        ? await system.sse({ ...query, last_event_id: 'earliest' })
        : await system.sse(query, cursor === null ? {} : { 'last-event-id': cursor });
    await client.first('ready');
    return { name, client, from, wants: (index) => !half || index % 2 === 0 };
  };
  const last = ids.length;
  return Promise.all([
    open('from the first', 1, ids[0] ?? '', false),
    open('from the middle', 201, ids[200] ?? '', false),
    open('from the middle, half of them', 201, ids[200] ?? '', true),
    open('earliest', 0, 'earliest', false),
    open('earliest, half of them', 0, 'earliest', true),
    open('live', last, null, false),
  ]);
}

test('readers at different places that retention overtakes: contiguous runs with a gap between, never a hole', async (t) => {
  const random = seeded(t);
  const system = await startSystem(t, ['--window-bytes=4MiB', '--retention-bytes=16MiB']);
  const execution = newExecution();
  await system.put(execution, { status: 'running' });
  const ids: string[] = [];
  const padding = Object.fromEntries(Array.from({ length: 20 }, (_, n) => [`k${n}`, 'x'.repeat(eventBytes / 20)]));
  const publish = async (count: number): Promise<void> => {
    const events = Array.from({ length: count }, (_, n) => {
      const index = ids.length + n;
      return {
        execution_id: execution,
        stage: 's',
        path: `${index % 2 === 0 ? 'even' : 'odd'}${index}`,
        metadata: padding,
      };
    });
    ids.push(...(await system.publish(...events)));
  };
  const publishTo = async (count: number): Promise<void> => {
    while (ids.length < count) await publish(Math.min(45, count - ids.length));
  };
  await publishTo(750);
  const readers = await openReaders(system, execution, ids);
  for (const { client } of readers) client.pause();
  for (const { client, name } of readers) if (name !== 'live') await readSome(client, 1 + random.below(60));
  await publishTo(eventsInAll);
  await trimmed(system, ids.length);
  for (const { client } of readers) client.resume();
  await publish(2);
  const evens = ids.filter((_, index) => index % 2 === 0);
  for (const { client, wants } of readers) {
    const last = wants(1) ? ids.at(-1) : evens.at(-1);
    await client.until(({ received }) => received.at(-1)?.id === last, 'the last event');
  }
  const results = readers.map((reader) => ({ name: reader.name, ...checkLog(t, reader, ids) }));
  for (const { name, gaps, missed } of results) t.log(`${name}: ${gaps} gaps, ${missed} events taken by retention`);
  t.log(`${ids.length} events of ${eventBytes} bytes`);
  // Each but the live one stood behind what was taken, in the middle of what it was sent.
  for (const { name, gaps, missed } of results) if (name !== 'live') t.true(gaps > 0 && missed > 0, name);
  const gaps = results.reduce((sum, one) => sum + one.gaps, 0);
  t.is(await system.metric('rivulet_gaps_total', { reason: 'overtaken' }), gaps);
});
