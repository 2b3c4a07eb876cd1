import { randomUUID } from 'node:crypto';
import { correlationIdCharactersMax } from '../../core/limits.ts';

const visibleAscii = /^[\x21-\x7e]+$/;

function isCorrelationId(text: string): boolean {
  return text.length <= correlationIdCharactersMax && visibleAscii.test(text);
}

/** The caller's id if it is 1 to 128 visible ASCII characters (X-Request-ID before X-Correlation-ID), else a new UUID. */
export function correlationIdOf(requestId: string, correlationId: string): string {
  if (isCorrelationId(requestId)) return requestId;
  return isCorrelationId(correlationId) ? correlationId : randomUUID();
}
