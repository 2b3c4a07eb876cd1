import { type Check, equal, holds } from '../kit/check.ts';
import { type BusDoor, change, event, methods, newExecution } from './door.ts';
import { at, batchBytesMax, batchRecordsMax, runOf } from './runs.ts';

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
