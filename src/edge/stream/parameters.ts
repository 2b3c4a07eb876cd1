import { z } from 'zod';
import type { StreamRequest } from '../../contract/stream.ts';
import { parseUuid } from '../../core/event-id.ts';
import { parseFilter } from '../../core/filter.ts';
import * as limits from '../../core/limits.ts';
import { floatBoundWords, lengthWords, pydanticIssue } from '../api/issue.ts';
import { missing, type ValidationFault } from '../http/validation.ts';
import { resolveCursor } from './cursor.ts';
import { collectQuery } from './query.ts';
import { parseBoolText, parseFloatText } from './scalar.ts';

/** Text to a number in [ge, le]; `le` is checked first, as pydantic-core does, so NaN fails it. */
function floatParameter(ge: number, le: number) {
  return z
    .string()
    .transform((text, context) => {
      const value = parseFloatText(text);
      if (value === null) {
        const msg = 'Input should be a valid number, unable to parse string as a number';
        context.issues.push(pydanticIssue({ type: 'float_parsing', msg }, text));
        return z.NEVER;
      }
      if (!(value <= le)) context.issues.push(pydanticIssue(floatBoundWords('le', le), text));
      else if (!(value >= ge)) context.issues.push(pydanticIssue(floatBoundWords('ge', ge), text));
      return value;
    })
    .pipe(z.number().min(ge).max(le));
}

function boolParameter() {
  return z
    .string()
    .transform((text, context) => {
      const value = parseBoolText(text);
      if (value !== null) return value;
      const msg = 'Input should be a valid boolean, unable to interpret input';
      context.issues.push(pydanticIssue({ type: 'bool_parsing', msg }, text));
      return z.NEVER;
    })
    .pipe(z.boolean());
}

/** The query of `GET /api/v1/storage/events`: validates, and describes itself in openapi.json. The order is the order of errors. */
export const streamQuery = z.object({
  execution_id: z
    .array(z.string())
    .meta({ maxItems: limits.requestValuesMax })
    .describe(
      'Execution UUID or tag; repeatable. A tag means every execution that has it, those that get it later included.',
    ),
  stage: z
    .string()
    .nullish()
    .describe(
      'Stage prefix, whole segments: `boost` matches `boost` and `boost/routines`. A trailing `*` makes it a character prefix.',
    ),
  path: z.string().nullish().describe('Sub-path: the same rule on the path of the event alone.'),
  extension: z.string().nullish().describe('`.md`, `md`, `.tar.gz`; ASCII case-insensitive.'),
  timeout: floatParameter(limits.timeoutSecondsMin, limits.timeoutSecondsMax)
    .default(limits.timeoutSecondsDefault)
    .describe('Seconds until the server ends the stream.'),
  keep_open: boolParameter().default(false).describe('Do not end when all watched executions are over.'),
  control_events: boolParameter().default(true).describe('false: only storage events, no `ready`, `gap`, `done`.'),
  last_event_id: z
    .string()
    .nullish()
    .describe(
      'Where to start when the header cannot be set: an event id, `earliest` (everything retained; as the nil UUID) or `latest`. A valid `Last-Event-ID` header wins.',
    ),
});

/** The query after parsing, before any meaning is given to it. */
export type StreamParameters = z.output<typeof streamQuery>;

export type ParsedParameters =
  | { readonly kind: 'ok'; readonly parameters: StreamParameters }
  | { readonly kind: 'invalid'; readonly faults: readonly ValidationFault[] };

const scalarNames = Object.keys(streamQuery.shape).filter((name) => name !== 'execution_id');

/** Parses and validates a raw query, without its `?`. */
export function parseStreamQuery(query: string): ParsedParameters {
  const raw = collectQuery(query, scalarNames, 'execution_id');
  const result = streamQuery.safeParse(raw);
  if (result.success) {
    if (!tooMany(result.data.execution_id)) return { kind: 'ok', parameters: result.data };
  }
  return { kind: 'invalid', faults: streamFaults(raw, result.error?.issues ?? []) };
}

/** One fault a parameter. Values are strings here, at most 64 KiB in all: `input` is given back whole, as FastAPI does. */
function streamFaults(raw: Record<string, unknown>, issues: readonly z.core.$ZodIssue[]): ValidationFault[] {
  const faults: ValidationFault[] = [];
  const values = raw['execution_id'] as string[] | undefined;
  if (values === undefined) faults.push(missing('query', 'execution_id'));
  else if (tooMany(values)) faults.push(tooManyValues(values));
  for (const issue of issues) {
    const name = String(issue.path[0]);
    if (issue.code !== 'custom') continue;
    const words = issue.params?.['pydantic'] as Pick<ValidationFault, 'type' | 'msg' | 'ctx'>;
    faults.push({ ...words, loc: ['query', name], input: raw[name] });
  }
  return faults;
}

/** Duplicates count once, but nobody pays for counting who stays within the bound anyway. */
function tooMany(values: readonly string[]): boolean {
  return values.length > limits.requestValuesMax && distinctValues(values).length > limits.requestValuesMax;
}

function tooManyValues(values: readonly string[]): ValidationFault {
  const words = lengthWords(limits.requestValuesMax, distinctValues(values).length);
  return { ...words, loc: ['query', 'execution_id'], input: values };
}

/** UUIDs lower-cased, the rest as it came; duplicates count once; request order. */
function distinctValues(values: readonly string[]): string[] {
  return [...new Set(values.map((value) => parseUuid(value) ?? value))];
}

/** Gives the parameters their meaning. `lastEventId` is the header, '' when absent. */
export function streamRequestOf(parameters: StreamParameters, lastEventId: string, address: string): StreamRequest {
  return {
    values: distinctValues(parameters.execution_id),
    filter: parseFilter(parameters.stage ?? null, parameters.path ?? null, parameters.extension ?? null),
    timeoutMs: Math.ceil(parameters.timeout * 1000),
    keepOpen: parameters.keep_open,
    controlEvents: parameters.control_events,
    cursor: resolveCursor(lastEventId, parameters.last_event_id ?? null),
    address,
  };
}
