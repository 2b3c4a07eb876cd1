import { type Check, equal, holds, matches, rising } from '../kit/check.ts';
import { eventAt, type Headers, type HttpDoor, last, newTag, nilId, type Query, storageEvent } from './door.ts';
import type { EventStream } from './event-stream.ts';

interface Over {
  readonly execution: string;
  readonly ids: readonly string[];
  /** The id of its `done`. */
  readonly done: string;
}

/** An execution that is over with three events. */
async function over(door: HttpDoor): Promise<Over> {
  const execution = await door.running();
  const stream = await door.watch({ execution_id: execution });
  const ids = await door.publish(...['a.md', 'b.txt', 'c.txt'].map((path) => eventAt(execution, path)));
  await door.change(execution, { status: 'completed' });
  await stream.end();
  return { execution, ids, done: (await stream.first('done')).id ?? '' };
}

async function whole(door: HttpDoor, query: Query, headers: Headers = {}): Promise<EventStream> {
  const stream = await door.open(query, headers);
  await stream.end();
  return stream;
}

async function noContent(door: HttpDoor, query: Query, headers: Headers = {}): Promise<void> {
  const stream = await whole(door, query, headers);
  equal(stream.status, 204, '204 tells a browser to stop');
  equal(stream.text, '', 'no body');
}

export const endChecks: readonly Check<HttpDoor>[] = [
  {
    id: 'http/end/done',
    section: 'events: End',
    run: async (door) => {
      const execution = await door.running();
      const stream = await door.watch({ execution_id: execution });
      const ids = await door.publish(eventAt(execution, 'a'), eventAt(execution, 'b'));
      await door.change(execution, { status: 'completed' });
      await stream.end();
      equal(stream.kinds, ['ready', storageEvent, storageEvent, 'done'], 'the frames');
      const done = await stream.first('done');
      rising([last(ids), done.id ?? ''], 'its id is a position after the last event');
      equal(done.names, ['id', 'event', 'data'], 'its lines');
      equal(
        done.json,
        `{"type":"done","reason":"executions_terminal","executions":[{"execution_id":"${execution}","status":"completed"}],"last_event_id":"${done.id}"}`,
        'its JSON',
      );
    },
  },
  {
    id: 'http/end/terminal-statuses',
    section: 'events: End',
    run: async (door) => {
      for (const status of ['completed', 'failed', 'cancelled']) {
        const execution = await door.running();
        const stream = await door.watch({ execution_id: execution });
        await door.change(execution, { status });
        await stream.end();
        const { data } = await stream.first('done');
        equal(data['executions'], [{ execution_id: execution, status }], status);
      }
    },
  },
  {
    id: 'http/end/last-of-a-set',
    section: 'events: End',
    run: async (door) => {
      const [first, second] = [await door.running(), await door.running()];
      const stream = await door.watch({ execution_id: [first, second] });
      await door.change(second, { status: 'failed' });
      await door.publish(eventAt(first, 'one'), eventAt(second, 'late'));
      await stream.count(2);
      equal(stream.named('done').length, 0, 'not over while one runs');
      await door.change(first, { status: 'completed' });
      await stream.end();
      equal(stream.paths, ['one', 'late'], 'the events');
      equal((await stream.first('done')).data['reason'], 'executions_terminal', 'reason');
    },
  },
  {
    id: 'http/end/nothing-matches',
    section: 'events: End',
    run: async (door) => {
      const execution = await door.running();
      const stream = await door.watch({ execution_id: execution, stage: 'nowhere' });
      await door.publish(eventAt(execution, 'a'));
      await door.change(execution, { status: 'completed' });
      await stream.end();
      equal(stream.kinds, ['ready', 'done'], 'the frames');
    },
  },
  {
    id: 'http/end/keep-open',
    section: 'events: End',
    run: async (door) => {
      const execution = await door.running();
      const stream = await door.watch({ execution_id: execution, keep_open: 'true' });
      await door.change(execution, { status: 'completed' });
      await door.publish(eventAt(execution, 'late'));
      await stream.count(1);
      equal(stream.kinds, ['ready', storageEvent], 'no done, and what is written after the end');
    },
  },
  {
    id: 'http/end/tag-waits-with-keep-open',
    section: 'events: End',
    run: async (door) => {
      const tag = newTag();
      const first = await door.running(tag);
      const open = await door.watch({ execution_id: tag, keep_open: 'true' });
      const closing = await door.watch({ execution_id: tag });
      await door.change(first, { status: 'completed' });
      await closing.end();
      equal(closing.kinds, ['ready', 'done'], 'without keep_open it is over');
      const second = await door.running(tag);
      await door.publish(eventAt(second, 'next'));
      await open.count(1);
      equal(open.paths, ['next'], 'with it the next one is watched');
    },
  },
  {
    id: 'http/end/late-event-to-a-cursor',
    section: 'events: Executions',
    run: async (door) => {
      const execution = await door.running();
      await door.change(execution, { status: 'completed' });
      await door.publish(eventAt(execution, 'late'));
      const stream = await whole(door, { execution_id: execution, last_event_id: 'earliest' });
      equal(stream.kinds, ['ready', storageEvent, 'done'], 'the frames');
    },
  },
  {
    id: 'http/end/timeout',
    section: 'events: End',
    run: async (door) => {
      const execution = await door.running();
      const startMs = performance.now();
      const stream = await door.watch({ execution_id: execution, timeout: '1' });
      await door.publish(eventAt(execution, 'a'));
      await stream.end();
      const tookMs = performance.now() - startMs;
      holds(tookMs > 900, 'not before its second', `${tookMs} ms`);
      const done = await stream.first('done');
      equal(done.data['reason'], 'timeout', 'reason');
      equal(done.data['executions'], [{ execution_id: execution, status: 'running' }], 'executions');
      await door.publish(eventAt(execution, 'b'));
      const next = await door.watch({ execution_id: execution }, { 'last-event-id': done.id ?? '' });
      await next.count(1);
      equal([...stream.paths, ...next.paths], ['a', 'b'], 'its id is where the next connection starts');
    },
  },
  {
    id: 'http/end/timeout-of-the-others',
    section: 'events: Query',
    run: async (door) => {
      const execution = await door.running();
      const open = await door.watch({ execution_id: execution, timeout: '1', keep_open: 'true' });
      const plain = await door.open({ execution_id: execution, timeout: '1.0', control_events: 'false' });
      await Promise.all([open.end(), plain.end()]);
      equal((await open.first('done')).data['reason'], 'timeout', 'keep_open');
      equal(plain.frames.length, 0, 'without control events it just ends');
    },
  },
  {
    id: 'http/end/204',
    section: 'events: 204',
    run: async (door) => {
      const { execution, done } = await over(door);
      await noContent(door, { execution_id: execution }, { 'last-event-id': done });
      await noContent(door, { execution_id: execution, last_event_id: done.toUpperCase(), stage: 'nowhere' });
    },
  },
  {
    id: 'http/end/200-before-the-terminal-change',
    section: 'events: 204',
    run: async (door) => {
      const { execution, ids } = await over(door);
      const stream = await whole(door, { execution_id: execution }, { 'last-event-id': last(ids) });
      equal(stream.status, 200, 'nobody misses the done');
      equal(stream.kinds, ['ready', 'done'], 'the frames');
    },
  },
  {
    id: 'http/end/204-without-control-events',
    section: 'events: 204',
    run: async (door) => {
      const { execution, ids } = await over(door);
      const plain = { execution_id: execution, control_events: 'false' };
      await noContent(door, plain, { 'last-event-id': last(ids) });
      const left = await whole(door, plain, { 'last-event-id': ids[1] ?? '' });
      equal([left.status, left.paths], [200, ['c.txt']], 'while something is left it is 200');
      await noContent(door, { ...plain, extension: 'md' }, { 'last-event-id': ids[0] ?? '' });
    },
  },
  {
    id: 'http/end/200-without-a-position',
    section: 'events: 204',
    run: async (door) => {
      const { execution } = await over(door);
      for (const [cursor, events] of [
        ['', 0],
        [nilId, 3],
        ['earliest', 3],
        ['latest', 0],
        ['nonsense', 0],
      ] as const) {
        const query = { execution_id: execution, ...(cursor === '' ? {} : { last_event_id: cursor }) };
        const stream = await whole(door, query);
        equal([stream.status, stream.events.length], [200, events], `last_event_id=${cursor}`);
        equal(stream.kinds.at(-1), 'done', 'it ends with done');
      }
    },
  },
  {
    id: 'http/end/200-when-events-came-after',
    section: 'events: 204',
    run: async (door) => {
      const { execution, done } = await over(door);
      await door.publish(eventAt(execution, 'late'));
      const stream = await whole(door, { execution_id: execution }, { 'last-event-id': done });
      equal([stream.status, stream.kinds], [200, ['ready', storageEvent, 'done']], 'what came after the end');
    },
  },
  {
    id: 'http/end/200-while-something-goes-on',
    section: 'events: 204',
    run: async (door) => {
      const { execution, done } = await over(door);
      const other = await door.running();
      const open = await door.watch({ execution_id: execution, keep_open: 'true' }, { 'last-event-id': done });
      const set = await door.watch({ execution_id: [execution, other] }, { 'last-event-id': done });
      await door.publish(eventAt(execution, 'x'), eventAt(other, 'y'));
      await Promise.all([open.count(1), set.count(2)]);
      equal([open.kinds.includes('done'), set.kinds.includes('done')], [false, false], 'neither is over');
    },
  },
  {
    id: 'http/end/done-is-a-start',
    section: 'events: End',
    run: async (door) => {
      const { execution, ids, done } = await over(door);
      matches(done, /^[0-9a-f-]{36}$/, 'the id of done');
      rising([...ids, done], 'it stands after all that was handed over');
      await door.publish(eventAt(execution, 'late'));
      const next = await whole(door, { execution_id: execution, last_event_id: done });
      equal(next.paths, ['late'], 'the next connection has what came after');
    },
  },
];
