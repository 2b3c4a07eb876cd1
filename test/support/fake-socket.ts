import { createParser, type EventSourceMessage } from 'eventsource-parser';
import type { StreamRefusal, StreamSocket } from '../../src/contract/stream.ts';
import { heartbeat } from '../../src/wire/frame/sse-frame.ts';

class SocketMisuse extends Error {
  override readonly name = 'SocketMisuse';
}

export interface Frame {
  readonly id: string | undefined;
  readonly event: string | undefined;
  readonly data: Record<string, unknown>;
}

/** A response whose backpressure the test holds in its hand. Strict: what uWebSockets.js would not forgive throws here. */
export class FakeSocket implements StreamSocket {
  readonly frames: Frame[] = [];
  /** Each write as it came, the first bytes and the last included. */
  readonly writes: string[] = [];
  refusal: StreamRefusal | null = null;
  opened = false;
  ended = false;
  aborted = false;
  nudges = 0;
  /** Bytes that were handed over although a drain was owed. */
  writesWhileBlocked = 0;
  /** How many more writes are flushed before one is buffered. */
  room = Number.POSITIVE_INFINITY;
  /** A write has been buffered and the drain has not come. */
  blocked = false;
  /** Throws out of the next write. */
  fault: Error | null = null;
  readonly #parser = createParser({
    onEvent: (message: EventSourceMessage) => {
      const data = JSON.parse(message.data) as Record<string, unknown>;
      this.frames.push({ id: message.id, event: message.event, data });
    },
  });

  /** Storage events only, by path. */
  get paths(): unknown[] {
    return this.named('storage.object.created').map(({ data }) => data['path']);
  }

  get heartbeats(): number {
    return this.writes.filter((text) => text === ':\n').length;
  }

  get names(): (string | undefined)[] {
    return this.frames.map(({ event }) => event);
  }

  named(event: string): Frame[] {
    return this.frames.filter((frame) => frame.event === event);
  }

  /** The socket takes no more than `writes` from now on. */
  fill(writes = 0): void {
    this.room = writes;
  }

  open(first: Uint8Array): 'flushed' | 'buffered' {
    if (this.opened || this.refusal !== null) throw new SocketMisuse('a response is opened once');
    if (first.length === 0) throw new SocketMisuse('the first bytes are missing');
    this.opened = true;
    return this.#take(first);
  }

  refuse(refusal: StreamRefusal): void {
    if (this.opened || this.refusal !== null) throw new SocketMisuse('a response is refused once, before it is opened');
    this.refusal = refusal;
  }

  write(bytes: Uint8Array): 'flushed' | 'buffered' {
    this.#mustBeOpen();
    return this.#take(bytes);
  }

  end(last: Uint8Array): void {
    this.#mustBeOpen();
    this.#text(last);
    this.ended = true;
  }

  abort(): void {
    this.aborted = true;
  }

  heartbeat(): 'flushed' | 'buffered' {
    return this.write(heartbeat);
  }

  /** As with the real one: what waits leaves when there is room for it, and no `onWritable` comes for that. */
  nudge(): 'flushed' | 'buffered' {
    this.#mustBeOpen();
    this.nudges += 1;
    if (this.room > 0) this.blocked = false;
    else if (this.blocked) this.writesWhileBlocked -= 1;
    return this.heartbeat();
  }

  #mustBeOpen(): void {
    if (!this.opened || this.ended || this.aborted) throw new SocketMisuse('the response is not open');
  }

  #take(bytes: Uint8Array): 'flushed' | 'buffered' {
    const { fault } = this;
    if (fault !== null) {
      this.fault = null;
      throw fault;
    }
    if (this.blocked) this.writesWhileBlocked += 1;
    this.#text(bytes);
    this.room -= 1;
    if (this.room >= 0) return 'flushed';
    this.blocked = true;
    return 'buffered';
  }

  #text(bytes: Uint8Array): void {
    const text = Buffer.from(bytes).toString('utf8');
    this.writes.push(text);
    this.#parser.feed(text);
  }
}
