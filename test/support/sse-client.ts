import { type ClientRequest, type IncomingMessage, request } from 'node:http';
import { createParser, type EventSourceMessage } from 'eventsource-parser';
import { PatienceError, patienceMs } from './until.ts';

const storageEvent = 'storage.object.created';

/** What came over one stream: parsed by a parser that is not ours. */
export interface Received {
  readonly id: string | undefined;
  readonly event: string | undefined;
  readonly data: Record<string, unknown>;
}

/** A client that reads one stream. Everything it saw stays; waiting is on a condition, never on time. */
export class SseClient {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly received: Received[] = [];
  /** How many of them are storage events. */
  eventCount = 0;
  /** The bytes as they came, decoded. */
  text = '';
  ended = false;
  /** Comment lines: what a stream without events is kept open with. */
  heartbeats = 0;
  readonly #request: ClientRequest;
  readonly #response: IncomingMessage;
  readonly #waiters = new Set<() => void>();

  /** `onFrame`: frames go there, and neither they nor their bytes are kept; for a client among thousands. */
  constructor(clientRequest: ClientRequest, response: IncomingMessage, onFrame?: (frame: Received) => void) {
    this.#request = clientRequest;
    this.#response = response;
    this.status = response.statusCode ?? 0;
    this.headers = response.headers;
    const parser = createParser({
      onEvent: (message: EventSourceMessage) => {
        if (message.event === storageEvent) this.eventCount += 1;
        const data = JSON.parse(message.data) as Record<string, unknown>;
        const frame = { id: message.id, event: message.event, data };
        if (onFrame === undefined) this.received.push(frame);
        else onFrame(frame);
      },
      onComment: () => {
        this.heartbeats += 1;
      },
    });
    const isStream = (this.headers['content-type'] ?? '').startsWith('text/event-stream');
    response.setEncoding('utf8');
    response.on('data', (chunk: string) => {
      if (onFrame === undefined || !isStream) this.text += chunk;
      if (isStream) parser.feed(chunk);
      this.#wake();
    });
    const finish = (): void => {
      this.ended = true;
      this.#wake();
    };
    response.on('end', finish);
    response.on('close', finish);
    response.on('error', finish);
  }

  get body(): Record<string, unknown> {
    return JSON.parse(this.text) as Record<string, unknown>;
  }

  /** Storage events only. */
  get events(): Received[] {
    return this.received.filter((one) => one.event === storageEvent);
  }

  get paths(): unknown[] {
    return this.events.map((one) => one.data['path']);
  }

  get ids(): (string | undefined)[] {
    return this.events.map((one) => one.id);
  }

  /** The last id seen: what a browser would send. */
  get lastId(): string | undefined {
    return this.received.findLast((one) => one.id !== undefined && one.id !== '')?.id;
  }

  named(event: string): Received[] {
    return this.received.filter((one) => one.event === event);
  }

  /** Settles when the condition holds; rejects when the stream ends before it does. */
  until(condition: (client: this) => boolean, what = condition.toString()): Promise<this> {
    return new Promise((resolve, reject) => {
      const settle = (action: () => void): void => {
        clearTimeout(patience);
        this.#waiters.delete(look);
        action();
      };
      const fail = (error: Error): void => {
        settle(() => {
          reject(error);
        });
      };
      const had = (): string => `it had ${this.received.length} frames, the last ${this.text.slice(-200)}`;
      const look = (): void => {
        if (condition(this)) {
          settle(() => {
            resolve(this);
          });
        } else if (this.ended) fail(new StreamEndedError(`the stream ended before: ${what}; ${had()}`));
      };
      const patience = setTimeout(() => {
        fail(new PatienceError(`not within ${patienceMs} ms: ${what}; ${had()}`));
      }, patienceMs);
      this.#waiters.add(look);
      look();
    });
  }

  /** Waits for so many storage events. */
  count(events: number): Promise<this> {
    return this.until((client) => client.eventCount >= events, `${events} events`);
  }

  /** Waits for one frame of a kind. */
  async first(event: string): Promise<Received> {
    await this.until((client) => client.named(event).length > 0, `a frame ${event}`);
    const [found] = this.named(event);
    if (found === undefined) throw new StreamEndedError(`no ${event}`);
    return found;
  }

  end(): Promise<this> {
    return this.until((client) => client.ended, 'the end of the stream');
  }

  /** Stops reading from the socket. */
  pause(): void {
    this.#response.pause();
  }

  resume(): void {
    this.#response.resume();
  }

  /** Cuts the connection. */
  cut(): void {
    this.#request.destroy();
  }

  #wake(): void {
    for (const look of this.#waiters) look();
  }
}

class StreamEndedError extends Error {
  override readonly name = 'StreamEndedError';
}

export interface SseOptions {
  readonly headers?: Readonly<Record<string, string>>;
  readonly query?: Readonly<Record<string, string | readonly string[]>>;
  /** Given, frames go there as they come, and none is kept. */
  readonly onFrame?: (frame: Received) => void;
  /** Ends the request, answered or not. */
  readonly signal?: AbortSignal;
}

/** Opens a stream; settles with the head of the response. */
export function openSse(base: string, options: SseOptions): Promise<SseClient> {
  const url = new URL('/api/v1/storage/events', base);
  for (const [name, value] of Object.entries(options.query ?? {})) {
    for (const one of typeof value === 'string' ? [value] : value) url.searchParams.append(name, one);
  }
  return new Promise((resolve, reject) => {
    const headers = options.headers ?? {};
    const ending = options.signal === undefined ? {} : { signal: options.signal };
    const clientRequest = request(url, { headers, agent: false, ...ending }, (response) => {
      resolve(new SseClient(clientRequest, response, options.onFrame));
    });
    clientRequest.on('error', reject);
    clientRequest.end();
  });
}
