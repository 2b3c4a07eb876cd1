import { type ValidationFault, validationBody } from './validation.ts';

/** A whole response but for the headers that every response has (correlation id, CORS). */
export interface Answer {
  readonly status: number;
  readonly headers: readonly Header[];
  readonly body: string | Uint8Array | null;
}

export type Header = readonly [name: string, value: string];

/** What a request brings to every answer to it. */
export interface AnswerContext {
  readonly correlationId: string;
  /** Correlation id and CORS headers, the same on every answer to one request. */
  readonly headers: readonly Header[];
  readonly wallMs: () => number;
}

const reasons: Readonly<Record<number, string>> = {
  200: 'OK',
  202: 'Accepted',
  204: 'No Content',
  307: 'Temporary Redirect',
  403: 'Forbidden',
  404: 'Not Found',
  405: 'Method Not Allowed',
  409: 'Conflict',
  413: 'Content Too Large',
  415: 'Unsupported Media Type',
  422: 'Unprocessable Content',
  429: 'Too Many Requests',
  500: 'Internal Server Error',
  503: 'Service Unavailable',
  507: 'Insufficient Storage',
};

/** `404 Not Found`, as the status line wants it. */
export function statusLine(status: number): string {
  return `${status} ${reasons[status] ?? 'Unknown'}`;
}

const jsonType: Header = ['Content-Type', 'application/json'];
/** Answers about the present; a shared cache has no business with them. */
const noStore: Header = ['Cache-Control', 'no-store'];

export function jsonAnswer(status: number, value: unknown, headers: readonly Header[] = []): Answer {
  return { status, headers: [jsonType, noStore, ...headers], body: JSON.stringify(value) };
}

export function validationAnswer(faults: readonly ValidationFault[]): Answer {
  return { status: 422, headers: [jsonType, noStore], body: validationBody(faults) };
}

/** An error but for its time and correlation id, which the answer adds. */
export interface ErrorWords {
  readonly status: number;
  readonly code: string;
  readonly detail: string;
  /** Seconds; for capacity that may free up. */
  readonly retryAfter?: number;
  readonly headers?: readonly Header[];
}

/** The ErrorResponse of the contract: every error but 422. */
export function errorAnswer(words: ErrorWords, context: AnswerContext): Answer {
  const headers: Header[] = [jsonType, noStore, ...(words.headers ?? [])];
  if (words.retryAfter !== undefined) headers.push(['Retry-After', String(words.retryAfter)]);
  const body = JSON.stringify({
    detail: words.detail,
    error_code: words.code,
    correlation_id: context.correlationId,
    timestamp: new Date(context.wallMs()).toISOString(),
  });
  return { status: words.status, headers, body };
}

export const notFound: ErrorWords = { status: 404, code: 'NOT_FOUND', detail: 'Not Found' };
export const internalError: ErrorWords = { status: 500, code: 'INTERNAL_ERROR', detail: 'Internal Server Error' };
export const emptyAnswer: Answer = { status: 204, headers: [], body: null };
