import { parentPort, workerData } from 'node:worker_threads';
import { RingReader } from '../../src/window/ring-reader.ts';
import type { WindowMemory } from '../../src/window/window-memory.ts';
import { RecordView, recordKind } from '../../src/wire/frame/window-record.ts';
import { isWhole } from '../support/checked-record.ts';

/** What one reader saw while the writer ran. */
export interface RaceReport {
  readonly records: number;
  readonly copies: number;
  readonly overtaken: number;
  /** Records that were not whole, or did not follow each other, although the copy was answered as such. */
  readonly torn: number;
  readonly lastSequence: number;
}

export interface RaceSetup {
  readonly memory: WindowMemory;
  /** Int32: 1 when the writer has finished. */
  readonly finished: SharedArrayBuffer;
  /** Small: the reader stays at the oldest record, where the writer overwrites. Large: it is often paused in the middle of a copy. */
  readonly scratchBytes: number;
}

/** Records between two that are checked byte by byte; the others by their ends and their sequence, so that copying is most of the work. */
const fullCheckEvery = 64;

function looksWhole(view: RecordView, scratch: Buffer): boolean {
  const { frameStart, frameEnd } = view;
  return (
    view.kind === recordKind.event &&
    scratch[frameStart] === 0x69 && // `id:`
    scratch[frameEnd - 3] === 0x7d && // `}\n\n`
    scratch[frameEnd - 1] === 0x0a &&
    (view.sequence % fullCheckEvery !== 0 || isWhole(view, scratch))
  );
}

/** Reads from the oldest record that is left, again and again, and once the writer has finished to the end. */
function race({ memory, finished, scratchBytes }: RaceSetup): RaceReport {
  const reader = new RingReader(memory);
  const flag = new Int32Array(finished);
  const scratch = Buffer.alloc(scratchBytes);
  const view = new RecordView();
  const report = { records: 0, copies: 0, overtaken: 0, torn: 0, lastSequence: 0 };
  let offset = reader.lowOffset();
  while (Atomics.load(flag, 0) === 0 || offset < reader.headOffset()) {
    if (Atomics.load(flag, 0) === 0) offset = reader.lowOffset();
    const head = reader.headOffset();
    const copy = reader.copy(offset, head, scratch);
    if (copy.kind === 'overtaken') {
      report.overtaken += 1;
      offset = reader.lowOffset();
      continue;
    }
    report.copies += 1;
    view.attach(scratch, copy.bytes);
    let at = 0;
    let previous = 0;
    for (; view.moveTo(at); at += view.length) {
      if (view.kind === recordKind.skip) continue;
      report.records += 1;
      if (!looksWhole(view, scratch) || (previous > 0 && view.sequence !== previous + 1)) report.torn += 1;
      previous = view.sequence;
    }
    // No record is longer than 2,500 bytes: if none was there, or a long rest is left, its header was not one.
    if (copy.bytes - at > 2_500) report.torn += 1;
    if (previous > 0 && previous < report.lastSequence) report.torn += 1;
    report.lastSequence = Math.max(report.lastSequence, previous);
    offset += at;
  }
  return report;
}

parentPort?.postMessage('ready');
parentPort?.once('message', () => {
  parentPort?.postMessage(race(workerData as RaceSetup));
});
