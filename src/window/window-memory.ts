import { windowBytesMax, windowCheckpointBytes, windowRecordBytesMax } from '../core/limits.ts';

/**
 * The shared memory of one window; plain data, so it can be handed to a thread as it is.
 *
 *   ring      capacity bytes; the byte with offset o stands at o % capacity
 *   control   | head | low | first checkpoint | next checkpoint |   i64 each, touched through Atomics only
 *   checkpoints   slots x (offset f64, sequence before f64); checkpoint n stands in slot n % slots
 *
 * Offsets count the bytes ever written, so they only rise. A record starts and ends at a multiple of 8 and never crosses the ring's end:
 * what is left there is a skip record.
 *
 *                  low                                     head
 *   ───────────────┼─────────┬─────────┬─────────┬───────────┼──────────────▶ offset
 *     overwritten  │ whole records, a checkpoint every      │ not yet written
 *                  │ 16 KiB or more, the first of them here │
 *
 * Invariants, each with its check in test/window:
 *   W1  Bytes of [low, head) are whole and do not change; head - low ≤ capacity.                      ring-race, low-water
 *   W2  low is raised before a byte that it uncovers is overwritten; head after the bytes are there.   ring-race, low-water
 *   W3  low is the offset of the first checkpoint; a checkpoint is a record's start (or head), and every record before it has a
 *       sequence ≤ its own, every record from it on a greater one.                                       find
 *   W4  A slot of the checkpoints is reused only after `first` has passed its old checkpoint.            find, ring-race
 *   W5  No offset answered before a reset is ≥ low after it: old marks are overtaken, not misread.       window-writer
 *
 * The writer raises low with a read-modify-write (Atomics.exchange) and a reader re-checks it with one (Atomics.add of 0): unlike a plain
 * atomic store and load, these keep the copying before the check, and the overwriting after the raise, on processors that reorder.
 */
export interface WindowMemory {
  readonly ring: SharedArrayBuffer;
  readonly control: SharedArrayBuffer;
  readonly checkpoints: SharedArrayBuffer;
}

export const controlAt = { head: 0, low: 1, firstCheckpoint: 2, nextCheckpoint: 3 } as const;

export type WindowFailure = 'window-size';

/** The window cannot be made. */
export class WindowError extends Error {
  override readonly name = 'WindowError';
  readonly code: WindowFailure;
  constructor(code: WindowFailure, detail: string) {
    super(detail);
    this.code = code;
  }
}

/**
 * Makes an empty window of `bytes`, rounded down to a multiple of 8. Throws WindowError `window-size` when it could not hold the
 * largest record, or is beyond `windowBytesMax`. (The configuration asks for more: `windowBytesMin`.)
 */
export function createWindow(bytes: number): WindowMemory {
  const capacity = Math.floor(bytes / 8) * 8;
  if (!(capacity >= windowRecordBytesMax && capacity <= windowBytesMax)) {
    throw new WindowError(
      'window-size',
      `a window of ${bytes} bytes; ${windowRecordBytesMax} to ${windowBytesMax} are allowed`,
    );
  }
  return {
    ring: new SharedArrayBuffer(capacity),
    control: new SharedArrayBuffer(Object.keys(controlAt).length * 8),
    checkpoints: new SharedArrayBuffer(checkpointSlots(capacity) * 16),
  };
}

/** Live checkpoints lie in one capacity, at least `windowCheckpointBytes` apart, but for the one that a raise or reset forces. */
function checkpointSlots(capacity: number): number {
  return Math.floor(capacity / windowCheckpointBytes) + 4;
}
