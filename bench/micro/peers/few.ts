/**
 * Items by their own key, held as one reference: nothing, the one item itself, or a Map when there are more.
 *
 * Most nodes of a prefix trie have one edge, and a Map of one entry takes about 200 bytes and a hash of each text looked up; the item
 * itself takes none and a comparison.
 *
 * Invariant: a Map holds at least two items.
 */
export type Few<Item extends Keyed> = Item | Map<string, Item> | null;

export interface Keyed {
  readonly key: string;
}

export function fewGet<Item extends Keyed>(few: Few<Item>, key: string): Item | undefined {
  if (few === null) return undefined;
  if (few instanceof Map) return few.get(key);
  return few.key === key ? few : undefined;
}

/** Answers what takes the place of `few`. The key must be new. */
export function fewAdd<Item extends Keyed>(few: Few<Item>, item: Item): Few<Item> {
  if (few === null) return item;
  if (few instanceof Map) return few.set(item.key, item);
  return new Map([
    [few.key, few],
    [item.key, item],
  ]);
}

/** Answers what takes the place of `few`. */
export function fewRemove<Item extends Keyed>(few: Few<Item>, key: string): Few<Item> {
  if (few instanceof Map) {
    few.delete(key);
    if (few.size > 1) return few;
    const [last] = few.values();
    return last ?? null;
  }
  return few?.key === key ? null : few;
}
