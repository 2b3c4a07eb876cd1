import { RecordEncoder } from '../../src/wire/frame/record-encoder.ts';
import { eventFrameBound, writeEventFrame } from '../../src/wire/frame/sse-frame.ts';
import { viewed } from '../../src/wire/frame/word-copy.ts';
import { RecordReader } from '../../src/wire/record/record-reader.ts';
import { measure, report } from '../harness.ts';
import { eventBatches } from './event-batches.ts';

/** The way of an event through the main thread, step by step: read the batch, write the frame, build the record. */
const batches = eventBatches(1, 500);
const rounds = 10;
const operations = batches.length * 64 * rounds;
const reader = new RecordReader();
const encoder = new RecordEncoder();
const into = viewed(Buffer.alloc(65_536));

function everyRecord(action: (reader: RecordReader) => void): void {
  for (let round = 0; round < rounds; round += 1) {
    for (const batch of batches) {
      reader.reset(batch);
      while (reader.next()) action(reader);
    }
  }
}

let sink = 0;
report('frame-encode', [
  measure({
    name: 'read records',
    operations,
    run: () => {
      everyRecord((record) => {
        sink += record.sequence;
      });
    },
  }),
  measure({
    name: 'read, decode execution, stage and path to text',
    operations,
    run: () => {
      everyRecord((record) => {
        sink += record.executionId.length + record.stage.length + record.path.length;
      });
    },
  }),
  measure({
    name: 'read, write the SSE frame',
    operations,
    run: () => {
      everyRecord((record) => {
        if (eventFrameBound(record) <= into.bytes.length) sink += writeEventFrame(record, into, 0);
      });
    },
  }),
  measure({
    name: 'read, build the whole window record',
    operations,
    run: () => {
      everyRecord((record) => {
        sink += encoder.encode(record);
      });
    },
  }),
]);
if (sink === 0) process.exitCode = 1;
