import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import test from 'ava';
import { createWindow } from '../../src/window/window-memory.ts';
import { WindowWriter } from '../../src/window/window-writer.ts';
import { RecordReader } from '../../src/wire/record-reader.ts';
import { checkedRecord } from '../support/checked-record.ts';
import { encodeBatch } from '../support/record-batch.ts';
import type { RaceReport, RaceSetup } from './ring-race.worker.ts';

const readers = 3;
const recordsRaced = 120_000;
const batchRecords = 500;

// W1, W2, W4. Without the re-check, or with low raised after the overwrite, this finds torn records within a second.
test('readers that race the writer of a tiny window never take a torn record', async (t) => {
  const batches: Buffer[] = [];
  for (let first = 1; first <= recordsRaced; first += batchRecords) {
    batches.push(
      encodeBatch({ records: Array.from({ length: batchRecords }, (_, index) => checkedRecord(first + index)) }),
    );
  }
  const memory = createWindow(80_000);
  const finished = new SharedArrayBuffer(4);
  const workerData: RaceSetup = { memory, finished, scratchBytes: 70_000 };
  const workers = Array.from(
    { length: readers },
    () => new Worker(new URL('./ring-race.worker.js', import.meta.url), { workerData }),
  );
  t.teardown(() => Promise.all(workers.map((worker) => worker.terminate())));
  await Promise.all(workers.map((worker) => once(worker, 'message')));
  const reports = workers.map(async (worker) => (await once(worker, 'message'))[0] as RaceReport);
  for (const worker of workers) worker.postMessage('go');

  const writer = new WindowWriter(memory);
  const reader = new RecordReader();
  for (const batch of batches) {
    reader.reset(batch);
    while (reader.next()) writer.append(reader);
  }
  Atomics.store(new Int32Array(finished), 0, 1);

  for (const report of await Promise.all(reports)) {
    t.log(JSON.stringify(report));
    t.is(report.torn, 0);
    t.is(report.disordered, 0);
    t.true(report.overtaken > 0, 'the race was no race: nothing was overtaken');
    t.true(report.records > 0);
    t.is(report.lastSequence, recordsRaced);
  }
});
