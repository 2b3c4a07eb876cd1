import type { HttpResponse } from 'uWebSockets.js';
import { type Answer, type AnswerContext, type Header, statusLine } from './http/answer.ts';

/** One response that is answered once, now or later, unless its client leaves before. */
export class Exchange {
  readonly context: AnswerContext;
  readonly #bodyAllowed: boolean;
  /** Null once answered or aborted: uWebSockets.js throws on any later use. */
  #response: HttpResponse | null;
  #onGone: (() => void) | null = null;

  constructor(response: HttpResponse, context: AnswerContext, bodyAllowed: boolean) {
    this.#response = response;
    this.context = context;
    this.#bodyAllowed = bodyAllowed;
    response.onAborted(() => {
      this.#response = null;
      this.#onGone?.();
    });
  }

  /** Takes the response over, for a body to be read or a stream; the abort is reported to `onGone`. Null when it has gone. */
  take(onGone: () => void): HttpResponse | null {
    this.#onGone = onGone;
    return this.#response;
  }

  /** Says whether the answer was written; false when the client has gone or has been answered. */
  reply(answer: Answer): boolean {
    const response = this.#response;
    if (response === null) return false;
    this.#response = null;
    this.#onGone = null;
    try {
      response.cork(() => {
        writeHead(response, answer.status, [...answer.headers, ...this.context.headers]);
        // 204 has neither body nor Content-Length (RFC 9110); HEAD has the length and no body.
        if (answer.body === null) response.endWithoutBody();
        else if (this.#bodyAllowed) response.end(answer.body);
        else response.endWithoutBody(Buffer.byteLength(answer.body));
      });
    } catch (error) {
      // Half an answer cannot be taken back, and its client would wait for the other half.
      response.close();
      throw error;
    }
    return true;
  }

  /** Cuts the connection: no answer can be made. */
  abort(): void {
    this.#response?.close();
  }
}

export function writeHead(response: HttpResponse, status: number, headers: readonly Header[]): void {
  response.writeStatus(statusLine(status));
  for (const [name, value] of headers) response.writeHeader(name, value);
}
