import { z } from 'zod';
import { eventFaults, type StorageEventInput } from '../../core/event.ts';
import { parseUuid } from '../../core/event-id.ts';
import { eventSizeFault } from '../../core/event-json.ts';
import { executionStatuses, tagFault } from '../../core/execution.ts';
import type { Fault } from '../../core/failure.ts';
import { executionTagsMax, reasonBytesMax } from '../../core/limits.ts';
import type { ExecutionChangeInput, PublishEntry } from '../../storage/publisher.ts';

/** What the bus sets itself; taken and left out, so that lines saved from a stream can be published again. */
const stamped = ['id', 'type', 'extension', 'topic'] as const;

const required =
  (otherwise: string) =>
  ({ input }: { readonly input?: unknown }): string =>
    input === undefined ? 'is required' : otherwise;

const text = z.string({ error: required('must be a string') });

const eventShape = z.strictObject({
  execution_id: text,
  stage: text,
  path: text,
  size: z.number({ error: 'must be a whole number from 0 to 9007199254740991' }).optional(),
  content_type: text.optional(),
  checksum: text.optional(),
  uri: text.optional(),
  time: text.optional(),
  metadata: z.record(z.string(), text, { error: 'must be an object of strings' }).optional(),
  source_id: text.optional(),
});

const changeShape = z.strictObject({
  execution_id: text,
  status: z.enum(executionStatuses, { error: `must be one of ${executionStatuses.join(', ')}` }).optional(),
  tags: z
    .array(text, { error: 'must be an array of strings' })
    .max(executionTagsMax, { error: `must be at most ${executionTagsMax}` })
    .optional(),
  reason: text.optional(),
});

export type EntryReading =
  | { readonly kind: 'entry'; readonly entry: PublishEntry }
  | { readonly kind: 'faults'; readonly faults: readonly Fault[] };

const one = (field: readonly (string | number)[], reason: string): EntryReading => ({
  kind: 'faults',
  faults: [{ field, reason }],
});

function shapeFaults(error: z.ZodError): EntryReading {
  const faults = error.issues.map((issue) => {
    const path = issue.path.map((step) => (typeof step === 'symbol' ? String(step) : step));
    if (issue.code === 'unrecognized_keys') return { field: [...path, ...issue.keys], reason: 'is not known here' };
    return { field: path, reason: issue.message };
  });
  return { kind: 'faults', faults };
}

/** zod answers absent optional keys as absent; the cast only drops its `| undefined`. */
function readEvent(value: object): EntryReading {
  const shape = eventShape.safeParse(value);
  if (!shape.success) return shapeFaults(shape.error);
  const event = shape.data as StorageEventInput;
  const faults = eventFaults(event);
  if (faults.length > 0) return { kind: 'faults', faults };
  const tooLarge = eventSizeFault(event);
  if (tooLarge !== null) return one(['event'], tooLarge);
  return { kind: 'entry', entry: { kind: 'event', event } };
}

function readChange(value: object): EntryReading {
  const shape = changeShape.safeParse(value);
  if (!shape.success) return shapeFaults(shape.error);
  const change = shape.data as ExecutionChangeInput;
  if (parseUuid(change.execution_id) === null) return one(['execution_id'], 'must be a UUID');
  if (change.status === undefined && (change.tags ?? []).length === 0) return one(['status'], 'or tags must be given');
  for (const [index, tag] of (change.tags ?? []).entries()) {
    const reason = tagFault(tag);
    if (reason !== null) return one(['tags', index], reason);
  }
  if (Buffer.byteLength(change.reason ?? '') > reasonBytesMax)
    return one(['reason'], `must be at most ${reasonBytesMax} bytes`);
  return { kind: 'entry', entry: { kind: 'change', change } };
}

/** An event, or a change when the object has `status`, `tags` or `reason` and neither stage nor path. */
export function readEntry(value: unknown): EntryReading {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    return one(['line'], 'must be a JSON object');
  const kept = Object.fromEntries(
    Object.entries(value).filter(([key]) => !(stamped as readonly string[]).includes(key)),
  );
  const isChange = ['status', 'tags', 'reason'].some((key) => key in kept) && !('stage' in kept) && !('path' in kept);
  return isChange ? readChange(kept) : readEvent(kept);
}

/** One line of JSON. */
export function readLine(line: string): EntryReading {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch (error) {
    return one(['line'], `is not JSON: ${error instanceof Error ? error.message : String(error)}`);
  }
  return readEntry(value);
}

/** `stage: must not be empty`, all of them on one line. */
export function faultText(faults: readonly Fault[]): string {
  return faults.map(({ field, reason }) => `${field.join('.')}: ${reason}`).join('; ');
}
