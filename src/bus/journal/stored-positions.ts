import type { JournalDescription } from '../../contract/journal.ts';
import type { EventId, JournalTag } from '../../core/event-id.ts';
import { toSequence } from '../../core/sequence.ts';
import { beginsWithSequence, peekRecord } from '../../wire/record/record-codec.ts';
import type { JournalIdentity, JournalState, JournalStore } from '../engine/journal-store.ts';
import type { JournalSettings } from './journal-settings.ts';
import { originId, type PlacementView } from './placement.ts';

/** The records of a store as positions: which id stands where. */
export class StoredPositions {
  readonly #store: JournalStore;

  constructor(store: JournalStore) {
    this.#store = store;
  }

  storedId(sequence: number): EventId | null {
    const bytes = this.#store.record(sequence);
    return bytes === null || !beginsWithSequence(bytes, sequence) ? null : (peekRecord(bytes).id as EventId);
  }

  /** From the horizon to the newest, whose ids the state keeps. */
  idAt(state: JournalState, sequence: number): EventId | null {
    if (sequence === state.newestSequence) return state.newestId;
    return sequence === state.horizonSequence ? state.horizonId : this.storedId(sequence);
  }

  view(identity: JournalIdentity, state: JournalState): PlacementView {
    return {
      identity,
      state,
      idAt: (sequence) => this.storedId(sequence),
      next: (sequence) => {
        const head = this.#store.head(sequence);
        const id = head === null ? null : this.storedId(head.sequence);
        return head === null || id === null ? null : { sequence: head.sequence, id };
      },
    };
  }

  /** `floor`: records up to here may be gone already. */
  describe(of: {
    readonly identity: JournalIdentity;
    readonly state: JournalState;
    readonly settings: JournalSettings;
    readonly tag: JournalTag;
    readonly floor: number;
  }): Omit<JournalDescription, 'damagedSequence'> {
    const { identity, state, settings, tag, floor } = of;
    const oldest = state.newestSequence > floor ? this.#store.head(floor + 1) : null;
    return {
      journalId: identity.journalId,
      tag,
      createdMs: identity.createdMs,
      originId: originId(identity),
      oldestSequence: toSequence(oldest?.sequence ?? 0),
      oldestId: oldest === null ? '' : (this.storedId(oldest.sequence) ?? ''),
      newestSequence: toSequence(state.newestSequence),
      newestId: state.newestId,
      horizonSequence: toSequence(state.horizonSequence),
      horizonId: state.horizonId,
      retainedBytes: state.totalBytes - state.horizonBytes,
      retentionAgeMs: settings.retentionAgeMs,
      retentionBytes: settings.retentionBytes,
    };
  }
}
