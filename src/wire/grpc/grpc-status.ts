import { status as grpcCode, Metadata, type StatusObject } from '@grpc/grpc-js';
import {
  AppendError,
  type AppendFailure,
  BusError,
  type BusFailure,
  InvalidInputError,
  JournalDamagedError,
  ThrottledError,
} from '../../core/failure.ts';
import { PositionError } from './position-error.ts';
import { encodeDetails, type StatusDetails, statusDetailsKey } from './status-details.ts';

const oldestSequenceKey = 'rivulet-oldest-sequence';
const journalIdKey = 'rivulet-journal-id';
const journalTagKey = 'rivulet-journal-tag';

const appendCodes: Readonly<Record<AppendFailure, grpcCode>> = {
  'journal-closed': grpcCode.UNAVAILABLE,
  'journal-full': grpcCode.RESOURCE_EXHAUSTED,
  'journal-read-only': grpcCode.RESOURCE_EXHAUSTED,
  'journal-failed': grpcCode.UNAVAILABLE,
  'terminal-final': grpcCode.FAILED_PRECONDITION,
  'source-id-conflict': grpcCode.ALREADY_EXISTS,
  'tags-exceeded': grpcCode.RESOURCE_EXHAUSTED,
  // A queue drains: a retry helps, which RESOURCE_EXHAUSTED (the disk, a bound) does not say.
  overloaded: grpcCode.UNAVAILABLE,
};

/** How an error of the bus leaves it. What is not known here is INTERNAL, and its text stays inside. */
export function statusOf(error: unknown): Pick<StatusObject, 'code' | 'details' | 'metadata'> {
  const metadata = new Metadata();
  if (error instanceof InvalidInputError) {
    metadata.set(statusDetailsKey, encodeDetails(grpcCode.INVALID_ARGUMENT, error.message, error));
    return { code: grpcCode.INVALID_ARGUMENT, details: error.message.slice(0, 512), metadata };
  }
  if (error instanceof AppendError) {
    const code = appendCodes[error.code];
    if (error.faults.length > 0) metadata.set(statusDetailsKey, encodeDetails(code, error.message, error));
    return { code, details: error.message, metadata };
  }
  if (error instanceof ThrottledError) {
    const code = grpcCode.RESOURCE_EXHAUSTED;
    metadata.set(statusDetailsKey, encodeDetails(code, error.message, error));
    return { code, details: error.message, metadata };
  }
  if (error instanceof JournalDamagedError) return { code: grpcCode.DATA_LOSS, details: error.message, metadata };
  if (error instanceof PositionError) {
    metadata.set(oldestSequenceKey, String(error.journal.oldestSequence));
    metadata.set(journalIdKey, error.journal.journalId);
    metadata.set(journalTagKey, String(error.journal.journalTag));
    const code = error.code === 'too-old' ? grpcCode.OUT_OF_RANGE : grpcCode.ABORTED;
    return { code, details: error.message, metadata };
  }
  return { code: grpcCode.INTERNAL, details: 'internal error of the bus', metadata };
}

const busCodes: Readonly<Partial<Record<number, BusFailure>>> = {
  [grpcCode.UNAVAILABLE]: 'unavailable',
  [grpcCode.CANCELLED]: 'unavailable',
  [grpcCode.DEADLINE_EXCEEDED]: 'deadline',
  [grpcCode.INVALID_ARGUMENT]: 'invalid',
  [grpcCode.ALREADY_EXISTS]: 'conflict',
  [grpcCode.FAILED_PRECONDITION]: 'terminal',
  [grpcCode.RESOURCE_EXHAUSTED]: 'exhausted',
  [grpcCode.OUT_OF_RANGE]: 'too-old',
  [grpcCode.ABORTED]: 'identity',
  [grpcCode.DATA_LOSS]: 'damaged',
};

/**
 * A failed call as the rest of the program knows it; the gRPC error is its cause.
 * RESOURCE_EXHAUSTED alone does not say whether waiting helps: a bus that knows says when to come again.
 */
export function busErrorOf(code: number, detail: string, details: StatusDetails, cause?: unknown): BusError {
  const { faults, retryAfterMs } = details;
  const known = busCodes[code] ?? 'internal';
  const failure = known === 'exhausted' && retryAfterMs !== null ? 'throttled' : known;
  return new BusError(failure, detail, faults, { cause, retryAfterMs });
}
