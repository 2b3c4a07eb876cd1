import { beginning, extension, type Name, type NameTrie, noName, wholeSegment } from './name-trie.ts';
import { textBytesMax } from './records/text-hash.ts';

/**
 * The names that one event's stage, or path, passes: looked up once and asked many times.
 *
 *   bytes    'boost/routines/step-3.tar.gz'
 *   names    origin, 'boost', 'boost/ro*', 'boost/routines'      those that some filter has; the way ends at the first segment that none has
 *   endings  '.tar.gz', '.gz'                                    extensions that some filter has; looked up when the first is asked for
 *
 * Holds until the index or the bytes change.
 */
export class Trail {
  readonly #trie: NameTrie;
  /** The first `count` are the event's. */
  readonly names = new Int32Array(namesMax);
  count = 0;
  /** A bit of 32 for each name: one whose bit is not there is none of the event's. */
  sieve = 0;
  /** The first `endingCount` are the event's, once `findEndings` was called. */
  readonly endings = new Int32Array(textBytesMax);
  endingCount = -1;
  #bytes: Uint8Array = none;
  #start = 0;
  #end = 0;

  constructor(trie: NameTrie) {
    this.#trie = trie;
  }

  /** Takes the next event. `start` to `end`: a stage or path. A segment that is longer than `textBytesMax` is nobody's name. */
  aim(bytes: Uint8Array, start: number, end: number): void {
    const trie = this.#trie;
    this.#bytes = bytes;
    this.#start = start;
    this.#end = end;
    this.endingCount = -1;
    this.count = 0;
    this.sieve = 0;
    this.#push(0);
    let node = 0;
    let at = start;
    while (at < end) {
      let stop = at;
      while (stop < end && bytes[stop] !== slash) stop += 1;
      if (trie.hasBeginnings(node)) this.#findBeginnings(node, at, stop);
      if (stop - at > textBytesMax) return;
      node = trie.find(node, wholeSegment, bytes, at, stop);
      if (node === noName) return;
      this.#push(node);
      at = stop + 1;
    }
  }

  /** Whether the event passes the prefix of that name. Cost: a comparison, seldom a few. */
  has(name: Name): boolean {
    if (((this.sieve >>> (name & 31)) & 1) === 0) return false;
    const { names, count } = this;
    for (let index = 0; index < count; index += 1) {
      if (names[index] === name) return true;
    }
    return false;
  }

  hasEnding(ending: Name): boolean {
    if (this.endingCount < 0) this.findEndings();
    for (let index = 0; index < this.endingCount; index += 1) {
      if (this.endings[index] === ending) return true;
    }
    return false;
  }

  /** `report.tar.gz` has `.tar.gz` and `.gz`, in ASCII lower case; a dot that comes first begins no extension. */
  findEndings(): void {
    const trie = this.#trie;
    const bytes = this.#bytes;
    const end = this.#end;
    this.endingCount = 0;
    const least = Math.max(this.#start, end - trie.extensionBytesMax);
    // Read backwards, each byte lower-cased on the way.
    for (let at = end - 1; at >= least; at -= 1) {
      const byte = bytes[at] as number; // inside the text
      if (byte === slash) return;
      lowered[at - end + textBytesMax] = byte >= upperA && byte <= upperZ ? byte + 0x20 : byte;
      if (byte !== dot || at === this.#start || bytes[at - 1] === slash) continue;
      const ending = trie.find(0, extension, lowered, at - end + textBytesMax, textBytesMax);
      if (ending === noName) continue;
      this.endings[this.endingCount] = ending;
      this.endingCount += 1;
    }
  }

  #findBeginnings(node: Name, at: number, stop: number): void {
    for (const length of this.#trie.beginningLengths) {
      if (length > stop - at) return;
      const name = this.#trie.find(node, beginning, this.#bytes, at, at + length);
      if (name !== noName) this.#push(name);
    }
  }

  #push(name: Name): void {
    this.names[this.count] = name;
    this.count += 1;
    this.sieve |= 1 << (name & 31);
  }
}

const slash = 0x2f;
const dot = 0x2e;
const upperA = 0x41;
const upperZ = 0x5a;
const none = new Uint8Array(0);
/** Of the text's end; filled from behind. */
const lowered = new Uint8Array(textBytesMax);
/** The origin, a segment for each two bytes, and a beginning for each byte and for the empty ones. */
const namesMax: number = 1 + textBytesMax / 2 + 2 * textBytesMax;
