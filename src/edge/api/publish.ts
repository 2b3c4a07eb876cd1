import type { ControlCall } from '../../contract/control.ts';
import { eventFaults, normalizeTime, type StorageEventInput } from '../../core/event.ts';
import { parseUuid } from '../../core/event-id.ts';
import { eventSizeFault } from '../../core/event-json.ts';
import { batchEventsMax, faultsListedMax } from '../../core/limits.ts';
import { type ValidationFault, valueFault } from '../http/validation.ts';
import { parseJsonBody } from './body.ts';
import { boundedInput } from './input.ts';
import { faultsOf, lengthWords } from './issue.ts';
import { storageEventInput } from './schemas.ts';

export type ParsedCall =
  | { readonly kind: 'call'; readonly call: ControlCall }
  | { readonly kind: 'invalid'; readonly faults: readonly ValidationFault[] };

type Loc = readonly (string | number)[];

/** The body of `POST /api/v1/storage/events`: one event, or `{"events":[…]}`. Every fault of every event, up to `faultsListedMax`. */
export function parsePublish(bytes: Uint8Array): ParsedCall {
  const json = parseJsonBody(bytes);
  if (json.kind === 'invalid') return { kind: 'invalid', faults: [json.fault] };
  const batch = batchOf(json.value);
  if ('faults' in batch) return { kind: 'invalid', faults: batch.faults };
  const events: StorageEventInput[] = [];
  const faults: ValidationFault[] = [];
  for (const [index, item] of batch.items.entries()) {
    const event = parseEvent(item, batch.single ? ['body'] : ['body', 'events', index], faults);
    if (event !== null) events.push(event);
    if (faults.length >= faultsListedMax) break;
  }
  if (faults.length > 0) return { kind: 'invalid', faults: faults.slice(0, faultsListedMax) };
  return { kind: 'call', call: { kind: 'publish', events, bytes: bytes.length } };
}

type Batch = { readonly items: readonly unknown[]; readonly single: boolean } | { readonly faults: ValidationFault[] };

function batchOf(value: unknown): Batch {
  if (!isRecord(value) || !Object.hasOwn(value, 'events')) return { items: [value], single: true };
  const faults: ValidationFault[] = Object.keys(value)
    .filter((key) => key !== 'events')
    .slice(0, faultsListedMax)
    .map((key) => ({
      type: 'extra_forbidden',
      loc: ['body', key],
      msg: 'Extra inputs are not permitted',
      input: boundedInput(value[key]),
    }));
  const items = value['events'];
  const loc = ['body', 'events'];
  if (!Array.isArray(items)) {
    faults.push({ type: 'list_type', loc, msg: 'Input should be a valid list', input: boundedInput(items) });
  } else if (items.length === 0) {
    const msg = 'List should have at least 1 item after validation, not 0';
    faults.push({
      type: 'too_short',
      loc,
      msg,
      input: [],
      ctx: { field_type: 'List', min_length: 1, actual_length: 0 },
    });
  } else if (items.length > batchEventsMax) {
    faults.push({ ...lengthWords(batchEventsMax, items.length), loc, input: boundedInput(items) });
  }
  return faults.length > 0 || !Array.isArray(items) ? { faults } : { items, single: false };
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function parseEvent(item: unknown, loc: Loc, faults: ValidationFault[]): StorageEventInput | null {
  const shape = storageEventInput.safeParse(item);
  if (!shape.success) {
    faults.push(...faultsOf(shape.error.issues, item, loc));
    return null;
  }
  const unseen = prototypeFault(item as Record<string, unknown>, loc);
  if (unseen !== null) {
    faults.push(unseen);
    return null;
  }
  const event = settled(shape.data, item as Record<string, unknown>);
  const found = eventFaults(event);
  for (const fault of found)
    faults.push(valueFault([...loc, ...fault.field], fault.reason, inputOf(item, fault.field)));
  if (found.length > 0) return null;
  const tooLarge = eventSizeFault(event);
  if (tooLarge === null) return normalized(event);
  faults.push(valueFault(loc, tooLarge, null));
  return null;
}

/** zod looks at every value of metadata but one: it drops a key named `__proto__`, which is a text like any other. */
function prototypeFault(item: Record<string, unknown>, loc: Loc): ValidationFault | null {
  const { metadata } = item;
  if (!isRecord(metadata) || !Object.hasOwn(metadata, '__proto__')) return null;
  const value = metadata['__proto__'];
  if (typeof value === 'string') return null;
  const place = [...loc, 'metadata', '__proto__'];
  return { type: 'string_type', loc: place, msg: 'Input should be a valid string', input: boundedInput(value) };
}

/** Absent keys absent. Metadata is taken as it came: zod drops a key named `__proto__`. */
function settled(event: Record<string, unknown>, item: Record<string, unknown>): StorageEventInput {
  const given = Object.entries(event).filter(
    ([key, value]) => value !== null && value !== undefined && key !== 'metadata',
  );
  const metadata = item['metadata'] ?? undefined;
  if (metadata !== undefined) given.push(['metadata', metadata]);
  return Object.fromEntries(given) as unknown as StorageEventInput;
}

function inputOf(item: unknown, field: Loc): unknown {
  let value = item;
  for (const key of field) value = isRecord(value) && Object.hasOwn(value, key) ? value[String(key)] : null;
  return boundedInput(value);
}

function normalized(event: StorageEventInput): StorageEventInput {
  const time = event.time === undefined ? null : normalizeTime(event.time);
  return {
    ...event,
    execution_id: parseUuid(event.execution_id) ?? event.execution_id,
    ...(time === null ? {} : { time }),
  };
}
