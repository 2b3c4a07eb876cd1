import { type Check, equal, holds, present } from '../kit/check.ts';
import { type BusDoor, change, event, newExecution, statuses } from './door.ts';

/** What the bus settles at append: idempotency, finality, tags. */
export const settlingChecks: readonly Check<BusDoor>[] = [
  {
    id: 'bus/idempotency/across-publishes',
    section: 'proto: StorageEvent.source_id',
    run: async (bus) => {
      const execution = newExecution();
      const source = event(execution, 'a', { source_id: 'w-1', size: 5 });
      const { ids } = await bus.publish(event(execution, 'b'), source);
      const again = await bus.publish(source, event(execution, 'c'), source);
      equal([again.ids[0], again.ids[2]], [ids[1], ids[1]], "acknowledged with the first one's id");
      equal((await bus.execution(execution))?.events, 3, 'events');
      const elsewhere = await bus.publish(event(newExecution(), 'a', { source_id: 'w-1', size: 6 }));
      holds(elsewhere.ids[0] !== ids[1], 'the key belongs to its execution', elsewhere.ids);
    },
  },
  {
    id: 'bus/idempotency/within-a-batch',
    section: 'proto: StorageEvent.source_id',
    run: async (bus) => {
      const execution = newExecution();
      const [one, two] = [event(execution, '1', { source_id: 'a' }), event(execution, '2', { source_id: 'b' })];
      const { ids } = await bus.publish(one, two, one, two);
      equal(ids, [ids[0], ids[1], ids[0], ids[1]], 'they share an id, in the order of the request');
      equal((await bus.execution(execution))?.events, 2, 'events');
    },
  },
  {
    id: 'bus/idempotency/of-racing-publishes',
    section: 'proto: StorageEvent.source_id',
    run: async (bus) => {
      const execution = newExecution();
      const source = event(execution, 'a', { source_id: 'w-1' });
      const answers = await Promise.all(Array.from({ length: 8 }, () => bus.publish(source)));
      equal(new Set(answers.flatMap(({ ids }) => ids)).size, 1, 'one id');
      equal((await bus.execution(execution))?.events, 1, 'one event');
    },
  },
  {
    id: 'bus/idempotency/conflict',
    section: 'proto: ERRORS',
    run: async (bus) => {
      const execution = newExecution();
      await bus.publish(event(execution, 'a', { source_id: 'w-1', size: 1 }));
      const refusal = await bus.refused(event(execution, 'new'), event(execution, 'a', { source_id: 'w-1', size: 2 }));
      equal(refusal.code, 'ALREADY_EXISTS', 'the code');
      const within = [event(execution, 'b', { source_id: 'w-2' }), event(execution, 'c', { source_id: 'w-2' })];
      equal((await bus.refused(...within)).code, 'ALREADY_EXISTS', 'within a batch');
      equal((await bus.execution(execution))?.events, 1, 'nothing of either batch is appended');
      await bus.publish(event(execution, 'd', { source_id: 'w-2' }));
      equal((await bus.execution(execution))?.events, 2, 'a refused batch does not use its keys up');
    },
  },
  {
    id: 'bus/finality/another-status',
    section: 'proto: ERRORS',
    run: async (bus) => {
      for (const status of [statuses.completed, statuses.failed, statuses.cancelled]) {
        const execution = newExecution();
        await bus.publish(change(execution, { status }));
        for (const other of Object.values(statuses).filter((one) => one !== status)) {
          const { code } = await bus.refused(change(execution, { status: other }));
          equal(code, 'FAILED_PRECONDITION', `${status}, then ${other}`);
        }
        equal((await bus.execution(execution))?.status, status, 'it stays as it was');
      }
    },
  },
  {
    id: 'bus/finality/within-a-batch',
    section: 'proto: ERRORS',
    run: async (bus) => {
      const execution = newExecution();
      const batch = [change(execution, { status: statuses.completed }), change(execution, { status: statuses.failed })];
      equal((await bus.refused(...batch)).code, 'FAILED_PRECONDITION', 'the code');
      equal(await bus.execution(execution), undefined, 'nothing is appended');
    },
  },
  {
    id: 'bus/finality/the-same-again',
    section: 'proto: PublishResponse.ids',
    run: async (bus) => {
      const execution = newExecution();
      const { ids } = await bus.publish(change(execution, { status: statuses.failed }));
      await bus.publish(event(execution, 'late'));
      const again = await bus.publish(change(execution, { status: statuses.failed }));
      equal(again.ids, ids, "it has the last change's id");
      const { records } = await bus.read({ execution_ids: [execution] });
      equal(records.length, 2, 'and appends nothing');
      const facts = await bus.execution(execution);
      equal([facts?.events, facts?.late_events], [1, 1], 'an event after the end is taken, and counted');
    },
  },
  {
    id: 'bus/change/tags-are-only-added',
    section: 'proto: ExecutionChange.tags',
    run: async (bus) => {
      const execution = newExecution();
      await bus.publish(change(execution, { status: statuses.pending, tags: ['a', 'b', 'a'] }));
      await bus.publish(change(execution, { status: statuses.completed }));
      const added = await bus.publish(change(execution, { tags: ['b', 'c'] }));
      const repeated = await bus.publish(change(execution, { status: statuses.completed, tags: ['c', 'a'] }));
      equal(repeated.ids, added.ids, 'a change that changes nothing appends nothing');
      const { records } = await bus.read({ execution_ids: [execution] });
      equal(
        records.map(({ change: one }) => [one?.status, one?.tags, one?.status_changed]),
        [
          [statuses.pending, ['a', 'b'], true],
          [statuses.completed, [], true],
          [statuses.completed, ['c'], false],
        ],
        'status that results, tags that were new, status_changed',
      );
      const [first, , third] = records.map(({ sequence }) => sequence);
      equal(
        (await bus.execution(execution))?.tags.map(({ tag, sequence }) => [tag, sequence]),
        [
          ['a', first],
          ['b', first],
          ['c', third],
        ],
        'each tag with the sequence that added it',
      );
    },
  },
  {
    id: 'bus/change/named-by-events-is-running',
    section: 'proto: Execution',
    run: async (bus) => {
      const execution = newExecution();
      await bus.publish(event(execution, 'a'));
      const named = present(await bus.execution(execution), 'the execution is known');
      equal([named.status, named.status_sequence], [statuses.running, 0], 'running, and nobody said so');
      const said = await bus.publish(change(execution, { status: statuses.running }));
      const again = await bus.publish(change(execution, { status: statuses.running }));
      equal(again.ids, said.ids, 'saying so is a change once');
      equal((await bus.execution(execution))?.status_sequence, said.last_sequence, 'status_sequence');
    },
  },
];
