import { setTimeout as sleep } from 'node:timers/promises';
import { queryOf, type Watch } from '../../support/delivery-model.ts';
import type { Random } from '../../support/seed.ts';
import { openSse, type Received, type SseClient } from '../../support/sse-client.ts';
import { PatienceError, patienceMs } from '../../support/until.ts';
import type { StressContext } from '../scenario.ts';

export interface WatcherPlan {
  /** Names it in a failure. */
  readonly name: string;
  readonly watch: Watch;
  /** Where it begins: `live`, `earliest`, or behind an id. */
  readonly from: string;
  readonly keepOpen?: boolean;
  readonly controlEvents?: boolean;
  /** Seconds. */
  readonly timeout?: number;
  /** The server that it goes to, asked before each connection: a name for the log, and where. */
  readonly base: () => string;
}

/** What it saw, in order. `id`: null when the frame had none. */
export type Seen =
  | { readonly kind: 'ready'; readonly id: string | null }
  | { readonly kind: 'event'; readonly id: string }
  | { readonly kind: 'gap'; readonly id: string | null; readonly reason: string }
  | { readonly kind: 'done'; readonly id: string | null; readonly reason: string }
  /** The stream ended, whoever ended it. */
  | { readonly kind: 'cut' }
  /** No stream: a status, or null when nobody answered. */
  | { readonly kind: 'refused'; readonly status: number | null };

const retryMsMin = 30;
const retryMsSpread = 170;

/** A client that comes back with its last id for ever: through refused connections, 503 and 429, until `done` of all, 204, or `stop`. */
export class Watcher {
  readonly plan: WatcherPlan;
  readonly seen: Seen[] = [];
  /** What no server may do to a client, whatever breaks; the first is the one to look at. */
  readonly faults: string[] = [];
  events = 0;
  connections = 0;
  lastId: string | null = null;
  /** It was told that no more can come. */
  finished = false;
  /** A stream is open now. */
  open = false;
  readonly #random: Random;
  #heartbeats = 0;
  #lastEventId = '';
  #stopping = false;
  #current: SseClient | null = null;
  #abort = new AbortController();
  #running: Promise<void> = Promise.resolve();

  constructor(plan: WatcherPlan, random: Random) {
    this.plan = plan;
    this.#random = random;
  }

  start(context: StressContext): this {
    this.#running = this.#run();
    context.teardown(() => this.stop());
    return this;
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    this.#abort.abort();
    await this.#running;
  }

  /** Ends the stream of now, or the request for one; it comes back by itself. */
  cut(): void {
    this.#abort.abort();
  }

  pause(): void {
    this.#current?.pause();
  }

  resume(): void {
    this.#current?.resume();
  }

  async until(condition: (watcher: this) => boolean, what: string, patience = patienceMs): Promise<void> {
    const startMs = performance.now();
    while (!condition(this)) {
      if (performance.now() - startMs > patience) {
        throw new PatienceError(`${this.plan.name}: not within ${patience} ms: ${what}; ${this.summary}`);
      }
      await sleep(10);
    }
  }

  /** It has been told where it begins. */
  ready(): Promise<void> {
    return this.until(({ seen }) => seen.some(({ kind }) => kind === 'ready'), 'ready');
  }

  /** Comment lines, over all its streams. */
  get heartbeats(): number {
    return this.#heartbeats + (this.#current?.heartbeats ?? 0);
  }

  get gaps(): readonly Extract<Seen, { kind: 'gap' }>[] {
    return this.seen.filter((one) => one.kind === 'gap');
  }

  get summary(): string {
    const refused = this.seen.filter(({ kind }) => kind === 'refused').length;
    const last = this.seen.slice(-6).map((one) => JSON.stringify(one));
    return (
      `${this.events} events, ${this.connections} connections, ${refused} refused, ${this.gaps.length} gaps, ` +
      `${this.open ? 'open' : 'not open'}; last id ${this.lastId ?? 'none'}; last seen ${last.join(' ')}`
    );
  }

  async #run(): Promise<void> {
    while (!this.#stopping && !this.finished) {
      this.#abort = new AbortController();
      await this.#connection(this.#abort.signal);
      this.open = false;
      if (!this.#asked()) await sleep(retryMsMin + this.#random.below(retryMsSpread));
    }
  }

  #asked(): boolean {
    return this.#stopping || this.finished;
  }

  async #connection(signal: AbortSignal): Promise<void> {
    let client: SseClient;
    try {
      client = await this.#open(signal);
    } catch {
      this.seen.push({ kind: 'refused', status: null });
      return;
    }
    signal.addEventListener('abort', () => {
      client.cut();
    });
    // Cut before it was heard of.
    if (signal.aborted) client.cut();
    if (client.status !== 200) {
      await ended(client);
      this.#refused(client);
      return;
    }
    this.connections += 1;
    this.open = true;
    this.#current = client;
    await ended(client);
    this.#current = null;
    this.#heartbeats += client.heartbeats;
    this.seen.push({ kind: 'cut' });
  }

  #refused({ status, text }: SseClient): void {
    this.seen.push({ kind: 'refused', status });
    if (status === 204) {
      if (this.plan.keepOpen === true) this.faults.push('204 with keep_open');
      if (this.lastId === null) this.faults.push('204 without a position');
      this.finished = true;
    } else if (![404, 429, 503].includes(status)) {
      this.faults.push(`status ${status}: ${text}`);
    } else if (status === 503 && this.lastId !== null && text.includes('streamer not available')) {
      this.faults.push('503 for the absence of the bus, although it came with a position');
    }
  }

  #open(signal: AbortSignal): Promise<SseClient> {
    const { watch, from, keepOpen = false, controlEvents = true, timeout = 3600 } = this.plan;
    let begun = false;
    return openSse(this.plan.base(), {
      signal,
      headers: this.lastId === null ? {} : { 'last-event-id': this.lastId },
      query: {
        ...queryOf(watch, { keepOpen, controlEvents }),
        timeout: String(timeout),
        ...(from === 'live' ? {} : { last_event_id: from }),
      },
      onFrame: (frame) => {
        if (controlEvents && !begun && frame.event !== 'ready') this.faults.push(`${frame.event ?? ''} before ready`);
        begun = true;
        this.#take(frame);
      },
    });
  }

  #take(frame: Received): void {
    const id = frame.id === undefined || frame.id === '' ? null : frame.id;
    const reason = String(frame.data['reason']);
    if (frame.event === 'ready') this.seen.push({ kind: 'ready', id });
    else if (frame.event === 'gap') this.#gap(id, reason);
    else if (frame.event === 'done') this.#done(id, reason);
    else if (frame.event === 'storage.object.created') this.#event(id ?? '', frame);
    else this.faults.push(`a frame that is not in the contract: ${frame.event ?? ''}`);
    if (id !== null) this.lastId = id;
  }

  #gap(id: string | null, reason: string): void {
    this.seen.push({ kind: 'gap', id, reason });
    if (id === null) this.faults.push('a gap without a new position');
    // Another journal may stand behind the old one's clock.
    this.#lastEventId = '';
  }

  #done(id: string | null, reason: string): void {
    this.seen.push({ kind: 'done', id, reason });
    if (id === null) this.faults.push('done without a position');
    if (reason !== 'executions_terminal') return;
    if (this.plan.keepOpen === true) this.faults.push('done of all with keep_open');
    this.finished = true;
  }

  #event(id: string, { data }: Received): void {
    this.events += 1;
    this.seen.push({ kind: 'event', id });
    if (id !== data['id']) this.faults.push(`an event whose id is not its own: ${id}`);
    if (id <= this.#lastEventId) this.faults.push(`${id} came after ${this.#lastEventId}`);
    this.#lastEventId = id;
  }
}

async function ended(client: SseClient): Promise<void> {
  while (!client.ended) await client.until(({ ended: over }) => over).catch(() => undefined);
}
