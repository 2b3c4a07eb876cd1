import type { WindowMark } from '../contract/window.ts';
import { assert } from '../core/assert.ts';
import { type EventId, formatEventId } from '../core/event-id.ts';
import { windowCheckpointBytes } from '../core/limits.ts';
import { type Sequence, sequenceNone } from '../core/sequence.ts';
import { RecordEncoder } from '../wire/frame/record-encoder.ts';
import { RecordView, recordAt, recordKind, skipHeaderBytes } from '../wire/frame/window-record.ts';
import type { RecordReader } from '../wire/record/record-reader.ts';
import { WireError } from '../wire/record/wire-error.ts';
import { RingReader } from './ring-reader.ts';
import { controlAt, type WindowMemory } from './window-memory.ts';

/** Above it a bulk copy is faster than a loop over words. */
const wordCopyBytesMax = 2_048;

/** The one writer of a window, on the main thread. Invariants: window-memory.ts. */
export class WindowWriter {
  readonly #ring: Buffer;
  readonly #ringView: DataView;
  readonly #ringWords: BigInt64Array;
  readonly #control: BigInt64Array;
  readonly #checkpoints: Float64Array;
  readonly #slots: number;
  readonly #reader: RingReader;
  readonly #record = new RecordView();
  readonly #encoder = new RecordEncoder();
  /** Copies of what the control words say: only this thread changes them. */
  #head = 0;
  /** Where head stands in the ring: a rest of numbers above 2^31 is a call into the runtime, three for each record. */
  #headPlace = 0;
  #low = 0;
  #firstCheckpoint = 0;
  #nextCheckpoint = 0;
  /** The offset of the last one. */
  #newestCheckpoint = 0;
  #sequence: Sequence = sequenceNone;
  /** The last sequence with a hole before it: a repaired journal has such. */
  #behindHole: Sequence = sequenceNone;
  #records = 0;

  /** Takes over an empty window; there may never be a second writer. */
  constructor(memory: WindowMemory) {
    this.#ring = Buffer.from(memory.ring);
    this.#ringView = new DataView(memory.ring);
    this.#ringWords = new BigInt64Array(memory.ring);
    this.#control = new BigInt64Array(memory.control);
    this.#checkpoints = new Float64Array(memory.checkpoints);
    this.#slots = this.#checkpoints.length / 2;
    assert(Atomics.load(this.#control, controlAt.nextCheckpoint) === 0n, 'a window has one writer');
    this.#reader = new RingReader(memory);
    this.#pushCheckpoint(0);
  }

  get capacityBytes(): number {
    return this.#ring.length;
  }

  /** Bytes that readers can still reach; for the metric of the window's fill. */
  get keptBytes(): number {
    return this.#head - this.#low;
  }

  /** Records ever appended. */
  get records(): number {
    return this.#records;
  }

  /**
   * Writes the reader's current record and answers the mark behind it.
   *
   * Steps, each of which the next relies on: encode privately (a bad record changes nothing); raise low past what will be overwritten;
   * write a skip record if the rest of the ring is too short; write the record; publish head.
   * Fails: WireError, `out-of-order` when the sequence does not rise; nothing was changed.
   */
  append(reader: RecordReader): WindowMark {
    if (reader.sequence <= this.#sequence) {
      throw new WireError('out-of-order', `record ${reader.sequence} came after ${this.#sequence}`);
    }
    const length = this.#encoder.encode(reader);
    const capacity = this.#ring.length;
    const rest = capacity - this.#headPlace;
    const wraps = length > rest;
    const start = wraps ? this.#head + rest : this.#head;
    const end = start + length;
    if (end - capacity > this.#low) this.#raiseLow(end - capacity, start);
    if (wraps) this.#writeSkip(this.#headPlace, rest);
    this.#writeRecord(wraps ? 0 : this.#headPlace, length);
    if (start - this.#newestCheckpoint >= windowCheckpointBytes) this.#pushCheckpoint(start);
    if (reader.sequence > this.#sequence + 1) this.#behindHole = reader.sequence;
    this.#sequence = reader.sequence;
    this.#records += 1;
    this.#publishHead(end, (wraps ? 0 : this.#headPlace) + length);
    return { sequence: this.#sequence, offset: end };
  }

  /** Notes that the journal has no record up to `through` beyond those appended. Never steps back. */
  advance(through: Sequence): WindowMark {
    if (through > this.#sequence) {
      this.#behindHole = through;
      this.#sequence = through;
    }
    return this.head();
  }

  /** Behind the newest record. */
  head(): WindowMark {
    return { sequence: this.#sequence, offset: this.#head };
  }

  /** Reading after this sequence, or any greater one, misses nothing. */
  lowSequence(): Sequence {
    return this.#checkpoints[(this.#firstCheckpoint % this.#slots) * 2 + 1] as Sequence; // W3: there always is a first one
  }

  /**
   * Empties the window: the next record comes after `at`. For the first fill, and when the journal was replaced; sequences may step back.
   * Every mark given out before is overtaken (W5), so no reader can take a record of the new life for one of the old.
   */
  reset(at: Sequence): WindowMark {
    const start = this.#head + skipHeaderBytes;
    this.#sequence = at;
    this.#behindHole = sequenceNone;
    this.#raiseLow(start, start);
    this.#publishHead(start, start % this.#ring.length);
    return this.head();
  }

  /** The id of the record with this sequence, or null when it is not in the window, or something behind it is missing there: the bus knows what that means. */
  idAt(sequence: Sequence): EventId | null {
    if (sequence <= this.lowSequence() || sequence > this.#sequence || sequence < this.#behindHole) return null;
    const offset = this.#reader.find((sequence - 1) as Sequence, this.head());
    if (offset === null || offset === this.#head) return null;
    this.#record.attach(this.#ring, this.#ring.length);
    assert(this.#record.moveTo(offset % this.#ring.length), 'find answers the start of a record');
    return this.#record.sequence === sequence ? formatEventId(this.#record.timeMs, sequence, this.#record.tag) : null;
  }

  #publishHead(head: number, place: number): void {
    this.#head = head;
    this.#headPlace = place === this.#ring.length ? 0 : place;
    Atomics.store(this.#control, controlAt.head, BigInt(head));
  }

  /**
   * Raises low to the first checkpoint at or behind `needed`, or to `start`, where the next record will begin, when there is none.
   * A whole stretch between two checkpoints at a time, so it happens once in 16 KiB and not at each record.
   */
  #raiseLow(needed: number, start: number): void {
    let first = this.#firstCheckpoint;
    while (first < this.#nextCheckpoint && this.#checkpointOffset(first) < needed) first += 1;
    this.#firstCheckpoint = first;
    const low = first < this.#nextCheckpoint ? this.#checkpointOffset(first) : start;
    this.#low = low;
    // W4, W2: both words before any slot or byte is reused. A reader that sees the new first checkpoint and no checkpoint there yet retries.
    Atomics.exchange(this.#control, controlAt.firstCheckpoint, BigInt(first));
    Atomics.exchange(this.#control, controlAt.low, BigInt(low));
    if (first === this.#nextCheckpoint) this.#pushCheckpoint(start);
  }

  #checkpointOffset(checkpoint: number): number {
    return this.#checkpoints[(checkpoint % this.#slots) * 2] as number; // the slot is below `#slots`
  }

  #pushCheckpoint(offset: number): void {
    const checkpoint = this.#nextCheckpoint;
    assert(checkpoint - this.#firstCheckpoint < this.#slots, 'a slot is reused only after its checkpoint was given up');
    const slot = (checkpoint % this.#slots) * 2;
    this.#checkpoints[slot] = offset;
    this.#checkpoints[slot + 1] = this.#sequence;
    this.#nextCheckpoint = checkpoint + 1;
    this.#newestCheckpoint = offset;
    Atomics.store(this.#control, controlAt.nextCheckpoint, BigInt(this.#nextCheckpoint));
  }

  /** Eight bytes at a time in compiled code, where a BigInt on its way from one array to another is never made: a call of `copy` makes a view and costs more. */
  #writeRecord(place: number, length: number): void {
    if (length > wordCopyBytesMax) {
      this.#encoder.bytes.copy(this.#ring, place, 0, length);
      return;
    }
    const from = this.#encoder.words;
    const into = this.#ringWords;
    const first = place >>> 3;
    const words = length >>> 3;
    for (let word = 0; word < words; word += 1) into[first + word] = from[word] as bigint; // inside the record
  }

  #writeSkip(place: number, length: number): void {
    this.#ringView.setUint32(place + recordAt.length, length, true);
    this.#ringView.setUint32(place + recordAt.kind, recordKind.skip, true);
  }
}
