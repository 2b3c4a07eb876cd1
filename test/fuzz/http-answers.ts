import { demand } from './fuzz-target.ts';

/** One response as it stood on the wire. */
export interface RawAnswer {
  readonly status: number;
  readonly headers: ReadonlyMap<string, string>;
  /** Latin-1; of a stream what has come so far. */
  readonly body: string;
}

export interface RawAnswers {
  readonly answers: readonly RawAnswer[];
  /** The last one is still on its way: not all of its head or body is there. */
  readonly partial: boolean;
  /** The last one is an event stream. */
  readonly streaming: boolean;
}

const statusLine = /^HTTP\/1\.1 (\d{3}) [\x20-\x7e]+$/;
const headerLine = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+): ?([\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?)?$/;

/**
 * Reads everything that a server sent on one connection, strictly (RFC 9112): whatever was asked, each response is one of HTTP/1.1, no byte of a header
 * is outside visible ASCII, and no byte lies between two responses. `headAsked` says that a HEAD may be among the requests.
 */
export function readAnswers(text: string, headAsked: boolean): RawAnswers {
  const answers: RawAnswer[] = [];
  let at = 0;
  while (at < text.length) {
    const end = text.indexOf('\r\n\r\n', at);
    if (end === -1) {
      demand(
        /^HTTP\/1\.1 |^H?T{0,2}P?\/?1?\.?1?$/.test(text.slice(at, at + 9)),
        `no response begins ${JSON.stringify(text.slice(at, at + 80))}`,
      );
      return { answers, partial: true, streaming: false };
    }
    const answer = readHead(text.slice(at, end));
    at = end + 4;
    // An interim answer; the final one follows.
    if (answer.status === 100) continue;
    if (answer.headers.get('content-type')?.startsWith('text/event-stream') === true) {
      answers.push({ ...answer, body: text.slice(at) });
      return { answers, partial: false, streaming: true };
    }
    const length = answer.headers.get('content-length');
    const bytes = bodyBytes(answer, headAsked && text[at] !== '{');
    if (at + bytes > text.length) return { answers, partial: true, streaming: false };
    answers.push({ ...answer, body: text.slice(at, at + bytes) });
    at += bytes;
    // What uWebSockets.js says on its own before it closes has no length: all that follows belongs to it.
    if (length === undefined && isBare(answer)) return { answers, partial: false, streaming: false };
  }
  return { answers, partial: false, streaming: false };
}

/** The answer to a HEAD is our 405 without its JSON; among several requests only what follows tells. */
function bodyBytes({ status, headers }: RawAnswer, bodiless: boolean): number {
  demand(!headers.has('transfer-encoding'), `a chunked answer ${status} that is no stream`);
  const length = headers.get('content-length') ?? '0';
  demand(/^\d+$/.test(length), `the content-length ${length}`);
  return bodiless && status === 405 ? 0 : Number(length);
}

function readHead(head: string): RawAnswer {
  const [first = '', ...lines] = head.split('\r\n');
  const status = Number(statusLine.exec(first)?.[1] ?? Number.NaN);
  demand(status === 100 || status >= 200, `the status line ${JSON.stringify(first)}`);
  const headers = new Map<string, string>();
  for (const line of lines) {
    const [, name, value = ''] = headerLine.exec(line) ?? [];
    demand(name !== undefined, `the header line ${JSON.stringify(line)}`);
    headers.set(name.toLowerCase(), value);
  }
  return { status, headers, body: '' };
}

/** Written by uWebSockets.js before any route: no answer of ours lacks the correlation id. */
export const isBare = (answer: RawAnswer): boolean => !answer.headers.has('x-request-id');

/** The statuses that DESIGN.md names. 431, 400 and 505 are uWebSockets.js's own, and bare. */
export function checkAnswer(answer: RawAnswer): void {
  const { status, headers, body } = answer;
  if (isBare(answer)) {
    demand([400, 431, 505].includes(status), `a bare ${status}`);
    return;
  }
  demand(
    status < 500 || status === 507 || (status === 503 && headers.has('retry-after')),
    `answered ${status}: ${body.slice(0, 300)}`,
  );
  if (status < 400 || body === '') return;
  const value = JSON.parse(Buffer.from(body, 'latin1').toString('utf8')) as Record<string, unknown>;
  if (status === 422) demand(Array.isArray(value['detail']), 'a 422 without its list');
  else demand(value['correlation_id'] === headers.get('x-request-id'), `an error ${status} without its correlation id`);
}
