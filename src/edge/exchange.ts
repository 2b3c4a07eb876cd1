import type { HttpResponse } from 'uWebSockets.js';
import { assert } from '../core/assert.ts';
import { type Answer, type AnswerContext, type Header, statusLine } from './http/answer.ts';

/** Has taken a response over: for a body that is being read, or for a stream. */
export interface ResponseOwner {
  /** The client has gone. */
  onGone(): void;
}

/** One response that is answered once, now or later, unless its client leaves before. */
export class Exchange {
  readonly correlationId: string;
  /** Null once the head of a stream is out: ten thousand idle streams do not keep theirs. */
  #context: AnswerContext | null;
  readonly #bodyAllowed: boolean;
  /** Null once answered or aborted: uWebSockets.js throws on any later use. */
  #response: HttpResponse | null;
  #owner: ResponseOwner | null = null;

  constructor(response: HttpResponse, context: AnswerContext, bodyAllowed: boolean) {
    this.#response = response;
    this.correlationId = context.correlationId;
    this.#context = context;
    this.#bodyAllowed = bodyAllowed;
    response.onAborted(() => {
      this.#response = null;
      this.#owner?.onGone();
    });
  }

  /** What every answer to this request needs. Not to be asked for after `begin`. */
  get context(): AnswerContext {
    assert(this.#context !== null, 'a stream that has begun gets no other answer');
    return this.#context;
  }

  /** Takes the response over, for a body to be read or a stream; the abort is reported to the owner. Null when it has gone. */
  take(owner: ResponseOwner): HttpResponse | null {
    this.#owner = owner;
    return this.#response;
  }

  /** The head of a stream: status 200 and its headers. From then on the exchange is a way to hear that the client has gone, and keeps nothing else. */
  begin(response: HttpResponse, headers: readonly Header[]): void {
    writeHead(response, 200, headers);
    writeHeaders(response, this.context.headers);
    this.#context = null;
  }

  /** Says whether the answer was written; false when the client has gone or has been answered. */
  reply(answer: Answer): boolean {
    const response = this.#response;
    if (response === null) return false;
    this.#response = null;
    this.#owner = null;
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

function writeHead(response: HttpResponse, status: number, headers: readonly Header[]): void {
  response.writeStatus(statusLine(status));
  writeHeaders(response, headers);
}

function writeHeaders(response: HttpResponse, headers: readonly Header[]): void {
  for (const [name, value] of headers) response.writeHeader(name, value);
}
