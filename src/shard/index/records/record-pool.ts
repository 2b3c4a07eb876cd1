/**
 * Records of a few 32-bit integers each, in place of objects: no header, no pointer for the collector to follow, one cache line or less.
 *
 *   blocks[0]  │ -        │ record 1 │ record 2 │ …        each block 128 KiB, never copied
 *   blocks[1]  │ record n │ …
 *   free ──▶ record 2 ──▶ record 9 ──▶ 0                   linked through field 0
 *
 * Growth adds a block, so no step costs more than one. Numbers start at 1: 0 is nobody.
 *
 * Memory is bounded by the most records that were in use at once. It is given back when the last one is returned, not before.
 *
 * Invariants, checked by test/shard/index-parts.test.ts:
 *   R1  a number that `take` answers is in nobody's hand, and all its fields are 0.
 *   R2  after the last `give` there is no block.
 */
export class RecordPool {
  /** Hot loops read a record in place: `blocks[number >> blockBits]` from `(number & blockMask) * stride`. */
  readonly blocks: Int32Array[] = [];
  readonly stride: number;
  readonly blockBits: number;
  readonly blockMask: number;
  #free = 0;
  #next = 1;
  #live = 0;

  constructor(stride: number) {
    this.stride = stride;
    this.blockBits = Math.floor(Math.log2(blockFields / stride));
    this.blockMask = 2 ** this.blockBits - 1;
  }

  get live(): number {
    return this.#live;
  }

  take(): number {
    this.#live += 1;
    const reused = this.#free;
    if (reused !== 0) {
      this.#free = this.get(reused, 0);
      const block = this.blocks[reused >> this.blockBits] as Int32Array; // was in use
      const at = (reused & this.blockMask) * this.stride;
      for (let field = 0; field < this.stride; field += 1) block[at + field] = 0;
      return reused;
    }
    const fresh = this.#next;
    this.#next += 1;
    if (fresh >> this.blockBits === this.blocks.length) {
      this.blocks.push(new Int32Array((this.blockMask + 1) * this.stride));
    }
    return fresh;
  }

  give(number: number): void {
    this.#live -= 1;
    if (this.#live === 0) {
      this.blocks.length = 0;
      this.#free = 0;
      this.#next = 1;
      return;
    }
    this.set(number, 0, this.#free);
    this.#free = number;
  }

  get(number: number, field: number): number {
    const block = this.blocks[number >> this.blockBits] as Int32Array; // numbers come from `take`
    return block[(number & this.blockMask) * this.stride + field] as number;
  }

  set(number: number, field: number, value: number): void {
    const block = this.blocks[number >> this.blockBits] as Int32Array; // numbers come from `take`
    block[(number & this.blockMask) * this.stride + field] = value;
  }
}

/** 128 KiB: small enough that zeroing one is no pause, large enough that a million records are a few hundred. */
const blockFields = 32_768;
