import type { StreamRefusal } from '../../contract/stream.ts';
import { retryAfterCapacitySeconds, retryAfterOverloadSeconds } from '../../core/limits.ts';
import {
  type Answer,
  type AnswerContext,
  type ErrorWords,
  emptyAnswer,
  errorAnswer,
  validationAnswer,
} from '../http/answer.ts';

/** A shard's refusal as HTTP. Waiting helps: Retry-After. It does not: 422. */
export function refusalAnswer(refusal: StreamRefusal, context: AnswerContext): Answer {
  switch (refusal.kind) {
    case 'no-content':
      return emptyAnswer;
    case 'too-many-executions':
      return validationAnswer([
        {
          type: 'too_long',
          loc: ['query', 'execution_id'],
          msg: `The values stand for ${refusal.count} executions, at most ${refusal.max} can be watched by one stream`,
          input: null,
          ctx: { field_type: 'List', max_length: refusal.max, actual_length: refusal.count },
        },
      ]);
    default:
      return errorAnswer(refusalWords(refusal), context);
  }
}

function refusalWords(refusal: Exclude<StreamRefusal, { kind: 'no-content' | 'too-many-executions' }>): ErrorWords {
  const capacity = { retryAfter: retryAfterCapacitySeconds };
  switch (refusal.kind) {
    case 'unknown-executions':
      return {
        status: 404,
        code: 'EXECUTION_NOT_FOUND',
        detail: `Execution not found: ${refusal.values.join(', ')}`,
      };
    case 'unavailable':
      return {
        status: 503,
        code: 'STREAMER_UNAVAILABLE',
        detail: 'Storage event streamer not available',
        ...capacity,
      };
    case 'connections-exhausted':
      return refusal.scope === 'address'
        ? {
            status: 429,
            code: 'TOO_MANY_CONNECTIONS',
            detail: `Too many streams from this address: at most ${refusal.max}`,
            ...capacity,
          }
        : {
            status: 503,
            code: 'CONNECTIONS_EXHAUSTED',
            detail: `Too many streams: at most ${refusal.max}`,
            ...capacity,
          };
    case 'overloaded':
      return {
        status: 503,
        code: 'OVERLOADED',
        detail: 'Too many requests are waiting',
        retryAfter: retryAfterOverloadSeconds,
      };
    case 'shutting-down':
      return { status: 503, code: 'SHUTTING_DOWN', detail: 'The server is shutting down', ...capacity };
  }
}
