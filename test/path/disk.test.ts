import { statSync } from 'node:fs';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { journalFileName } from '../../src/bus/engine/lmdb-store.ts';
import { systemClock } from '../../src/core/clock.ts';
import { BusError } from '../../src/core/failure.ts';
import { createBusClient } from '../../src/wire/bus/bus-client.ts';
import { lacksLimits, limitFileSize, smallDisk } from '../support/disk.ts';
import { newExecution } from '../support/execution-names.ts';
import { type System, startUp, temporaryDirectory } from '../support/system.ts';

/** A disk that is full or read-only: publishing says so, reading goes on, writing goes on by itself when it can, and nothing is lost or half there. */

const padding = { k: 'x'.repeat(1_000) };

/** Publishes batch after batch, and keeps what was acknowledged. */
class Writer {
  readonly acknowledged: string[] = [];
  readonly #system: System;
  readonly #execution: string;
  #batches = 0;

  constructor(system: System, execution: string) {
    this.#system = system;
    this.#execution = execution;
  }

  /** The status of the answer, and its body. */
  async batch(size: number): Promise<[number, Record<string, unknown>]> {
    this.#batches += 1;
    const events = Array.from({ length: size }, (_, n) => ({
      execution_id: this.#execution,
      stage: 'load',
      path: `b${this.#batches}/${n}`,
      metadata: padding,
    }));
    const response = await this.#system.post({ events });
    const body = (await response.json()) as Record<string, unknown>;
    if (response.status === 202) this.acknowledged.push(...(body['ids'] as string[]));
    return [response.status, body];
  }

  /** Until `refusals` in a row; every one of them is 507 and says why. */
  async untilRefused(t: ExecutionContext, refusals: number, reason: RegExp): Promise<void> {
    for (let inRow = 0, batches = 0; inRow < refusals; batches += 1) {
      const [status, body] = await this.batch([1, 20, 100, 300][batches % 4] ?? 1);
      inRow = status === 202 ? 0 : inRow + 1;
      if (status === 202) continue;
      t.is(status, 507, JSON.stringify(body));
      t.is(body['error_code'], 'STORAGE_EXHAUSTED');
      t.regex(String(body['detail']), reason);
    }
  }
}

/** Everything acknowledged, once, in order, and nothing else: for a stream that was open all along and for one that begins now. */
async function readsAll(t: ExecutionContext, system: System, execution: string, ids: readonly string[]): Promise<void> {
  const client = await system.sse({ execution_id: execution, last_event_id: 'earliest' });
  await client.count(ids.length);
  t.deepEqual(client.ids, [...ids]);
  t.deepEqual([...ids].sort(), [...ids]);
  client.cut();
}

async function publishCode(t: ExecutionContext, system: System, execution: string): Promise<[string, string]> {
  const client = createBusClient(system.grpc, { clock: systemClock });
  t.teardown(() => {
    client.close();
  });
  const entries = [{ event: { execution_id: execution, stage: 'load', path: 'grpc', metadata: padding } }];
  const error = await t.throwsAsync(client.publish({ entries: Array.from({ length: 300 }, () => entries).flat() }), {
    instanceOf: BusError,
  });
  t.is((error.cause as { code?: number }).code, 8, 'RESOURCE_EXHAUSTED');
  return [error.code, error.message];
}

// The whole of one commit may fit in part: LMDB then speaks of an input/output error, which said nothing of the disk.
test.serial(
  'full: 507 and RESOURCE_EXHAUSTED with the reason, reading goes on, writing resumes, and so it is after a kill',
  async (t) => {
    if (lacksLimits(t)) return;
    const directory = await temporaryDirectory(t);
    const system = await startUp(t, directory);
    const execution = newExecution();
    await system.put(execution, { status: 'running' });
    const live = await system.sse({ execution_id: execution });
    await live.first('ready');
    const writer = new Writer(system, execution);
    for (let round = 0; round < 3; round += 1) {
      await writer.batch(300);
      limitFileSize(system.process.pid, statSync(join(directory, journalFileName)).size + 1_048_576);
      await writer.untilRefused(t, 12, /^the disk of the journal is full$/);
      const [code, message] = await publishCode(t, system, execution);
      t.deepEqual([code, message], ['exhausted', 'the disk of the journal is full']);
      await readsAll(t, system, execution, writer.acknowledged);
      t.is((await system.fetch('/readyz')).status, 200);
      t.is((await system.json(`/api/v1/executions/${execution}`))['events'], writer.acknowledged.length);
      limitFileSize(system.process.pid, null);
      t.is((await writer.batch(100))[0], 202, 'there is room again');
    }
    await live.count(writer.acknowledged.length);
    t.deepEqual(live.ids, writer.acknowledged);
    t.log(`${writer.acknowledged.length} acknowledged over three times full`);
    await system.stop('SIGKILL');
    const again = await startUp(t, directory);
    await again.untilReady('ready');
    await readsAll(t, again, execution, writer.acknowledged);
    const next = new Writer(again, execution);
    await next.batch(1);
    t.true((next.acknowledged[0] ?? '') > (writer.acknowledged.at(-1) ?? ''));
  },
);

// Retention must be able to write when nothing else is, so appends leave it a reserve; room comes back by itself.
test.serial('a disk that somebody else fills: 507 at its reserve, and 202 when the other has gone', async (t) => {
  const disk = smallDisk(t, await temporaryDirectory(t), 50_331_648);
  if (disk === null) return;
  const system = await startUp(t, join(disk.directory, 'data'));
  const execution = newExecution();
  const writer = new Writer(system, execution);
  for (let round = 0; round < 3; round += 1) {
    t.is((await writer.batch(300))[0], 202);
    const free = disk.fill();
    await writer.untilRefused(t, 12, /^the disk of the journal is full$/);
    await readsAll(t, system, execution, writer.acknowledged);
    free();
  }
  t.is((await writer.batch(10))[0], 202);
  await writer.untilRefused(t, 3, /^the disk of the journal is full$/);
  await readsAll(t, system, execution, writer.acknowledged);
  await system.stop();
});

// LMDB mapped its file anew for the next pages, could not, and ended the process with SIGSEGV; before that it was UNAVAILABLE for ever.
test.serial(
  'a disk that turns read-only: 507 and RESOURCE_EXHAUSTED, reading goes on, and all of it is there when it is repaired',
  async (t) => {
    const disk = smallDisk(t, await temporaryDirectory(t), 50_331_648);
    if (disk === null) return;
    const data = join(disk.directory, 'data');
    const system = await startUp(t, data);
    const execution = newExecution();
    const live = await (async () => {
      await system.put(execution, { status: 'running' });
      return system.sse({ execution_id: execution });
    })();
    const writer = new Writer(system, execution);
    t.is((await writer.batch(300))[0], 202);
    disk.turnReadOnly();
    await writer.untilRefused(t, 40, /^the disk of the journal is read-only$/);
    const [code, message] = await publishCode(t, system, execution);
    t.deepEqual([code, message], ['exhausted', 'the disk of the journal is read-only']);
    await readsAll(t, system, execution, writer.acknowledged);
    await live.count(300);
    t.deepEqual(live.ids, writer.acknowledged);
    t.is((await system.fetch('/readyz')).status, 200);
    const exit = await system.stop();
    t.deepEqual(exit, { code: 0, signal: null });
    // No commit was on its way: LMDB, whose message for a failed write overruns its buffer, has never been asked to write.
    t.notRegex(system.stderr(), /Write error/);
    disk.repair();
    const again = await startUp(t, data);
    await readsAll(t, again, execution, writer.acknowledged);
    t.is((await new Writer(again, execution).batch(100))[0], 202);
    await again.stop();
  },
);
