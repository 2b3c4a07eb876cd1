import { LinearHash } from './records/linear-hash.ts';
import { RecordPool } from './records/record-pool.ts';
import type { TextHash } from './records/text-hash.ts';
import { wordsOf } from './records/text-hash.ts';

/** A node of the trie of names. 0 is the origin: the prefix of no segments. */
export type Name = number;

/** What the edge from the parent means: a whole segment, the beginning of one, or an extension (below the origin). */
export const wholeSegment = 0;
export const beginning = 1;
export const extension = 2;
export type NameKind = typeof wholeSegment | typeof beginning | typeof extension;

/** Answered for a name that nobody has. */
export const noName = 0;

/**
 * The prefix trie of all stage and path prefixes and extensions that filters of the index have, each once, however many filters share it.
 *
 *   (origin) ─ 'boost' ─▶ ● ─ 'routines' ─▶ ●          whole segments
 *       │                 └╌╌ 'ro' ╌▶ ○                 beginning: any segment that begins with it
 *       └┄┄ '.md' ┄▶ ◇                                 extension
 *
 * Edges are found by (parent, kind, text) in one table; a node is one cell of 32 bytes, half a cache line, with up to 16 bytes of its text:
 *
 *   cell  │ next │ parent │ references │ kind, length │ text … text │      longer:  … 12 bytes of text │ more ──▶ │ next │ 24 bytes │ more │
 *
 * References: one for each filter that stands at the node, one for each child. At 0 the node goes, and its reference to the parent with it.
 *
 * Invariants, checked by test/shard/index-parts.test.ts and, as part of the index, by test/shard/prefix-trie.oracle.test.ts:
 *   N1  equal (parent, kind, text) is the same node, and unequal ones are not.
 *   N2  after the last `release` there is no node.
 *   N3  a node below which a beginning stands says so, and each length that a beginning has is in `beginningLengths`.
 */
export class NameTrie {
  readonly #cells = new RecordPool(cellFields);
  readonly #table = new LinearHash(this.#cells, (cell) => this.#hashOfCell(cell));
  readonly #text: TextHash;
  readonly #beginningCounts = new Map<number, number>();
  /** Lengths in bytes that beginnings have, rising; at most `textBytesMax` of them. */
  beginningLengths: readonly number[] = [];
  /** The longest extension there ever was: a file name of a thousand dots has a thousand endings, of which none longer is looked up. */
  extensionBytesMax = 0;
  #originHasBeginnings = false;

  constructor(text: TextHash) {
    this.#text = text;
  }

  get size(): number {
    return this.#table.count;
  }

  /** The node of a text below `parent`, or `noName`. No allocation. `start` to `end`: at most `textBytesMax`. */
  find(parent: Name, kind: NameKind, bytes: Uint8Array, start: number, end: number): Name {
    this.#text.pack(bytes, start, end);
    return this.#seek(parent, this.#text.length | (kind << kindShift), this.#hash(parent, kind));
  }

  /** The same, made if need be; it takes over the reference to the parent that the caller had, and the caller gets one to it. */
  ensure(parent: Name, kind: NameKind, bytes: Uint8Array, start: number, end: number): Name {
    this.#text.pack(bytes, start, end);
    const hash = this.#hash(parent, kind);
    const meta = this.#text.length | (kind << kindShift);
    let cell = this.#seek(parent, meta, hash);
    if (cell === 0) {
      cell = this.#cells.take();
      this.#cells.set(cell, parentField, parent);
      this.#cells.set(cell, metaField, meta);
      this.#writeText(cell);
      this.#table.link(hash, cell);
      if (kind === extension) this.extensionBytesMax = Math.max(this.extensionBytesMax, end - start);
      if (kind === beginning) this.#onBeginning(parent, end - start);
    } else {
      this.release(parent);
    }
    this.#cells.set(cell, refsField, this.#cells.get(cell, refsField) + 1);
    return cell;
  }

  release(name: Name): void {
    let gone = name;
    while (gone !== 0) {
      const refs = this.#cells.get(gone, refsField) - 1;
      this.#cells.set(gone, refsField, refs);
      if (refs > 0) return;
      const parent = this.#cells.get(gone, parentField);
      this.#drop(gone);
      gone = parent;
    }
  }

  /** Whether beginnings may stand below it. */
  hasBeginnings(name: Name): boolean {
    return name === 0 ? this.#originHasBeginnings : (this.#cells.get(name, metaField) & beginningsBit) !== 0;
  }

  #onBeginning(parent: Name, length: number): void {
    if (parent === 0) this.#originHasBeginnings = true;
    else this.#cells.set(parent, metaField, this.#cells.get(parent, metaField) | beginningsBit);
    const count = this.#beginningCounts.get(length) ?? 0;
    this.#beginningCounts.set(length, count + 1);
    if (count === 0) this.#sortLengths();
  }

  #onBeginningGone(length: number): void {
    const count = (this.#beginningCounts.get(length) ?? 0) - 1;
    if (count > 0) {
      this.#beginningCounts.set(length, count);
      return;
    }
    this.#beginningCounts.delete(length);
    this.#sortLengths();
    if (this.#beginningCounts.size === 0) this.#originHasBeginnings = false;
  }

  #sortLengths(): void {
    this.beginningLengths = [...this.#beginningCounts.keys()].sort((one, other) => one - other);
  }

  #hash(parent: Name, kind: NameKind): number {
    return this.#text.join(this.#text.hash, parent * 4 + kind);
  }

  #seek(parent: Name, meta: number, hash: number): number {
    const { blocks, blockBits, blockMask } = this.#cells;
    let cell = this.#table.head(hash);
    while (cell !== 0) {
      const block = blocks[cell >> blockBits] as Int32Array; // a linked record is in use
      const at = (cell & blockMask) * cellFields;
      if (
        block[at + parentField] === parent &&
        ((block[at + metaField] as number) & keyMask) === meta &&
        this.#hasText(block, at)
      )
        return cell;
      cell = block[at] as number;
    }
    return 0;
  }

  /** Whether the cell's text is the packed one, which is as long. */
  #hasText(block: Int32Array, at: number): boolean {
    const { words, length } = this.#text;
    const count = wordsOf(length);
    const inline = Math.min(count, lastFieldOf(count) - metaField);
    for (let index = 0; index < inline; index += 1) {
      if (block[at + textField + index] !== words[index]) return false;
    }
    return inline === count || this.#hasMore(block[at + moreField] as number, inline, count);
  }

  #hasMore(first: number, from: number, count: number): boolean {
    const { words } = this.#text;
    let cell = first;
    for (let index = from; index < count; index += cellFields - 2) {
      const here = Math.min(count - index, cellFields - 2);
      for (let place = 0; place < here; place += 1) {
        if (this.#cells.get(cell, 1 + place) !== words[index + place]) return false;
      }
      cell = this.#cells.get(cell, moreField);
    }
    return true;
  }

  #writeText(first: number): void {
    const { words, length } = this.#text;
    const count = wordsOf(length);
    let cell = first;
    let field = textField;
    let end = lastFieldOf(count);
    for (let index = 0; index < count; index += 1) {
      if (field > end) {
        const more = this.#cells.take();
        this.#cells.set(cell, moreField, more);
        cell = more;
        field = 1;
        end = cellFields - 2;
      }
      this.#cells.set(cell, field, words[index] as number); // below `count`
      field += 1;
    }
  }

  #hashOfCell(first: number): number {
    const meta = this.#cells.get(first, metaField);
    const text = this.#text;
    const count = wordsOf(meta & lengthMask);
    let cell = first;
    let field = textField;
    let end = lastFieldOf(count);
    for (let index = 0; index < count; index += 1) {
      if (field > end) {
        cell = this.#cells.get(cell, moreField);
        field = 1;
        end = cellFields - 2;
      }
      text.words[index] = this.#cells.get(cell, field);
      field += 1;
    }
    text.rehash(meta & lengthMask);
    return text.join(text.hash, this.#cells.get(first, parentField) * 4 + ((meta & keyMask) >> kindShift));
  }

  #drop(first: number): void {
    const meta = this.#cells.get(first, metaField);
    const count = wordsOf(meta & lengthMask);
    this.#table.unlink(this.#hashOfCell(first), first);
    if ((meta & keyMask) >> kindShift === beginning) this.#onBeginningGone(meta & lengthMask);
    let cell = lastFieldOf(count) < moreField ? this.#cells.get(first, moreField) : 0;
    let rest = count - (moreField - textField);
    this.#cells.give(first);
    while (cell !== 0) {
      rest -= cellFields - 2;
      const next = rest > 0 ? this.#cells.get(cell, moreField) : 0;
      this.#cells.give(cell);
      cell = next;
    }
  }
}

const cellFields = 8;
const parentField = 1;
const refsField = 2;
const metaField = 3;
const textField = 4;
const moreField = 7;
const lengthMask = 2_047;
const kindShift = 11;
/** Kind and length. */
const keyMask = 8_191;
/** Stays once set: a node is asked in vain, at worst. */
const beginningsBit = 8_192;

/** The last field of a first cell that holds text: all four when the text fits, else one is the way to more. */
function lastFieldOf(words: number): number {
  return words <= cellFields - textField ? cellFields - 1 : moreField - 1;
}
