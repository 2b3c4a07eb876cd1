import { type Check, equal, holds, present, rising } from '../kit/check.ts';
import { eventAt, type Headers, type HttpDoor, last, nilId, type Query, storageEvent } from './door.ts';
import type { EventStream } from './event-stream.ts';

const paths = ['e0', 'e1', 'e2', 'e3', 'e4', 'e5', 'e6', 'e7'];

interface Run {
  readonly execution: string;
  readonly ids: readonly string[];
}

/** A running execution with eight events. */
async function runOfEight(door: HttpDoor): Promise<Run> {
  const execution = await door.running();
  return { execution, ids: await door.publish(...paths.map((path) => eventAt(execution, path))) };
}

const idAt = ({ ids }: Run, index: number): string => present(ids[index], 'an id');

/** After a cursor, by whatever way: these paths, then what comes, and no gap. */
async function resumes(door: HttpDoor, run: Run, [query, headers]: readonly [Query, Headers], expected: string[]) {
  const stream = await door.watch({ execution_id: run.execution, ...query }, headers);
  await door.publish(eventAt(run.execution, 'live'));
  await stream.count(expected.length + 1);
  equal(stream.paths, [...expected, 'live'], `after ${JSON.stringify({ ...query, ...headers })}`);
  equal(stream.named('gap').length, 0, 'no gap');
  stream.cut();
}

/** `ready` without id, `gap` with the new start, then `expected` and what comes. */
async function gaps(
  door: HttpDoor,
  run: Run,
  cursor: { readonly text: string; readonly reason: string; readonly expected?: readonly string[] },
): Promise<EventStream> {
  const { text, reason, expected = [] } = cursor;
  const stream = await door.watch({ execution_id: run.execution }, { 'last-event-id': text });
  const gap = await stream.first('gap');
  equal(stream.kinds.slice(0, 2), ['ready', 'gap'], 'ready, then gap');
  equal(stream.frames[0]?.id, undefined, 'ready has no id, so that a cut between the two cannot swallow the gap');
  equal(gap.names, ['id', 'event', 'data'], 'the lines of gap');
  equal(Object.keys(gap.data).sort(), ['oldest_available', 'reason', 'requested', 'type'], 'the keys of gap');
  equal(gap.json.startsWith('{"type":"gap"'), true, 'its JSON begins with the type');
  equal(gap.data['requested'], text.slice(0, 128), 'requested');
  equal(gap.data['reason'], reason, 'reason');
  await door.publish(eventAt(run.execution, 'live'));
  await stream.count(expected.length + 1);
  equal(stream.paths, [...expected, 'live'], 'what follows the gap');
  rising([gap.id ?? '', ...stream.ids], 'gap carries the start');
  return stream;
}

/** The same id a day later: ours by everything that can be told of it, and of no record. */
function aDayLater(id: string): string {
  const timeMs = Number.parseInt(id.slice(0, 8) + id.slice(9, 13), 16) + 86_400_000;
  const time = timeMs.toString(16).padStart(12, '0');
  return `${time.slice(0, 8)}-${time.slice(8)}${id.slice(13)}`;
}

export const resumeChecks: readonly Check<HttpDoor>[] = [
  {
    id: 'http/resume/absent-is-live-only',
    section: 'events: Resume',
    run: async (door) => {
      await resumes(door, await runOfEight(door), [{}, {}], []);
    },
  },
  {
    id: 'http/resume/header',
    section: 'events: Resume',
    run: async (door) => {
      const run = await runOfEight(door);
      const stream = await door.watch({ execution_id: run.execution }, { 'last-event-id': idAt(run, 2) });
      equal((await stream.first('ready')).id, idAt(run, 2), 'ready has the cursor as its id');
      await stream.count(5);
      equal(stream.ids, run.ids.slice(3), 'the same events with the same ids');
      await resumes(door, run, [{}, { 'last-event-id': idAt(run, 2) }], paths.slice(3));
    },
  },
  {
    id: 'http/resume/query',
    section: 'events: Query',
    run: async (door) => {
      const run = await runOfEight(door);
      await resumes(door, run, [{ last_event_id: idAt(run, 4) }, {}], paths.slice(5));
    },
  },
  {
    id: 'http/resume/header-wins',
    section: 'events: Query',
    run: async (door) => {
      const run = await runOfEight(door);
      const way = [{ last_event_id: idAt(run, 6) }, { 'last-event-id': idAt(run, 4) }] as const;
      await resumes(door, run, way, paths.slice(5));
    },
  },
  {
    id: 'http/resume/malformed-header-valid-query',
    section: 'events: Resume',
    run: async (door) => {
      const run = await runOfEight(door);
      await resumes(door, run, [{ last_event_id: idAt(run, 6) }, { 'last-event-id': 'not-an-id' }], ['e7']);
    },
  },
  {
    id: 'http/resume/any-case',
    section: 'events: Resume',
    run: async (door) => {
      const run = await runOfEight(door);
      await resumes(door, run, [{}, { 'last-event-id': idAt(run, 5).toUpperCase() }], paths.slice(6));
    },
  },
  {
    id: 'http/resume/latest',
    section: 'events: Query',
    run: async (door) => {
      await resumes(door, await runOfEight(door), [{ last_event_id: 'latest' }, {}], []);
    },
  },
  {
    id: 'http/resume/earliest',
    section: 'events: Resume',
    run: async (door) => {
      await resumes(door, await runOfEight(door), [{ last_event_id: 'earliest' }, {}], paths);
    },
  },
  {
    id: 'http/resume/nil-uuid',
    section: 'events: Resume',
    run: async (door) => {
      const run = await runOfEight(door);
      await resumes(door, run, [{}, { 'last-event-id': nilId }], paths);
      await resumes(door, run, [{ last_event_id: nilId }, {}], [...paths, 'live']);
    },
  },
  {
    id: 'http/resume/malformed',
    section: 'events: Resume',
    run: async (door) => {
      const run = await runOfEight(door);
      const stream = await gaps(door, run, { text: 'nonsense', reason: 'malformed' });
      rising([idAt(run, 7), ...stream.ids], 'live only');
    },
  },
  {
    id: 'http/resume/malformed-version-4',
    section: 'events: Resume',
    run: async (door) => {
      await gaps(door, await runOfEight(door), { text: '0d9be1a2-7c3e-4f4e-9a56-3f1c6f6b2a10', reason: 'malformed' });
    },
  },
  {
    id: 'http/resume/requested-is-cut-at-128',
    section: 'events: Resume',
    run: async (door) => {
      await gaps(door, await runOfEight(door), { text: 'x'.repeat(400), reason: 'malformed' });
    },
  },
  {
    id: 'http/resume/malformed-query',
    section: 'events: Resume',
    run: async (door) => {
      const run = await runOfEight(door);
      const stream = await door.watch({ execution_id: run.execution, last_event_id: 'yesterday' });
      equal((await stream.first('gap')).data['requested'], 'yesterday', 'requested');
    },
  },
  {
    id: 'http/resume/future',
    section: 'events: Resume',
    run: async (door) => {
      const text = 'fedcba98-7654-7123-8abc-def012345678';
      await gaps(door, await runOfEight(door), { text, reason: 'unknown_position' });
    },
  },
  {
    id: 'http/resume/of-no-record',
    section: 'events: Id',
    run: async (door) => {
      const run = await runOfEight(door);
      await gaps(door, run, { text: aDayLater(idAt(run, 7)), reason: 'unknown_position' });
    },
  },
  {
    id: 'http/resume/expired',
    section: 'events: Resume',
    run: async (door) => {
      const text = '01000000-0000-7000-8000-000000000001';
      await gaps(door, await runOfEight(door), { text, reason: 'expired', expected: paths });
    },
  },
  {
    id: 'http/resume/ready-is-a-start',
    section: 'events: Frames',
    run: async (door) => {
      const run = await runOfEight(door);
      const first = await door.watch({ execution_id: run.execution });
      const { id } = await first.first('ready');
      first.cut();
      await door.publish(eventAt(run.execution, 'meanwhile'));
      await resumes(door, run, [{}, { 'last-event-id': present(id, 'the id of ready') }], ['meanwhile']);
    },
  },
  {
    id: 'http/resume/put-is-a-start',
    section: 'executions: PUT',
    run: async (door) => {
      const execution = await door.running();
      await door.publish(eventAt(execution, 'before'));
      const { last_event_id } = await door.change(execution, { status: 'pending' });
      await door.publish(eventAt(execution, 'after'));
      await resumes(door, { execution, ids: [] }, [{ last_event_id: String(last_event_id) }, {}], ['after']);
    },
  },
  {
    id: 'http/resume/filters-hold',
    section: 'events: Resume',
    run: async (door) => {
      const run = await runOfEight(door);
      const ids = await door.publish(eventAt(run.execution, 'a.md'), eventAt(run.execution, 'b.txt'));
      const query = { execution_id: run.execution, extension: 'md', last_event_id: idAt(run, 0) };
      const stream = await door.watch(query);
      await door.publish(eventAt(run.execution, 'live.md'));
      await stream.count(2);
      equal(stream.paths, ['a.md', 'live.md'], 'what matches after the cursor, then live');
      // The id of an event that the filter leaves out is a position like any other.
      await door.publish(eventAt(run.execution, 'end.md'));
      const after = await door.watch({ ...query, last_event_id: last(ids) });
      await after.count(2);
      equal(after.paths, ['live.md', 'end.md'], 'after an id that the filter leaves out');
    },
  },
  {
    id: 'http/resume/seam',
    section: 'events: Resume',
    run: async (door) => {
      const execution = await door.running();
      const published: string[] = await door
        .publish(...Array.from({ length: 200 }, (_, n) => eventAt(execution, `h${n}`)))
        .then((ids) => [...ids]);
      const streams: EventStream[] = [];
      for (let round = 0; round < 40; round += 1) {
        const opening = door.open({ execution_id: execution, last_event_id: 'earliest' });
        published.push(...(await door.publish(eventAt(execution, `a${round}`), eventAt(execution, `b${round}`))));
        if (round % 4 === 0) streams.push(await opening);
        else (await opening).cut();
      }
      await door.change(execution, { status: 'completed' });
      for (const stream of streams) {
        await stream.end();
        equal(stream.ids, published, 'history and live make every event once, in order');
        holds(stream.kinds.at(-1) === 'done' && stream.events.length === published.length, 'then done', stream.kinds);
      }
    },
  },
  {
    id: 'http/resume/cut-anywhere',
    section: 'events: Resume',
    run: async (door) => {
      const run = await runOfEight(door);
      const seen: unknown[] = [];
      let cursor = nilId;
      for (let round = 0; round < paths.length; round += 1) {
        const stream = await door.watch({ execution_id: run.execution }, { 'last-event-id': cursor });
        await stream.until(() => stream.kinds.includes(storageEvent), 'one more event');
        seen.push(stream.paths[0]);
        cursor = present(stream.ids[0], 'its id');
        stream.cut();
      }
      equal(seen, paths, 'each event once over eight connections');
    },
  },
];
