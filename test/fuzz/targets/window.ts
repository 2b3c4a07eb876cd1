import type { WindowMark } from '../../../src/contract/window.ts';
import { windowRecordBytesMax } from '../../../src/core/limits.ts';
import type { Sequence } from '../../../src/core/sequence.ts';
import { RingReader } from '../../../src/window/ring-reader.ts';
import { createWindow, type WindowMemory } from '../../../src/window/window-memory.ts';
import { WindowWriter } from '../../../src/window/window-writer.ts';
import { RecordView } from '../../../src/wire/frame/window-record.ts';
import { WireError } from '../../../src/wire/record/wire-error.ts';
import { checkedRecord, isWhole } from '../../support/checked-record.ts';
import { readerOn } from '../../support/record-batch.ts';
import { type Random, randomFrom } from '../../support/seed.ts';
import { demand, type Fuzzer, FuzzFailure, type FuzzTarget, whole } from '../fuzz-target.ts';
import { randomBytes } from '../mutate.ts';

/**
 * The window under a writer that is anywhere in its work, and with bytes that no writer would leave.
 *
 * A case is a seed of eight bytes. `racing`: between a reader's copy (or walk) and its re-check the memory takes on the state of a writer in the
 * middle of its appends, control words first and any part of the ring's bytes (W2); the reader must refuse, or have what was written. `garbage`:
 * ring, control words and checkpoints overwritten at random; no answer means anything then, but there must be one, inside the memory.
 */

const ringBytes = windowRecordBytesMax + 8;

interface Snapshot {
  readonly ring: Uint8Array;
  readonly control: Uint8Array;
  readonly checkpoints: Uint8Array;
}

const partsOf = (memory: WindowMemory): Snapshot => ({
  ring: new Uint8Array(memory.ring),
  control: new Uint8Array(memory.control),
  checkpoints: new Uint8Array(memory.checkpoints),
});

const statesKept = 420;

/** What the memory was after each of the first records, about eight laps of the ring; cases pick among them, so each stands alone. */
class Bench {
  readonly memory = createWindow(ringBytes);
  readonly parts = partsOf(this.memory);
  readonly states: Snapshot[] = [];
  /** Behind the record of the state with the same index. */
  readonly marks: WindowMark[] = [];

  constructor() {
    const writer = new WindowWriter(this.memory);
    for (let sequence = 1; sequence <= statesKept; sequence += 1) {
      this.marks.push(writer.append(readerOn(checkedRecord(sequence))));
      const { ring, control, checkpoints } = this.parts;
      this.states.push({ ring: ring.slice(), control: control.slice(), checkpoints: checkpoints.slice() });
    }
  }

  state(index: number): { readonly state: Snapshot; readonly head: WindowMark } {
    const state = this.states[index];
    const head = this.marks[index];
    if (state === undefined || head === undefined) throw new FuzzFailure(`no state ${index}`);
    return { state, head };
  }

  put({ ring, control, checkpoints }: Snapshot): void {
    this.parts.ring.set(ring);
    this.parts.control.set(control);
    this.parts.checkpoints.set(checkpoints);
  }
}

/** The control words as bytes: head, low, first checkpoint, next checkpoint. */
const word = (n: number): [number, number] => [n * 8, n * 8 + 8];

/**
 * Puts the memory between two states as the writer passes through them: low and first checkpoint are the later ones; any part of the ring's bytes
 * may be there; a checkpoint is there before it is counted; head comes last.
 */
function putHalfWay(random: Random, { ring, control, checkpoints }: Snapshot, before: Snapshot, after: Snapshot): void {
  control.set(after.control);
  const from = random.below(ring.length);
  const to = random.oneIn(3) ? ring.length : from + random.below(ring.length - from);
  ring.set(before.ring);
  ring.set(after.ring.subarray(from, to), from);
  const counted = random.oneIn(2);
  checkpoints.set(counted || random.oneIn(2) ? after.checkpoints : before.checkpoints);
  if (!counted) control.set(before.control.subarray(...word(3)), word(3)[0]);
  if (random.oneIn(2)) control.set(before.control.subarray(...word(0)), 0);
}

function racing(bench: Bench, random: Random): string {
  const steps = (): number => 1 + random.below(random.oneIn(3) ? 100 : 6);
  const index = random.below(statesKept);
  const later = Math.min(statesKept - 1, index + steps());
  const { state: before, head } = bench.state(index);
  const { state: middle } = bench.state(later);
  const { state: after } = bench.state(Math.min(statesKept - 1, later + steps()));
  const { head: from } = bench.state(Math.max(0, index - random.below(70)));
  bench.put(before);
  // The writer may be at work when the reader begins, and goes on before the reader checks again.
  if (random.oneIn(2)) putHalfWay(random, bench.parts, before, middle);
  let raced = false;
  const hook = (): void => {
    if (raced) return;
    raced = true;
    putHalfWay(random, bench.parts, middle, after);
  };
  const reader = new RingReader(bench.memory, random.oneIn(4) ? {} : { afterCopy: hook, afterWalk: hook });
  return random.oneIn(3) ? searched(reader, before, from, head) : copied(reader, from, head, random);
}

/** What is copied is whole records of the sequences behind `from`, up to where the copy cuts one. */
function copied(reader: RingReader, from: WindowMark, head: WindowMark, random: Random): string {
  const into = Buffer.alloc(random.pick([64, 4_096, 65_536, 262_144]));
  const copy = reader.copy(from.offset, head.offset, into);
  if (copy.kind === 'overtaken') return 'overtaken';
  const view = new RecordView();
  view.attach(into, copy.bytes);
  let sequence: number = from.sequence;
  for (let offset = 0; view.moveTo(offset); offset += view.length) {
    if (view.kind === 0) continue;
    sequence += 1;
    demand((view.sequence as number) === sequence, `record ${view.sequence} where ${sequence} was written`);
    demand(isWhole(view, into), `record ${sequence} is torn`);
  }
  const all = copy.bytes === head.offset - from.offset;
  demand(
    !all || sequence === (head.sequence as number),
    `${sequence} is the last of a whole copy, not ${head.sequence}`,
  );
  return 'copied';
}

function searched(reader: RingReader, before: Snapshot, from: WindowMark, head: WindowMark): string {
  const found = reader.find(from.sequence, head);
  if (found === null) return 'moved past';
  // Just behind the record, or behind the skip record after it.
  const view = new RecordView();
  const ring = Buffer.from(before.ring.buffer);
  view.attach(ring, ring.length);
  let offset = from.offset;
  if (offset < found && view.moveTo(offset % ring.length) && view.kind === 0) offset += view.length;
  demand(found === offset, `found ${found} for what stands at ${offset}`);
  return 'found';
}

const wildNumbers = [0, -1, -8, 1, 7, 8, 1e-300, 2 ** 31, 2 ** 53, 1e300, -1e300, Infinity, -Infinity, Number.NaN];

function garbage(bench: Bench, random: Random): string {
  const { parts, memory } = bench;
  const { state, head } = bench.state(random.below(statesKept));
  bench.put(state);
  for (let left = 1 + random.below(6); left > 0; left -= 1) {
    const noise = randomBytes(random, 1 + random.below(32));
    parts.ring.set(noise, random.below(parts.ring.length - noise.length));
  }
  if (random.oneIn(4)) parts.ring.fill(random.pick([0, 1, 8, 0xff]));
  const checkpoints = new Float64Array(memory.checkpoints);
  if (random.oneIn(2))
    for (let at = 0; at < checkpoints.length; at += 1) if (random.oneIn(3)) checkpoints[at] = random.pick(wildNumbers);
  const control = new BigInt64Array(memory.control);
  if (random.oneIn(2))
    control[random.below(control.length)] = BigInt(random.pick([0, -1, 1, 8, 2 ** 31, 2 ** 52]) + random.below(64));
  const reader = new RingReader(memory);
  const mark = { sequence: head.sequence, offset: random.oneIn(2) ? head.offset : random.below(2 ** 31) };
  const found = reader.find(random.below(head.sequence + 4) as Sequence, mark);
  demand(found === null || found <= mark.offset, `found ${found} behind the end`);
  const into = Buffer.alloc(16_384);
  const from = random.oneIn(2) ? Math.max(0, reader.lowOffset()) : random.pick(bench.marks).offset;
  const copy = reader.copy(from, reader.headOffset(), into);
  if (copy.kind === 'overtaken') return 'overtaken';
  demand(copy.bytes >= 0 && copy.bytes <= into.length, `${copy.bytes} bytes copied`);
  walkAll(into, copy.bytes);
  return 'an answer';
}

function walkAll(bytes: Buffer, length: number): void {
  const view = new RecordView();
  view.attach(bytes, length);
  let steps = 0;
  for (let offset = 0; view.moveTo(offset); offset += view.length) {
    steps += 1;
    demand(steps <= bytes.length / 8, 'a walk of more steps than there are records');
    demand(view.frameStart <= view.frameEnd && view.frameEnd <= length, 'a frame outside the copy');
    view.stage();
    view.path();
    try {
      view.tags();
    } catch (error) {
      if (!(error instanceof WireError)) throw error;
    }
  }
}

export const windowTarget: FuzzTarget = {
  name: 'window',
  share: 60,
  needsSystem: false,
  open(): Fuzzer {
    const bench = new Bench();
    return {
      // A seed cannot be cut down.
      shrinks: false,
      make: (random) => whole(randomBytes(random, 8)),
      check({ bytes }) {
        const random = randomFrom(bytes.readUInt32LE(0));
        return random.oneIn(3) ? `garbage: ${garbage(bench, random)}` : `racing: ${racing(bench, random)}`;
      },
    };
  },
};
