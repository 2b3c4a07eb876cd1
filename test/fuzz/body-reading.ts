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

const monthDays = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

function daysOf(year: number, month: number): number {
  const leap = (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0;
  return (monthDays[month - 1] ?? 0) + (leap && month === 2 ? 1 : 0);
}

/** RFC 3339 with a day that exists; a leap second is no time of a computer's. */
function time(value: unknown): boolean {
  const parts = typeof value === 'string' ? instant.exec(value) : null;
  if (parts === null) return false;
  const [year = 0, month = 0, day = 0, ...clock] = parts.slice(1).map((part: string | undefined) => Number(part ?? 0));
  // An offset could carry the first and the last day out of the years that have four digits.
  const atTheEdge = (year === 0 && month === 1 && day === 1) || (year === 9999 && month === 12 && day === 31);
  const bounds = [24, 60, 60, 24, 60];
  return !atTheEdge && day >= 1 && day <= daysOf(year, month) && clock.every((part, at) => part < (bounds[at] ?? 0));
}

function metadata(value: unknown): boolean {
  if (!isObject(value) || Object.keys(value).length > 32) return false;
  return Object.entries(value).every(
    ([key, text]) => name(key, 128) && typeof text === 'string' && bytesOf(text) <= 1024 && text.isWellFormed(),
  );
}

const required: Readonly<Record<string, (given: unknown) => boolean>> = {
  execution_id: (id) => typeof id === 'string' && uuid.test(id),
  stage: (stage) => segments(stage, 512, 32),
  path: (path) => segments(path, 1024, 64),
};
const optional: Readonly<Record<string, (given: unknown) => boolean>> = {
  size: (size) => Number.isSafeInteger(size) && Number(size) >= 0,
  content_type: (text) => name(text, 512),
  checksum: (text) => name(text, 512),
  uri: (text) => name(text, 4096),
  source_id: (text) => name(text, 256),
  time,
  metadata,
};

/** The own value: what stands on a prototype was not sent. */
function own(value: Record<string, unknown>, key: string): unknown {
  return Object.hasOwn(value, key) ? value[key] : undefined;
}

function event(value: unknown): Reading {
  if (!isObject(value)) return 'refused';
  const known = Object.keys(value).every((key) => Object.hasOwn(required, key) || Object.hasOwn(optional, key));
  const whole = Object.entries(required).every(([key, holds]) => holds(own(value, key)));
  const sound = Object.entries(optional).every(([key, holds]) => absent(own(value, key)) || holds(own(value, key)));
  if (!known || !whole || !sound) return 'refused';
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

const isStatus = (status: unknown): boolean => absent(status) || statuses.includes(status as string);
const isReason = (reason: unknown): boolean =>
  absent(reason) || (typeof reason === 'string' && bytesOf(reason) <= 1024 && reason.isWellFormed());

function areTags(tags: unknown): boolean {
  if (absent(tags)) return true;
  if (!Array.isArray(tags) || new Set(tags).size > 100) return false;
  return tags.every((tag) => name(tag, 128) && !uuid.test(String(tag)));
}

export function readChange(bytes: Uint8Array): Reading {
  const value = jsonOf(bytes)?.value;
  if (!isObject(value) || Object.keys(value).some((key) => !changeKeys.has(key))) return 'refused';
  const status = own(value, 'status');
  const tags = own(value, 'tags');
  if (!isStatus(status) || !areTags(tags) || !isReason(own(value, 'reason'))) return 'refused';
  const changesNothing = absent(status) && (absent(tags) || (tags as unknown[]).length === 0);
  return changesNothing ? 'refused' : 'accepted';
}
