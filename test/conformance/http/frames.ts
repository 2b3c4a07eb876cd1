import { type Check, equal, holds, matches, rising } from '../kit/check.ts';
import { correlationOf, eventAt, type HttpDoor, newTag, storageEvent } from './door.ts';

const uuidV7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

/** The head and the bytes of a stream. */
export const frameChecks: readonly Check<HttpDoor>[] = [
  {
    id: 'http/stream/headers',
    section: 'events: Headers',
    run: async (door) => {
      const { headers } = await door.watch({ execution_id: await door.running() }, { 'x-request-id': 'conformance-1' });
      equal(headers['content-type'], 'text/event-stream; charset=utf-8', 'content-type');
      equal(headers['cache-control'], 'no-store, no-transform', 'cache-control');
      equal(headers['x-accel-buffering'], 'no', 'x-accel-buffering');
      equal(correlationOf({ headers }), 'conformance-1', 'the correlation id');
    },
  },
  {
    id: 'http/stream/ready-first',
    section: 'events: Frames',
    run: async (door) => {
      const stream = await door.watch({ execution_id: await door.running() });
      const [ready] = stream.frames;
      equal(ready?.event, 'ready', 'the first frame');
      equal(
        ready?.names.filter((name) => name !== 'retry'),
        ['id', 'event', 'data'],
        'its lines',
      );
      equal(ready?.retry, '1000', 'retry');
      matches(ready?.json, /^\{"type":"ready",/, 'its JSON begins with the type');
      matches(ready?.id, uuidV7, 'its id is a position');
      equal(ready?.data['last_event_id'], ready?.id, 'last_event_id is the id');
    },
  },
  {
    id: 'http/stream/ready-executions',
    section: 'events: Frames',
    run: async (door) => {
      const first = await door.running();
      const second = await door.running();
      await door.change(second, { status: 'pending' });
      const stream = await door.watch({ execution_id: [first, second] });
      const { data } = await stream.first('ready');
      equal(
        new Set(data['executions'] as unknown[]),
        new Set([
          { execution_id: first, status: 'running' },
          { execution_id: second, status: 'pending' },
        ]),
        'each execution with its status',
      );
    },
  },
  {
    id: 'http/stream/frame-bytes',
    section: 'events: Frames',
    run: async (door) => {
      const execution = await door.running();
      const stream = await door.watch({ execution_id: execution });
      const before = stream.text.length;
      const [id] = await door.publish(eventAt(execution, 'a/b.md'));
      await stream.count(1);
      const json = stream.events[0]?.json ?? '';
      const bytes = stream.text.slice(before).replace(/^(?::\n)*/, '');
      equal(bytes, `id: ${id}\nevent: ${storageEvent}\ndata: ${json}\n\n`, 'id, event, data, with LF');
    },
  },
  {
    id: 'http/stream/json-key-order',
    section: 'events: Event',
    run: async (door) => {
      const execution = await door.running();
      const stream = await door.watch({ execution_id: execution });
      const [id] = await door.publish({
        ...{ source_id: 'mine', metadata: { k: 'v' }, time: '2026-11-24T14:27:48.123Z', uri: 'file:///x' },
        ...{ checksum: 'sha256:00', content_type: 'text/markdown', size: 1234 },
        ...{ path: 'reports/Summary.MD', stage: 'boost/routines', execution_id: execution },
      });
      await stream.count(1);
      const json =
        `{"id":"${id}","type":"${storageEvent}","execution_id":"${execution}","stage":"boost/routines","path":"reports/Summary.MD",` +
        `"extension":".md","size":1234,"content_type":"text/markdown","checksum":"sha256:00","uri":"file:///x",` +
        `"time":"2026-11-24T14:27:48.123Z","metadata":{"k":"v"}}`;
      equal(stream.events[0]?.json, json, 'the JSON of an event with everything');
    },
  },
  {
    id: 'http/stream/json-absent-keys',
    section: 'events: Event',
    run: async (door) => {
      const execution = await door.running();
      const stream = await door.watch({ execution_id: execution });
      await door.publish(eventAt(execution, 'Makefile'));
      await stream.count(1);
      const { data } = await stream.first(storageEvent);
      equal(Object.keys(data), ['id', 'type', 'execution_id', 'stage', 'path', 'time'], 'absent keys are left out');
      matches(data['time'], /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/, 'time is that of the append');
    },
  },
  {
    id: 'http/stream/extension-computed',
    section: 'events: Event',
    run: async (door) => {
      const execution = await door.running();
      const stream = await door.watch({ execution_id: execution });
      const paths = ['a.tar.GZ', 'x/.env.Local', 'a.b/c.JSON', 'Makefile', '.bashrc', 'a.d/x'];
      await door.publish(...paths.map((path) => eventAt(execution, path)));
      await stream.count(paths.length);
      equal(
        stream.events.map(({ data }) => data['extension']),
        ['.gz', '.local', '.json', undefined, undefined, undefined],
        `the extensions of ${paths.join(' ')}`,
      );
    },
  },
  {
    id: 'http/stream/id-is-a-uuidv7-that-rises',
    section: 'events: Id',
    run: async (door) => {
      const execution = await door.running();
      const stream = await door.watch({ execution_id: execution });
      const ids: string[] = [];
      for (let round = 0; round < 5; round += 1) {
        ids.push(...(await door.publish(...['a', 'b', 'c'].map((path) => eventAt(execution, `${path}${round}`)))));
      }
      await stream.count(ids.length);
      for (const id of ids) matches(id, uuidV7, 'an id is a lower-case UUIDv7');
      rising(ids, 'ids rise as text');
      equal(stream.ids, ids, 'the ids of the frames are those of the publish, in its order');
      equal(
        stream.events.map(({ data }) => data['id']),
        ids,
        'id of the JSON',
      );
      const ready = await stream.first('ready');
      rising([ready.id ?? '', ...ids], 'ready stands before them');
    },
  },
  {
    id: 'http/stream/line-breaks-in-data',
    section: 'events: Frames',
    run: async (door) => {
      const execution = await door.running();
      const stream = await door.watch({ execution_id: execution });
      const before = stream.text.length;
      const metadata = { text: 'a\nb\r\n\r\nevent: done\n\u2028\u2029\u0085\u0000"\\ü😀' };
      await door.publish(eventAt(execution, 'a', { metadata }));
      await stream.count(1);
      equal(stream.events[0]?.data['metadata'], metadata, 'metadata');
      holds(!/[\r\0\u2028\u2029\u0085]/.test(stream.text.slice(before)), 'no line break but LF', stream.text);
    },
  },
  {
    id: 'http/stream/status-changes-are-no-frames',
    section: 'events: Executions',
    run: async (door) => {
      const execution = await door.running();
      const stream = await door.watch({ execution_id: execution, keep_open: 'true' });
      await door.change(execution, { tags: [newTag()] });
      await door.change(execution, { status: 'pending' });
      await door.change(execution, { status: 'failed', reason: 'because\n\nevent: done' });
      await door.publish(eventAt(execution, 'late'));
      await stream.count(1);
      equal(stream.kinds, ['ready', storageEvent], 'the frames');
    },
  },
  {
    id: 'http/stream/control-events-false',
    section: 'events: control_events',
    run: async (door) => {
      const execution = await door.running();
      const stream = await door.open({ execution_id: execution, control_events: 'false' });
      equal(stream.status, 200, 'the stream opens');
      await stream.until(() => stream.text.length >= 2, 'the first bytes');
      equal(stream.text.slice(0, 2), ':\n', 'the first bytes');
      await door.publish(eventAt(execution, 'a'), eventAt(execution, 'b'));
      await door.change(execution, { status: 'completed' });
      await stream.end();
      equal(stream.kinds, [storageEvent, storageEvent], 'storage events and nothing else');
    },
  },
  {
    id: 'http/stream/control-events-false-gap',
    section: 'events: control_events',
    run: async (door) => {
      const execution = await door.running();
      const query = { execution_id: execution, control_events: 'false' };
      const stream = await door.open(query, { 'last-event-id': 'nonsense' });
      await stream.until(() => stream.text.length >= 2, 'the first bytes');
      await door.publish(eventAt(execution, 'a'));
      await stream.count(1);
      equal(stream.kinds, [storageEvent], 'a gap is not said');
    },
  },
  {
    id: 'http/stream/heartbeat',
    section: 'events: Frames',
    slow: true,
    run: async (door) => {
      const stream = await door.watch({ execution_id: await door.running() });
      const before = stream.text.length;
      const startMs = performance.now();
      await stream.until(() => stream.text.length >= before + 2, 'a heartbeat');
      const waitedMs = Math.round(performance.now() - startMs);
      equal(stream.text.slice(before), ':\n', 'a comment with one newline');
      holds(waitedMs > 13_000 && waitedMs < 18_000, 'after 15 s of silence', `${waitedMs} ms`);
    },
  },
  {
    id: 'http/stream/routed-after-decoding',
    section: 'events: Query',
    run: async (door) => {
      const execution = await door.running();
      for (const path of ['/api/v1/storage%2Fevents', '/%61pi/v1/storage/event%73']) {
        const stream = await door.open({ execution_id: execution }, {}, path);
        equal(stream.status, 200, path);
      }
    },
  },
];
