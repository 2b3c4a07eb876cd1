import { Readable } from 'node:stream';
import test from 'ava';
import { faultText, readEntry, readLine } from '../../src/app/publishing/entry.ts';
import { HttpPublisher } from '../../src/app/publishing/http-publisher.ts';
import { lineBatches } from '../../src/app/publishing/lines.ts';
import { BusError } from '../../src/core/failure.ts';
import { batchEventsMax, publishLineBytesMax } from '../../src/core/limits.ts';
import type { PublishEntry } from '../../src/storage/publisher.ts';
import { runCommand } from '../support/command.ts';
import { startFakeRouter } from '../support/fake-router.ts';

const executionId = '0d9be1a2-7c3e-4f4e-9a56-3f1c6f6b2a10';
const eventLine = (path: string): string => JSON.stringify({ execution_id: executionId, stage: 'ingest', path });

test('one event by flags is published as given, and its id printed', async (t) => {
  const router = await startFakeRouter(t);
  const flags =
    '--stage boost/routines --path a.md --size 12 --content-type text/markdown --source-id s --metadata k=v=w --metadata l=';
  const result = await runCommand(t, [
    'publish',
    '--url',
    router.url,
    '--execution-id',
    executionId,
    ...flags.split(' '),
  ]);
  t.is(result.error, '');
  t.is(result.out, 'id-1\n');
  t.is(result.code, 0);
  t.deepEqual(router.received, [
    {
      method: 'POST',
      path: '/api/v1/storage/events',
      body: {
        events: [
          {
            execution_id: executionId,
            stage: 'boost/routines',
            path: 'a.md',
            size: 12,
            content_type: 'text/markdown',
            source_id: 's',
            metadata: { k: 'v=w', l: '' },
          },
        ],
      },
    },
  ]);
});

test('a status change by flags is a PUT of the execution', async (t) => {
  const router = await startFakeRouter(t);
  const words = ['--status', 'failed', '--tag', 'a', '--tag', 'b', '--reason', 'why not'];
  const result = await runCommand(t, ['publish', '--url', router.url, '--execution-id', executionId, ...words]);
  t.is(result.code, 0, result.error);
  t.deepEqual(router.received, [
    {
      method: 'PUT',
      path: `/api/v1/executions/${executionId}`,
      body: { status: 'failed', tags: ['a', 'b'], reason: 'why not' },
    },
  ]);
});

test('JSON lines are published in batches and in order, changes between events included', async (t) => {
  const router = await startFakeRouter(t);
  const change = JSON.stringify({ execution_id: executionId, status: 'completed' });
  const events = Array.from({ length: 1_500 }, (_, index) => eventLine(`${index}.md`));
  const input = [...events, '', change].join('\r\n');
  const result = await runCommand(t, ['publish', '--url', router.url, '-'], { input });
  t.is(result.code, 0, result.error);
  t.deepEqual(
    result.out.trimEnd().split('\n'),
    Array.from({ length: 1_501 }, (_, index) => `id-${index + 1}`),
  );
  // On a slow machine lines of progress come before it.
  t.regex(result.error, /^(?:published \d+ …\n)*published 1501 in \d+\.\d s\n$/);
  const paths = router.received
    .flatMap(({ body }) => (body as { events?: { path: string }[] }).events ?? [])
    .map(({ path }) => path);
  t.deepEqual(
    paths,
    Array.from({ length: 1_500 }, (_, index) => `${index}.md`),
  );
  t.is(router.received.at(-1)?.method, 'PUT');
  t.true(router.received.length < 200, `${router.received.length} requests are hardly batches`);
});

test('a bad line stops the run, named by its number; what stood before it is published', async (t) => {
  const cases = [
    ['{', /^rivulet: line 3: line: is not JSON: /m],
    ['[]', /^rivulet: line 3: line: must be a JSON object;/],
    [
      JSON.stringify({ execution_id: executionId, stage: 'a/../b', path: 'c' }),
      /^rivulet: line 3: stage: must not have a '\.\.' segment;/,
    ],
    [
      JSON.stringify({ execution_id: executionId, stage: 'a', path: 'c', colour: 1 }),
      /^rivulet: line 3: colour: is not known here;/,
    ],
    [JSON.stringify({ execution_id: executionId, stage: 'a' }), /^rivulet: line 3: path: is required;/],
    [
      JSON.stringify({ execution_id: executionId, tags: [executionId] }),
      /^rivulet: line 3: tags\.0: must not be shaped like a UUID;/,
    ],
  ] as const;
  for (const [bad, expected] of cases) {
    const router = await startFakeRouter(t);
    const input = `${eventLine('a')}\n\n${bad}\n${eventLine('b')}\n`;
    const result = await runCommand(t, ['publish', '--url', router.url, '-'], { input });
    t.regex(result.error, expected);
    t.regex(result.error, /; before it: published 1 in \d\.\d s\n$/);
    t.is(result.out, 'id-1\n');
    t.is(result.code, 2);
  }
});

test('what the server refuses is traced back to its line', async (t) => {
  const router = await startFakeRouter(t);
  router.answerWith(() => ({
    status: 422,
    body: { detail: [{ loc: ['body', 'events', 1, 'path'], msg: 'is odd', type: 'x' }] },
  }));
  const result = await runCommand(t, ['publish', '--url', router.url, '-'], {
    input: `\n${eventLine('a')}\n\n${eventLine('b')}\n`,
  });
  t.regex(result.error, /^rivulet: line 4: path: is odd; before it: published 0/);
  t.is(result.code, 2);
});

// Whoever publishes them all again has the first ones twice; whoever does not know their ids cannot subscribe behind them.
test('when a later request of a batch fails, the ids of those before it are printed, and how many of how many they were', async (t) => {
  const change = JSON.stringify({ execution_id: executionId, tags: ['t'] });
  const input = [eventLine('a'), eventLine('b'), change, '', eventLine('c'), eventLine('d'), ''].join('\n');
  const cases = [
    [
      { status: 422, body: { detail: [{ loc: ['body', 'events', 1, 'path'], msg: 'is odd', type: 'x' }] } },
      /^rivulet: line 6: path: is odd; 3 of the 5 lines sent with it became durable; before it: published 3 in \d/,
      2,
    ],
    [
      { status: 507, body: { detail: 'the disk is full' } },
      /^rivulet: lines 5 to 6: 507: the disk is full; 3 of the 5 lines sent with it became durable; before it: published 3 in \d/,
      1,
    ],
    [
      { status: 503, body: { detail: 'streamer not available' } },
      /^rivulet: lines 5 to 6: .*\(503: streamer not available; at least 3 of the 5 lines sent with it became durable\); before it: published 3 in \d/,
      1,
    ],
  ] as const;
  for (const [answer, error, code] of cases) {
    const router = await startFakeRouter(t);
    router.answerWith(({ body }) => (JSON.stringify(body).includes('"c"') ? answer : null));
    const result = await runCommand(t, ['publish', '--url', router.url, '-'], { input });
    t.is(result.out, 'id-1\nid-2\nid-3\n');
    t.regex(result.error, error);
    t.is(result.code, code);
  }
});

test('a final status that is changed is the caller’s mistake, exit code 2', async (t) => {
  const router = await startFakeRouter(t);
  router.answerWith(() => ({ status: 409, body: { detail: 'the execution is over: completed', error_code: 'X' } }));
  const result = await runCommand(t, [
    'publish',
    '--url',
    router.url,
    '--execution-id',
    executionId,
    '--status',
    'running',
  ]);
  t.is(result.error, 'rivulet: 409: the execution is over: completed\n');
  t.is(result.code, 2);
});

test('when nothing answers, one sentence with the command to start it, exit code 1', async (t) => {
  const words = ['publish', '--url', 'http://127.0.0.1:1', '--execution-id', executionId, '--status', 'running'];
  const result = await runCommand(t, words);
  t.is(
    result.error,
    'rivulet: nothing usable answers at http://127.0.0.1:1; start it with: npm run rivulet -- up (bad port)\n',
  );
  t.is(result.code, 1);
});

test('lines saved from a stream can be published again: what the bus stamps is left out', (t) => {
  const saved = {
    id: 'x',
    type: 'storage.object.created',
    execution_id: executionId,
    stage: 'a',
    path: 'b.md',
    extension: '.md',
  };
  t.deepEqual(readEntry(saved), {
    kind: 'entry',
    entry: { kind: 'event', event: { execution_id: executionId, stage: 'a', path: 'b.md' } },
  });
});

test('every fault of a line is told', (t) => {
  const reading = readLine(JSON.stringify({ execution_id: 'x', stage: '', path: 'a//b', size: 1.5, time: 'noon' }));
  t.is(
    reading.kind === 'faults' ? faultText(reading.faults) : '',
    'execution_id: must be a UUID; stage: must not be empty; path: must not start or end with a slash or have an empty segment; size: must be a whole number from 0 to 9007199254740991; time: must be an RFC 3339 date-time',
  );
});

async function batchesOf(chunks: readonly (string | Buffer)[]): Promise<unknown[]> {
  const batches: unknown[] = [];
  for await (const batch of lineBatches(Readable.from(chunks.map((chunk) => Buffer.from(chunk as string))))) {
    batches.push(batch.kind === 'lines' ? batch.lines.map(({ number, text }) => `${number}:${text}`) : batch);
  }
  return batches;
}

test('lines are whole however the input is cut, and the last may lack its end', async (t) => {
  const text = 'ä1\n\nb2\r\nc3';
  const bytes = Buffer.from(text);
  for (let cut = 0; cut <= bytes.length; cut += 1) {
    const batches = await batchesOf([bytes.subarray(0, cut), bytes.subarray(cut)]);
    t.deepEqual(batches.flat(), ['1:ä1', '3:b2', '4:c3'], `cut at ${cut}`);
  }
});

test('a batch has at most the events that a publish may have', async (t) => {
  const [first, second] = await batchesOf(['x\n'.repeat(batchEventsMax + 1)]);
  t.is((first as string[]).length, batchEventsMax);
  t.deepEqual(second, [`${batchEventsMax + 1}:x`]);
});

// Without this bad bytes would be published as replacement characters, and an endless line would fill the memory.
test('bytes that are not UTF-8 and lines without end are bad lines', async (t) => {
  t.deepEqual(await batchesOf(['a\n', Buffer.from([0x62, 0xff, 0x0a])]), [
    ['1:a'],
    { kind: 'bad', number: 2, reason: 'line: is not UTF-8' },
  ]);
  const [bad] = await batchesOf(Array.from({ length: 100 }, () => 'x'.repeat(publishLineBytesMax / 8)));
  t.deepEqual(bad, { kind: 'bad', number: 1, reason: `line: must be at most ${publishLineBytesMax} bytes` });
});

test('over HTTP, runs of events share a request and a fault keeps its index in the whole', async (t) => {
  const router = await startFakeRouter(t);
  const event = (path: string): PublishEntry => ({
    kind: 'event',
    event: { execution_id: executionId, stage: 's', path },
  });
  const change: PublishEntry = { kind: 'change', change: { execution_id: executionId, tags: ['t'] } };
  const publisher = new HttpPublisher(router.url);
  t.deepEqual(await publisher.publish([event('a'), event('b'), change, event('c')]), ['id-1', 'id-2', 'id-3', 'id-4']);
  t.deepEqual(
    router.received.map(({ method }) => method),
    ['POST', 'PUT', 'POST'],
  );
  router.answerWith(({ body }) =>
    JSON.stringify(body).includes('"c"')
      ? { status: 422, body: { detail: [{ loc: ['body', 'events', 0, 'path'], msg: 'no' }] } }
      : null,
  );
  const error = await t.throwsAsync(() => publisher.publish([event('a'), change, event('c')]), {
    instanceOf: BusError,
  });
  t.deepEqual(error.faults, [{ field: ['entries', 2, 'path'], reason: 'no' }]);
});
