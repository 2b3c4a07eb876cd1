import type { HttpResponse } from 'uWebSockets.js';
import { batchBytesMax, bodyBytesInFlightMax } from '../core/limits.ts';
import type { Exchange } from './exchange.ts';

export type BodyOutcome =
  | { readonly kind: 'body'; readonly bytes: Uint8Array }
  | { readonly kind: 'too-large' }
  | { readonly kind: 'overloaded' };

/** Collects request bodies, each at most `batchBytesMax`, all of one shard together at most `bodyBytesInFlightMax`. */
export class BodyReader {
  /** Bytes held for bodies that are not complete. */
  #held = 0;

  /**
   * Calls `done` once, unless the client leaves before. After an early outcome the rest of the body is read and dropped by
   * uWebSockets.js, so that the answer arrives (a close with unread bytes would be a reset) and the connection stays usable.
   */
  read(exchange: Exchange, done: (outcome: BodyOutcome) => void): void {
    let chunks: Buffer[] = [];
    let length = 0;
    let finished = false;
    const release = (): void => {
      finished = true;
      this.#held -= length;
      chunks = [];
    };
    const response: HttpResponse | null = exchange.take({ onGone: release });
    response?.onData((chunk, isLast) => {
      if (finished) return;
      const refused = this.#refusal(length, chunk.byteLength);
      if (refused === null && !isLast) {
        // Copied: uWebSockets.js takes the memory back when this returns.
        chunks.push(Buffer.from(chunk.slice(0)));
        length += chunk.byteLength;
        this.#held += chunk.byteLength;
        return;
      }
      const outcome: BodyOutcome = refused ?? { kind: 'body', bytes: Buffer.concat([...chunks, Buffer.from(chunk)]) };
      release();
      done(outcome);
    });
  }

  #refusal(length: number, more: number): BodyOutcome | null {
    if (length + more > batchBytesMax) return { kind: 'too-large' };
    return this.#held + more > bodyBytesInFlightMax ? { kind: 'overloaded' } : null;
  }
}
