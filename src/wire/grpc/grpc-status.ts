import { status as grpcCode, Metadata, type StatusObject } from '@grpc/grpc-js';
import protobuf from 'protobufjs/minimal.js';
import {
  AppendError,
  type AppendFailure,
  BusError,
  type BusFailure,
  type Fault,
  InvalidInputError,
  JournalDamagedError,
} from '../../core/failure.ts';
import { formatFieldPath, parseFieldPath } from './field-path.ts';
import { PositionError } from './position-error.ts';

/** Binary trailer with a google.rpc.Status, by convention of all gRPC implementations. */
export const statusDetailsKey = 'grpc-status-details-bin';
const oldestSequenceKey = 'rivulet-oldest-sequence';
const journalIdKey = 'rivulet-journal-id';
const journalTagKey = 'rivulet-journal-tag';

const badRequestType = 'type.googleapis.com/google.rpc.BadRequest';
/** Violations that a trailer carries: trailers are headers, and peers refuse them above 8 KiB to 16 KiB. */
const violationsMax = 20;
/** Characters of one violation's texts. */
const violationTextMax = 160;

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

export interface Violation {
  readonly field: string;
  readonly description: string;
}

/** The first violations, each cut to what a header may carry. */
export function violationsOf(faults: readonly Fault[]): Violation[] {
  return faults.slice(0, violationsMax).map((fault) => ({
    field: formatFieldPath(fault.field).slice(0, violationTextMax),
    description: fault.reason.slice(0, violationTextMax),
  }));
}

/** How an error of the bus leaves it. What is not known here is INTERNAL, and its text stays inside. */
export function statusOf(error: unknown): Pick<StatusObject, 'code' | 'details' | 'metadata'> {
  const metadata = new Metadata();
  if (error instanceof InvalidInputError) {
    metadata.set(statusDetailsKey, encodeDetails(grpcCode.INVALID_ARGUMENT, error.message, violationsOf(error.faults)));
    return { code: grpcCode.INVALID_ARGUMENT, details: error.message.slice(0, 512), metadata };
  }
  if (error instanceof AppendError) {
    const code = appendCodes[error.code];
    if (error.faults.length > 0)
      metadata.set(statusDetailsKey, encodeDetails(code, error.message, violationsOf(error.faults)));
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

function encodeDetails(code: number, message: string, violations: readonly Violation[]): Buffer {
  const badRequest = protobuf.Writer.create();
  for (const violation of violations) {
    badRequest.uint32(10).fork().uint32(10).string(violation.field).uint32(18).string(violation.description).ldelim();
  }
  const details = protobuf.Writer.create().uint32(8).int32(code).uint32(18).string(message.slice(0, 512));
  details.uint32(26).fork().uint32(10).string(badRequestType).uint32(18).bytes(badRequest.finish()).ldelim();
  return Buffer.from(details.finish());
}

/** Calls `visit` for each length-delimited field of a message. Throws RangeError on bytes that are none. */
function eachField(bytes: Uint8Array, visit: (field: number, content: Uint8Array) => void): void {
  const reader = protobuf.Reader.create(bytes);
  while (reader.pos < reader.len) {
    const tag = reader.uint32();
    if ((tag & 7) === 2) visit(tag >>> 3, reader.bytes());
    else reader.skipType(tag & 7);
  }
}

/** The field violations of a `grpc-status-details-bin`, as faults; none when it is something else. */
export function decodeFaults(details: Uint8Array): Fault[] {
  const faults: Fault[] = [];
  try {
    eachField(details, (field, any) => {
      if (field !== 3) return;
      const parts = ['', ''];
      let value: Uint8Array = new Uint8Array();
      eachField(any, (part, content) => {
        if (part === 1) parts[0] = Buffer.from(content).toString();
        if (part === 2) value = content;
      });
      if (parts[0] !== badRequestType) return;
      eachField(value, (_part, violation) => {
        const texts = ['', ''];
        eachField(violation, (part, content) => {
          if (part === 1 || part === 2) texts[part - 1] = Buffer.from(content).toString();
        });
        faults.push({ field: parseFieldPath(texts[0] ?? ''), reason: texts[1] ?? '' });
      });
    });
  } catch {
    return faults; // A proxy's or another bus's own details: the code and the message still say what happened.
  }
  return faults;
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

/** A failed call as the rest of the program knows it; the gRPC error is its cause. */
export function busErrorOf(code: number, detail: string, faults: readonly Fault[], cause?: unknown): BusError {
  return new BusError(busCodes[code] ?? 'internal', detail, faults, { cause });
}
