import protobuf from 'protobufjs';
import { formatEventId, type JournalTag } from '../../src/core/event-id.ts';
import type { Sequence } from '../../src/core/sequence.ts';
import { projectFile } from '../project-file.ts';

/** Batches as the bus sends them: 64 events each, a JSON of about 330 bytes an event, rising sequences from `first`. */
export function eventBatches(first: number, batches: number, perBatch = 64): Buffer[] {
  const type = protobuf
    .loadSync(projectFile('proto/rivulet/bus/v1/storage_event_bus.proto'))
    .lookupType('rivulet.bus.v1.RecordBatch');
  return Array.from({ length: batches }, (_, batch) => {
    const records = Array.from({ length: perBatch }, (_, index) => recordOf(first + batch * perBatch + index));
    return Buffer.from(type.encode(type.fromObject({ records })).finish());
  });
}

function recordOf(sequence: number): object {
  return {
    sequence,
    id: formatEventId(1_795_530_468_123 + sequence, sequence as Sequence, 4_711 as JournalTag),
    event: {
      executionId: `0190b6a2-7c1e-4f00-9a3b-${(sequence % 1_000).toString(16).padStart(12, '0')}`,
      stage: 'boost/routines',
      path: `reports/section-${sequence % 97}/summary.md`,
      extension: '.md',
      size: 1_000 + (sequence % 5_000),
      contentType: 'text/markdown',
      time: '2026-11-24T14:27:48.123Z',
      topic: '/topic/system.storage.events',
    },
  };
}
