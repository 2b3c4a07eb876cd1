/** What DESIGN.md says of publish and PUT bodies, read anew: JSON.parse and the limits as numbers, with nothing of src/. `maybe` is a bound's own neighbourhood. */
export type Reading = 'accepted' | 'refused' | 'maybe';

const uuid = /^[\da-fA-F]{8}-[\da-fA-F]{4}-[\da-fA-F]{4}-[\da-fA-F]{4}-[\da-fA-F]{12}$/;
const controls = /[\0-\x1f\x7f-\x9f\u2028\u2029]/;

const bytesOf = (text: string): number => Buffer.byteLength(text);
const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const name = (value: unknown, most: number): boolean =>
  typeof value === 'string' && value !== '' && bytesOf(value) <= most && value.isWellFormed() && !controls.test(value);
const absent = (value: unknown): boolean => value === undefined || value === null;

function segments(value: unknown, most: number, segmentsMost: number): boolean {
  if (typeof value !== 'string' || !name(value, most)) return false;
  const parts = value.split('/');
  return parts.length <= segmentsMost && parts.every((part) => part !== '' && part !== '.' && part !== '..');
}

const instant = /^(\d{4})-(\d{2})-(\d{2})[Tt ](\d{2}):(\d{2}):(\d{2})(?:\.\d+)?(?:[Zz]|[+-](\d{2}):(\d{2}))$/;

/** RFC 3339 with a day that exists; a leap second is no time of a computer's. Years that an offset would push out are refused. */
function time(value: unknown): boolean {
  const parts = typeof value === 'string' ? instant.exec(value) : null;
  if (parts === null) return false;
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0, offsetHour = 0, offsetMinute = 0] = parts
    .slice(1)
    .map((part) => Number(part || 0));
  const days =
    [31, (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0 ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31][
      month - 1
    ] ?? 0;
  const real =
    day >= 1 && day <= days && hour < 24 && minute < 60 && second < 60 && offsetHour < 24 && offsetMinute < 60;
  return real && !((year === 0 && month === 1 && day === 1) || (year === 9999 && month === 12 && day === 31));
}

function metadata(value: unknown): boolean {
  if (!isObject(value) || Object.keys(value).length > 32) return false;
  return Object.entries(value).every(
    ([key, text]) => name(key, 128) && typeof text === 'string' && bytesOf(text) <= 1024 && text.isWellFormed(),
  );
}

const eventKeys = new Set([
  'execution_id',
  'stage',
  'path',
  'size',
  'content_type',
  'checksum',
  'uri',
  'time',
  'metadata',
  'source_id',
]);

function event(value: unknown): Reading {
  if (!isObject(value) || Object.keys(value).some((key) => !eventKeys.has(key))) return 'refused';
  const has = (key: string): unknown => (Object.hasOwn(value, key) ? value[key] : undefined);
  const optional = (key: string, holds: (given: unknown) => boolean): boolean => absent(has(key)) || holds(has(key));
  const holds =
    typeof has('execution_id') === 'string' &&
    uuid.test(String(has('execution_id'))) &&
    segments(has('stage'), 512, 32) &&
    segments(has('path'), 1024, 64) &&
    optional('size', (size) => Number.isSafeInteger(size) && Number(size) >= 0) &&
    optional('content_type', (text) => name(text, 512)) &&
    optional('checksum', (text) => name(text, 512)) &&
    optional('uri', (text) => name(text, 4096)) &&
    optional('source_id', (text) => name(text, 256)) &&
    optional('time', time) &&
    optional('metadata', metadata);
  if (!holds) return 'refused';
  const json = JSON.stringify({ ...value, source_id: undefined }).replace(/[\u0085\u2028\u2029]/g, '\\u0000');
  // Id, type, time and extension are not in the body.
  return bytesOf(json) < 60_000 ? 'accepted' : 'maybe';
}

function all(readings: readonly Reading[]): Reading {
  if (readings.includes('refused')) return 'refused';
  return readings.includes('maybe') ? 'maybe' : 'accepted';
}

function jsonOf(bytes: Uint8Array): { readonly value: unknown } | null {
  try {
    return { value: JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes)) as unknown };
  } catch {
    return null;
  }
}

/** Events in the body, and whether they are to be taken. */
export function readPublish(bytes: Uint8Array): { readonly reading: Reading; readonly events: number } {
  const json = jsonOf(bytes);
  if (json === null) return { reading: 'refused', events: 0 };
  const { value } = json;
  if (!isObject(value) || !Object.hasOwn(value, 'events')) return { reading: event(value), events: 1 };
  const { events } = value;
  if (Object.keys(value).length !== 1 || !Array.isArray(events) || events.length === 0 || events.length > 1000) {
    return { reading: 'refused', events: 0 };
  }
  return { reading: all(events.map(event)), events: events.length };
}

const statuses = ['pending', 'running', 'completed', 'failed', 'cancelled'];
const changeKeys = new Set(['status', 'tags', 'reason']);

export function readChange(bytes: Uint8Array): Reading {
  const value = jsonOf(bytes)?.value;
  if (!isObject(value) || Object.keys(value).some((key) => !changeKeys.has(key))) return 'refused';
  const status = Object.hasOwn(value, 'status') ? value['status'] : undefined;
  const tags = Object.hasOwn(value, 'tags') ? value['tags'] : undefined;
  const reason = Object.hasOwn(value, 'reason') ? value['reason'] : undefined;
  if (!absent(status) && !statuses.includes(status as string)) return 'refused';
  if (!absent(reason) && !(typeof reason === 'string' && bytesOf(reason) <= 1024 && reason.isWellFormed()))
    return 'refused';
  if (!absent(tags)) {
    if (!Array.isArray(tags) || new Set(tags).size > 100) return 'refused';
    if (!tags.every((tag) => name(tag, 128) && !uuid.test(String(tag)))) return 'refused';
  }
  return absent(status) && (absent(tags) || (tags as unknown[]).length === 0) ? 'refused' : 'accepted';
}
