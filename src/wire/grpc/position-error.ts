/**
 * A position that this journal cannot read from: `too-old` (OUT_OF_RANGE) has passed out of retention, `identity` (ABORTED) is not a
 * position of this journal. Carries what the trailers say.
 */
export class PositionError extends Error {
  override readonly name = 'PositionError';
  readonly code: 'too-old' | 'identity';
  readonly journal: { readonly oldestSequence: number; readonly journalId: string; readonly journalTag: number };
  constructor(code: 'too-old' | 'identity', detail: string, journal: PositionError['journal'], options?: ErrorOptions) {
    super(detail, options);
    this.code = code;
    this.journal = journal;
  }
}
