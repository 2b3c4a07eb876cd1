import type { WindowMark } from '../../src/contract/window.ts';
import { scratchBytes } from '../../src/core/limits.ts';
import { type Sequence, sequenceNone } from '../../src/core/sequence.ts';
import { RingReader } from '../../src/window/ring-reader.ts';
import { createWindow } from '../../src/window/window-memory.ts';
import { WindowWriter } from '../../src/window/window-writer.ts';
import { RecordView, recordKind } from '../../src/wire/frame/window-record.ts';
import { RecordReader } from '../../src/wire/record/record-reader.ts';
import { measure, report } from '../harness.ts';
import { eventBatches } from './event-batches.ts';

/** The ring of 64 MiB: append (with reading the batch and encoding the frame), copy and walk, copy and read the match key, find. */
const batches = eventBatches(1, 5_000);
const records = batches.length * 64;
const memory = createWindow(67_108_864);
const writer = new WindowWriter(memory);
const ring = new RingReader(memory);
const reader = new RecordReader();
const scratch = Buffer.alloc(scratchBytes);
const view = new RecordView();
let mark: WindowMark = writer.head();
let sink = 0;

function appendAll(): void {
  writer.reset(sequenceNone);
  for (const batch of batches) {
    reader.reset(batch);
    while (reader.next()) mark = writer.append(reader);
  }
}

/** A shard's drain without its matching. */
function walkAll(action: () => void): number {
  let offset = ring.lowOffset();
  let walked = 0;
  while (offset < mark.offset) {
    const copy = ring.copy(offset, mark.offset, scratch);
    if (copy.kind === 'overtaken') break;
    view.attach(scratch, copy.bytes);
    let at = 0;
    for (; view.moveTo(at); at += view.length) {
      if (view.kind === recordKind.skip) continue;
      action();
      walked += 1;
    }
    offset += at;
  }
  return walked;
}

const append = measure({ name: 'read, frame, append to the window', operations: records, run: appendAll });
const kept = walkAll(() => undefined);
const low = writer.lowSequence();
const finds = 200_000;
report('window', [
  append,
  measure({
    name: 'copy and walk',
    operations: kept,
    run: () => {
      walkAll(() => {
        sink += view.frameEnd - view.frameStart;
      });
    },
  }),
  measure({
    name: 'copy, walk, decode execution, stage and path',
    operations: kept,
    run: () => {
      walkAll(() => {
        sink += view.executionId().length + view.stage().length + view.path().length;
      });
    },
  }),
  measure({
    name: 'find a sequence',
    operations: finds,
    run: () => {
      for (let index = 0; index < finds; index += 1) {
        sink += ring.find((low + 1 + ((index * 7_919) % (kept - 1))) as Sequence, mark) ?? 0;
      }
    },
  }),
]);
if (sink === 0) process.exitCode = 1;
