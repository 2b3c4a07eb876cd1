const dayMs = 86_400_000;

/** How long things last. Ages in ms; every bound is at least 1. */
export interface JournalSettings {
  /** Events and changes older than this may go. */
  readonly retentionAgeMs: number;
  /** The newest so many bytes of records stay, whatever their age allows. */
  readonly retentionBytes: number;
  /** A source_id is remembered for this long, and at most so many of them. */
  readonly idempotencyAgeMs: number;
  readonly idempotencyKeysMax: number;
  /** An execution is forgotten this long after the last record that named it; and so that at most `executionsMax` are known. */
  readonly executionAgeMs: number;
  readonly executionsMax: number;
  /** True once after a backup was put back: the journal takes a new tag, for its old ids may name other records by now. */
  readonly restored: boolean;
}

export const journalDefaults: JournalSettings = {
  retentionAgeMs: 7 * dayMs,
  retentionBytes: 10 * 2 ** 30,
  idempotencyAgeMs: dayMs,
  idempotencyKeysMax: 10_000_000,
  executionAgeMs: 30 * dayMs,
  executionsMax: 1_000_000,
  restored: false,
};
