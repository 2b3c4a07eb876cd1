/** Ids in a chunk before it is split: insertion moves at most so many references. */
const chunkIdsMax = 512;

/**
 * A set of texts in ascending order: chunks of sorted arrays.
 *
 * Cost: insert and remove O(log n + chunk); a million ids are about 4,000 chunks.
 */
export class SortedIds {
  readonly #chunks: string[][] = [];
  #size = 0;

  get size(): number {
    return this.#size;
  }

  add(id: string): boolean {
    const chunkIndex = Math.max(0, this.#chunkOf(id));
    const chunk = this.#chunks[chunkIndex];
    if (chunk === undefined) {
      this.#chunks.push([id]);
      this.#size = 1;
      return true;
    }
    const place = lowerBound(chunk, id);
    if (chunk[place] === id) return false;
    chunk.splice(place, 0, id);
    this.#size += 1;
    if (chunk.length > chunkIdsMax) this.#chunks.splice(chunkIndex + 1, 0, chunk.splice(chunkIdsMax / 2));
    return true;
  }

  delete(id: string): boolean {
    const chunkIndex = this.#chunkOf(id);
    const chunk = this.#chunks[chunkIndex];
    if (chunk === undefined) return false;
    const place = lowerBound(chunk, id);
    if (chunk[place] !== id) return false;
    chunk.splice(place, 1);
    this.#size -= 1;
    if (chunk.length === 0) this.#chunks.splice(chunkIndex, 1);
    return true;
  }

  /** Ascending, those above `id`. Do not add or delete meanwhile. */
  *after(id: string): Generator<string, void> {
    for (let chunkIndex = Math.max(0, this.#chunkOf(id)); chunkIndex < this.#chunks.length; chunkIndex += 1) {
      for (const candidate of this.#chunks[chunkIndex] ?? []) if (candidate > id) yield candidate;
    }
  }

  /** The last chunk that begins at or before `id`, or -1. */
  #chunkOf(id: string): number {
    let low = 0;
    let high = this.#chunks.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const first = this.#chunks[middle]?.[0];
      if (first !== undefined && first <= id) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }
}

/** First place in `sorted` whose text is not below `id`. */
function lowerBound(sorted: readonly string[], id: string): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const text = sorted[middle];
    if (text !== undefined && text < id) low = middle + 1;
    else high = middle;
  }
  return low;
}
