import { type Check, equal, holds } from '../kit/check.ts';
import { eventAt, eventsPath, faultsOf, type HttpDoor, jsonOf, newExecution, newTag, type Query } from './door.ts';

/** stage, path */
const corpus: readonly (readonly [string, string])[] = [
  ['boost', 'a.md'],
  ['boost/routines', 'reports/summary.md'],
  ['boost/routines/deep', 'reports/sub/x.json'],
  ['boosted', 'reports2/y.JSON'],
  ['boo', 'reports'],
  ['ingest', 'data/archive.tar.gz'],
  ['ingest', 'data/.gz'],
  ['ingest', 'data/tar.gz'],
  ['other', 'Reports/Z.MD'],
  ['other', 'boost/inner.txt'],
];

const all = corpus.map((_, index) => index);

/** The corpus through one filter, live and the same again from the journal: numbers of the corpus. */
async function got(door: HttpDoor, query: Query): Promise<readonly number[]> {
  const execution = await door.running();
  const live = await door.watch({ execution_id: execution, ...query });
  await door.publish(...corpus.map(([stage, path], index) => eventAt(execution, path, { stage, size: index })));
  await door.change(execution, { status: 'completed' });
  await live.end();
  const again = await door.open({ execution_id: execution, ...query, last_event_id: 'earliest' });
  await again.end();
  equal(again.ids, live.ids, 'the same from the journal as live');
  return live.events.map(({ data }) => Number(data['size']));
}

const filters: readonly (readonly [string, Query, readonly number[]])[] = [
  ['none', {}, all],
  ['stage-whole-segments', { stage: 'boost' }, [0, 1, 2]],
  ['stage-below-another', { stage: 'boost/routines' }, [1, 2]],
  ['stage-star', { stage: 'boost*' }, [0, 1, 2, 3]],
  ['stage-star-in-a-segment', { stage: 'boost/r*' }, [1, 2]],
  ['stage-star-alone', { stage: '*' }, all],
  ['stage-slashes-around', { stage: '//boost/routines/' }, [1, 2]],
  ['stage-case-sensitive', { stage: 'Boost' }, []],
  ['path-whole-segments', { path: 'reports' }, [1, 2, 4]],
  ['path-not-in-the-stage', { path: 'boost' }, [9]],
  ['path-whole', { path: 'reports/summary.md' }, [1]],
  ['path-star', { path: 'reports*' }, [1, 2, 3, 4]],
  ['path-slashes-around', { path: '/reports/' }, [1, 2, 4]],
  ['stage-and-path', { stage: 'boost', path: 'reports' }, [1, 2]],
  ['extension-with-dot', { extension: '.md' }, [0, 1, 8]],
  ['extension-without-dot', { extension: 'md' }, [0, 1, 8]],
  ['extension-any-case', { extension: 'JSON' }, [2, 3]],
  ['extension-double', { extension: '.tar.gz' }, [5]],
  ['extension-name-is-longer', { extension: 'gz' }, [5, 7]],
  ['all-anded', { stage: 'boost*', path: 'reports*', extension: 'json' }, [2, 3]],
  ['empty-filters-nothing', { stage: '', path: '', extension: '' }, all],
  ['slashes-filter-nothing', { stage: '/', path: '///' }, all],
  ['dot-segment-matches-nothing', { stage: 'boost/../boost' }, []],
  ['empty-segment-matches-nothing', { path: 'reports//summary.md' }, []],
  ['unknown-parameters-ignored', { stage: 'boost', colour: 'red' }, [0, 1, 2]],
];

const filterChecks: readonly Check<HttpDoor>[] = filters.map(([name, query, expected]) => ({
  id: `http/filter/${name}`,
  section: 'events: Query',
  run: async (door) => {
    equal(await got(door, query), expected, JSON.stringify(query));
  },
}));

const valueChecks: readonly Check<HttpDoor>[] = [
  {
    id: 'http/filter/encoded-star',
    section: 'events: Query',
    run: async (door) => {
      const execution = await door.running();
      await door.publish(eventAt(execution, 'x', { stage: 'boosted' }), eventAt(execution, 'y', { stage: 'other' }));
      await door.change(execution, { status: 'completed' });
      const path = `${eventsPath}?execution_id=${execution}&stage=boos%2A&last_event_id=earliest`;
      const stream = await door.open({}, {}, path);
      await stream.end();
      equal(stream.paths, ['x'], '%2A is the wildcard');
    },
  },
  {
    id: 'http/filter/percent-decoding',
    section: 'events: Query',
    run: async (door) => {
      const execution = await door.running();
      await door.publish(eventAt(execution, 'x', { stage: 'été/a b' }), eventAt(execution, 'y'));
      await door.change(execution, { status: 'completed' });
      const path = `${eventsPath}?execution_id=${execution}&stage=%C3%A9t%c3%a9%2Fa+b&last_event_id=earliest`;
      const stream = await door.open({}, {}, path);
      await stream.end();
      equal(stream.paths, ['x'], 'UTF-8, %2F and + are decoded');
    },
  },
  {
    id: 'http/values/several-in-journal-order',
    section: 'events: Query',
    run: async (door) => {
      const [watched, other, also] = [await door.running(), await door.running(), await door.running()];
      const stream = await door.watch({ execution_id: [watched, also] });
      await door.publish(eventAt(also, '1'), eventAt(other, '2'), eventAt(watched, '3'), eventAt(also, '4'));
      await stream.count(3);
      equal(stream.paths, ['1', '3', '4'], 'those of the two, in order');
    },
  },
  {
    id: 'http/values/any-case',
    section: 'events: Query',
    run: async (door) => {
      const execution = await door.running();
      const stream = await door.watch({ execution_id: execution.toUpperCase() });
      await door.publish(eventAt(execution.toUpperCase(), 'a'));
      await stream.count(1);
      equal(stream.events[0]?.data['execution_id'], execution, 'lower-cased in the event');
    },
  },
  {
    id: 'http/values/once-whatever-matches',
    section: 'events: Query',
    run: async (door) => {
      const [first, second] = [newTag(), newTag()];
      const execution = await door.running(first, second);
      const values = [execution, first, execution.toUpperCase(), second, first];
      const stream = await door.watch({ execution_id: values });
      const { data } = await stream.first('ready');
      equal(data['executions'], [{ execution_id: execution, status: 'running' }], 'it is listed once');
      await door.publish(eventAt(execution, 'one'));
      await door.publish(eventAt(execution, 'two'));
      await door.change(execution, { status: 'completed' });
      await stream.end();
      equal(stream.paths, ['one', 'two'], 'each event once');
      const again = await door.open({ execution_id: values, last_event_id: 'earliest' });
      await again.end();
      equal(again.paths, ['one', 'two'], 'each event once, from the journal');
    },
  },
  {
    id: 'http/values/tag-from-its-sequence-on',
    section: 'events: Executions',
    run: async (door) => {
      const tag = newTag();
      const execution = await door.running();
      await door.publish(eventAt(execution, 'before'));
      await door.change(execution, { tags: [tag] });
      await door.publish(eventAt(execution, 'after'));
      await door.change(execution, { status: 'completed' });
      const tagged = await door.open({ execution_id: tag, last_event_id: 'earliest' });
      await tagged.end();
      equal(tagged.paths, ['after'], 'the tag covers what came after it');
      const named = await door.open({ execution_id: execution, last_event_id: 'earliest' });
      await named.end();
      equal(named.paths, ['before', 'after'], 'the execution covers all');
    },
  },
  {
    id: 'http/values/tag-gains-executions',
    section: 'events: Query',
    run: async (door) => {
      const tag = newTag();
      const first = await door.running(tag);
      const stream = await door.watch({ execution_id: tag });
      const second = newExecution();
      await door.publish(eventAt(second, 'before the tag'));
      await door.change(second, { tags: [tag] });
      await door.publish(eventAt(second, 'second'), eventAt(first, 'first'));
      await door.change(first, { status: 'completed' });
      const third = await door.running(tag);
      await door.publish(eventAt(third, 'third'));
      await stream.count(3);
      equal(stream.kinds.includes('done'), false, 'not over while one of the tag runs');
      await door.change(second, { status: 'completed' });
      await door.change(third, { status: 'failed' });
      await stream.end();
      equal(stream.paths, ['second', 'first', 'third'], 'members that came later');
    },
  },
  {
    id: 'http/values/known-once-named',
    section: 'events: Answers',
    run: async (door) => {
      const [byEvent, byTag, tag] = [newExecution(), newExecution(), newTag()];
      await door.publish(eventAt(byEvent, 'a'));
      await door.change(byTag, { tags: [tag] });
      const stream = await door.watch({ execution_id: [byEvent, tag] });
      const { data } = await stream.first('ready');
      const listed = new Map(
        (data['executions'] as { execution_id: string; status: string }[]).map((one) => [one.execution_id, one.status]),
      );
      equal(listed.get(byEvent), 'running', 'one named by an event is running');
      holds(listed.has(byTag), 'the tag brings its execution', data);
    },
  },
  {
    id: 'http/values/not-found-names-all',
    section: 'events: Answers',
    run: async (door) => {
      const [known, unknown, tag] = [await door.running(), newExecution(), newTag()];
      const stream = await door.open({ execution_id: [known, unknown, tag] });
      await stream.end();
      equal(stream.status, 404, 'the status');
      const body = jsonOf(stream);
      equal(body['detail'], `Execution not found: ${unknown}, ${tag}`, 'detail');
      equal(body['error_code'], 'EXECUTION_NOT_FOUND', 'error_code');
    },
  },
  {
    id: 'http/values/empty-is-unknown',
    section: 'events: Query',
    run: async (door) => {
      const stream = await door.open({ execution_id: '' });
      await stream.end();
      equal(stream.status, 404, 'the status');
    },
  },
  {
    id: 'http/values/at-most-1000',
    section: 'events: Query',
    run: async (door) => {
      const execution = await door.running();
      const refused = await door.ask({
        path: eventsPath,
        query: { execution_id: [execution, ...Array.from({ length: 1_000 }, newExecution)] },
      });
      equal(refused.status, 422, 'the status of 1,001 values');
      equal(faultsOf(refused)[0]?.['loc'], ['query', 'execution_id'], 'loc');
      const same = await door.open({ execution_id: Array.from({ length: 1_001 }, () => execution) });
      equal(same.status, 200, 'the same one 1,001 times is one');
    },
  },
];

export const selectionChecks: readonly Check<HttpDoor>[] = [...filterChecks, ...valueChecks];
