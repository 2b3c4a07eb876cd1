import { request } from 'node:http';
import test from 'ava';
import { eventAt, newExecution, newTag } from '../support/execution-names.ts';
import { ownerOf, type System, startSystem } from '../support/system.ts';

/** The query's filters, through the whole program. */

const owner = ownerOf(test);
let system: System;

test.before(async () => {
  system = await startSystem(owner);
});

type Query = Record<string, string | string[]>;

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

/** What a stream with `query` gets of the corpus, live and, the same again, from the journal: numbers of the corpus. */
async function got(query: Query): Promise<number[]> {
  const execution = newExecution();
  await system.put(execution, { status: 'running' });
  const live = await system.sse({ execution_id: execution, ...query });
  await live.first('ready');
  await system.publish(
    ...corpus.map(([stage, path], index) => ({ execution_id: execution, stage, path, size: index })),
  );
  await system.put(execution, { status: 'completed' });
  await live.end();
  const again = await system.sse({ execution_id: execution, ...query, last_event_id: 'earliest' });
  await again.end();
  if (JSON.stringify(again.ids) !== JSON.stringify(live.ids)) {
    throw new RangeError(`live ${live.paths.join()}, again ${again.paths.join()}`);
  }
  return live.events.map(({ data }) => Number(data['size']));
}

const all = corpus.map((_, index) => index);

const cases: readonly (readonly [string, Query, readonly number[]])[] = [
  ['no filter', {}, all],
  ['a stage is whole segments', { stage: 'boost' }, [0, 1, 2]],
  ['a stage below another', { stage: 'boost/routines' }, [1, 2]],
  ['a stage with a star is a prefix of characters', { stage: 'boost*' }, [0, 1, 2, 3]],
  ['a star within a segment', { stage: 'boost/r*' }, [1, 2]],
  ['a star after a slash needs something below', { stage: 'boost/*' }, [1, 2]],
  ['a star alone matches everything', { stage: '*' }, all],
  ['surrounding slashes are ignored', { stage: '//boost/routines/' }, [1, 2]],
  ['a path on its own', { path: 'reports' }, [1, 2, 4]],
  ['a path is not matched against the stage', { path: 'boost' }, [9]],
  ['a whole path', { path: 'reports/summary.md' }, [1]],
  ['a path with a star', { path: 'reports*' }, [1, 2, 3, 4]],
  ['slashes around a path', { path: '/reports/' }, [1, 2, 4]],
  ['stage and path are both needed', { stage: 'boost', path: 'reports' }, [1, 2]],
  ['stages and paths are case-sensitive', { stage: 'Boost' }, []],
  ['an extension with its dot', { extension: '.md' }, [0, 1, 8]],
  ['an extension without its dot', { extension: 'md' }, [0, 1, 8]],
  ['an extension in capitals', { extension: 'JSON' }, [2, 3]],
  ['a double extension', { extension: '.tar.gz' }, [5]],
  ['the file name is longer than the extension', { extension: 'gz' }, [5, 7]],
  ['everything at once', { stage: 'boost*', path: 'reports*', extension: 'json' }, [2, 3]],
  ['empty filters filter nothing', { stage: '', path: '', extension: '' }, all],
  ['slashes alone filter nothing', { stage: '/', path: '///' }, all],
  ['a .. segment matches nothing', { stage: 'boost/../boost' }, []],
  ['a . segment matches nothing', { path: './reports' }, []],
  ['an empty segment matches nothing', { path: 'reports//summary.md' }, []],
  ['unknown parameters are ignored', { stage: 'boost', colour: 'red' }, [0, 1, 2]],
  ['a filter that nothing has', { stage: 'nowhere' }, []],
];

for (const [name, query, expected] of cases) {
  test(`${name}: ${JSON.stringify(query)}`, async (t) => {
    t.deepEqual(await got(query), [...expected]);
  });
}

test('the same filter as %2A: a literal star cannot be asked for', async (t) => {
  const execution = newExecution();
  await system.put(execution, { status: 'running' });
  await system.publish({ execution_id: execution, stage: 'boosted', path: 'x' });
  await system.put(execution, { status: 'completed' });
  const url = `/api/v1/storage/events?execution_id=${execution}&stage=boos%2A&last_event_id=earliest`;
  const text = await (await system.fetch(url)).text();
  t.true(text.includes('"stage":"boosted"'));
});

test('several executions: all of them, in journal order', async (t) => {
  const executions = [newExecution(), newExecution(), newExecution()];
  const [watched = '', other = '', also = ''] = executions;
  for (const execution of executions) await system.put(execution, { status: 'running' });
  const client = await system.sse({ execution_id: [watched, also] });
  await client.first('ready');
  await system.publish(eventAt(also, '1'), eventAt(other, '2'), eventAt(watched, '3'), eventAt(also, '4'));
  await client.count(3);
  t.deepEqual(client.paths, ['1', '3', '4']);
  t.deepEqual([...client.ids], [...client.ids].sort());
  client.cut();
});

// One event, three reasons to get it.
test('an event that matches an execution and its tags is delivered once', async (t) => {
  const execution = newExecution();
  const [first, second] = [newTag(), newTag()];
  await system.put(execution, { status: 'running', tags: [first, second] });
  const client = await system.sse({
    execution_id: [execution, first, execution.toUpperCase(), second, first],
  });
  const { data } = await client.first('ready');
  t.deepEqual(data['executions'], [{ execution_id: execution, status: 'running' }]);
  await system.publish(eventAt(execution, 'one'));
  await system.publish(eventAt(execution, 'two'));
  await system.put(execution, { status: 'completed' });
  await client.end();
  t.deepEqual(client.paths, ['one', 'two']);
  const again = await system.sse({ execution_id: [first, execution, second], last_event_id: 'earliest' });
  await again.end();
  t.deepEqual(again.paths, ['one', 'two']);
});

// An event belongs to a tag from the sequence on at which its execution got it.
test('a tag covers the events after it was added, live and again, the execution covers all', async (t) => {
  const execution = newExecution();
  const tag = newTag();
  await system.put(execution, { status: 'running' });
  await system.publish(eventAt(execution, 'before'));
  await system.put(execution, { tags: [tag] });
  await system.publish(eventAt(execution, 'after'));
  await system.put(execution, { status: 'completed' });
  const tagged = await system.sse({ execution_id: tag, last_event_id: 'earliest' });
  await tagged.end();
  t.deepEqual(tagged.paths, ['after']);
  const named = await system.sse({ execution_id: execution, last_event_id: 'earliest' });
  await named.end();
  t.deepEqual(named.paths, ['before', 'after']);
});

test('two streams with other filters on one execution get their own', async (t) => {
  const execution = newExecution();
  await system.put(execution, { status: 'running' });
  const filters = ['md', 'json', 'txt', 'md'];
  const clients = await Promise.all(filters.map((extension) => system.sse({ execution_id: execution, extension })));
  await Promise.all(clients.map((client) => client.first('ready')));
  await system.publish(...['a.md', 'b.json', 'c.txt', 'd.md', 'e.json'].map((path) => eventAt(execution, path)));
  await system.put(execution, { status: 'completed' });
  await Promise.all(clients.map((client) => client.end()));
  t.deepEqual(
    clients.map((client) => client.paths),
    [['a.md', 'd.md'], ['b.json', 'e.json'], ['c.txt'], ['a.md', 'd.md']],
  );
});

/** Publishes one event for each execution, which makes them known. */
async function known(count: number): Promise<string[]> {
  const executions = Array.from({ length: count }, newExecution);
  for (let from = 0; from < count; from += 1000) {
    await system.publish(...executions.slice(from, from + 1000).map((execution) => eventAt(execution, 'known')));
  }
  return executions;
}

test('a request line of 1,000 ids is taken, and each of them is watched', async (t) => {
  const executions = await known(1_000);
  const client = await system.sse({ execution_id: executions });
  t.is(client.status, 200);
  const { data } = await client.first('ready');
  t.is((data['executions'] as unknown[]).length, 1_000);
  await system.publish(...executions.map((execution) => eventAt(execution, execution)));
  await client.count(1_000);
  t.deepEqual(client.paths, executions);
  client.cut();
});

test('1,001 values are 422, the same one 1,001 times is one', async (t) => {
  const [first = '', ...others] = await known(1_001);
  const refused = await system.sse({ execution_id: [first, ...others] });
  await refused.end();
  t.is(refused.status, 422);
  const [fault] = refused.body['detail'] as Record<string, unknown>[];
  t.deepEqual(fault?.['loc'], ['query', 'execution_id']);
  t.is(fault?.['type'], 'too_long');
  const taken = await system.sse({ execution_id: Array.from({ length: 1_001 }, () => first) });
  t.is(taken.status, 200);
  taken.cut();
});

test('headers beyond the limit are 431', async (t) => {
  const url = new URL(`/api/v1/storage/events?execution_id=${'x'.repeat(70_000)}`, system.http);
  const status = await new Promise((resolve, reject) => {
    const sent = request(url, { agent: false }, (response) => {
      response.resume();
      resolve(response.statusCode);
    });
    sent.on('error', reject);
    sent.end();
  });
  t.is(status, 431);
});

test('an empty execution_id is an unknown one', async (t) => {
  const client = await system.sse({ execution_id: '' });
  await client.end();
  t.is(client.status, 404);
  t.is(client.body['detail'], 'Execution not found: ');
});

test('a trailing slash is a 307 to the path without it, the query kept', async (t) => {
  const response = await system.fetch('/api/v1/storage/events/?execution_id=x&stage=a', { redirect: 'manual' });
  t.is(response.status, 307);
  t.is(response.headers.get('location'), `${system.http}/api/v1/storage/events?execution_id=x&stage=a`);
});
