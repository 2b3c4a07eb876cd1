import type { RecordView } from '../../src/wire/frame/window-record.ts';
import { eventFrame } from './event-json.ts';
import { eventRecord, type RecordBody } from './record-batch.ts';

/** An event whose every byte follows from its sequence, 300 to about 2,300 bytes, so that a torn copy of it cannot look whole. */
export function checkedRecord(sequence: number): RecordBody {
  const letter = String.fromCharCode(0x61 + (sequence % 26));
  return eventRecord(sequence, {
    stage: `s${letter}/${sequence}`,
    path: `${letter.repeat(1 + (sequence % 31))}/${sequence}.md`,
    size: sequence,
    uri: letter.repeat((sequence * 37) % 1_000),
  });
}

/** True when the record under the view is byte for byte that of its sequence. */
export function isWhole(view: RecordView, bytes: Buffer): boolean {
  const expected = checkedRecord(view.sequence);
  return (
    view.executionId() === expected.event?.executionId &&
    view.stage() === expected.event.stage &&
    view.path() === expected.event.path &&
    bytes.toString('utf8', view.frameStart, view.frameEnd) === eventFrame(expected)
  );
}
