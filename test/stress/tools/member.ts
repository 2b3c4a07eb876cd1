import { type ClientRequest, type IncomingMessage, request } from 'node:http';
import type { Watch } from '../../support/delivery-model.ts';

/** A client among thousands: its frames are not parsed beyond `id` and `event`, and one text stands for each id over the whole crowd. */

export interface MemberPlan {
  readonly name: string;
  readonly watch: Watch;
  /** `live`, `earliest`, or behind an id. */
  readonly from: string;
  readonly keepOpen?: boolean;
  readonly base: () => string;
}

export interface MemberGap {
  readonly id: string | null;
  readonly reason: string;
  /** Events that came before it. */
  readonly at: number;
}

export interface MemberDone {
  readonly id: string | null;
  readonly reason: string;
  /** Milliseconds of its `retry:` line; null without one. */
  readonly retry: number | null;
}

const texts = new Map<string, string>();

/** The one copy of a text that was cut out of a chunk; without it each id would keep its chunk alive. */
function interned(text: string): string {
  const known = texts.get(text);
  if (known !== undefined) return known;
  const own = Buffer.from(text, 'latin1').toString('latin1');
  texts.set(own, own);
  return own;
}

/** What Node's HTTP parser says of chunks that are none. */
const brokenFraming: ReadonlySet<string> = new Set([
  'HPE_STRICT',
  'HPE_INVALID_CHUNK_SIZE',
  'HPE_LF_EXPECTED',
  'HPE_CR_EXPECTED',
]);

const storageEvent = 'storage.object.created';

export class Member {
  readonly plan: MemberPlan;
  /** Ids of events, in the order in which they came. */
  readonly ids: string[] = [];
  readonly gaps: MemberGap[] = [];
  readonly dones: MemberDone[] = [];
  readonly faults: string[] = [];
  /** Where it begins, once it has been told. */
  start: string | null = null;
  lastId: string | null = null;
  /** Streams that were opened, and those of them that were told where they begin. */
  connections = 0;
  readies = 0;
  /** Answers that were not 200, by status; 0: nobody answered. */
  readonly refused = new Map<number, number>();
  /** Told that all is over. */
  finished = false;
  open = false;
  /** Bytes of its streams. */
  bytes = 0;
  #request: ClientRequest | null = null;
  #response: IncomingMessage | null = null;
  #rest = '';
  #paused = false;
  #over: () => void = () => undefined;

  constructor(plan: MemberPlan) {
    this.plan = plan;
    if (plan.from !== 'live' && plan.from !== 'earliest') this.start = plan.from;
  }

  /** One stream, from its beginning to its end. It settles when the stream has ended, whoever ended it, or was refused. */
  connect(): Promise<void> {
    return new Promise((resolve) => {
      this.#over = () => {
        this.open = false;
        this.#request = null;
        this.#response = null;
        resolve();
      };
      this.#rest = '';
      this.#paused = false;
      const headers = this.lastId === null ? {} : { 'last-event-id': this.lastId };
      const sent = request(this.#url(), { headers, agent: false }, (response) => {
        this.#answered(response);
      });
      this.#request = sent;
      sent.on('error', (error: NodeJS.ErrnoException) => {
        // A stream may be cut anywhere; that its framing is broken is no cut.
        if (brokenFraming.has(error.code ?? '')) this.faults.push(`${error.code ?? ''}: ${error.message}`);
        if (this.#response === null) this.#refuse(0);
        this.#over();
      });
      sent.end();
    });
  }

  cut(): void {
    this.#request?.destroy();
  }

  /** Stops reading; what the kernel has taken stays there. */
  pause(): void {
    this.#paused = true;
    this.#response?.pause();
  }

  resume(): void {
    this.#paused = false;
    this.#response?.resume();
  }

  /** Reads at so many bytes a second, in steps of what has arrived, until the answer is called. */
  throttle(bytesPerSecond: number): () => void {
    const response = this.#response;
    if (response === null) return () => undefined;
    let timer: NodeJS.Timeout | undefined;
    const onData = (chunk: string): void => {
      response.pause();
      timer = setTimeout(
        () => {
          response.resume();
        },
        (chunk.length / bytesPerSecond) * 1000,
      );
    };
    response.on('data', onData);
    return () => {
      clearTimeout(timer);
      response.off('data', onData);
      response.resume();
    };
  }

  get summary(): string {
    const refused = [...this.refused].map(([status, count]) => `${count} x ${status}`).join(', ');
    return (
      `${this.ids.length} events, ${this.connections} connections, refused ${refused || 'never'}, ${this.gaps.length} gaps ` +
      `${JSON.stringify(this.gaps)}, ${this.dones.length} dones ${JSON.stringify(this.dones.slice(-3))}, ` +
      `${this.open ? 'open' : 'not open'}${this.#paused ? ', paused' : ''}; last id ${this.lastId ?? 'none'}; faults ${JSON.stringify(this.faults.slice(0, 3))}`
    );
  }

  #url(): URL {
    const { watch, from, keepOpen = false, base } = this.plan;
    const url = new URL('/api/v1/storage/events', base());
    for (const value of watch.values) url.searchParams.append('execution_id', value);
    for (const name of ['stage', 'path', 'extension'] as const) {
      const value = watch[name];
      if (value !== null) url.searchParams.set(name, value);
    }
    url.searchParams.set('timeout', '3600');
    if (keepOpen) url.searchParams.set('keep_open', 'true');
    if (from !== 'live') url.searchParams.set('last_event_id', from);
    return url;
  }

  #answered(response: IncomingMessage): void {
    response.on('error', () => undefined);
    response.on('close', () => {
      this.#over();
    });
    const status = response.statusCode ?? 0;
    if (status !== 200) {
      if (status === 204) this.#noContent();
      else this.#refuse(status);
      response.resume();
      return;
    }
    this.#response = response;
    this.connections += 1;
    this.open = true;
    response.setEncoding('latin1');
    response.on('data', (chunk: string) => {
      // What is left of a stream that is over must not be taken for the beginning of the next one.
      if (this.#response === response) this.#take(chunk);
    });
    if (this.#paused) response.pause();
  }

  #refuse(status: number): void {
    this.refused.set(status, (this.refused.get(status) ?? 0) + 1);
    if (![0, 404, 429, 503].includes(status)) this.faults.push(`status ${status}`);
  }

  #noContent(): void {
    this.finished = true;
    if (this.plan.keepOpen === true || this.lastId === null) this.faults.push('204 that nobody may be given');
  }

  #take(chunk: string): void {
    this.bytes += chunk.length;
    const text = this.#rest + chunk;
    let from = 0;
    for (let end = text.indexOf('\n\n'); end >= 0; end = text.indexOf('\n\n', from)) {
      this.#frame(text, from, end);
      from = end + 2;
    }
    this.#rest = text.slice(from);
  }

  /** Lines of one frame, in the order of the contract: comments, `id`, `event`, `retry`, `data`. */
  #frame(text: string, from: number, end: number): void {
    let at = from;
    let id: string | null = null;
    let retry: number | null = null;
    let event = '';
    while (at < end) {
      const found = text.indexOf('\n', at);
      const stop = found < 0 || found > end ? end : found;
      if (text.startsWith('id: ', at)) id = interned(text.slice(at + 4, stop));
      else if (text.startsWith('event: ', at)) event = text.slice(at + 7, stop);
      else if (text.startsWith('retry: ', at)) retry = Number(text.slice(at + 7, stop));
      else if (text.startsWith('data: ', at)) break;
      at = stop + 1;
    }
    if (event === storageEvent) {
      if (id === null) this.faults.push('an event without an id');
      else this.ids.push(id);
    } else this.#control(event, id, retry, text.slice(at + 6, end));
    if (id !== null) this.lastId = id;
  }

  #control(event: string, id: string | null, retry: number | null, data: string): void {
    const reason = (): string => String((JSON.parse(data) as Record<string, unknown>)['reason']);
    if (event === 'ready') {
      this.readies += 1;
      if (this.plan.from === 'live') this.start ??= id;
    } else if (event === 'gap') this.gaps.push({ id, reason: reason(), at: this.ids.length });
    else if (event === 'done') {
      const done = { id, reason: reason(), retry };
      this.dones.push(done);
      if (done.reason === 'executions_terminal') this.finished = true;
    } else this.faults.push(`a frame that is not in the contract: ${event}`);
  }
}
