import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { lockDirectory } from '../../src/bus/check/directory-lock.ts';
import { startBus } from '../../src/bus/start-bus.ts';
import { StartError } from '../../src/core/failure.ts';
import { temporaryDirectory } from '../support/open-journal.ts';

// Without this, two buses would write one journal.
test('a directory in use is refused in one sentence, and free again after release', (t) => {
  const directory = temporaryDirectory(t);
  const lock = lockDirectory(directory);
  const error = t.throws(() => lockDirectory(directory), { instanceOf: StartError });
  t.is(error.message, `data directory ${directory} is in use by process ${process.pid}`);
  t.is(error.exitCode, 1);
  lock.release();
  t.deepEqual(readdirSync(directory), []);
  lockDirectory(directory).release();
});

// Without this, a bus that was killed would need a person to start again.
test('a lock left by a process that has gone, or by an earlier one with the same id, is taken over', async (t) => {
  const directory = temporaryDirectory(t);
  const child = spawn(process.execPath, ['-e', '']);
  await once(child, 'close');
  for (const left of [{ pid: child.pid, start: null }, { pid: process.pid, start: 'another-boot/1' }, 'cut sho']) {
    writeFileSync(join(directory, 'bus.lock'), typeof left === 'string' ? left : JSON.stringify(left));
    lockDirectory(directory).release();
  }
  t.deepEqual(readdirSync(directory), []);
});

test('a place that cannot be written is said plainly', async (t) => {
  const directory = join(temporaryDirectory(t), 'file');
  writeFileSync(directory, '');
  const settings = { engine: 'lmdb', dataDirectory: directory, host: '127.0.0.1', port: 0 } as const;
  const error = await t.throwsAsync(startBus(settings, { onWarning: () => undefined }), { instanceOf: StartError });
  t.regex(error.message, /^data directory .* is not writable: /);
});

// Without this, such a place kept the process at full load for ever, and SIGTERM did not end it.
const linux = existsSync('/proc/self') ? test : test.skip;
linux('a place whose parent takes no directory is said plainly', (t) => {
  const error = t.throws(() => lockDirectory('/proc/rivulet/data'), { instanceOf: StartError });
  t.regex(error.message, /^data directory \/proc\/rivulet\/data is not writable: /);
});

test('a directory is made with its parents', (t) => {
  const directory = join(temporaryDirectory(t), 'a', 'b');
  lockDirectory(directory).release();
  t.deepEqual(readdirSync(directory), []);
});

test('a port that is taken is said plainly, and the directory is free again', async (t) => {
  const directory = temporaryDirectory(t);
  mkdirSync(join(directory, 'a'));
  const events = { onWarning: () => undefined };
  const first = await startBus({ engine: 'memory', dataDirectory: '', host: '127.0.0.1', port: 0 }, events);
  t.teardown(() => first.stop());
  const settings = { engine: 'lmdb', dataDirectory: directory, host: '127.0.0.1', port: first.port } as const;
  const error = await t.throwsAsync(startBus(settings, events), { instanceOf: StartError });
  t.regex(
    error.message,
    /^the bus cannot listen on 127\.0\.0\.1:\d+: the port is taken by another program; choose another with --bus-port/,
  );
  lockDirectory(directory).release();
});
