import protobuf from 'protobufjs/minimal.js';
import type { Fault } from '../../core/failure.ts';
import { formatFieldPath, parseFieldPath } from './field-path.ts';

/** Binary trailer with a google.rpc.Status, by convention of all gRPC implementations. */
export const statusDetailsKey = 'grpc-status-details-bin';

const badRequestType = 'type.googleapis.com/google.rpc.BadRequest';
const retryInfoType = 'type.googleapis.com/google.rpc.RetryInfo';
/** Violations that a trailer carries: trailers are headers, and peers refuse them above 8 KiB to 16 KiB. */
const violationsMax = 20;
/** Characters of one violation's texts. */
const violationTextMax = 160;

/** What a google.rpc.Status says beside its code and message. */
export interface StatusDetails {
  readonly faults: readonly Fault[];
  /** After which the same may be tried again; null where nobody said. */
  readonly retryAfterMs: number | null;
}

export const noDetails: StatusDetails = { faults: [], retryAfterMs: null };

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

/** A google.rpc.Status with a BadRequest for the faults and a RetryInfo for the wait, each where there is one. */
export function encodeDetails(
  code: number,
  message: string,
  details: { readonly faults?: readonly Fault[]; readonly retryAfterMs?: number },
): Buffer {
  const { faults = [], retryAfterMs } = details;
  const status = protobuf.Writer.create().uint32(8).int32(code).uint32(18).string(message.slice(0, 512));
  const any = (type: string, value: Uint8Array): void => {
    status.uint32(26).fork().uint32(10).string(type).uint32(18).bytes(value).ldelim();
  };
  if (faults.length > 0) any(badRequestType, badRequest(violationsOf(faults)));
  if (retryAfterMs !== undefined) any(retryInfoType, retryInfo(retryAfterMs));
  return Buffer.from(status.finish());
}

function badRequest(violations: readonly Violation[]): Uint8Array {
  const message = protobuf.Writer.create();
  for (const violation of violations) {
    message.uint32(10).fork().uint32(10).string(violation.field).uint32(18).string(violation.description).ldelim();
  }
  return message.finish();
}

/** A google.protobuf.Duration: whole seconds, then nanoseconds. */
function retryInfo(delayMs: number): Uint8Array {
  const message = protobuf.Writer.create().uint32(10).fork();
  message.uint32(8).int64(Math.floor(delayMs / 1_000));
  message.uint32(16).int32(Math.round((delayMs % 1_000) * 1_000_000));
  return message.ldelim().finish();
}

/** Calls `visit` for each field of a message: its number, and its bytes or its number. Throws RangeError on bytes that are none. */
function eachField(bytes: Uint8Array, visit: (field: number, content: Uint8Array | number) => void): void {
  const reader = protobuf.Reader.create(bytes);
  while (reader.pos < reader.len) {
    const tag = reader.uint32();
    if ((tag & 7) === 2) visit(tag >>> 3, reader.bytes());
    else if ((tag & 7) === 0) visit(tag >>> 3, Number(reader.int64()));
    else reader.skipType(tag & 7);
  }
}

/** The length-delimited fields of a message by their number; of a repeated one the last. */
function partsOf(bytes: Uint8Array): ReadonlyMap<number, Uint8Array> {
  const parts = new Map<number, Uint8Array>();
  eachField(bytes, (field, content) => {
    if (typeof content !== 'number') parts.set(field, content);
  });
  return parts;
}

const textOf = (bytes: Uint8Array | undefined): string => (bytes === undefined ? '' : Buffer.from(bytes).toString());

/** What a `grpc-status-details-bin` says; nothing when it is something else. */
export function decodeDetails(details: Uint8Array): StatusDetails {
  const faults: Fault[] = [];
  let retryAfterMs: number | null = null;
  try {
    eachField(details, (field, any) => {
      if (field !== 3 || typeof any === 'number') return;
      const parts = partsOf(any);
      const value = parts.get(2) ?? new Uint8Array();
      if (textOf(parts.get(1)) === badRequestType) faults.push(...faultsIn(value));
      if (textOf(parts.get(1)) === retryInfoType) retryAfterMs = delayIn(value);
    });
  } catch {
    // A proxy's or another bus's own details: the code and the message still say what happened.
  }
  return { faults, retryAfterMs };
}

function faultsIn(badRequestBytes: Uint8Array): Fault[] {
  const faults: Fault[] = [];
  eachField(badRequestBytes, (_field, violation) => {
    if (typeof violation === 'number') return;
    const parts = partsOf(violation);
    faults.push({ field: parseFieldPath(textOf(parts.get(1))), reason: textOf(parts.get(2)) });
  });
  return faults;
}

function delayIn(retryInfoBytes: Uint8Array): number {
  let delayMs = 0;
  eachField(partsOf(retryInfoBytes).get(1) ?? new Uint8Array(), (field, value) => {
    if (typeof value !== 'number') return;
    if (field === 1) delayMs += value * 1_000;
    if (field === 2) delayMs += value / 1_000_000;
  });
  return Math.max(0, delayMs);
}
