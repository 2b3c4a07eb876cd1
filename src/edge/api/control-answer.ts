import type { ControlAnswer, ControlCall } from '../../contract/control.ts';
import type { BusFailure, Fault } from '../../core/failure.ts';
import { retryAfterCapacitySeconds, retryAfterOverloadSeconds } from '../../core/limits.ts';
import {
  type Answer,
  type AnswerContext,
  type ErrorWords,
  errorAnswer,
  type Header,
  internalError,
  jsonAnswer,
  validationAnswer,
} from '../http/answer.ts';
import { type ValidationFault, valueFault } from '../http/validation.ts';
import { badCursor } from './executions.ts';

const pending: readonly Header[] = [['Rivulet-Visible', 'pending']];
const visibility = (visible: boolean): readonly Header[] => (visible ? [] : pending);
const statusOf = (fine: boolean): number => (fine ? 200 : 503);

/** What the main thread answered, as HTTP. */
export function controlAnswer(call: ControlCall, answer: ControlAnswer, context: AnswerContext): Answer {
  switch (answer.kind) {
    case 'published': {
      const body = { accepted: answer.ids.length, ids: answer.ids };
      return jsonAnswer(202, body, visibility(answer.visible));
    }
    case 'execution':
      return jsonAnswer(200, answer.execution, visibility(answer.visible));
    case 'executions':
      return jsonAnswer(200, { executions: answer.executions, next_cursor: answer.nextCursor });
    case 'health':
      return jsonAnswer(statusOf(answer.healthy), answer.report);
    case 'readiness':
      return jsonAnswer(statusOf(answer.ready), answer.report);
    case 'not-found':
      return errorAnswer(executionNotFound(call), context);
    case 'bad-cursor':
      return validationAnswer([badCursor(call.kind === 'list-executions' ? call.cursor : null)]);
    case 'overloaded':
      return errorAnswer(overloaded(answer.detail), context);
    case 'failed':
      return failedAnswer(call, answer, context);
  }
}

function executionNotFound(call: ControlCall): ErrorWords {
  const id = 'executionId' in call ? call.executionId : '';
  return { status: 404, code: 'EXECUTION_NOT_FOUND', detail: `Execution not found: ${id}` };
}

function overloaded(detail: string): ErrorWords {
  return { status: 503, code: 'OVERLOADED', detail, retryAfter: retryAfterOverloadSeconds };
}

/** `Retry-After` is whole seconds (RFC 9110), and waiting too short would only be refused again. */
function throttled({ detail, retryAfterMs }: Failed): ErrorWords {
  const retryAfter = Math.max(retryAfterOverloadSeconds, Math.ceil((retryAfterMs ?? 0) / 1_000));
  return { status: 429, code: 'PUBLISH_RATE_EXCEEDED', detail, retryAfter };
}

type Failed = Extract<ControlAnswer, { kind: 'failed' }>;

function failedAnswer(call: ControlCall, failed: Failed, context: AnswerContext): Answer {
  // A named field cannot be cured by a retry, whatever the code (RESOURCE_EXHAUSTED with the field: too many tags).
  if (failed.faults.length > 0) return validationAnswer(failed.faults.map((fault) => bodyFault(call, fault)));
  if (failed.code === 'invalid') return validationAnswer([valueFault(['body'], failed.detail, null)]);
  if (failed.code === 'throttled') return errorAnswer(throttled(failed), context);
  return errorAnswer(failureWords(failed.code, bodyDetail(call, failed.detail)), context);
}

/** A body that is one event or one change has no list of entries. */
const isSingle = (call: ControlCall): boolean => call.kind !== 'publish' || call.events.length === 1;

/** The bus names fields as `entries[i].event.field`; here it is a place in the body. */
function bodyFault(call: ControlCall, fault: Fault): ValidationFault {
  const [list, index = 0, , ...field] = fault.field;
  if (list !== 'entries') return valueFault(['body', ...fault.field], fault.reason, null);
  return valueFault(['body', ...(isSingle(call) ? field : ['events', index, ...field])], fault.reason, null);
}

/** The same for a sentence that begins with the field. */
function bodyDetail(call: ControlCall, detail: string): string {
  return detail.replace(/^entries(\[\d+\])\.(?:event|change)\./, isSingle(call) ? '' : 'events$1.');
}

function failureWords(code: Exclude<BusFailure, 'invalid' | 'throttled'>, detail: string): ErrorWords {
  switch (code) {
    case 'conflict':
      return { status: 409, code: 'SOURCE_ID_CONFLICT', detail };
    case 'terminal':
      return { status: 409, code: 'EXECUTION_TERMINAL', detail };
    case 'exhausted':
      return { status: 507, code: 'STORAGE_EXHAUSTED', detail };
    case 'damaged':
      return { status: 500, code: 'JOURNAL_DAMAGED', detail };
    case 'unavailable':
      return { status: 503, code: 'BUS_UNAVAILABLE', detail, retryAfter: retryAfterCapacitySeconds };
    case 'deadline':
      // May have been stored: only a source_id makes the retry safe.
      return { status: 503, code: 'BUS_DEADLINE', detail, retryAfter: retryAfterCapacitySeconds };
    case 'too-old':
    case 'identity':
      return { status: 503, code: 'BUS_CHANGED', detail, retryAfter: retryAfterCapacitySeconds };
    case 'internal':
      return internalError;
  }
}
