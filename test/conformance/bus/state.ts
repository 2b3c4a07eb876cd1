import { type Check, equal, holds, matches } from '../kit/check.ts';
import { type BusDoor, change, event, methods, newExecution, statuses } from './door.ts';
import { at, foreign, runOf } from './runs.ts';

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
