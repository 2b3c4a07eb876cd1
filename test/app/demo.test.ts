import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import { documentsIn } from '../../src/app/demo/documents.ts';
import { normaliseText, titleOf } from '../../src/app/demo/ingest.ts';
import { jobsOf } from '../../src/app/demo/jobs.ts';
import { ProgressLine } from '../../src/app/demo/progress-line.ts';
import { extractRoutines } from '../../src/app/demo/routines.ts';
import { summarise } from '../../src/app/demo/summary.ts';
import { systemClock } from '../../src/core/clock.ts';
import { ownDirectory, runCommand } from '../support/command.ts';
import { type ReceivedRequest, startFakeRouter } from '../support/fake-router.ts';

function writeAll(folder: string, files: Readonly<Record<string, string | Uint8Array>>): void {
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), content);
  }
}

const guide = `# Guide\r\n\r\nThe journal keeps every event in order. A reader of the journal resumes after its last event.   \r\n\r\n\r\n
## Run

\`\`\`sh
$ npm start
listening
# a comment
\`\`\`

~~~ts
const x = 1;
\`\`\`
~~~

The journal never loses an event that it acknowledged. Cats are unrelated. Retention removes the oldest event of the journal.
`;

interface SeenEvent {
  readonly execution_id: string;
  readonly stage: string;
  readonly path: string;
  readonly uri: string;
  readonly size: number;
}

const eventsOf = (received: readonly ReceivedRequest[]): SeenEvent[] =>
  received.flatMap(({ body }) => (body as { events?: SeenEvent[] }).events ?? []);

interface Change {
  readonly id: string;
  readonly status: string;
  readonly tags?: readonly string[];
  readonly reason?: string;
}

const changesOf = (received: readonly ReceivedRequest[]): Change[] =>
  received
    .filter(({ method }) => method === 'PUT')
    .map(({ path, body }) => ({ ...(body as Omit<Change, 'id'>), id: path.split('/').at(-1) ?? '' }));

test('the demo takes a folder through all stages in three executions, pending and tagged before any work', async (t) => {
  const directory = ownDirectory(t);
  writeAll(directory, {
    'in/guide.md': guide,
    'in/notes/a.txt': 'Plain words about nothing much, told in one line.',
    'in/b.md': '# B\n\nText.',
  });
  const router = await startFakeRouter(t);
  const result = await runCommand(t, ['demo', '--input', 'in', '--output', 'out', '--pace', '0', '--url', router.url], {
    directory,
  });
  t.is(result.code, 0, result.error);
  const changes = changesOf(router.received);
  const ids = changes.slice(0, 3).map(({ id }) => id);
  t.is(new Set(ids).size, 3);
  t.deepEqual(
    router.received.slice(0, 3).map(({ body }) => body),
    [0, 1, 2].map(() => ({ status: 'pending', tags: ['demo'] })),
  );
  for (const id of ids) {
    t.deepEqual(
      changes.filter((change) => change.id === id).map(({ status }) => status),
      ['pending', 'running', 'completed'],
    );
    t.true(result.out.includes(`  ${id}  `));
    t.true(result.out.includes(`${id} completed\n`));
  }
  t.true(
    result.out.includes(`curl -N '${router.url}/api/v1/storage/events?execution_id=demo&last_event_id=earliest'\n`),
  );
  t.true(result.out.includes(`or open ${router.url}/\n`));
  const events = eventsOf(router.received);
  t.deepEqual(events.map(({ stage, path }) => `${stage}/${path}`).sort(), [
    'boost/routines/b.json',
    'boost/routines/guide.json',
    'boost/routines/notes/a.json',
    'boost/summary/b.md',
    'boost/summary/guide.md',
    'boost/summary/notes/a.md',
    'ingest/b.md',
    'ingest/guide.md',
    'ingest/notes/a.md',
    ...Array.from({ length: 3 }, () => 'publish/combined.md'),
    ...Array.from({ length: 3 }, () => 'publish/index.json'),
  ]);
  for (const { uri, size } of events) t.is(readFileSync(fileURLToPath(uri)).length, size);
  const index = events
    .filter(({ path }) => path === 'index.json')
    .map(
      ({ uri }) =>
        JSON.parse(readFileSync(fileURLToPath(uri), 'utf8')) as { documents: { source: string; commands: number }[] },
    );
  t.deepEqual(
    index.flatMap(({ documents }) => documents.map(({ source, commands }) => `${source} ${commands}`)).sort(),
    ['b.md 0', 'guide.md 1', 'notes/a.txt 0'],
  );
  t.regex(result.error, /\[15\/15\] publish\/combined\.md\n$/);
});

test('a document that cannot be taken fails its execution with the reason, the others complete', async (t) => {
  const directory = ownDirectory(t);
  writeAll(directory, { 'in/a.md': 'Good.', 'in/b.md': new Uint8Array([0xff, 0xfe, 0x00]), 'in/c.md': 'Good too.' });
  const router = await startFakeRouter(t);
  const result = await runCommand(t, ['demo', '--input', 'in', '--pace', '0', '--url', router.url], { directory });
  t.is(result.code, 1);
  const ends = changesOf(router.received).slice(-3);
  t.deepEqual(ends.map(({ status }) => status).sort(), ['completed', 'completed', 'failed']);
  t.is(ends.find(({ status }) => status === 'failed')?.reason, 'b.md: is not UTF-8 text');
  t.regex(result.out, / failed: b\.md: is not UTF-8 text\n/);
});

test('without a server the demo says so in one sentence with the command to start one', async (t) => {
  const directory = ownDirectory(t);
  writeAll(directory, { 'in/a.md': 'Good.' });
  const result = await runCommand(t, ['demo', '--input', 'in', '--url', 'http://127.0.0.1:1'], { directory });
  t.is(result.error, 'rivulet: no server answers at http://127.0.0.1:1; start one with: npm run rivulet -- up\n');
  t.is(result.out, '');
  t.is(result.code, 1);
  t.deepEqual(readdirSync(directory), ['in']);
});

test('the pace is kept: a run takes the seconds that it was given', async (t) => {
  const directory = ownDirectory(t);
  writeAll(directory, { 'in/a.md': 'Good.' });
  const router = await startFakeRouter(t);
  const startMs = systemClock.monotonicMs();
  const result = await runCommand(t, ['demo', '--input', 'in', '--pace', '1.5', '--url', router.url], { directory });
  t.is(result.code, 0, result.error);
  t.true(systemClock.monotonicMs() - startMs >= 1_500);
});

test('hidden folders, node_modules and other files are left out; order is that of the names', async (t) => {
  const folder = ownDirectory(t);
  writeAll(folder, {
    'z.md': '',
    'a/b.TXT': '',
    'a.markdown': '',
    '.git/x.md': '',
    'node_modules/y/r.md': '',
    'c.png': '',
  });
  t.deepEqual(
    (await documentsIn(folder)).map(({ name }) => name),
    ['a.markdown', 'a/b.TXT', 'z.md'],
  );
});

test('three jobs share the documents; with fewer documents than jobs each still has one', (t) => {
  const documents = ['a', 'b', 'c', 'd'].map((name) => ({ file: name, name }));
  const shares = (count: number): string[] =>
    jobsOf(documents.slice(0, count), () => 'id').map((job) => job.documents.map(({ name }) => name).join(''));
  t.deepEqual(shares(4), ['ad', 'b', 'c']);
  t.deepEqual(shares(2), ['a', 'b', 'a']);
  t.deepEqual(shares(1), ['a', 'a', 'a']);
});

test('ingest makes clean Markdown with a title', (t) => {
  t.is(
    normaliseText('notes/a.txt', '\ufeffcafe\u0301  \r\n\r\n\r\n\r\nend'.replace('\ufeff', '')),
    '# a\n\ncafé\n\nend\n',
  );
  t.is(normaliseText('b.md', '## B ##\n'), '## B ##\n');
  t.is(titleOf('b.md', '## B ##\n'), 'B');
  t.is(titleOf('x/b.md', 'none'), 'b');
});

test('routines are the headings, code blocks and commands of a document', (t) => {
  const routines = extractRoutines('guide.md', normaliseText('guide.md', guide));
  t.deepEqual(routines.headings, [
    { level: 1, text: 'Guide', line: 1 },
    { level: 2, text: 'Run', line: 5 },
  ]);
  t.deepEqual(routines.commands, ['npm start']);
  t.deepEqual(
    routines.code_blocks.map(({ language, lines, code }) => [language, lines, code]),
    [
      ['sh', 3, '$ npm start\nlistening\n# a comment'],
      ['ts', 2, 'const x = 1;\n```'],
    ],
  );
  t.deepEqual(extractRoutines('x', '```bash\nrun it').commands, ['run it']);
});

test('a summary is the sentences about what the text is about, in its order', (t) => {
  const summary = summarise('guide.md', normaliseText('guide.md', guide));
  t.is(summary.title, 'Guide');
  t.is(summary.sentenceCount, 4);
  t.is(summary.sentences.length, 2);
  t.deepEqual(summary.keywords.slice(0, 2), ['event', 'journal']);
  t.false(summary.sentences.some((sentence) => sentence.includes('Cats') || sentence.includes('npm')));
  t.deepEqual(summarise('x', '').sentences, []);
});

test('progress rewrites its line on a terminal and is sparse elsewhere', (t) => {
  const written: string[] = [];
  const write = (text: string): void => {
    written.push(text);
  };
  const terminal = new ProgressLine(systemClock, 2, { isTTY: true, columns: 20, write });
  terminal.step('a/long/path/that/does/not/fit');
  terminal.end();
  t.deepEqual(written, ['\r\u001b[K[1/2] a/long/path/t', '\n']);
  written.length = 0;
  const log = new ProgressLine({ ...systemClock, monotonicMs: () => 1 }, 3, { write });
  for (const step of ['a', 'b', 'c']) log.step(step);
  t.deepEqual(written, ['[1/3] a\n', '[3/3] c\n']);
});
