import type { PositionMessage, RecordBatchMessage } from '../../../src/wire/bus/bus-messages.ts';
import { type Check, equal, holds, matches } from '../kit/check.ts';
import { type BusDoor, event, type Feed } from './door.ts';
import { at, batchBytesMax, batchRecordsMax, foreign, type Run, runOf } from './runs.ts';

const idsOf = (feed: Feed<RecordBatchMessage>, execution: string): string[] =>
  feed.messages
    .flatMap(({ records }) => records)
    .filter(({ event: one, change: other }) => (one ?? other)?.execution_id === execution)
    .map(({ id }) => id);

/** Subscribed from there, the stream has these of the run, each once, then what comes. */
async function brings(bus: BusDoor, run: Run, from: PositionMessage, expected: readonly string[]): Promise<void> {
  const feed = bus.subscribe(from);
  await feed.until(() => feed.messages.length > 0, 'the start position');
  const live = await bus.publish(event(run.execution, 'live'));
  await feed.until(() => idsOf(feed, run.execution).includes(at(live.ids, 0)), 'what was published meanwhile');
  equal(idsOf(feed, run.execution), [...expected, ...live.ids], `from ${JSON.stringify(from)}`);
  feed.cancel();
}

async function startOf(bus: BusDoor, from: PositionMessage): Promise<RecordBatchMessage> {
  const feed = bus.subscribe(from);
  await feed.until(() => feed.messages.length > 0, 'the start position');
  feed.cancel();
  return at(feed.messages, 0);
}

export const subscribeChecks: readonly Check<BusDoor>[] = [
  {
    id: 'bus/subscribe/newest',
    section: 'proto: Position.newest',
    run: async (bus) => {
      await brings(bus, await runOf(bus, 3), { newest: true }, []);
    },
  },
  {
    id: 'bus/subscribe/oldest',
    section: 'proto: Position.oldest',
    run: async (bus) => {
      await runOf(bus, 1);
      const before = await bus.describe();
      const feed = bus.subscribe({ oldest: true });
      await feed.until(() => feed.messages.some(({ records }) => records.length > 0), 'the first record');
      feed.cancel();
      const first = at(
        feed.messages.flatMap(({ records }) => records),
        0,
      );
      // Retention may move on between the two.
      holds(first.sequence >= before.oldest_sequence, 'it begins at the oldest kept', first.sequence);
      const after = await bus.describe();
      holds(first.sequence <= after.oldest_sequence, 'and leaves none out', [first.sequence, after.oldest_sequence]);
    },
  },
  {
    id: 'bus/subscribe/first-message-is-the-start',
    section: 'proto: RecordBatch.through_sequence',
    run: async (bus) => {
      const run = await runOf(bus, 3);
      const start = await startOf(bus, { after: { sequence: at(run.sequences, 1), id: at(run.ids, 1) } });
      equal([start.records.length, start.through_sequence], [0, at(run.sequences, 1)], 'an empty batch at the start');
      equal(start.through_id, at(run.ids, 1), 'with its id');
    },
  },
  {
    id: 'bus/subscribe/after-sequence',
    section: 'proto: Position.after',
    run: async (bus) => {
      const run = await runOf(bus, 4);
      await brings(bus, run, { after: { sequence: at(run.sequences, 1), id: '' } }, run.ids.slice(2));
    },
  },
  {
    id: 'bus/subscribe/after-sequence-and-id',
    section: 'proto: Position.after',
    run: async (bus) => {
      const run = await runOf(bus, 4);
      await brings(bus, run, { after: { sequence: at(run.sequences, 0), id: at(run.ids, 0) } }, run.ids.slice(1));
    },
  },
  {
    id: 'bus/subscribe/after-id',
    section: 'proto: Position.after_id',
    run: async (bus) => {
      const run = await runOf(bus, 4);
      await brings(bus, run, { after_id: at(run.ids, 2) }, run.ids.slice(3));
    },
  },
  {
    id: 'bus/subscribe/last-bytes',
    section: 'proto: Position.last_bytes',
    run: async (bus) => {
      const run = await runOf(bus, 4);
      await brings(bus, run, { last_bytes: batchBytesMax }, run.ids);
      const near = await startOf(bus, { last_bytes: 1 });
      holds(near.through_sequence >= at(run.sequences, -1), 'a byte is at most one record', near.through_sequence);
    },
  },
  {
    id: 'bus/subscribe/live-once-each-in-order',
    section: 'proto: REDELIVERY',
    run: async (bus) => {
      const run = await runOf(bus, 1);
      const feed = bus.subscribe({ after_id: at(run.ids, 0) });
      const ids: string[] = [];
      for (let round = 0; round < 50; round += 1) {
        ids.push(...(await bus.publish(event(run.execution, `a${round}`), event(run.execution, `b${round}`))).ids);
      }
      await feed.until(() => idsOf(feed, run.execution).length >= ids.length, '100 records');
      equal(idsOf(feed, run.execution), ids, 'each once, in order');
      const sequences = feed.messages.flatMap(({ records }) => records.map(({ sequence }) => sequence));
      holds(
        sequences.every((sequence, index) => index === 0 || sequence > at(sequences, index - 1)),
        'sequences rise',
        sequences,
      );
      const through = feed.messages.map(({ through_sequence }) => through_sequence);
      holds(
        through.every((one, index) => index === 0 || one >= at(through, index - 1)),
        'through_sequence rises',
        through,
      );
    },
  },
  {
    id: 'bus/subscribe/batch-bounds',
    section: 'proto: SIZES',
    run: async (bus) => {
      const run = await runOf(bus, 1);
      const large = Array.from({ length: 240 }, (_, n) => event(run.execution, `l${n}`, { uri: 'u'.repeat(4_000) }));
      const small = Array.from({ length: 700 }, (_, n) => event(run.execution, `s${n}`));
      const answers = [];
      for (const entries of [large, small, small, large]) answers.push(await bus.publish(...entries));
      const ids = answers.flatMap((answer) => answer.ids);
      const feed = bus.subscribe({ after_id: at(run.ids, 0) });
      await feed.until(() => idsOf(feed, run.execution).length >= ids.length, `${ids.length} records`);
      equal(idsOf(feed, run.execution), ids, 'all of them');
      for (const [index, { records }] of feed.messages.entries()) {
        holds(at(feed.sizes, index) <= batchBytesMax || records.length === 1, 'at most 1 MiB', feed.sizes);
        holds(records.length <= batchRecordsMax, 'at most 1,000 records', records.length);
      }
    },
  },
  {
    id: 'bus/subscribe/another-journal',
    section: 'proto: ERRORS',
    run: async (bus) => {
      const run = await runOf(bus, 2);
      const identity = await bus.describe();
      const positions: readonly PositionMessage[] = [
        { after: { sequence: at(run.sequences, 1), id: at(run.ids, 0) } },
        { after: { sequence: at(run.sequences, 1), id: foreign(at(run.ids, 1)) } },
        { after: { sequence: 2 ** 52 - 1, id: '' } },
      ];
      for (const from of positions) {
        const { code, trailers } = await bus.subscribe(from).refused();
        equal(code, 'ABORTED', `from ${JSON.stringify(from)}`);
        equal(trailers.get('rivulet-journal-id'), [identity.journal_id], 'trailer rivulet-journal-id');
        equal(trailers.get('rivulet-journal-tag'), [String(identity.journal_tag)], 'trailer rivulet-journal-tag');
      }
    },
  },
  {
    id: 'bus/subscribe/out-of-range',
    section: 'proto: ERRORS',
    run: async (bus) => {
      await runOf(bus, 1);
      const { oldest_sequence } = await bus.describe();
      const positions: PositionMessage[] = [{ after_id: '01000000-0000-7000-8000-000000000001' }];
      if (oldest_sequence > 2) positions.push({ after: { sequence: 1, id: '' } });
      for (const from of positions) {
        const { code, trailers } = await bus.subscribe(from).refused();
        equal(code, 'OUT_OF_RANGE', `from ${JSON.stringify(from)}`);
        const oldest = Number(trailers.get('rivulet-oldest-sequence')[0]);
        holds(oldest >= oldest_sequence, 'trailer rivulet-oldest-sequence', oldest);
      }
    },
  },
  {
    id: 'bus/subscribe/malformed-position',
    section: 'proto: Position',
    run: async (bus) => {
      for (const from of [{}, { after_id: 'x' }, { after: { sequence: 1, id: 'x' } }]) {
        const { code, violations } = await bus.subscribe(from).refused();
        equal(code, 'INVALID_ARGUMENT', JSON.stringify(from));
        matches(violations[0]?.field, /^from/, 'the field');
      }
    },
  },
];
