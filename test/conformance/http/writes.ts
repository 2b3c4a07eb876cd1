import { type Check, equal, holds, matches, rising } from '../kit/check.ts';
import { errorResponse, eventAt, type HttpDoor, type Json, jsonOf, newExecution } from './door.ts';

const long = (length: number): string => 'x'.repeat(length);

const metadataOf = (keys: number, value = 'v'): Json =>
  Object.fromEntries(Array.from({ length: keys }, (_, index) => [`k${index}`, value]));

interface Bound {
  readonly name: string;
  /** Taken. */
  readonly fits: Json;
  /** Refused, at `field`. */
  readonly beyond: Json;
  readonly field: readonly unknown[];
}

const bounds: readonly Bound[] = [
  { name: 'stage-512-bytes', fits: { stage: long(512) }, beyond: { stage: long(513) }, field: ['stage'] },
  {
    name: 'stage-32-segments',
    fits: { stage: `${'a/'.repeat(31)}a` },
    beyond: { stage: `${'a/'.repeat(32)}a` },
    field: ['stage'],
  },
  { name: 'path-1024-bytes', fits: { path: long(1_024) }, beyond: { path: long(1_025) }, field: ['path'] },
  {
    name: 'path-64-segments',
    fits: { path: `${'a/'.repeat(63)}a` },
    beyond: { path: `${'a/'.repeat(64)}a` },
    field: ['path'],
  },
  {
    name: 'metadata-32-keys',
    fits: { metadata: metadataOf(32) },
    beyond: { metadata: metadataOf(33) },
    field: ['metadata'],
  },
  {
    name: 'metadata-key-128-bytes',
    fits: { metadata: { [long(128)]: 'v' } },
    beyond: { metadata: { [long(129)]: 'v' } },
    field: ['metadata'],
  },
  {
    name: 'metadata-value-1024-bytes',
    fits: { metadata: { k: long(1_024) } },
    beyond: { metadata: { k: long(1_025) } },
    field: ['metadata', 'k'],
  },
];

const boundChecks: readonly Check<HttpDoor>[] = bounds.map(({ name, fits, beyond, field }) => ({
  id: `http/publish/limit-${name}`,
  section: 'publish: Limits',
  run: async (door) => {
    const execution = await door.running();
    equal((await door.post(eventAt(execution, 'a', fits))).status, 202, 'the limit itself is taken');
    const [loc] = await door.refused(eventAt(execution, 'a', beyond));
    // A name that is too long may be cut in its own loc.
    equal((loc as unknown[]).slice(0, 1 + field.length), ['body', ...field], 'loc of one above it');
  },
}));

const malformed: readonly (readonly [string, (execution: string) => unknown, readonly unknown[]])[] = [
  ['no-execution', () => ({ stage: 'a', path: 'b' }), ['execution_id']],
  ['execution-no-uuid', () => eventAt('nightly', 'a'), ['execution_id']],
  ['no-stage', (execution) => ({ execution_id: execution, path: 'a' }), ['stage']],
  ['no-path', (execution) => ({ execution_id: execution, stage: 'a' }), ['path']],
  ['empty-segment', (execution) => eventAt(execution, 'a//b'), ['path']],
  ['dot-segment', (execution) => eventAt(execution, '../b'), ['path']],
  ['slash-at-the-end', (execution) => eventAt(execution, 'a/'), ['path']],
  ['slash-at-the-start', (execution) => eventAt(execution, 'a', { stage: '/a' }), ['stage']],
  ['control-character', (execution) => eventAt(execution, 'a\nb'), ['path']],
  ['metadata-no-text', (execution) => eventAt(execution, 'a', { metadata: { k: 1 } }), ['metadata', 'k']],
  ['empty-batch', () => ({ events: [] }), ['events']],
  [
    '1001-events',
    (execution) => ({ events: Array.from({ length: 1_001 }, () => eventAt(execution, 'a')) }),
    ['events'],
  ],
];

const malformedChecks: readonly Check<HttpDoor>[] = malformed.map(([name, body, field]) => ({
  id: `http/publish/refuses-${name}`,
  section: 'publish: Limits',
  run: async (door) => {
    const [loc] = await door.refused(body(newExecution()));
    equal(loc, ['body', ...field], 'loc');
  },
}));

const acceptChecks: readonly Check<HttpDoor>[] = [
  {
    id: 'http/publish/one',
    section: 'publish: Answers',
    run: async (door) => {
      const answer = await door.post(eventAt(newExecution(), 'a'));
      equal(answer.status, 202, 'the status');
      const body = jsonOf(answer);
      equal([Object.keys(body), body['accepted']], [['accepted', 'ids'], 1], 'the body');
      matches((body['ids'] as unknown[])[0], /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab]/, 'its id');
    },
  },
  {
    id: 'http/publish/batch-of-1000-in-order',
    section: 'publish: Answers',
    run: async (door) => {
      const execution = await door.running();
      const stream = await door.watch({ execution_id: execution });
      const paths = Array.from({ length: 1_000 }, (_, index) => `p${index}`);
      const ids = await door.publish(...paths.map((path) => eventAt(execution, path)));
      rising(ids, 'ids rise in the order of the request');
      await stream.count(1_000);
      equal(stream.paths, paths, 'delivered in that order');
    },
  },
  {
    id: 'http/publish/atomic-batch',
    section: 'publish: Limits',
    run: async (door) => {
      const execution = await door.running();
      const events = [eventAt(execution, 'good'), eventAt(execution, '/bad'), eventAt(execution, 'good too')];
      const [loc] = await door.refused({ events });
      equal(loc, ['body', 'events', 1, 'path'], 'loc names the event');
      equal((await door.execution(execution))['events'], 0, 'nothing of the batch is appended');
    },
  },
  {
    id: 'http/publish/event-json-64-kib',
    section: 'publish: Limits',
    run: async (door) => {
      const metadata = metadataOf(32, '"'.repeat(1_024));
      const [loc] = await door.refused(eventAt(newExecution(), 'a', { metadata }));
      equal(loc, ['body'], 'loc: the event as a whole');
    },
  },
  {
    id: 'http/publish/json-only',
    section: 'publish: Answers',
    run: async (door) => {
      const body = eventAt(newExecution(), 'a');
      for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data']) {
        errorResponse(await door.post(body, { 'content-type': type }), 415);
      }
      equal((await door.post(body, { 'content-type': 'application/json; charset=utf-8' })).status, 202, 'parameters');
    },
  },
  {
    id: 'http/publish/body-1-mib',
    section: 'publish: Limits',
    run: async (door) => {
      const text = JSON.stringify(eventAt(newExecution(), 'a'));
      equal((await door.post(text.padEnd(1_048_576, ' '))).status, 202, 'the limit itself is taken');
      errorResponse(await door.post(text.padEnd(1_048_577, ' ')), 413);
    },
  },
  {
    id: 'http/publish/not-json',
    section: 'publish: Answers',
    run: async (door) => {
      equal((await door.post('{"execution_id":')).status, 422, 'the status');
    },
  },
  {
    id: 'http/publish/no-cross-origin-write',
    section: 'access: CORS',
    run: async (door) => {
      const execution = await door.running();
      const answer = await door.post(eventAt(execution, 'a'), { origin: 'https://conformance.invalid' });
      holds(answer.status === 403, 'a foreign page cannot write', answer.status);
      equal((await door.execution(execution))['events'], 0, 'nothing is appended');
    },
  },
  {
    id: 'http/publish/source-id-again',
    section: 'publish: Idempotency',
    run: async (door) => {
      const execution = await door.running();
      const event = eventAt(execution, 'a', { source_id: 's-1' });
      const [first] = await door.publish(event);
      const [again, other] = await door.publish(event, eventAt(execution, 'b', { source_id: 's-2' }));
      equal(again, first, "acknowledged with the first one's id");
      holds(other !== first, 'another source_id is another event', other);
      equal((await door.execution(execution))['events'], 2, 'events');
      const [elsewhere] = await door.publish(eventAt(newExecution(), 'a', { source_id: 's-1' }));
      holds(elsewhere !== first, 'the key belongs to its execution', elsewhere);
    },
  },
  {
    id: 'http/publish/source-id-in-one-batch',
    section: 'publish: Idempotency',
    run: async (door) => {
      const execution = await door.running();
      const [one, two] = [eventAt(execution, '1', { source_id: 'a' }), eventAt(execution, '2', { source_id: 'b' })];
      const ids = await door.publish(one, two, one, two);
      equal(ids, [ids[0], ids[1], ids[0], ids[1]], 'they share an id, in the order of the request');
      holds(ids[0] !== ids[1], 'two events', ids);
      equal((await door.execution(execution))['events'], 2, 'events');
    },
  },
  {
    id: 'http/publish/source-id-conflict',
    section: 'publish: Idempotency',
    run: async (door) => {
      const execution = await door.running();
      await door.publish(eventAt(execution, 'a', { source_id: 's', size: 1 }));
      const answer = await door.post({
        events: [eventAt(execution, 'new'), eventAt(execution, 'a', { source_id: 's', size: 2 })],
      });
      errorResponse(answer, 409);
      equal((await door.execution(execution))['events'], 1, 'nothing of the batch is appended');
    },
  },
  {
    id: 'http/publish/visible-at-once',
    section: 'publish: Answers',
    run: async (door) => {
      for (let round = 0; round < 40; round += 1) {
        const [execution, tag] = [newExecution(), `conformance-${newExecution().slice(0, 18)}`];
        if (round % 2 === 0) await door.publish(eventAt(execution, 'a'));
        else await door.change(execution, { status: 'running', tags: [tag] });
        const answers = await Promise.all(
          Array.from({ length: 4 }, () => door.open({ execution_id: round % 2 === 0 ? execution : tag })),
        );
        equal(
          answers.map(({ status }) => status),
          [200, 200, 200, 200],
          `round ${round}: the very next request sees the write, on any connection`,
        );
        for (const stream of answers) stream.cut();
      }
    },
  },
];

export const publishChecks: readonly Check<HttpDoor>[] = [...acceptChecks, ...boundChecks, ...malformedChecks];
