import type { StorageEvent } from '../../../src/core/event.ts';
import { executionStatuses } from '../../../src/core/execution.ts';
import { HistoryBlockBuilder } from '../../../src/wire/frame/history-block.ts';
import { RecordEncoder } from '../../../src/wire/frame/record-encoder.ts';
import { RecordView } from '../../../src/wire/frame/window-record.ts';
import { BatchAssembly } from '../../../src/wire/record/message-assembly.ts';
import {
  encodeChangeRecord,
  encodeEventRecord,
  isChangeRecord,
  peekBody,
  peekRecord,
  type StampedChange,
} from '../../../src/wire/record/record-codec.ts';
import { RecordReader } from '../../../src/wire/record/record-reader.ts';
import { WireError } from '../../../src/wire/record/wire-error.ts';
import { testExecution, testId } from '../../support/record-batch.ts';
import type { Random } from '../../support/seed.ts';
import { demand, type Fuzzer, type FuzzTarget, whole } from '../fuzz-target.ts';
import { mutate, wordsOf } from '../mutate.ts';

/** Encoded records, whole and damaged: a whole one reads back as it was written, a damaged one is a WireError or a record that keeps every bound. */

const texts = ['a', 'boost/routines', 'ключ', 'x'.repeat(300), '𝄞\u2028', 'q"\\', '\u0001'];
const words = [
  ...wordsOf(testExecution, testId(7)),
  Buffer.from([0x0a, 0x80]),
  Buffer.alloc(11, 0xff),
  Buffer.from([0x1a, 0x00]),
  Buffer.from([0x0b]),
  Buffer.from([0xc0, 0x80]),
];

function eventOf(random: Random): StorageEvent {
  const some = (): boolean => random.oneIn(2);
  const metadata = Object.fromEntries(Array.from({ length: random.below(5) }, (_, n) => [`k${n}`, random.pick(texts)]));
  return {
    execution_id: testExecution,
    stage: random.pick(texts),
    path: random.pick(texts),
    time: '2026-11-24T14:27:48.123Z',
    ...(some() ? { extension: '.md' } : {}),
    ...(some() ? { size: random.pick([0, 1, 300, 2 ** 31, Number.MAX_SAFE_INTEGER]) } : {}),
    ...(some() ? { content_type: 'text/markdown' } : {}),
    ...(some() ? { checksum: 'sha256:0' } : {}),
    ...(some() ? { uri: random.pick(texts) } : {}),
    ...(some() ? { metadata } : {}),
    ...(some() ? { source_id: random.pick(texts) } : {}),
  };
}

function changeOf(random: Random): StampedChange {
  return {
    executionId: testExecution,
    status: random.pick(executionStatuses),
    statusChanged: random.oneIn(2),
    tags: Array.from({ length: random.below(4) }, () => random.pick(texts)),
    reason: random.oneIn(2) ? '' : random.pick(texts),
    time: '2026-11-24T14:27:48.123Z',
  };
}

const sequences = [1, 2, 127, 128, 2 ** 31, 2 ** 40 + 1, 2 ** 52 - 1] as const;

interface Written {
  readonly sequence: number;
  readonly event: StorageEvent | null;
  readonly change: StampedChange | null;
}

function batchOf(random: Random): { bytes: Buffer; written: Written[] } {
  const assembly = new BatchAssembly();
  const written: Written[] = [];
  for (let left = 1 + random.below(3); left > 0; left -= 1) {
    const sequence = random.pick(sequences);
    const event = random.oneIn(3) ? null : eventOf(random);
    const change = event === null ? changeOf(random) : null;
    if (event !== null) assembly.add(encodeEventRecord(sequence, testId(sequence), event));
    else if (change !== null) assembly.add(encodeChangeRecord(sequence, testId(sequence), change));
    written.push({ sequence, event, change });
  }
  return { bytes: assembly.finish(random.pick(sequences), testId(5)), written };
}

const reader = new RecordReader();
const view = new RecordView();
const encoder = new RecordEncoder();
const blockMemory = new ArrayBuffer(65_536);

/** Reads a batch the whole way that a record goes: decoded, laid out as in the window, looked at again. */
function readAll(bytes: Buffer): number {
  let builder = new HistoryBlockBuilder(blockMemory, encoder);
  let records = 0;
  reader.reset(bytes);
  while (reader.next()) {
    records += 1;
    demand(records <= bytes.length, 'more records than bytes');
    demand(reader.id.length === 36 && reader.executionId.length === 36, 'an id that is not 36 characters');
    const { spans } = reader;
    for (let field = 1; field <= 10; field += 1) {
      const start = spans.start[field] ?? 0;
      const end = spans.end[field] ?? 0;
      demand(start <= end && end <= bytes.length, `field ${field} lies outside the batch`);
    }
    demand(reader.change === null || executionStatuses.includes(reader.change.status), 'a status that is none');
    if (!builder.append(reader)) {
      builder = new HistoryBlockBuilder(blockMemory, encoder);
      demand(builder.append(reader), 'an empty block took no record');
    }
  }
  if (records === 0) return 0;
  const { buffer, length } = builder.block();
  const block = Buffer.from(buffer, 0, length);
  view.attach(block, length);
  let offset = 0;
  for (; view.moveTo(offset); offset += view.length) {
    const frame = block.toString('utf8', view.frameStart, view.frameEnd);
    if (view.kind === 1) {
      demand(
        /^id: [^\n]+\nevent: [^\n]+\ndata: [^\n]+\n\n$/.test(frame) && !/[\r\u0085\u2028\u2029]/.test(frame),
        `a frame that is not one: ${JSON.stringify(frame)}`,
      );
      JSON.parse(frame.slice(frame.indexOf('data: ') + 6));
    } else view.tags();
  }
  demand(offset === block.length, 'a block that is not whole records');
  return records;
}

/** The short looks that the bus takes at its own records: an Error, never another thing thrown, and an end. */
function peekAll(bytes: Buffer): void {
  for (const look of [peekRecord, peekBody, isChangeRecord]) {
    try {
      look(bytes);
    } catch (error) {
      demand(error instanceof Error && !(error instanceof TypeError), `a peek threw ${String(error)}`);
    }
  }
}

function checkWritten(bytes: Buffer, written: readonly Written[]): void {
  reader.reset(bytes);
  for (const { sequence, event, change } of written) {
    demand(
      reader.next() && (reader.sequence as number) === sequence && reader.id === testId(sequence),
      'another position',
    );
    demand(reader.executionId === testExecution, 'another execution');
    if (event !== null) {
      const got = [reader.stage, reader.path, reader.size, reader.time];
      const expected = [event.stage, event.path, event.size ?? null, event.time];
      demand(
        JSON.stringify(got) === JSON.stringify(expected),
        `read ${JSON.stringify(got)}, written ${JSON.stringify(expected)}`,
      );
    }
    if (change !== null) {
      const { status, statusChanged, tags, reason, time } = change;
      const expected = { status, statusChanged, tags, reason: reason === '' ? null : reason, time };
      demand(JSON.stringify(reader.change) === JSON.stringify(expected), 'a change is not what was written');
    }
  }
  demand(!reader.next(), 'more than was written');
}

export const recordTarget: FuzzTarget = {
  name: 'record',
  share: 230,
  needsSystem: false,
  open(): Fuzzer {
    return {
      make(random) {
        const { bytes, written } = batchOf(random);
        // The valid one is checked here, where what was written is known; a failure names the case all the same.
        checkWritten(bytes, written);
        return whole(mutate(random, bytes, words));
      },
      check({ bytes }) {
        peekAll(bytes);
        try {
          return readAll(bytes) > 0 ? 'records' : 'no record';
        } catch (error) {
          if (error instanceof WireError) return error.code;
          throw error;
        }
      },
    };
  },
};
