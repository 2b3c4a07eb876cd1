import { z } from 'zod';
import { executionStatuses } from '../../core/execution.ts';
import * as limits from '../../core/limits.ts';
import { parseIntText } from '../stream/scalar.ts';
import { pydanticIssue } from './issue.ts';

/**
 * The shapes of the HTTP API, one definition each: it validates requests and describes itself in openapi.json. Bounds in bytes are
 * core/event.ts's to check (one set of rules for all doors) and stand here as documentation.
 */

const status = z.enum(executionStatuses);

export const storageEventInput = z
  .strictObject({
    execution_id: z.string().meta({ format: 'uuid' }).describe('Any case; stored lower-case.'),
    stage: z
      .string()
      .meta({ minLength: 1, maxLength: limits.stageBytesMax })
      .describe(`\`/\`-separated, at most ${limits.stageSegmentsMax} segments; the bound is in bytes.`),
    path: z
      .string()
      .meta({ minLength: 1, maxLength: limits.pathBytesMax })
      .describe(`\`/\`-separated, at most ${limits.pathSegmentsMax} segments; the bound is in bytes.`),
    size: z.int().meta({ minimum: 0 }).nullish().describe('Bytes of the object.'),
    content_type: z.string().meta({ maxLength: limits.shortTextBytesMax }).nullish(),
    checksum: z.string().meta({ maxLength: limits.shortTextBytesMax }).nullish(),
    uri: z.string().meta({ maxLength: limits.uriBytesMax }).nullish(),
    time: z.string().meta({ format: 'date-time' }).nullish().describe('Defaults to the time of the append.'),
    metadata: z
      .record(z.string(), z.string())
      .meta({ maxProperties: limits.metadataKeysMax })
      .nullish()
      .describe('String to string.'),
    source_id: z
      .string()
      .meta({ maxLength: limits.sourceIdBytesMax })
      .nullish()
      .describe(
        "The publisher's own id: the same one again within the idempotency window is acknowledged, not stored twice.",
      ),
  })
  .describe(
    'One object written. `id`, `type` and `extension` of a received event are assigned by the bus and refused here.',
  );

export const storageEventBatch = z
  .strictObject({
    events: z.array(storageEventInput).meta({ minItems: 1, maxItems: limits.batchEventsMax }),
  })
  .describe('Stored as a whole or not at all.');

export const storageEvent = z.object({
  id: z.string().meta({ format: 'uuid' }).describe('UUIDv7; the position: a `Last-Event-ID`.'),
  type: z.literal('storage.object.created'),
  execution_id: z.string().meta({ format: 'uuid' }),
  stage: z.string(),
  path: z.string(),
  extension: z.string().optional().describe('From the last dot of the file name, lower-case.'),
  size: z.int().min(0).optional(),
  content_type: z.string().optional(),
  checksum: z.string().optional(),
  uri: z.string().optional(),
  time: z.string().meta({ format: 'date-time' }),
  metadata: z.record(z.string(), z.string()).optional(),
});

export const publishAccepted = z.object({
  accepted: z.int().min(1),
  ids: z.array(z.string().meta({ format: 'uuid' })),
});

export const executionChange = z
  .strictObject({
    status: status.nullish(),
    tags: z
      .array(z.string().meta({ minLength: 1, maxLength: limits.tagBytesMax }))
      .meta({ maxItems: limits.executionTagsMax })
      .nullish()
      .describe('United with the tags it has.'),
    reason: z.string().meta({ maxLength: limits.reasonBytesMax }).nullish(),
  })
  .describe('`status` or `tags` must be given.');

export const execution = z.object({
  execution_id: z.string().meta({ format: 'uuid' }),
  status,
  tags: z.array(z.string()),
  reason: z.string().optional(),
  created_at: z.string().meta({ format: 'date-time' }),
  changed_at: z.string().meta({ format: 'date-time' }),
  events: z.int().min(0),
  bytes: z.int().min(0),
  late_events: z.int().min(0).describe('Events after the terminal status.'),
  first_event_time: z.string().meta({ format: 'date-time' }).optional(),
  last_event_time: z.string().meta({ format: 'date-time' }).optional(),
  last_event_id: z.string().meta({ format: 'uuid' }).describe('Subscribe after it and miss nothing.'),
});

export const executionPage = z.object({ executions: z.array(execution), next_cursor: z.string().nullable() });

const pageLimit = z
  .string()
  .transform((text, context) => {
    const value = parseIntText(text);
    if (value !== null) return value;
    const msg = 'Input should be a valid integer, unable to parse string as an integer';
    context.issues.push(pydanticIssue({ type: 'int_parsing', msg }, text));
    return z.NEVER;
  })
  .pipe(z.int().min(1).max(limits.executionsPageMax));

/** The query of `GET /api/v1/executions`. */
export const executionsQuery = z.object({
  tag: z.string().nullish().describe('Only executions that have this tag.'),
  status: status.nullish().describe('Only executions in this status.'),
  limit: pageLimit.default(limits.executionsPageDefault).describe('Executions in one page.'),
  cursor: z
    .string()
    .meta({ maxLength: limits.pageCursorCharactersMax })
    .nullish()
    .describe('`next_cursor` of the page before.'),
});

export const errorResponse = z.object({
  detail: z.string(),
  error_code: z.string(),
  correlation_id: z.string(),
  timestamp: z.string().meta({ format: 'date-time' }),
});

export const validationError = z
  .object({
    loc: z.array(z.union([z.string(), z.int()])),
    msg: z.string(),
    type: z.string(),
    input: z.unknown().optional(),
    ctx: z.looseObject({}).optional(),
  })
  .meta({ title: 'ValidationError' });

export const httpValidationError = z
  .object({ detail: z.array(validationError) })
  .meta({ title: 'HTTPValidationError' });

const statuses = z.array(z.object({ execution_id: z.string(), status }));

export const readyFrame = z
  .object({ type: z.literal('ready'), last_event_id: z.string().nullable(), executions: statuses })
  .describe('The subscription is in force.');
export const gapFrame = z
  .object({
    type: z.literal('gap'),
    requested: z.string().nullable(),
    oldest_available: z.string().nullable(),
    reason: z.enum(['malformed', 'expired', 'unknown_position', 'overtaken', 'journal_replaced']),
  })
  .describe('Events between the cursor and this point may be missing.');
export const doneFrame = z
  .object({
    type: z.literal('done'),
    reason: z.enum(['executions_terminal', 'timeout', 'shutdown']),
    executions: statuses,
    last_event_id: z.string().nullable(),
  })
  .describe('The stream ends after this.');
