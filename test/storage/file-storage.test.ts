import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import { type Clock, systemClock } from '../../src/core/clock.ts';
import type { StorageEventInput } from '../../src/core/event.ts';
import { BusError, InvalidInputError } from '../../src/core/failure.ts';
import { publishRetryMs } from '../../src/core/limits.ts';
import { FileStorage, StorageError, type StoredObject } from '../../src/storage/file-storage.ts';
import type { EventPublisher, PublishEntry } from '../../src/storage/publisher.ts';
import { ownDirectory } from '../support/command.ts';
import { projectRoot } from '../support/source-files.ts';

const executionId = '0d9be1a2-7c3e-4f4e-9a56-3f1c6f6b2a10';

const object = (change: Partial<StoredObject> = {}): StoredObject => ({
  executionId,
  stage: 'boost/routines',
  path: 'reports/summary.md',
  content: 'häuser\n',
  contentType: 'text/markdown',
  ...change,
});

/** Remembers what was published; fails first as often as it is told to. */
class Published implements EventPublisher {
  readonly entries: PublishEntry[] = [];
  readonly failures: BusError[] = [];
  onPublish: () => void = () => undefined;

  publish(entries: readonly PublishEntry[]): Promise<readonly string[]> {
    this.entries.push(...entries);
    this.onPublish();
    const failure = this.failures.shift();
    return failure === undefined ? Promise.resolve(entries.map(() => 'id')) : Promise.reject(failure);
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  get events(): StorageEventInput[] {
    return this.entries.flatMap((entry) => (entry.kind === 'event' ? [entry.event] : []));
  }
}

/** Time that passes at once, and says how much of it was waited for. */
function impatientClock(waits: number[]): Clock {
  return {
    ...systemClock,
    after(delayMs, action) {
      waits.push(delayMs);
      return systemClock.after(0, action);
    },
  };
}

test('an object is on disk, whole, before its event is published with size and checksum', async (t) => {
  const root = ownDirectory(t);
  const publisher = new Published();
  const file = join(root, executionId, 'boost/routines/reports/summary.md');
  publisher.onPublish = () => {
    t.is(readFileSync(file, 'utf8'), 'häuser\n');
  };
  const storage = new FileStorage({ root, publisher, clock: systemClock });
  t.is(await storage.put(object({ executionId: executionId.toUpperCase(), metadata: { k: 'v' } })), 'id');
  const [event] = publisher.events;
  t.is(event?.execution_id, executionId);
  t.is(event?.stage, 'boost/routines');
  t.is(event?.path, 'reports/summary.md');
  t.is(event?.size, 8);
  t.is(event?.checksum, `sha256:${createHash('sha256').update('häuser\n').digest('hex')}`);
  t.is(fileURLToPath(event?.uri ?? ''), file);
  t.deepEqual(event?.metadata, { k: 'v' });
  t.deepEqual(readdirSync(join(root, executionId, 'boost/routines/reports')), ['summary.md']);
});

test('names that would climb out are refused before anything is written', async (t) => {
  const root = join(ownDirectory(t), 'root');
  const publisher = new Published();
  const storage = new FileStorage({ root, publisher, clock: systemClock });
  for (const bad of [
    { path: '../x' },
    { path: 'a/../../x' },
    { stage: '..' },
    { path: '/etc/x' },
    { path: '' },
    { path: 'a\0b' },
    { executionId: '../..' },
  ]) {
    await t.throwsAsync(() => storage.put(object(bad)), { instanceOf: InvalidInputError }, JSON.stringify(bad));
  }
  t.false(existsSync(root));
  t.deepEqual(publisher.entries, []);
});

test('a link below the root that leads out of it is refused', async (t) => {
  const base = ownDirectory(t);
  const [root, outside] = [join(base, 'root'), join(base, 'outside')];
  mkdirSync(join(root, executionId), { recursive: true });
  mkdirSync(outside);
  symlinkSync(outside, join(root, executionId, 'boost'));
  const publisher = new Published();
  const storage = new FileStorage({ root, publisher, clock: systemClock });
  const error = await t.throwsAsync(() => storage.put(object({ stage: 'boost', path: 'x' })), {
    instanceOf: StorageError,
  });
  t.is(error.code, 'outside-root');
  t.deepEqual(readdirSync(outside), []);
  t.deepEqual(publisher.entries, []);
});

test('a write that fails publishes nothing, leaves nothing partial and keeps what was there', async (t) => {
  const root = ownDirectory(t);
  const publisher = new Published();
  const storage = new FileStorage({ root, publisher, clock: systemClock });
  await storage.put(object({ path: 'a', content: 'old' }));
  const folder = join(root, executionId, 'boost/routines');
  // The object's place is a folder: the rename fails after the temporary file was written.
  mkdirSync(join(folder, 'taken'));
  writeFileSync(join(folder, 'taken', 'x'), '');
  const error = await t.throwsAsync(() => storage.put(object({ path: 'taken' })), { instanceOf: StorageError });
  t.is(error.code, 'write-failed');
  t.deepEqual(readdirSync(folder).sort(), ['a', 'taken']);
  t.is(publisher.entries.length, 1);
});

// Without temporary file and rename, a reader after a crash would find half an object under the object's name.
test('a process killed while it writes leaves the old object whole', async (t) => {
  const root = ownDirectory(t);
  const child = spawn(process.execPath, [join(projectRoot, 'build/test/support/storage-process.js'), root]);
  t.teardown(() => child.kill('SIGKILL'));
  let rounds = 0;
  await new Promise<void>((resolve) => {
    child.stdout.on('data', (chunk: Buffer) => {
      rounds += chunk.length;
      if (rounds >= 3) resolve();
    });
  });
  const closed = new Promise((resolve) => child.once('close', resolve));
  child.kill('SIGKILL');
  await closed;
  const text = readFileSync(join(root, executionId, 'stage', 'object'), 'utf8');
  t.is(text.length, 8_000_000);
  t.is(new Set(text).size, 1, 'one round’s letters only');
});

test('a bus that is away for a moment is asked again with the same source_id', async (t) => {
  const publisher = new Published();
  publisher.failures.push(new BusError('unavailable', 'away'), new BusError('deadline', 'slow'));
  const waits: number[] = [];
  const storage = new FileStorage({ root: ownDirectory(t), publisher, clock: impatientClock(waits) });
  t.is(await storage.put(object()), 'id');
  t.is(new Set(publisher.events.map((event) => event.source_id)).size, 1);
  t.is(publisher.events.length, 3);
  t.deepEqual(waits, publishRetryMs.slice(0, 2));
  await storage.put(object());
  t.is(new Set(publisher.events.map((event) => event.source_id)).size, 2);
});

test('a bus that stays away, or refuses, is the caller’s to know', async (t) => {
  const publisher = new Published();
  const storage = new FileStorage({ root: ownDirectory(t), publisher, clock: impatientClock([]) });
  publisher.failures.push(
    ...Array.from({ length: publishRetryMs.length + 1 }, () => new BusError('unavailable', 'away')),
  );
  await t.throwsAsync(() => storage.put(object()), { instanceOf: BusError, message: 'away' });
  t.is(publisher.entries.length, publishRetryMs.length + 1);
  publisher.failures.push(new BusError('conflict', 'no'));
  await t.throwsAsync(() => storage.put(object()), { instanceOf: BusError, message: 'no' });
  t.is(publisher.entries.length, publishRetryMs.length + 2);
});
