import { parseUuid } from './event-id.ts';
import { hasControl } from './execution.ts';
import type { Fault } from './failure.ts';
import * as limits from './limits.ts';

/** What a publisher says about one object that it wrote. Keys as in the JSON and the proto; absent is absent, never ''. */
export interface StorageEventInput {
  readonly execution_id: string;
  readonly stage: string;
  readonly path: string;
  readonly size?: number;
  readonly content_type?: string;
  readonly checksum?: string;
  readonly uri?: string;
  /** RFC 3339, normalised to UTC milliseconds (`2026-11-24T14:27:48.123Z`). Defaults to the append time. */
  readonly time?: string;
  readonly metadata?: Readonly<Record<string, string>>;
  readonly source_id?: string;
}

/** The same as a record of the journal: with extension and time always settled. */
export interface StorageEvent extends StorageEventInput {
  readonly extension?: string;
  readonly time: string;
}

export const storageEventType = 'storage.object.created';

/** From the last dot of the file name, ASCII lower-cased, dot included; undefined if there is no dot or it comes first. */
export function extensionOf(path: string): string | undefined {
  const name = path.slice(path.lastIndexOf('/') + 1);
  const dot = name.lastIndexOf('.');
  return dot > 0 ? lowerAscii(name.slice(dot)) : undefined;
}

/** ASCII only: `toLowerCase` would change the length of some letters and match what is not equal. */
export function lowerAscii(text: string): string {
  return text.replace(/[A-Z]+/g, (run) => run.toLowerCase());
}

/** Why a `/`-separated name is refused, or null. `what` bounds: bytes and segments. */
function segmentsFault(text: string, bytesMax: number, segmentsMax: number): string | null {
  const bytes = Buffer.byteLength(text);
  if (bytes === 0) return 'must not be empty';
  if (bytes > bytesMax) return `must be at most ${bytesMax} bytes, is ${bytes}`;
  if (!text.isWellFormed()) return 'must be well-formed Unicode';
  if (hasControl(text)) return 'must not contain control characters';
  const segments = text.split('/');
  if (segments.length > segmentsMax) return `must have at most ${segmentsMax} segments, has ${segments.length}`;
  for (const segment of segments) {
    if (segment === '') return 'must not start or end with a slash or have an empty segment';
    if (segment === '.' || segment === '..') return `must not have a '${segment}' segment`;
  }
  return null;
}

export const stageFault = (stage: string): string | null =>
  segmentsFault(stage, limits.stageBytesMax, limits.stageSegmentsMax);
export const pathFault = (path: string): string | null =>
  segmentsFault(path, limits.pathBytesMax, limits.pathSegmentsMax);

/** Why a free text is refused, or null: empty, too long, control characters, lone surrogates. */
export function textFault(text: string, bytesMax: number): string | null {
  const bytes = Buffer.byteLength(text);
  if (bytes === 0) return 'must not be empty';
  if (bytes > bytesMax) return `must be at most ${bytesMax} bytes, is ${bytes}`;
  if (!text.isWellFormed()) return 'must be well-formed Unicode';
  return hasControl(text) ? 'must not contain control characters' : null;
}

const rfc3339 = /^\d{4}-\d{2}-\d{2}[Tt ](?:[01]\d|2[0-3]):\d{2}:\d{2}(?:\.\d+)?(?:[Zz]|[+-]\d{2}:\d{2})$/;

/** RFC 3339 text to `YYYY-MM-DDTHH:mm:ss.sssZ`, or null. Years 0000 to 9999; a day that does not exist is refused. */
export function normalizeTime(text: string): string | null {
  if (!rfc3339.test(text)) return null;
  const ms = Date.parse(text.replace(' ', 'T').toUpperCase());
  if (Number.isNaN(ms)) return null;
  // Date.parse rolls 30 February over to March; the calendar day must survive without its offset.
  const day = Number(text.slice(8, 10));
  if (new Date(Date.UTC(Number(text.slice(0, 4)), Number(text.slice(5, 7)) - 1, day)).getUTCDate() !== day) return null;
  const iso = new Date(ms).toISOString();
  return iso.length === 24 ? iso : null;
}

/** Each metadata entry: string to string, bounded. Values may hold line breaks: JSON escapes them. */
function metadataFaults(metadata: Readonly<Record<string, string>>): Fault[] {
  const faults: Fault[] = [];
  const keys = Object.keys(metadata);
  if (keys.length > limits.metadataKeysMax) {
    faults.push({
      field: ['metadata'],
      reason: `must have at most ${limits.metadataKeysMax} keys, has ${keys.length}`,
    });
    return faults;
  }
  for (const key of keys) {
    const keyFault = textFault(key, limits.metadataKeyBytesMax);
    if (keyFault !== null) faults.push({ field: ['metadata', key.slice(0, 64)], reason: `key ${keyFault}` });
    const value = metadata[key] ?? '';
    const bytes = Buffer.byteLength(value);
    if (bytes > limits.metadataValueBytesMax) {
      faults.push({
        field: ['metadata', key.slice(0, 64)],
        reason: `must be at most ${limits.metadataValueBytesMax} bytes, is ${bytes}`,
      });
    } else if (!value.isWellFormed()) {
      faults.push({ field: ['metadata', key.slice(0, 64)], reason: 'must be well-formed Unicode' });
    }
  }
  return faults;
}

const textLimits = [
  ['content_type', limits.shortTextBytesMax],
  ['checksum', limits.shortTextBytesMax],
  ['uri', limits.uriBytesMax],
  ['source_id', limits.sourceIdBytesMax],
] as const;

/**
 * Every fault of one event, in field order; empty when it may be appended.
 *
 * The one set of rules for all doors: HTTP puts `["body", …]` before each field, gRPC `events[i].`.
 * The bound on the whole JSON is checked by the caller that knows the finished text.
 */
export function eventFaults(event: StorageEventInput): Fault[] {
  const faults: Fault[] = [];
  const add = (name: string, reason: string | null): void => {
    if (reason !== null) faults.push({ field: [name], reason });
  };
  add('execution_id', parseUuid(event.execution_id) === null ? 'must be a UUID' : null);
  add('stage', stageFault(event.stage));
  add('path', pathFault(event.path));
  if (event.size !== undefined && !(Number.isSafeInteger(event.size) && event.size >= 0)) {
    add('size', 'must be a whole number from 0 to 9007199254740991');
  }
  for (const [name, bytesMax] of textLimits) {
    const text = event[name];
    if (text !== undefined) add(name, textFault(text, bytesMax));
  }
  if (event.time !== undefined && normalizeTime(event.time) === null) add('time', 'must be an RFC 3339 date-time');
  if (event.metadata !== undefined) faults.push(...metadataFaults(event.metadata));
  return faults;
}
