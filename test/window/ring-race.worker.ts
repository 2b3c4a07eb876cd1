import { parentPort, workerData } from 'node:worker_threads';
import { RingReader } from '../../src/window/ring-reader.ts';
import type { WindowMemory } from '../../src/window/window-memory.ts';
import { RecordView, recordKind } from '../../src/wire/window-record.ts';
import { isWhole } from '../support/checked-record.ts';

/** What one reader saw while the writer ran. */
export interface RaceReport {
  readonly records: number;
  readonly copies: number;
  readonly overtaken: number;
  /** Records or copies that were not whole although the copy was answered as such. */
  readonly torn: number;
  readonly disordered: number;
  readonly lastSequence: number;
}

export interface RaceSetup {
  readonly memory: WindowMemory;
  /** Int32: 1 when the writer has finished. */
  readonly finished: SharedArrayBuffer;
  readonly scratchBytes: number;
}

/** Reads always the oldest that is left, where the writer is nearest, and checks every byte. */
function race({ memory, finished, scratchBytes }: RaceSetup): RaceReport {
  const reader = new RingReader(memory);
  const flag = new Int32Array(finished);
  const scratch = Buffer.alloc(scratchBytes);
  const view = new RecordView();
  const report = { records: 0, copies: 0, overtaken: 0, torn: 0, disordered: 0, lastSequence: 0 };
  let offset = reader.lowOffset();
  while (Atomics.load(flag, 0) === 0 || offset < reader.headOffset()) {
    const copy = reader.copy(offset, Math.max(offset, reader.headOffset()), scratch);
    if (copy.kind === 'overtaken') {
      report.overtaken += 1;
      offset = reader.lowOffset();
      continue;
    }
    report.copies += 1;
    view.attach(scratch, copy.bytes);
    let at = 0;
    for (; view.moveTo(at); at += view.length) {
      if (view.kind === recordKind.skip) continue;
      report.records += 1;
      if (!isWhole(view, scratch)) report.torn += 1;
      if (view.sequence <= report.lastSequence) report.disordered += 1;
      report.lastSequence = view.sequence;
    }
    if (at === 0 && copy.bytes > 0 && copy.bytes < scratchBytes && offset >= reader.lowOffset()) report.torn += 1;
    offset += at;
  }
  return report;
}

parentPort?.postMessage('ready');
parentPort?.once('message', () => {
  parentPort?.postMessage(race(workerData as RaceSetup));
});
