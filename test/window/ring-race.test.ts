import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import test from 'ava';
import { createWindow } from '../../src/window/window-memory.ts';
import { WindowWriter } from '../../src/window/window-writer.ts';
import { RecordReader } from '../../src/wire/record/record-reader.ts';
import { checkedRecord } from '../support/checked-record.ts';
import { encodeBatch } from '../support/record-batch.ts';
import type { RaceReport, RaceSetup } from './ring-race.worker.ts';

const recordsRaced = 60_000;
const batchRecords = 500;
const windowBytes = 2_097_152;
/** Two at the edge, four in long copies: more threads than cores, so that the system stops them in the middle. */
const scratches = [4_096, 4_096, windowBytes, windowBytes, windowBytes, windowBytes];

// W1, W2, W4. Without the re-check behind the copy, or with low-water raised behind the overwrite, this finds torn records.
test('readers that race the writer never take a torn record', async (t) => {
  const batches: Buffer[] = [];
  for (let first = 1; first <= recordsRaced; first += batchRecords) {
    batches.push(
      encodeBatch({ records: Array.from({ length: batchRecords }, (_, index) => checkedRecord(first + index)) }),
    );
  }
  const memory = createWindow(windowBytes);
  const finished = new SharedArrayBuffer(4);
  const workers = scratches.map((scratchBytes) => {
    const workerData: RaceSetup = { memory, finished, scratchBytes };
    return new Worker(new URL('./ring-race.worker.js', import.meta.url), { workerData });
  });
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

  let overtaken = 0;
  for (const report of await Promise.all(reports)) {
    overtaken += report.overtaken;
    t.log(JSON.stringify(report));
    t.is(report.torn, 0);
    t.true(report.records > 0);
    t.is(report.lastSequence, recordsRaced);
  }
  t.true(overtaken > 0, 'the race was no race: nothing was overtaken');
});
