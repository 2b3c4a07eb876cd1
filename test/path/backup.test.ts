import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import test, { type ExecutionContext } from 'ava';
import { runCommand } from '../support/command.ts';
import { eventAt, newExecution } from '../support/execution-names.ts';
import { type System, startProgram, startUp, temporaryDirectory } from '../support/system.ts';

/** `bus --backup` beside a bus that is being written to, and the way back from the copy. On the real program. */

const backup = (t: ExecutionContext, directory: string, file: string) =>
  runCommand(t, ['bus', '--backup', file, `--data-dir=${directory}`]);

/** A data directory with nothing but the copy in it. */
async function restored(t: ExecutionContext, file: string): Promise<string> {
  const directory = await temporaryDirectory(t);
  copyFileSync(file, join(directory, 'journal.mdb'));
  return directory;
}

async function everything(system: System, execution: string, count: number): Promise<readonly unknown[]> {
  const replay = await system.sse({ execution_id: execution, last_event_id: 'earliest' });
  await replay.count(count);
  return replay.ids;
}

test.serial('a copy made under load holds every record up to its newest, with the same ids, and serves', async (t) => {
  const directory = await temporaryDirectory(t);
  const system = await startUp(t, directory);
  const execution = newExecution();
  await system.put(execution, { status: 'running' });
  const ids = await system.publishMany(execution, 3_000);
  let copying = true;
  let batches = 0;
  const publishing = (async (): Promise<void> => {
    while (copying) {
      ids.push(...(await system.publishMany(execution, 200, 400, `b${batches}-`)));
      batches += 1;
    }
  })();
  const file = join(await temporaryDirectory(t), 'copy.mdb');
  const before = ids.length;
  const made = await backup(t, directory, file);
  copying = false;
  await publishing;
  t.is(made.code, 0, made.error);
  const [, records = '', newest = ''] = /^copied: (\d+) records up to (\S+), \d+ bytes, to /.exec(made.out) ?? [];
  t.log(`${records} records, ${batches} batches meanwhile`);
  t.true(batches > 1, 'it was being written to');
  const events = Number(records) - 1;
  t.true(events >= before, 'what was acknowledged before is in it');
  t.is(ids[events - 1], newest);
  t.deepEqual(readdirSync(join(file, '..')), ['copy.mdb'], 'nothing else is left there');
  t.deepEqual(await system.stop(), { code: 0, signal: null });
  const again = await startUp(t, await restored(t, file));
  t.deepEqual(await everything(again, execution, events), ids.slice(0, events));
});

// Silence would be the worst: a client that waits at a position that will never come, or takes another event for the one that it had.
for (const flags of [['--restored'], []]) {
  test.serial(
    `back to a copy ${flags.length > 0 ? 'with --restored' : 'without a word'}: open streams and cursors from after it are told of the gap, those from before it are not`,
    async (t) => {
      const directory = await temporaryDirectory(t);
      const words = ['bus', `--data-dir=${directory}`];
      const first = await startProgram(t, [...words, '--bus-port=0']);
      const router = await startProgram(t, [
        'router',
        `--bus=${first.grpc}`,
        ...['--port=0', '--ops-port=0', '--shards=2', '--window-bytes=4MiB'],
      ]);
      await router.untilReady('ready');
      const execution = newExecution();
      await router.put(execution, { status: 'running' });
      const kept = await router.publishMany(execution, 100);
      const file = join(await temporaryDirectory(t), 'copy.mdb');
      t.is((await backup(t, directory, file)).code, 0);
      const lost = await router.publishMany(execution, 50, 400, 'lost');
      const open = await router.sse({ execution_id: execution });
      await open.first('ready');
      await first.stop();
      rmSync(join(directory, 'journal.mdb-lock'), { force: true });
      copyFileSync(file, join(directory, 'journal.mdb'));
      const port = first.grpc.split(':').at(-1) ?? '';
      const second = await startProgram(t, [...words, `--bus-port=${port}`, ...flags]);
      const gap = await open.first('gap');
      t.is(gap.data['reason'], 'journal_replaced');
      await router.untilReady('ready');
      const [id = ''] = await router.publish(eventAt(execution, 'after'));
      await open.count(1);
      t.deepEqual(open.ids, [id]);
      const late = await router.sse({ execution_id: execution }, { 'last-event-id': lost.at(-1) ?? '' });
      t.regex(String((await late.first('gap')).data['reason']), /^(?:unknown_position|journal_replaced)$/);
      const early = await router.sse({ execution_id: execution }, { 'last-event-id': kept[49] ?? '' });
      await early.count(51);
      t.deepEqual(early.ids, [...kept.slice(50), id]);
      t.false(early.received.some(({ event }) => event === 'gap'));
      t.deepEqual(await router.stop(), { code: 0, signal: null });
      t.deepEqual(await second.stop(), { code: 0, signal: null });
    },
  );
}

test.serial(
  'an existing file is left as it is; without a journal, or with another engine, there is nothing to copy',
  async (t) => {
    const directory = await temporaryDirectory(t);
    const file = join(directory, 'mine.mdb');
    writeFileSync(file, 'mine');
    const nothing = await backup(t, join(directory, 'data'), join(directory, 'new.mdb'));
    t.regex(nothing.error, /^rivulet: there is no journal to copy in [^\n]*\n$/);
    t.is(nothing.code, 1);
    const bus = await startProgram(t, ['bus', '--bus-port=0', `--data-dir=${join(directory, 'data')}`]);
    const existing = await backup(t, join(directory, 'data'), file);
    t.regex(existing.error, /^rivulet: [^\n]*mine\.mdb exists already and is left as it is[^\n]*\n$/);
    t.is(existing.code, 1);
    const memory = await runCommand(t, ['bus', '--backup', 'x', '--engine=memory']);
    t.is(memory.code, 2);
    t.false(existsSync(join(directory, 'new.mdb')));
    t.deepEqual(await bus.stop(), { code: 0, signal: null });
  },
);

const noLinks = fileURLToPath(new URL('../support/no-links.preload.js', import.meta.url));

// A stick or a share to take the copy away on mostly has no hard links: the whole journal was copied, and then it was `cannot be written`.
test.serial(
  'on a file system without hard links: the copy is there and whole, or somebody else’s file is left as it is',
  async (t) => {
    const directory = await temporaryDirectory(t);
    const data = join(directory, 'data');
    const system = await startUp(t, data);
    const execution = newExecution();
    await system.put(execution, { status: 'running' });
    const ids = await system.publishMany(execution, 300);
    const copies = join(directory, 'copies');
    mkdirSync(copies);
    const file = join(copies, 'copy.mdb');
    const without = (environment: Record<string, string>) =>
      runCommand(t, ['bus', '--backup', file, `--data-dir=${data}`], {
        environment: { NODE_OPTIONS: `--import=${noLinks}`, ...environment },
      });
    const taken = await without({ APPEARS: file });
    t.is(taken.code, 1);
    t.regex(taken.error, /copy\.mdb exists already and is left as it is/);
    t.is(readFileSync(file, 'utf8'), 'mine');
    t.deepEqual(readdirSync(copies), ['copy.mdb']);
    rmSync(file);
    const made = await without({});
    t.is(made.code, 0, made.error);
    t.regex(made.out, /^copied: 301 records/);
    t.deepEqual(readdirSync(copies), ['copy.mdb']);
    await system.stop();
    const again = await startUp(t, await restored(t, file));
    t.deepEqual(await everything(again, execution, 300), ids);
  },
);
