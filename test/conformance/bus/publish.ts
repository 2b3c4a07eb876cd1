import { type Check, equal, holds, matches, present, rising } from '../kit/check.ts';
import { type BusDoor, change, event, newExecution, type Refusal, statuses } from './door.ts';

const long = (length: number): string => 'x'.repeat(length);

const metadataOf = (keys: number): Record<string, string> =>
  Object.fromEntries(Array.from({ length: keys }, (_, index) => [`k${index}`, 'v']));

const fieldsOf = ({ violations }: Refusal): readonly string[] => violations.map(({ field }) => field);

function invalid(refusal: Refusal, fields: readonly string[]): void {
  equal(refusal.code, 'INVALID_ARGUMENT', 'the code');
  equal(fieldsOf(refusal), fields, 'the fields of google.rpc.BadRequest');
  for (const { description } of refusal.violations) matches(description, /./, 'each says why');
}

const orderChecks: readonly Check<BusDoor>[] = [
  {
    id: 'bus/publish/ids-rise-in-order',
    section: 'proto: ORDER',
    run: async (bus) => {
      const execution = newExecution();
      const ids: string[] = [];
      let newest = 0;
      for (let round = 0; round < 10; round += 1) {
        const answer = await bus.publish(event(execution, 'a'), event(execution, 'b'), event(execution, 'c'));
        holds(answer.last_sequence > newest, 'last_sequence rises', answer.last_sequence);
        newest = answer.last_sequence;
        ids.push(...answer.ids);
      }
      for (const id of ids)
        matches(id, /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/, 'an id');
      rising(ids, 'ids rise as text, in the order of the request');
      const { records } = await bus.read({ execution_ids: [execution] });
      equal(
        records.map(({ id }) => id),
        ids,
        'and so they are stored',
      );
    },
  },
  {
    id: 'bus/publish/durable-at-last-sequence',
    section: 'proto: DURABILITY',
    run: async (bus) => {
      const execution = newExecution();
      const { ids, last_sequence } = await bus.publish(event(execution, 'a'), event(execution, 'b'));
      const { records } = await bus.read({ execution_ids: [execution], until_sequence: last_sequence });
      equal(
        records.map(({ id }) => id),
        ids,
        'what is acknowledged is visible up to last_sequence',
      );
      equal(records.at(-1)?.sequence, last_sequence, 'which is the last of the batch');
    },
  },
  {
    id: 'bus/publish/record-is-what-was-published',
    section: 'proto: StorageEvent',
    run: async (bus) => {
      const execution = newExecution();
      const metadata = { k: 'v', empty: '' };
      const more = { size: 0, content_type: 'text/plain', checksum: 'sha256:x', uri: 'file:///x', source_id: 's' };
      await bus.publish(
        event(execution.toUpperCase(), 'a/B.MD', { ...more, metadata, extension: 'wrong', topic: 'wrong' }),
      );
      const { records } = await bus.read({ execution_ids: [execution] });
      const stored = present(records[0]?.event, 'the record has an event');
      const { time, ...rest } = stored;
      matches(time, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/, 'time is that of the append');
      equal(
        { ...rest, metadata: { ...rest.metadata } },
        {
          ...{ execution_id: execution, stage: 'ingest', path: 'a/B.MD', extension: '.md', ...more, metadata },
          topic: '/topic/system.storage.events',
        },
        'the event, with what the bus settles',
      );
    },
  },
  {
    id: 'bus/publish/atomic-batch',
    section: 'proto: Publish',
    run: async (bus) => {
      const [first, second] = [newExecution(), newExecution()];
      const refusal = await bus.refused(event(first, 'a'), event(second, 'a//b'), event(first, 'c'));
      invalid(refusal, ['entries[1].event.path']);
      equal([await bus.execution(first), await bus.execution(second)], [undefined, undefined], 'nothing is appended');
    },
  },
  {
    id: 'bus/publish/atomic-batch-with-a-final-status',
    section: 'proto: Publish',
    run: async (bus) => {
      const [over, other] = [newExecution(), newExecution()];
      await bus.publish(change(over, { status: statuses.completed }));
      const refusal = await bus.refused(event(other, 'a'), change(over, { status: statuses.running }));
      equal(refusal.code, 'FAILED_PRECONDITION', 'the code');
      equal(await bus.execution(other), undefined, 'nothing is appended');
    },
  },
];

const faultChecks: readonly Check<BusDoor>[] = [
  {
    id: 'bus/publish/every-field-violation',
    section: 'proto: ERRORS',
    run: async (bus) => {
      const execution = newExecution();
      const refusal = await bus.refused(
        event(execution, 'a'),
        event(execution, 'a', { stage: 'a//b', metadata: { 'k\n': 'v' } }),
        event('nightly', '../x'),
      );
      invalid(refusal, [
        'entries[1].event.stage',
        'entries[1].event.metadata["k\\n"]',
        'entries[2].event.execution_id',
        'entries[2].event.path',
      ]);
    },
  },
  {
    id: 'bus/publish/entry-without-a-body',
    section: 'proto: PublishEntry',
    run: async (bus) => {
      invalid(await bus.refused({}), ['entries[0]']);
    },
  },
  {
    id: 'bus/publish/unknown-status',
    section: 'proto: ExecutionStatus',
    run: async (bus) => {
      invalid(await bus.refused(change(newExecution(), { status: 9 })), ['entries[0].change.status']);
    },
  },
  {
    id: 'bus/publish/change-of-nothing',
    section: 'proto: ExecutionChange',
    run: async (bus) => {
      const refusal = await bus.refused(change(newExecution(), {}));
      equal(refusal.code, 'INVALID_ARGUMENT', 'the code');
      matches(fieldsOf(refusal)[0], /^entries\[0\]\.change/, 'the field');
    },
  },
];

interface Bound {
  readonly name: string;
  readonly fits: object;
  readonly beyond: object;
  readonly field: string;
}

const bounds: readonly Bound[] = [
  { name: 'stage-512-bytes', fits: { stage: long(512) }, beyond: { stage: long(513) }, field: 'stage' },
  {
    name: 'stage-32-segments',
    fits: { stage: `${'a/'.repeat(31)}a` },
    beyond: { stage: `${'a/'.repeat(32)}a` },
    field: 'stage',
  },
  { name: 'path-1024-bytes', fits: { path: long(1_024) }, beyond: { path: long(1_025) }, field: 'path' },
  {
    name: 'path-64-segments',
    fits: { path: `${'a/'.repeat(63)}a` },
    beyond: { path: `${'a/'.repeat(64)}a` },
    field: 'path',
  },
  {
    name: 'metadata-32-keys',
    fits: { metadata: metadataOf(32) },
    beyond: { metadata: metadataOf(33) },
    field: 'metadata',
  },
  {
    name: 'metadata-value-1024-bytes',
    fits: { metadata: { k: long(1_024) } },
    beyond: { metadata: { k: long(1_025) } },
    field: 'metadata.k',
  },
  { name: 'size-2-to-the-53', fits: { size: 2 ** 53 - 1 }, beyond: { size: 2 ** 53 }, field: 'size' },
];

const boundChecks: readonly Check<BusDoor>[] = [
  ...bounds.map(
    ({ name, fits, beyond, field }): Check<BusDoor> => ({
      id: `bus/publish/limit-${name}`,
      section: 'proto: SIZES',
      run: async (bus) => {
        const execution = newExecution();
        await bus.publish(event(execution, 'a', fits));
        invalid(await bus.refused(event(execution, 'a', beyond)), [`entries[0].event.${field}`]);
        equal((await bus.execution(execution))?.events, 1, 'the limit itself is taken, one above it is not');
      },
    }),
  ),
  {
    id: 'bus/publish/limit-1000-entries',
    section: 'proto: SIZES',
    run: async (bus) => {
      const execution = newExecution();
      const entries = (count: number) => Array.from({ length: count }, (_, n) => event(execution, `p${n}`));
      rising((await bus.publish(...entries(1_000))).ids, '1,000 are taken');
      equal((await bus.refused(...entries(1_001))).code, 'INVALID_ARGUMENT', '1,001 are not');
      equal((await bus.refused()).code, 'INVALID_ARGUMENT', 'nor none');
      equal((await bus.execution(execution))?.events, 1_000, 'events');
    },
  },
  {
    id: 'bus/publish/limit-1-mib',
    section: 'proto: SIZES',
    run: async (bus) => {
      const execution = newExecution();
      const entries = (count: number) =>
        Array.from({ length: count }, () => event(execution, 'a', { uri: long(4_000) }));
      await bus.publish(...entries(250));
      equal((await bus.refused(...entries(270))).code, 'INVALID_ARGUMENT', 'above 1 MiB');
      equal((await bus.execution(execution))?.events, 250, 'events');
    },
  },
  {
    id: 'bus/publish/limit-tags',
    section: 'proto: ERRORS',
    run: async (bus) => {
      const execution = newExecution();
      const tags = Array.from({ length: 101 }, (_, n) => `conformance-${n}`);
      const refusal = await bus.refused(change(execution, { tags }));
      equal(refusal.code, 'RESOURCE_EXHAUSTED', 'the code');
      equal(fieldsOf(refusal), ['entries[0].change.tags'], 'the field');
      equal(await bus.execution(execution), undefined, 'nothing is appended');
      for (const tag of ['', 'a\nb', long(129), newExecution()]) {
        const [field] = fieldsOf(await bus.refused(change(execution, { tags: [tag] })));
        matches(field, /^entries\[0\]\.change\.tags/, `the tag ${JSON.stringify(tag)}`);
      }
      await bus.publish(change(execution, { tags: [long(128)] }));
    },
  },
  {
    id: 'bus/publish/limit-reason-1024-bytes',
    section: 'proto: SIZES',
    run: async (bus) => {
      const execution = newExecution();
      await bus.publish(
        change(execution, { status: statuses.running, reason: `${long(1_015)}\nline\n\ttab`.slice(0, 1_024) }),
      );
      const refusal = await bus.refused(change(execution, { status: statuses.failed, reason: long(1_025) }));
      invalid(refusal, ['entries[0].change.reason']);
    },
  },
];

export const publishChecks: readonly Check<BusDoor>[] = [...orderChecks, ...faultChecks, ...boundChecks];
