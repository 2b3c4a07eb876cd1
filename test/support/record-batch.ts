import { fileURLToPath } from 'node:url';
import protobuf from 'protobufjs';
import { type EventId, formatEventId, type JournalTag } from '../../src/core/event-id.ts';
import type { Sequence } from '../../src/core/sequence.ts';
import { RecordReader } from '../../src/wire/record/record-reader.ts';

/** A StorageEvent, ExecutionChange, Record or RecordBatch as protobufjs takes it, camelCase. Encoded by the library, not by our code. */
export interface EventBody {
  readonly executionId: string;
  readonly stage: string;
  readonly path: string;
  readonly extension?: string;
  readonly size?: number;
  readonly contentType?: string;
  readonly checksum?: string;
  readonly uri?: string;
  readonly time?: string;
  readonly metadata?: Readonly<Record<string, string>>;
  readonly sourceId?: string;
  readonly topic?: string;
}

export interface ChangeBody {
  readonly executionId: string;
  readonly status: number;
  readonly tags?: readonly string[];
  readonly reason?: string;
  readonly time?: string;
  readonly topic?: string;
  readonly statusChanged?: boolean;
}

export interface RecordBody {
  readonly sequence: number;
  readonly id: string;
  readonly event?: EventBody;
  readonly change?: ChangeBody;
}

export interface BatchBody {
  readonly records?: readonly RecordBody[];
  readonly throughSequence?: number;
  readonly throughId?: string;
}

// From build/test/support to the project's own proto folder.
const protoFile = fileURLToPath(new URL('../../../proto/rivulet/bus/v1/storage_event_bus.proto', import.meta.url));
const batchType = protobuf.loadSync(protoFile).lookupType('rivulet.bus.v1.RecordBatch');

export function encodeBatch(batch: BatchBody): Buffer {
  return Buffer.from(batchType.encode(batchType.fromObject(batch)).finish());
}

export const testTag = 0x2a5a5a as JournalTag;
export const testTimeMs = 1_795_530_468_123;
export const testExecution = '0190b6a2-7c1e-4f00-9a3b-5d2e8f4c6a71';

export function testId(sequence: number, timeMs: number = testTimeMs): EventId {
  return formatEventId(timeMs, sequence as Sequence, testTag);
}

export function eventRecord(sequence: number, event: Partial<EventBody> = {}): RecordBody {
  return {
    sequence,
    id: testId(sequence),
    event: {
      executionId: testExecution,
      stage: 'boost/routines',
      path: 'reports/summary.md',
      extension: '.md',
      time: '2026-11-24T14:27:48.123Z',
      topic: '/topic/system.storage.events',
      ...event,
    },
  };
}

export function changeRecord(sequence: number, change: Partial<ChangeBody> = {}): RecordBody {
  return { sequence, id: testId(sequence), change: { executionId: testExecution, status: 2, ...change } };
}

/** A reader that stands on the one record. */
export function readerOn(record: RecordBody): RecordReader {
  const reader = new RecordReader();
  reader.reset(encodeBatch({ records: [record] }));
  reader.next();
  return reader;
}
