import type {
  PositionMessage,
  PublishResponseMessage,
  RecordBatchMessage,
} from '../../../src/wire/bus/bus-messages.ts';
import { type Check, equal, holds, matches, present } from '../kit/check.ts';
import { type BusDoor, change, event, type Feed, methods, newExecution, statuses } from './door.ts';

const batchBytesMax = 1_048_576;
const batchRecordsMax = 1_000;

interface Run extends PublishResponseMessage {
  readonly execution: string;
  /** Of each id. */
  readonly sequences: readonly number[];
}

/** A new execution with so many events. */
async function runOf(bus: BusDoor, count: number): Promise<Run> {
  const execution = newExecution();
  const answer = await bus.publish(...Array.from({ length: count }, (_, n) => event(execution, `e${n}`)));
  const { records } = await bus.read({ execution_ids: [execution] });
  return { ...answer, execution, sequences: records.map(({ sequence }) => sequence) };
}

const at = <T>(list: readonly T[], index: number): T => present(list.at(index), `number ${index}`);

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

/** An id like ours of another journal, or of no journal: the same but for its last 22 bits, the tag. */
function foreign(id: string): string {
  const tail = Number.parseInt(id.slice(-6), 16);
  return id.slice(0, -6) + (tail ^ 0x15_5555).toString(16).padStart(6, '0');
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

export const readChecks: readonly Check<BusDoor>[] = [
  {
    id: 'bus/read/by-executions',
    section: 'proto: ReadRequest.execution_ids',
    run: async (bus) => {
      const [first, second, third] = [newExecution(), newExecution(), newExecution()];
      const ids: string[] = [];
      for (let round = 0; round < 20; round += 1) {
        const answer = await bus.publish(event(first, 'a'), event(second, 'b'), event(third, 'c'));
        ids.push(at(answer.ids, 0), at(answer.ids, 2));
      }
      const { records } = await bus.read({ execution_ids: [third.toUpperCase(), first, third] });
      equal(
        records.map(({ id }) => id),
        ids,
        'theirs, in journal order, each once',
      );
    },
  },
  {
    id: 'bus/read/of-nobody',
    section: 'proto: RecordBatch.through_sequence',
    run: async (bus) => {
      const { last_sequence } = await runOf(bus, 2);
      const { records, through } = await bus.read({ execution_ids: [newExecution()] });
      equal(records, [], 'no record');
      holds(through >= last_sequence, 'and the whole range was looked at', through);
    },
  },
  {
    id: 'bus/read/range',
    section: 'proto: ReadRequest',
    run: async (bus) => {
      const run = await runOf(bus, 8);
      const [from, to] = [at(run.sequences, 2), at(run.sequences, 5)];
      const range = { execution_ids: [run.execution], after_sequence: from, until_sequence: to };
      const { records, through } = await bus.read(range);
      equal(
        records.map(({ id }) => id),
        run.ids.slice(3, 6),
        'after is exclusive, until inclusive',
      );
      equal(through, to, 'through_sequence');
      const whole = await bus.read({ after_sequence: from, until_sequence: to });
      equal(
        whole.records.filter((record) => record.event?.execution_id === run.execution).map(({ id }) => id),
        run.ids.slice(3, 6),
        'the same among all executions',
      );
    },
  },
  {
    id: 'bus/read/limit-records',
    section: 'proto: ReadRequest.limit_records',
    run: async (bus) => {
      const run = await runOf(bus, 8);
      const query = { execution_ids: [run.execution], limit_records: 3 };
      const { records, through } = await bus.read(query);
      equal(
        records.map(({ id }) => id),
        run.ids.slice(0, 3),
        'the first three',
      );
      const next = await bus.read({ ...query, after_sequence: through });
      equal(
        next.records.map(({ id }) => id),
        run.ids.slice(3, 6),
        'and on from through_sequence',
      );
    },
  },
  {
    id: 'bus/read/limit-bytes',
    section: 'proto: ReadRequest.limit_bytes',
    run: async (bus) => {
      const run = await runOf(bus, 200);
      const { records, batches } = await bus.read({ execution_ids: [run.execution], limit_bytes: 4_096 });
      holds(records.length > 0 && records.length < 200, 'some of them', records.length);
      const bytes = batches.reduce((sum, batch) => sum + batch.bytes, 0);
      holds(bytes < 3 * 4_096, 'about so many bytes', bytes);
      equal(
        records.map(({ id }) => id),
        run.ids.slice(0, records.length),
        'the first ones',
      );
    },
  },
  {
    id: 'bus/read/events-only',
    section: 'proto: ReadRequest.events_only',
    run: async (bus) => {
      const execution = newExecution();
      const { ids } = await bus.publish(
        event(execution, 'a'),
        change(execution, { tags: ['x'] }),
        event(execution, 'b'),
      );
      const { records } = await bus.read({ execution_ids: [execution], events_only: true });
      equal(
        records.map(({ id }) => id),
        [at(ids, 0), at(ids, 2)],
        'changes are left out',
      );
    },
  },
  {
    id: 'bus/read/batch-bounds',
    section: 'proto: SIZES',
    run: async (bus) => {
      const execution = newExecution();
      const large = Array.from({ length: 240 }, (_, n) => event(execution, `l${n}`, { uri: 'u'.repeat(4_000) }));
      const small = Array.from({ length: 700 }, (_, n) => event(execution, `s${n}`));
      for (const entries of [large, small, small, large]) await bus.publish(...entries);
      const { records, batches } = await bus.read({ execution_ids: [execution], limit_bytes: 10_000_000 });
      equal(records.length, 1_880, 'all of them');
      for (const batch of batches) {
        holds(batch.bytes <= batchBytesMax || batch.records === 1, 'at most 1 MiB', batch);
        holds(batch.records <= batchRecordsMax, 'at most 1,000 records', batch);
      }
    },
  },
  {
    id: 'bus/read/malformed-execution',
    section: 'proto: ERRORS',
    run: async (bus) => {
      const { code, violations } = await bus.feed(methods.read, { execution_ids: [newExecution(), 'x'] }).refused();
      equal([code, violations[0]?.field], ['INVALID_ARGUMENT', 'execution_ids[1]'], 'the code and the field');
    },
  },
];

export const stateChecks: readonly Check<BusDoor>[] = [
  {
    id: 'bus/executions/snapshot',
    section: 'proto: Executions',
    run: async (bus) => {
      const [first, second, unknown] = [newExecution(), newExecution(), newExecution()];
      const at1 = '2026-01-01T00:00:00.000Z';
      const { ids, last_sequence } = await bus.publish(
        event(first, 'a', { size: 4, time: at1 }),
        change(second, { status: statuses.failed, tags: ['x'], reason: 'disk' }),
      );
      const feed = bus.feed(methods.executions, { execution_ids: [first, second.toUpperCase(), unknown] });
      await feed.until(() => feed.ended, 'the end of the snapshot');
      const facts = new Map(
        feed.messages.flatMap(({ executions }) => executions).map((one) => [one.execution_id, one]),
      );
      equal([...facts.keys()].sort(), [first, second].sort(), 'those that it knows');
      const [a, b] = [facts.get(first), facts.get(second)];
      equal([a?.status, a?.events, a?.bytes, a?.last_id], [statuses.running, 1, 4, at(ids, 0)], 'facts of the first');
      equal([a?.first_event_time, a?.last_event_time], [at1, at1], 'its times');
      equal([b?.status, b?.reason, b?.events, b?.last_id], [statuses.failed, 'disk', 0, at(ids, 1)], 'of the second');
      const complete = feed.messages.map(({ snapshot_complete }) => snapshot_complete);
      equal(complete.filter(Boolean).length, 1, 'snapshot_complete once');
      equal(complete.at(-1), true, 'on the last message');
      holds(
        at(feed.messages, -1).as_of_sequence >= last_sequence,
        'as of a sequence at or after the publish',
        complete,
      );
    },
  },
  {
    id: 'bus/executions/then-its-changes',
    section: 'proto: Executions',
    run: async (bus) => {
      const run = await runOf(bus, 1);
      const feed = bus.feed(methods.executions, { execution_ids: [run.execution], follow: true });
      await feed.until(() => feed.messages.some((one) => one.snapshot_complete), 'the snapshot');
      const snapshot = feed.messages.length;
      const { last_sequence } = await bus.publish(change(run.execution, { status: statuses.completed, tags: ['y'] }));
      await feed.until(() => feed.messages.length > snapshot, 'a change');
      const changed = at(feed.messages, snapshot);
      equal(
        changed.executions.map(({ execution_id, status, tags }) => [execution_id, status, tags.map(({ tag }) => tag)]),
        [[run.execution, statuses.completed, ['y']]],
        'the execution as it is now',
      );
      holds(changed.as_of_sequence >= last_sequence, 'as of the change', changed.as_of_sequence);
      equal(changed.snapshot_complete, false, 'snapshot_complete is set once');
      feed.cancel();
    },
  },
  {
    id: 'bus/describe/identity-and-ends',
    section: 'proto: Describe',
    run: async (bus) => {
      const run = await runOf(bus, 2);
      const [one, two] = [await bus.describe(), await bus.describe()];
      matches(one.journal_id, /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/, 'journal_id is a UUID');
      equal(
        [two.journal_id, two.journal_tag, two.created_time],
        [one.journal_id, one.journal_tag, one.created_time],
        'the identity stays',
      );
      holds(one.newest_sequence >= run.last_sequence, 'newest covers what was acknowledged', one.newest_sequence);
      holds(one.oldest_sequence >= 1 && one.oldest_sequence <= run.last_sequence, 'oldest', one.oldest_sequence);
      holds(one.origin_id < one.oldest_id && one.oldest_id <= one.newest_id, 'origin < oldest <= newest', one);
      const tagOf = (id: string): number => Number.parseInt(id.slice(-6), 16) % 2 ** 22;
      equal(tagOf(at(run.ids, 0)), one.journal_tag, 'journal_tag is in the ids that it stamps');
    },
  },
  {
    id: 'bus/describe/cursor-placed',
    section: 'proto: CursorPlacement',
    run: async (bus) => {
      const run = await runOf(bus, 3);
      for (const cursor of [at(run.ids, 1), at(run.ids, 1).toUpperCase()]) {
        const { placement } = await bus.describe(cursor);
        equal(
          [placement?.verdict, placement?.sequence, placement?.id],
          [1, at(run.sequences, 1), at(run.ids, 1)],
          'PLACED, where it stands',
        );
      }
      equal((await bus.describe()).placement ?? null, null, 'none without a cursor');
    },
  },
  {
    id: 'bus/describe/cursor-not-placed',
    section: 'proto: CursorPlacement',
    run: async (bus) => {
      await runOf(bus, 1);
      const verdict = async (cursor: string): Promise<unknown> => (await bus.describe(cursor)).placement?.verdict;
      equal(await verdict('01000000-0000-7000-8000-000000000001'), 2, 'EXPIRED: older than the journal');
      equal(await verdict('fedcba98-7654-7123-8abc-def012345678'), 3, 'UNKNOWN_POSITION: in the future');
      equal(await verdict('nonsense'), 4, 'MALFORMED');
      equal(await verdict(newExecution()), 4, 'MALFORMED: a UUID of another version');
    },
  },
  {
    id: 'bus/describe/another-generator-is-placed',
    section: 'proto: CursorPlacement',
    run: async (bus) => {
      const run = await runOf(bus, 3);
      const { placement } = await bus.describe(foreign(at(run.ids, 1)));
      const sequence = foreign(at(run.ids, 1)) > at(run.ids, 1) ? at(run.sequences, 1) : at(run.sequences, 0);
      equal([placement?.verdict, placement?.sequence], [1, sequence], 'PLACED by comparison');
    },
  },
];
