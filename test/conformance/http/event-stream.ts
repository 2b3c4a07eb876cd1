import type { ClientRequest, IncomingHttpHeaders, IncomingMessage } from 'node:http';
import { CheckFailure, present } from '../kit/check.ts';

/** One frame, read strictly: every line is `name: value`. */
export interface Frame {
  /** The names of its lines, in order. */
  readonly names: readonly string[];
  readonly id: string | undefined;
  readonly event: string | undefined;
  readonly retry: string | undefined;
  /** The text behind `data: `. */
  readonly json: string;
  readonly data: Readonly<Record<string, unknown>>;
}

function frameOf(block: string): Frame | null {
  // A heartbeat is one comment line with nothing behind it, so it stands before the lines of the next frame.
  const lines = block.split('\n').filter((line) => line !== ':');
  if (lines.length === 0) return null;
  const fields = lines.map((line) => {
    const at = line.indexOf(': ');
    if (at < 1) throw new CheckFailure('a line of a frame is `name: value`', { expected: 'name: value', got: line });
    return [line.slice(0, at), line.slice(at + 2)] as const;
  });
  const value = (name: string): string | undefined => fields.find(([one]) => one === name)?.[1];
  const json = value('data') ?? '';
  try {
    const data = JSON.parse(json) as Frame['data'];
    return {
      names: fields.map(([name]) => name),
      id: value('id'),
      event: value('event'),
      retry: value('retry'),
      json,
      data,
    };
  } catch {
    throw new CheckFailure('the data of a frame is one line of JSON', { expected: 'JSON', got: block });
  }
}

/** A stream as it comes: the bytes, and the frames that are whole. */
export class EventStream {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  /** The bytes so far, as UTF-8. */
  text = '';
  ended = false;
  readonly frames: Frame[] = [];
  readonly #sent: ClientRequest;
  readonly #say: (waiting: (() => string) | null) => void;
  #fault: CheckFailure | null = null;
  #parsed = 0;
  #wake: () => void = () => undefined;

  constructor(sent: ClientRequest, response: IncomingMessage, say: (waiting: (() => string) | null) => void) {
    this.#sent = sent;
    this.#say = say;
    this.status = response.statusCode ?? 0;
    this.headers = response.headers;
    response.setEncoding('utf8');
    response.on('data', (chunk: string) => {
      this.text += chunk;
      if (this.status === 200) this.#parse();
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

  /** The names of the frames. */
  get kinds(): readonly (string | undefined)[] {
    return this.frames.map(({ event }) => event);
  }

  get events(): readonly Frame[] {
    return this.named('storage.object.created');
  }

  get paths(): readonly unknown[] {
    return this.events.map(({ data }) => data['path']);
  }

  get ids(): readonly string[] {
    return this.events.map(({ id = '' }) => id);
  }

  named(event: string): readonly Frame[] {
    return this.frames.filter((frame) => frame.event === event);
  }

  /** Settles when the condition holds; fails when the stream ends before. */
  async until(condition: () => boolean, what: string): Promise<void> {
    this.#say(() => `${what}, not only ${this.frames.length} frames that end in ${this.text.slice(-120)}`);
    while (!condition()) {
      if (this.#fault !== null) throw this.#fault;
      if (this.ended) throw new CheckFailure(`the stream ended before ${what}`, { expected: what, got: this.text });
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    if (this.#fault !== null) throw this.#fault;
    this.#say(null);
  }

  async count(events: number): Promise<void> {
    await this.until(() => this.events.length >= events, `${events} storage events`);
  }

  async first(event: string): Promise<Frame> {
    await this.until(() => this.named(event).length > 0, `a frame ${event}`);
    return present(this.named(event)[0], `a frame ${event}`);
  }

  async end(): Promise<void> {
    await this.until(() => this.ended, 'the end of the stream');
  }

  cut(): void {
    this.#sent.destroy();
  }

  #parse(): void {
    try {
      for (let at = this.text.indexOf('\n\n', this.#parsed); at !== -1; at = this.text.indexOf('\n\n', this.#parsed)) {
        const frame = frameOf(this.text.slice(this.#parsed, at));
        this.#parsed = at + 2;
        if (frame !== null) this.frames.push(frame);
      }
    } catch (error) {
      if (!(error instanceof CheckFailure)) throw error;
      this.#fault ??= error;
    }
  }
}
