import type { ControlCall } from '../../contract/control.ts';
import { parseUuid } from '../../core/event-id.ts';
import { reasonFault, tagFault } from '../../core/execution.ts';
import { executionTagsMax, pageCursorCharactersMax } from '../../core/limits.ts';
import { type ValidationFault, valueFault } from '../http/validation.ts';
import { collectQuery } from '../stream/query.ts';
import { parseJsonBody } from './body.ts';
import { boundedInput } from './input.ts';
import { faultsOf, lengthWords } from './issue.ts';
import type { ParsedCall } from './publish.ts';
import { executionChange, executionsQuery } from './schemas.ts';

/** The `{uuid}` of a path, lower case, or its fault. */
function parseExecutionId(text: string): string | ValidationFault {
  const id = parseUuid(text);
  if (id !== null) return id;
  const msg = 'Input should be a valid UUID, in the hyphenated form of 36 characters';
  return { type: 'uuid_parsing', loc: ['path', 'execution_id'], msg, input: boundedInput(text) };
}

export function parseGetExecution(parameter: string): ParsedCall {
  const executionId = parseExecutionId(parameter);
  return typeof executionId === 'string'
    ? { kind: 'call', call: { kind: 'get-execution', executionId } }
    : { kind: 'invalid', faults: [executionId] };
}

/** `PUT /api/v1/executions/{uuid}`. Path faults come before those of the body, as in FastAPI. */
export function parseChangeExecution(parameter: string, bytes: Uint8Array): ParsedCall {
  const executionId = parseExecutionId(parameter);
  const faults: ValidationFault[] = typeof executionId === 'string' ? [] : [executionId];
  const json = parseJsonBody(bytes);
  if (json.kind === 'invalid') return { kind: 'invalid', faults: [...faults, json.fault] };
  const shape = executionChange.safeParse(json.value);
  if (!shape.success) {
    return { kind: 'invalid', faults: [...faults, ...faultsOf(shape.error.issues, json.value, ['body'])] };
  }
  const { status = null, tags, reason } = shape.data;
  const change = { status, tags: [...new Set(tags ?? [])], reason: reason === '' ? null : (reason ?? null) };
  faults.push(...changeFaults(change, json.value));
  if (faults.length > 0 || typeof executionId !== 'string') return { kind: 'invalid', faults };
  return { kind: 'call', call: { kind: 'change-execution', executionId, ...change } };
}

type Change = Omit<Extract<ControlCall, { kind: 'change-execution' }>, 'kind' | 'executionId'>;

function changeFaults(change: Change, input: unknown): ValidationFault[] {
  const faults: ValidationFault[] = [];
  const { status, tags, reason } = change;
  if (status === null && tags.length === 0) {
    faults.push(valueFault(['body'], 'status or tags must be given', boundedInput(input)));
  }
  if (tags.length > executionTagsMax) {
    faults.push({ ...lengthWords(executionTagsMax, tags.length), loc: ['body', 'tags'], input: boundedInput(tags) });
    return faults;
  }
  for (const [index, tag] of tags.entries()) {
    const fault = tagFault(tag);
    if (fault !== null) faults.push(valueFault(['body', 'tags', index], fault, boundedInput(tag)));
  }
  const fault = reason === null ? null : reasonFault(reason);
  if (fault !== null) faults.push(valueFault(['body', 'reason'], fault, boundedInput(reason)));
  return faults;
}

const listNames = Object.keys(executionsQuery.shape);

/** `GET /api/v1/executions`. An empty `tag`, `status` or `cursor` filters nothing. */
export function parseListExecutions(query: string): ParsedCall {
  const raw = collectQuery(query, listNames);
  for (const name of ['tag', 'status', 'cursor']) if (raw[name] === '') raw[name] = null;
  const result = executionsQuery.safeParse(raw);
  if (!result.success) return { kind: 'invalid', faults: faultsOf(result.error.issues, raw, ['query']) };
  const { tag = null, status = null, limit, cursor = null } = result.data;
  if (cursor !== null && cursor.length > pageCursorCharactersMax)
    return { kind: 'invalid', faults: [badCursor(cursor)] };
  return { kind: 'call', call: { kind: 'list-executions', tag, status, limit, cursor } };
}

export function badCursor(cursor: string | null): ValidationFault {
  return valueFault(['query', 'cursor'], 'is not the next_cursor of a page', boundedInput(cursor));
}
