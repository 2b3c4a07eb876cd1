import type { HttpResponse } from 'uWebSockets.js';
import type { StreamEvents, StreamRefusal, StreamSocket } from '../contract/stream.ts';
import { assert } from '../core/assert.ts';
import { heartbeat } from '../wire/frame/sse-frame.ts';
import type { Exchange, ResponseOwner } from './exchange.ts';
import { errorAnswer, type Header, internalError } from './http/answer.ts';
import { refusalAnswer } from './stream/refusal.ts';

const streamHeaders: readonly Header[] = [
  ['Content-Type', 'text/event-stream; charset=utf-8'],
  ['Cache-Control', 'no-store, no-transform'],
  ['X-Accel-Buffering', 'no'],
];

/**
 * Bytes of one chunk: with its size and line ends it fits uWebSockets.js's cork of 16 KiB.
 *
 * A larger one is sent in two steps, the size from the cork and then the bytes; where the kernel is full, uWebSockets.js keeps the size for later and
 * drops the bytes (AsyncSocket::uncork answers before it looks at them). The client then took what followed for the missing event.
 */
const corkedBytesMax = 16_384 - 32;

const heartbeatHalves = [heartbeat.subarray(0, 1), heartbeat.subarray(1)] as const;

/** The same object for every stream: a stream keeps no closure for what nearly never happens to it. */
export interface StreamSocketHooks {
  /** The head was written with this status. */
  readonly answered: (status: number) => void;
  /** The shard threw out of one of its events; this one stream is closed, no other is touched. */
  readonly failed: (error: unknown, correlationId: string) => void;
}

/**
 * A response as a shard sees it (contract/stream.ts). Every write is corked: outside a cork it costs five times as much.
 *
 * States: waiting (neither opened nor refused), open, closed. `#response` is null when closed, and every call is then a no-op.
 */
export class UwsStreamSocket implements StreamSocket, ResponseOwner {
  readonly #exchange: Exchange;
  readonly #hooks: StreamSocketHooks;
  #response: HttpResponse | null;
  #events: StreamEvents | null = null;
  #opened = false;
  /** The outcome of the one write in progress; a field, so that a cork needs no new closure variable to answer through. */
  #flushed = true;

  constructor(exchange: Exchange, hooks: StreamSocketHooks) {
    this.#exchange = exchange;
    this.#hooks = hooks;
    this.#response = exchange.take(this);
    this.#response?.onWritable(() => {
      this.#reportWritable();
      // Only tells uWebSockets.js not to drain on its own; it does not with a handler registered.
      return true;
    });
  }

  /** The door's answer arrives after `openStream` was called with this socket; uWebSockets.js reports nothing in between. */
  attach(events: StreamEvents): void {
    this.#events = events;
  }

  /** For the exchange. */
  onGone(): void {
    this.#response = null;
    this.#reportClosed();
  }

  open(first: Uint8Array): 'flushed' | 'buffered' {
    const response = this.#response;
    if (response === null) return 'flushed';
    assert(!this.#opened && first.length > 0, 'a stream is opened once, with bytes: an empty chunk would end it');
    this.#opened = true;
    response.cork(() => {
      this.#exchange.begin(response, streamHeaders);
      this.#flushed = response.write(first);
    });
    this.#hooks.answered(200);
    return this.#flushed ? 'flushed' : 'buffered';
  }

  refuse(refusal: StreamRefusal): void {
    if (this.#response === null) return;
    assert(!this.#opened, 'a stream that was opened cannot be refused');
    this.#close();
    const answer = refusalAnswer(refusal, this.#exchange.context);
    if (this.#exchange.reply(answer)) this.#hooks.answered(answer.status);
  }

  write(bytes: Uint8Array): 'flushed' | 'buffered' {
    const response = this.#response;
    if (response === null) return 'flushed';
    assert(this.#opened, 'a stream is written to after it was opened');
    let rest = bytes;
    const cork = (): void => {
      this.#flushed = response.write(rest);
    };
    if (bytes.length <= corkedBytesMax) response.cork(cork);
    else {
      for (let at = 0; at < bytes.length; at += corkedBytesMax) {
        rest = bytes.subarray(at, at + corkedBytesMax);
        response.cork(cork);
      }
    }
    return this.#flushed ? 'flushed' : 'buffered';
  }

  end(last: Uint8Array): void {
    const response = this.#response;
    if (response === null) return;
    assert(this.#opened, 'a stream is ended after it was opened');
    this.#close();
    response.cork(() => {
      response.end(last);
    });
  }

  abort(): void {
    const response = this.#response;
    if (response === null) return;
    this.#close();
    response.close();
  }

  /** In two writes: the first may fail in the cork unseen, the second finds what it left behind. */
  heartbeat(): 'flushed' | 'buffered' {
    this.write(heartbeatHalves[0]);
    return this.write(heartbeatHalves[1]);
  }

  nudge(): 'flushed' | 'buffered' {
    const response = this.#response;
    if (response === null) return 'flushed';
    response.pause();
    response.resume();
    return this.heartbeat();
  }

  /** The door threw: 500 while a status is still to be sent, else the stream is cut. */
  fail(error: unknown): void {
    this.#hooks.failed(error, this.#exchange.correlationId);
    if (this.#opened || this.#response === null) {
      this.abort();
      return;
    }
    this.#close();
    const answer = errorAnswer(internalError, this.#exchange.context);
    if (this.#exchange.reply(answer)) this.#hooks.answered(answer.status);
  }

  #reportWritable(): void {
    try {
      this.#events?.onWritable();
    } catch (error) {
      // The shard did not cut this stream, we do: it must hear of it, or it keeps the session.
      const events = this.#events;
      this.fail(error);
      this.#events = events;
      this.#reportClosed();
    }
  }

  #reportClosed(): void {
    const events = this.#events;
    this.#events = null;
    try {
      events?.onClosed();
    } catch (error) {
      this.#hooks.failed(error, this.#exchange.correlationId);
    }
  }

  /** No call and no event after this. */
  #close(): void {
    this.#response = null;
    this.#events = null;
  }
}
