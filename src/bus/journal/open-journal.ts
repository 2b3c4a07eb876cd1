import { randomInt, randomUUID } from 'node:crypto';
import type { Clock } from '../../core/clock.ts';
import { type JournalTag, journalTagMax } from '../../core/event-id.ts';
import type { JournalIdentity, JournalState, JournalStore, StoreBatch } from '../engine/journal-store.ts';
import { Journal } from './journal.ts';
import type { JournalSettings } from './journal-settings.ts';
import { originId } from './placement.ts';

/** A tag that this journal never had. */
function newTag(former: JournalIdentity['tags']): JournalTag {
  for (;;) {
    const tag = randomInt(1, journalTagMax + 1) as JournalTag;
    if (!former.some((life) => life.tag === tag)) return tag;
  }
}

/** A new life: ids from the next sequence on carry a new tag. */
export function withNewTag(identity: JournalIdentity, state: JournalState): JournalIdentity {
  const first = state.newestSequence + 1;
  // A life that stamped nothing leaves no id behind, except its origin, which is known by its time.
  return { ...identity, tags: [...identity.tags, { tag: newTag(identity.tags), first }] };
}

/** A journal that has no record yet. */
export function newIdentity(createdMs: number): { identity: JournalIdentity; state: JournalState } {
  const identity: JournalIdentity = {
    format: 1,
    journalId: randomUUID(),
    createdMs,
    tags: [{ tag: newTag([]), first: 1 }],
    repaired: false,
  };
  const id = originId(identity);
  const state: JournalState = {
    newestSequence: 0,
    newestId: id,
    newestMs: createdMs,
    totalBytes: 0,
    horizonSequence: 0,
    horizonId: id,
    horizonBytes: 0,
    sources: 0,
    sourcesForgotten: 0,
    ageMs: createdMs,
  };
  return { identity, state };
}

/** A batch that stores who the journal is, and nothing else. */
export function identityBatch(identity: JournalIdentity, state: JournalState): StoreBatch {
  return {
    records: [],
    executions: [],
    executionsForgotten: [],
    sources: [],
    sourcesForgotten: [],
    trim: null,
    state,
    identity,
  };
}

/** Opens the journal in a store, or makes one. Rejects with AppendError when the store cannot be written. */
export async function openJournal(store: JournalStore, clock: Clock, settings: JournalSettings): Promise<Journal> {
  const stored = store.load();
  if (stored !== null && !settings.restored) return new Journal(store, clock, settings, stored);
  let loaded = stored ?? newIdentity(clock.wallMs());
  if (stored !== null) {
    const identity = withNewTag(stored.identity, stored.state);
    // Nothing was ever stamped: the origin is the newest id, and now carries the new tag.
    const origin = originId(identity);
    const state =
      stored.state.newestSequence === 0 ? { ...stored.state, newestId: origin, horizonId: origin } : stored.state;
    loaded = { identity, state };
  }
  await store.commit(identityBatch(loaded.identity, loaded.state));
  return new Journal(store, clock, settings, loaded);
}
