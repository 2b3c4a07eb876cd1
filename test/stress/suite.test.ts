import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import test from 'ava';
import type { DescribeResponseMessage, RecordMessage } from '../../src/wire/bus/bus-messages.ts';
import { watchOf } from '../support/delivery-model.ts';
import { randomFrom } from '../support/seed.ts';
import { runScenario } from './runner.ts';
import type { Scenario, StressContext } from './scenario.ts';
import { scenarios } from './scenarios.ts';
import { type Expectation, expectDelivered } from './tools/expect-delivered.ts';
import { expectAcknowledged, expectOnce, Journal, positionOfRouter } from './tools/journal.ts';
import type { Acknowledged } from './tools/publisher.ts';
import { type Seen, Watcher } from './tools/watcher.ts';
import { readWords, WordsError } from './words.ts';

/** What judges must itself be seen to find each thing that it is there for: a suite that passes whatever happens is worse than none. */

const execution = '0d9be1a2-7c3e-4f4e-9a56-3f1c6f6b2a10';
const other = '1d9be1a2-7c3e-4f4e-9a56-3f1c6f6b2a10';

function eventRecord(sequence: number, path: string, executionId = execution): RecordMessage {
  const event = { execution_id: executionId, stage: 'boost', path, source_id: `p-${sequence}` };
  return { sequence, id: `id-${sequence}`, event };
}

const description: DescribeResponseMessage = {
  journal_id: 'j',
  journal_tag: 7,
  created_time: '',
  origin_id: 'id-0',
  oldest_sequence: 1,
  oldest_id: 'id-1',
  newest_sequence: 6,
  newest_id: 'id-6',
  retained_bytes: 1,
  retention_max_age_ms: 1,
  retention_max_bytes: 1,
  damaged_sequence: 0,
};

const records: readonly RecordMessage[] = [
  eventRecord(1, 'a.md'),
  { sequence: 2, id: 'id-2', change: { execution_id: execution, tags: ['t'] } },
  eventRecord(3, 'b.md'),
  eventRecord(4, 'c.json'),
  eventRecord(5, 'd.md', other),
  eventRecord(6, 'e.md'),
];

const journal = new Journal(description, records);

function seen(...ids: readonly string[]): Seen[] {
  return ids.map((id) => ({ kind: 'event', id }));
}

interface Client {
  readonly seen: readonly Seen[];
  readonly values?: readonly string[];
  readonly from?: string;
  readonly extension?: string;
  readonly expectation?: Expectation;
}

/** What the oracle says of a client; null when it is content. */
async function saidOf(client: Client, truth = journal): Promise<string | null> {
  const { values = [execution], from = 'earliest', extension = null } = client;
  const outcome = await runScenario(
    scenarioOf((context) => {
      const watch = watchOf(values, { extension });
      const watcher = new Watcher({ name: 'w', watch, from, base: () => '' }, randomFrom(1));
      watcher.seen.push(...client.seen);
      expectDelivered(context, watcher, truth, client.expectation);
      return Promise.resolve();
    }),
    11,
  );
  return outcome.passed ? null : outcome.failure;
}

function scenarioOf(run: (context: StressContext) => Promise<void>, secondsMax?: number): Scenario {
  return { name: 'x', invariant: 'x', quick: false, run, ...(secondsMax === undefined ? {} : { secondsMax }) };
}

test('the oracle is content with exactly the matching events', async (t) => {
  t.is(await saidOf({ seen: seen('id-1', 'id-3', 'id-4', 'id-6') }), null);
  t.is(await saidOf({ seen: seen('id-1', 'id-3', 'id-6'), extension: 'md' }), null);
  // An event belongs to a tag that its execution had by then.
  t.is(await saidOf({ seen: seen('id-3', 'id-4', 'id-6'), values: ['t'] }), null);
  t.is(await saidOf({ seen: [{ kind: 'ready', id: 'id-3' }, ...seen('id-4', 'id-6')], from: 'live' }), null);
  const done: Seen = { kind: 'done', id: 'id-4', reason: 'executions_terminal' };
  t.is(await saidOf({ seen: [...seen('id-1', 'id-3', 'id-4'), done] }), null);
});

const differences: Readonly<Record<string, readonly [Client, RegExp]>> = {
  'a lost event': [{ seen: seen('id-1', 'id-4', 'id-6') }, /place 1 of 4 expected id-3 .*sequence 3.*got id-4/],
  'a lost end': [{ seen: seen('id-1', 'id-3', 'id-4') }, /place 3 of 4 expected id-6 .*got nothing/],
  'an event twice': [{ seen: seen('id-1', 'id-3', 'id-3', 'id-4', 'id-6') }, /place 2 of 4 expected id-4 .*got id-3/],
  'another order': [{ seen: seen('id-3', 'id-1', 'id-4', 'id-6') }, /place 0 of 4 expected id-1/],
  'an event that was not asked for': [{ seen: seen('id-1', 'id-3', 'id-4', 'id-5', 'id-6') }, /got id-5/],
  'an event that does not exist': [{ seen: seen('id-1', 'id-3', 'id-4', 'id-6', 'id-9') }, /id-9 \(not an event/],
  'a gap': [
    { seen: [{ kind: 'gap', id: 'id-0', reason: 'expired' }, ...seen('id-1', 'id-3', 'id-4', 'id-6')] },
    /1 gaps instead of 0/,
  ],
  'no gap where one is due': [
    { seen: seen('id-1', 'id-3', 'id-4', 'id-6'), expectation: { gaps: 1 } },
    /0 gaps instead of 1/,
  ],
  'a loss before a gap': [
    {
      seen: [...seen('id-3'), { kind: 'gap', id: 'id-4', reason: 'expired' }, ...seen('id-6')],
      expectation: { gaps: 1 },
    },
    /place 0 of 2 expected id-1/,
  ],
  'no beginning': [{ seen: [], from: 'live' }, /never told where it begins/],
};

for (const [what, [client, message]] of Object.entries(differences)) {
  test(`the oracle names ${what}, the seed and the positions`, async (t) => {
    const said = (await saidOf(client)) ?? '';
    t.regex(said, message);
    t.regex(said, /^InvariantError: /);
    t.regex(said, /seed 11; journal j tag 7: oldest 1 id-1, newest 6 id-6; the client stood at \S+/);
    t.regex(said, /client w, filter/);
  });
}

// A client may be right and the journal wrong, or the other way round: whoever reads of a failure must see where each of them was.
test('a difference is said with both journals, where the client stood, and where bus and router stand', async (t) => {
  const old = new Journal(
    { ...description, journal_id: 'old', newest_sequence: 4, newest_id: 'id-4' },
    records.slice(0, 4),
  );
  const gap: Seen = { kind: 'gap', id: 'id-5', reason: 'expired' };
  const said = (await saidOf({ seen: [...seen('id-1', 'id-4'), gap], expectation: { gaps: 1, before: old } })) ?? '';
  t.regex(
    said,
    /behind the beginning: at place 1 of 3 expected id-3 \(sequence 3, b\.md\), got id-4 \(sequence 4, c\.json\) of 2/,
  );
  t.regex(
    said,
    /seed 11; journal j tag 7: oldest 1 id-1, newest 6 id-6; before it journal old tag 7: oldest 1 id-1, newest 4 id-4; /,
  );
  t.regex(said, /; the client stood at id-5 \(sequence 5, d\.md\)\n/);
  const ready: Seen = { kind: 'ready', id: 'id-2' };
  t.regex((await saidOf({ seen: [ready], from: 'live' })) ?? '', /the client stood at id-2 \(sequence 2, a change\)/);
  t.regex((await saidOf({ seen: [] })) ?? '', /the client stood at no position/);
  const router = createServer((_request, response) => {
    response.end(JSON.stringify({ status: 'filling', upstream: 'connected', last_event_id: 'id-3', lag: 3 }));
  });
  await new Promise<void>((resolve) => router.listen(0, '127.0.0.1', resolve));
  const http = `http://127.0.0.1:${(router.address() as AddressInfo).port}`;
  t.is(await positionOfRouter(http), `router ${http}: filling, stands at id-3, lag 3`);
  router.close();
  router.closeAllConnections();
  t.regex(await positionOfRouter(http), /^router http:\S+: fetch failed/);
});

function acknowledged(sequence: number, id = `id-${sequence}`): Acknowledged {
  const path = { 1: 'a.md', 3: 'b.md', 4: 'c.json' }[sequence] ?? 'x';
  return { id, executionId: execution, stage: 'boost', path, sourceId: `p-${sequence}`, metadata: {} };
}

async function saidOfAcknowledged(all: readonly Acknowledged[]): Promise<string> {
  const outcome = await runScenario(
    scenarioOf((context) => {
      expectAcknowledged(context, all, journal);
      return Promise.resolve();
    }),
    11,
  );
  return outcome.failure;
}

test('an acknowledged event that is lost, is another one or stands elsewhere is named', async (t) => {
  t.is(await saidOfAcknowledged([acknowledged(1), acknowledged(3), acknowledged(4)]), '');
  t.regex(await saidOfAcknowledged([acknowledged(1), acknowledged(3, 'id-8')]), /p-3: id-8 is not in the journal/);
  t.regex(await saidOfAcknowledged([acknowledged(3, 'id-1')]), /is another event in the journal/);
  t.regex(await saidOfAcknowledged([acknowledged(3), acknowledged(1)]), /does not come behind the one before it/);
});

test('a source_id that stands twice is named', async (t) => {
  const twice = { ...eventRecord(7, 'a.md'), event: { ...eventRecord(1, 'a.md').event, source_id: 'p-1' } };
  const outcome = await runScenario(
    scenarioOf((context) => {
      expectOnce(context, new Journal(description, [...records, twice]));
      return Promise.resolve();
    }),
    11,
  );
  t.regex(outcome.failure, /p-1 stands twice: id-1 and id-7/);
});

test('a run that checked nothing, that checked nothing of a kind, or that does not end has failed', async (t) => {
  const nothing = await runScenario(
    scenarioOf(() => Promise.resolve()),
    1,
  );
  t.false(nothing.passed);
  t.regex(nothing.failure, /checked nothing/);
  const zero = scenarioOf((context) => {
    context.checked('clients', 3);
    context.checked('deliveries', 0);
    return Promise.resolve();
  });
  t.regex((await runScenario(zero, 1)).failure, /checked no deliveries/);
  const endless = scenarioOf(() => new Promise(() => undefined), 0.05);
  t.regex((await runScenario(endless, 1)).failure, /did not end within 0.05 s/);
});

test('what a scenario started is ended in reverse order, whatever came of it, and what it had to say is said', async (t) => {
  const ended: string[] = [];
  const outcome = await runScenario(
    scenarioOf((context) => {
      context.teardown(() => ended.push('first'));
      context.teardown(() => ended.push('second'));
      context.onFailure(() => 'the end of its log');
      throw new TypeError('broken');
    }),
    5,
  );
  t.deepEqual(ended, ['second', 'first']);
  t.regex(outcome.failure, /TypeError: broken[\s\S]*the end of its log/);
  t.is(outcome.repeat, "npm run stress -- --scenario 'x' --seed 5");
});

test('the same seed draws the same', async (t) => {
  const drawn = async (seed: number): Promise<readonly string[]> => {
    const scenario = scenarioOf((context) => {
      context.checked('draws', 1);
      context.log(`${context.fork().below(1e6)} ${context.random.below(1e6)}`);
      return Promise.resolve();
    });
    return (await runScenario(scenario, seed)).log;
  };
  t.deepEqual(await drawn(3), await drawn(3));
  t.notDeepEqual(await drawn(3), await drawn(4));
});

const listed: readonly Scenario[] = ['crash: one', 'crash: two', 'slow: one'].map((name, index) => ({
  ...scenarioOf(() => Promise.resolve()),
  name,
  quick: index === 0,
}));

test('scenarios are chosen by a beginning, a pattern or several, and --quick takes the selection', (t) => {
  const chosen = (...words: string[]): string[] => readWords(words, listed).chosen.map(({ name }) => name);
  t.deepEqual(chosen(), ['crash: one', 'crash: two', 'slow: one']);
  t.deepEqual(chosen('--scenario', 'crash'), ['crash: one', 'crash: two']);
  t.deepEqual(chosen('--scenario', '*: one'), ['crash: one', 'slow: one']);
  t.deepEqual(chosen('--scenario', 'slow', '--scenario', 'crash: t'), ['crash: two', 'slow: one']);
  t.deepEqual(chosen('--quick'), ['crash: one']);
});

test('a word that is not understood is refused with what is allowed', (t) => {
  const refused = (...words: string[]): string =>
    t.throws(() => readWords(words, listed), { instanceOf: WordsError }).message;
  t.regex(refused('--bogus'), /--bogus.*--scenario/);
  t.regex(refused('--scenario', 'nope'), /nope.*'crash: one', 'crash: two', 'slow: one'/);
  for (const seed of ['x', '-1', '4294967296', '1.5']) t.regex(refused(`--seed=${seed}`), /from 0 to 4294967295/);
  t.regex(refused('--repeat=0'), /from 1 to/);
});

test('every scenario has a name of its own with its topic, and one sentence for its invariant', (t) => {
  const names = scenarios.map(({ name }) => name);
  t.is(new Set(names).size, names.length);
  for (const { name, invariant } of scenarios) {
    t.regex(name, /^[a-z][a-z -]*: \S/);
    t.regex(invariant, /^[A-Z0-9`].{20,}\.$/);
  }
});
