import { CountedKeys } from './counted-keys.ts';
import type { Name } from './name-trie.ts';
import { LinearHash } from './records/linear-hash.ts';
import { RecordPool } from './records/record-pool.ts';
import type { TextHash } from './records/text-hash.ts';
import type { Trail } from './trail.ts';

/**
 * The filters of each root, as names. A root that has up to `smallMax` is read through. A root that has had more is looked up in a table shared by all: an
 * event's names are few, so each stage name is tried with each path name and extension (tuple space search: Srinivasan, Suri, Varghese 1999),
 * and the cost depends on them, not on how many filters there are.
 *
 *   root  │ first │ count │ stage sieve │ path sieve │ large, endings │
 *            │                                                                  up to `smallMax` filters:
 *            └▶ filter ⇄ filter ⇄ filter                                        all of the root
 *
 *   table (root, stage, path, ending) ──▶ filter ⇄ filter                       then: those that are equal
 *
 *   filter │ next in table │ root │ stage │ path │ ending │ entry │ next │ before │        32 bytes, half a cache line
 *
 *   present: (root, stage, any path), (root, stage, path of a filter with an extension)     an event is tried with the stages that the root
 *   has, and with its extensions only where one stands: the cost follows the root's filters, not the product of the event's names
 *
 * A sieve has a bit of 32 for each name that filters of the root had: most pairs that no filter can have are not tried.
 * A large root stays so until it is empty.
 *
 * Invariants, checked by test/shard/prefix-trie.oracle.test.ts:
 *   F1  each filter of a small root is in its list, once.
 *   F2  of the equal filters of a large root exactly the first of their list is in the table.
 */
export class FilterTable {
  readonly #text: TextHash;
  readonly #roots = new RecordPool(rootFields);
  readonly #filters = new RecordPool(filterFields);
  readonly #table = new LinearHash(this.#filters, (filter) => this.#hashOf(filter));
  /** Of large roots. */
  readonly #present: CountedKeys;

  constructor(text: TextHash) {
    this.#text = text;
    this.#present = new CountedKeys(text);
  }

  get rootCount(): number {
    return this.#roots.live;
  }

  /** Keys kept about large roots. */
  get keyCount(): number {
    return this.#present.size;
  }

  openRoot(): number {
    return this.#roots.take();
  }

  /** It must have no filter. */
  closeRoot(root: number): void {
    this.#roots.give(root);
  }

  /** Filters of a root. */
  count(root: number): number {
    return this.#roots.get(root, countField);
  }

  /** Answers its record. Cost: O(1); the first above `smallMax` takes the root's others with it. */
  add(placed: PlacedFilter): number {
    const { root } = placed;
    const roots = this.#roots;
    const filters = this.#filters;
    const filter = filters.take();
    filters.set(filter, rootField, root);
    filters.set(filter, stageField, placed.stage);
    filters.set(filter, pathField, placed.path);
    filters.set(filter, endingField, placed.ending);
    filters.set(filter, entryField, placed.entry);
    const count = roots.get(root, countField) + 1;
    roots.set(root, countField, count);
    roots.set(root, stageSieve, roots.get(root, stageSieve) | (1 << (placed.stage & 31)));
    roots.set(root, pathSieve, roots.get(root, pathSieve) | (1 << (placed.path & 31)));
    let flags = roots.get(root, flagsField);
    if (placed.ending !== 0) flags |= hasEndings;
    if (count > smallMax && (flags & isLarge) === 0) {
      flags |= isLarge;
      this.#enlarge(root);
    }
    roots.set(root, flagsField, flags);
    if ((flags & isLarge) !== 0) this.#putInTable(filter);
    else this.#putInList(root, filter);
    return filter;
  }

  remove(filter: number): void {
    const roots = this.#roots;
    const filters = this.#filters;
    const root = filters.get(filter, rootField);
    const next = filters.get(filter, nextField);
    const before = filters.get(filter, beforeField);
    const large = (roots.get(root, flagsField) & isLarge) !== 0;
    if (large) this.#setPresent(filter, 'remove');
    if (next !== 0) filters.set(next, beforeField, before);
    if (before !== 0) {
      filters.set(before, nextField, next);
    } else if (!large) {
      roots.set(root, firstField, next);
    } else {
      const hash = this.#hashOf(filter);
      this.#table.unlink(hash, filter);
      if (next !== 0) this.#table.link(hash, next);
    }
    filters.give(filter);
    const count = roots.get(root, countField) - 1;
    roots.set(root, countField, count);
    if (count > 0) return;
    roots.set(root, flagsField, 0);
    roots.set(root, stageSieve, 0);
    roots.set(root, pathSieve, 0);
  }

  stage(filter: number): Name {
    return this.#filters.get(filter, stageField);
  }

  path(filter: number): Name {
    return this.#filters.get(filter, pathField);
  }

  ending(filter: number): Name {
    return this.#filters.get(filter, endingField);
  }

  match(root: number, stage: Trail, path: Trail, into: number[]): void {
    const flags = this.#roots.get(root, flagsField);
    if ((flags & isLarge) === 0) this.#matchList(this.#roots.get(root, firstField), stage, path, into);
    else this.#matchTable(root, stage, path, into);
  }

  #matchList(first: number, stage: Trail, path: Trail, into: number[]): void {
    const { blocks, blockBits, blockMask } = this.#filters;
    let filter = first;
    while (filter !== 0) {
      const block = blocks[filter >> blockBits] as Int32Array; // a listed record is in use
      const at = (filter & blockMask) * filterFields;
      const ending = block[at + endingField] as Name;
      if (
        stage.has(block[at + stageField] as Name) &&
        path.has(block[at + pathField] as Name) &&
        (ending === 0 || path.hasEnding(ending))
      )
        into.push(block[at + entryField] as number);
      filter = block[at + nextField] as number;
    }
  }

  #matchTable(root: number, stage: Trail, path: Trail, into: number[]): void {
    const roots = this.#roots;
    const ofStage = roots.get(root, stageSieve);
    const ofPath = roots.get(root, pathSieve);
    const endings = (roots.get(root, flagsField) & hasEndings) !== 0;
    if (endings && path.endingCount < 0) path.findEndings();
    const endingCount = endings ? path.endingCount : 0;
    for (let one = 0; one < stage.count; one += 1) {
      const stageName = stage.names[one] as Name; // below `count`
      if (((ofStage >>> (stageName & 31)) & 1) === 0) continue;
      if (!this.#present.has(root, stageName, anyPath)) continue;
      const owner = this.#text.join(root, stageName);
      for (let other = 0; other < path.count; other += 1) {
        const pathName = path.names[other] as Name; // below `count`
        if (((ofPath >>> (pathName & 31)) & 1) === 0) continue;
        this.#collect(this.#seek(owner, root, stageName, pathName, 0), into);
        if (endingCount === 0 || !this.#present.has(root, stageName, pathName)) continue;
        for (let index = 0; index < endingCount; index += 1) {
          this.#collect(this.#seek(owner, root, stageName, pathName, path.endings[index] as Name), into);
        }
      }
    }
  }

  #collect(first: number, into: number[]): void {
    const filters = this.#filters;
    for (let filter = first; filter !== 0; filter = filters.get(filter, nextField)) {
      into.push(filters.get(filter, entryField));
    }
  }

  #seek(owner: number, root: number, stage: Name, path: Name, ending: Name): number {
    const { blocks, blockBits, blockMask } = this.#filters;
    let filter = this.#table.head(this.#text.join(owner, Math.imul(path, spread) + ending));
    while (filter !== 0) {
      const block = blocks[filter >> blockBits] as Int32Array; // a linked record is in use
      const at = (filter & blockMask) * filterFields;
      if (
        block[at + pathField] === path &&
        block[at + rootField] === root &&
        block[at + stageField] === stage &&
        block[at + endingField] === ending
      )
        return filter;
      filter = block[at] as number;
    }
    return 0;
  }

  #hashOf(filter: number): number {
    const { blocks, blockBits, blockMask } = this.#filters;
    const block = blocks[filter >> blockBits] as Int32Array; // in use
    const at = (filter & blockMask) * filterFields;
    const owner = this.#text.join(block[at + rootField] as number, block[at + stageField] as Name);
    return this.#text.join(owner, Math.imul(block[at + pathField] as Name, spread) + (block[at + endingField] as Name));
  }

  #putInTable(filter: number): void {
    this.#setPresent(filter, 'add');
    const filters = this.#filters;
    const root = filters.get(filter, rootField);
    const stage = filters.get(filter, stageField);
    const owner = this.#text.join(root, stage);
    const first = this.#seek(owner, root, stage, filters.get(filter, pathField), filters.get(filter, endingField));
    if (first === 0) this.#table.link(this.#hashOf(filter), filter);
    else this.#putBehind(first, filter);
  }

  #setPresent(filter: number, step: 'add' | 'remove'): void {
    const filters = this.#filters;
    const root = filters.get(filter, rootField);
    const stage = filters.get(filter, stageField);
    this.#present[step](root, stage, anyPath);
    if (filters.get(filter, endingField) !== 0) this.#present[step](root, stage, filters.get(filter, pathField));
  }

  #putInList(root: number, filter: number): void {
    const first = this.#roots.get(root, firstField);
    this.#filters.set(filter, nextField, first);
    if (first !== 0) this.#filters.set(first, beforeField, filter);
    this.#roots.set(root, firstField, filter);
  }

  #putBehind(first: number, filter: number): void {
    const filters = this.#filters;
    const next = filters.get(first, nextField);
    filters.set(filter, nextField, next);
    filters.set(filter, beforeField, first);
    filters.set(first, nextField, filter);
    if (next !== 0) filters.set(next, beforeField, filter);
  }

  #enlarge(root: number): void {
    const filters = this.#filters;
    let filter = this.#roots.get(root, firstField);
    this.#roots.set(root, firstField, 0);
    while (filter !== 0) {
      const next = filters.get(filter, nextField);
      filters.set(filter, nextField, 0);
      filters.set(filter, beforeField, 0);
      this.#putInTable(filter);
      filter = next;
    }
  }
}

/** A filter as names, under its root. `ending`: 0 for none. */
export interface PlacedFilter {
  readonly root: number;
  readonly stage: Name;
  readonly path: Name;
  readonly ending: Name;
  readonly entry: number;
}

/** Records of a root lie side by side as a rule: a hundred read through, out of the cache, take a quarter of the time of the pairs looked up in a table of a million (docs/BENCHMARKS.md). */
const smallMax = 128;

/** In place of a path, among the keys that are present; the origin is 0, and a path too. */
const anyPath = -1;

const rootFields = 5;
// Of a root.
const firstField = 0;
const countField = 1;
const stageSieve = 2;
const pathSieve = 3;
const flagsField = 4;
const isLarge = 1;
const hasEndings = 2;

const filterFields = 8;
// Of a filter, behind the link of the table.
const rootField = 1;
const stageField = 2;
const pathField = 3;
const endingField = 4;
const entryField = 5;
const nextField = 6;
const beforeField = 7;

/** So that (path, ending) and (ending, path) are not the same sum. */
const spread = 0x9e3779b1;
