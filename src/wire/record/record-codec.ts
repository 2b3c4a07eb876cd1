import protobuf from 'protobufjs/minimal.js';
import type { StorageEvent } from '../../core/event.ts';
import { type ExecutionStatus, executionStatuses } from '../../core/execution.ts';

export const storageEventsTopic = '/topic/system.storage.events';
const executionEventsTopic = '/topic/system.execution.events';

type Writer = protobuf.Writer;

/** Field tags of the proto: (number << 3) | wire type; 0 varint, 2 length-delimited. */
const varint = (field: number): number => field << 3;
/** Bytes of a varint of 2^52 at most. */
const sequenceBytesMax = 8;
const delimited = (field: number): number => (field << 3) | 2;

/** UNSPECIFIED for null. */
export function statusNumber(status: ExecutionStatus | null): number {
  return status === null ? 0 : executionStatuses.indexOf(status) + 1;
}

/** Null for UNSPECIFIED and for numbers that this version does not know. */
export function statusOfNumber(value: number): ExecutionStatus | null {
  return executionStatuses[value - 1] ?? null;
}

function text(writer: Writer, field: number, value: string | undefined): void {
  if (value !== undefined && value !== '') writer.uint32(delimited(field)).string(value);
}

function whole(writer: Writer, field: number, value: number): void {
  if (value !== 0) writer.uint32(varint(field)).uint64(value);
}

function recordHead(sequence: number, id: string): Writer {
  return protobuf.Writer.create().uint32(varint(1)).uint64(sequence).uint32(delimited(2)).string(id);
}

/** A Record with a storage event, as Subscribe sends it. */
export function encodeEventRecord(sequence: number, id: string, event: StorageEvent): Uint8Array {
  const writer = recordHead(sequence, id).uint32(delimited(3)).fork();
  text(writer, 1, event.execution_id);
  text(writer, 2, event.stage);
  text(writer, 3, event.path);
  text(writer, 4, event.extension);
  if (event.size !== undefined) writer.uint32(varint(5)).uint64(event.size);
  text(writer, 6, event.content_type);
  text(writer, 7, event.checksum);
  text(writer, 8, event.uri);
  text(writer, 9, event.time);
  if (event.metadata !== undefined) {
    for (const [key, value] of Object.entries(event.metadata)) {
      writer.uint32(delimited(10)).fork().uint32(delimited(1)).string(key).uint32(delimited(2)).string(value).ldelim();
    }
  }
  text(writer, 11, event.source_id);
  text(writer, 12, storageEventsTopic);
  return writer.ldelim().finish();
}

export interface StampedChange {
  readonly executionId: string;
  readonly status: ExecutionStatus;
  readonly statusChanged: boolean;
  readonly tags: readonly string[];
  readonly reason: string;
  readonly time: string;
}

/** A Record with an execution change. */
export function encodeChangeRecord(sequence: number, id: string, change: StampedChange): Uint8Array {
  const writer = recordHead(sequence, id).uint32(delimited(4)).fork();
  text(writer, 1, change.executionId);
  whole(writer, 2, statusNumber(change.status));
  for (const tag of change.tags) writer.uint32(delimited(3)).string(tag);
  text(writer, 4, change.reason);
  text(writer, 5, change.time);
  text(writer, 6, executionEventsTopic);
  if (change.statusChanged) writer.uint32(varint(7)).bool(true);
  return writer.ldelim().finish();
}

/** Sequence and id of an encoded Record, without reading further. Throws on bytes that are not one. */
export function peekRecord(bytes: Uint8Array): { readonly sequence: number; readonly id: string } {
  const reader = protobuf.Reader.create(bytes);
  let sequence = 0;
  let id = '';
  while (reader.pos < reader.len && (sequence === 0 || id === '')) {
    const tag = reader.uint32();
    if (tag === varint(1)) sequence = Number(reader.uint64());
    else if (tag === delimited(2)) id = reader.string();
    else reader.skipType(tag & 7);
  }
  return { sequence, id };
}

/** True for an encoded Record of this sequence: its first field. Cost: a few bytes looked at. */
export function beginsWithSequence(bytes: Uint8Array, sequence: number): boolean {
  if (bytes[0] !== varint(1)) return false;
  let value = 0;
  for (let at = 1, unit = 1; at <= sequenceBytesMax; at += 1, unit *= 128) {
    const byte = bytes[at] ?? 0;
    value += (byte & 127) * unit;
    if (byte < 128) return value === sequence;
  }
  return false;
}

/** Whose an encoded Record of this file is, and of which kind: the execution is the first field of either body. */
export function peekBody(bytes: Uint8Array): { readonly executionId: string; readonly isChange: boolean } {
  const reader = protobuf.Reader.create(bytes);
  while (reader.pos < reader.len) {
    const tag = reader.uint32();
    if (tag === delimited(3) || tag === delimited(4)) {
      reader.uint32();
      return { executionId: reader.uint32() === delimited(1) ? reader.string() : '', isChange: tag === delimited(4) };
    }
    reader.skipType(tag & 7);
  }
  return { executionId: '', isChange: false };
}

/** True for a Record that is an execution change. */
export function isChangeRecord(bytes: Uint8Array): boolean {
  const reader = protobuf.Reader.create(bytes);
  while (reader.pos < reader.len) {
    const tag = reader.uint32();
    if (tag === delimited(3) || tag === delimited(4)) return tag === delimited(4);
    reader.skipType(tag & 7);
  }
  return false;
}
