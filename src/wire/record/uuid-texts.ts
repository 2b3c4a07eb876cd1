import { uuidTextsBits } from '../../core/limits.ts';
import { uuidBytes } from './uuid-bytes.ts';

const wordsPerUuid = uuidBytes / 4;
/** The slot is the upper bits of a hash of 32. */
const slotShift = 32 - uuidTextsBits;
const slots = 2 ** uuidTextsBits;

/**
 * The text of a UUID that was seen before, without making it again: a call into the runtime for the text, and the hash of a new text in each
 * Map that it is looked up in, cost as much as writing half a frame. The same UUID gives the same string, whose hash is known.
 *
 *   36 bytes ──hash──▶ slot ── 9 words equal? ──yes──▶ the text of the slot
 *                                             └─no───▶ a new text takes the slot
 *
 * Invariant U1: a slot's words are the bytes of its text; checked with colliding ids in test/wire/uuid-texts.test.ts.
 * Bounded by `uuidTextsBits`. Ids that fight for a slot cost what they cost without it.
 */
export class UuidTexts {
  readonly #words = new Int32Array(slots * wordsPerUuid);
  readonly #texts: string[] = new Array<string>(slots).fill('');

  /** @param view,start 36 bytes of ASCII, a UUID as a rule; any other text is kept and answered as well */
  textAt(view: DataView, start: number): string {
    const slot = hashAt(view, start) >>> slotShift;
    return this.#holds(slot, view, start) ? (this.#texts[slot] as string) : this.#keep(slot, view, start); // a hash of so many bits
  }

  #holds(slot: number, view: DataView, start: number): boolean {
    const words = this.#words;
    const first = slot * wordsPerUuid;
    for (let word = 0; word < wordsPerUuid; word += 1) {
      if (words[first + word] !== view.getInt32(start + word * 4, true)) return false;
    }
    return true;
  }

  #keep(slot: number, view: DataView, start: number): string {
    const first = slot * wordsPerUuid;
    for (let word = 0; word < wordsPerUuid; word += 1)
      this.#words[first + word] = view.getInt32(start + word * 4, true);
    const text = Buffer.from(view.buffer, view.byteOffset + start, uuidBytes).toString('latin1');
    this.#texts[slot] = text;
    return text;
  }
}

/** Over all digits but those of the version: UUIDs of one generator may differ in the first group or in the last alone. */
function hashAt(view: DataView, start: number): number {
  let hash = view.getInt32(start, true);
  hash = mixed(hash, view.getInt32(start + 4, true));
  hash = mixed(hash, view.getInt32(start + 9, true));
  hash = mixed(hash, view.getInt32(start + 19, true));
  hash = mixed(hash, view.getInt32(start + 24, true));
  hash = mixed(hash, view.getInt32(start + 28, true));
  return mixed(hash, view.getInt32(start + 32, true));
}

/** A step of multiplying and folding the upper half down (as in MurmurHash3's finish). */
function mixed(hash: number, word: number): number {
  const product = Math.imul(hash ^ word, 0x9e3779b1);
  return product ^ (product >>> 15);
}
