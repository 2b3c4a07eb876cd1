import { systemClock } from '../../src/core/clock.ts';
import { type DeliveryModel, queryOf, type Watch } from './delivery-model.ts';
import type { Random } from './seed.ts';
import type { SseClient } from './sse-client.ts';
import type { System } from './system.ts';

/** How long a client waits for its last events when everything has been published: a lost one must be named, not waited for. */
const patienceMs = 30_000;

export interface ClientPlan extends Watch {
  readonly keepOpen: boolean;
  readonly controlEvents: boolean;
  readonly earliest: boolean;
  /** Seconds; short ones end by `done` with reason `timeout` and go on. */
  readonly timeout: number;
}

/** What came of a client's life: what it saw, and what the model says against it. */
export interface ClientReport {
  readonly received: readonly string[];
  /** Where its first stream began: null for everything. */
  readonly start: string | null;
  /** Where its last stream ended in order; null when it was still open at the end of the run. */
  readonly end: string | null;
  readonly faults: readonly string[];
  /** Positions at which it was told that all is over: judged after the run, for `done` may arrive before the answer to the change. */
  readonly dones: readonly string[];
  readonly connections: number;
  readonly pauses: number;
}

/** One client: it connects, is cut, stops reading, goes on with its last id, and stops when it is told that nothing more can come. */
export class DeliveryClient {
  readonly plan: ClientPlan;
  readonly #system: System;
  readonly #model: DeliveryModel;
  readonly #random: Random;
  readonly #received: string[] = [];
  readonly #faults: string[] = [];
  readonly #dones: string[] = [];
  #gaveUp = false;
  #lastId: string | null = null;
  #start: string | null = null;
  #end: string | null = null;
  #connections = 0;
  #pauses = 0;

  constructor(plan: ClientPlan, system: System, model: DeliveryModel, random: Random) {
    this.plan = plan;
    this.#system = system;
    this.#model = model;
    this.#random = random;
  }

  async run(): Promise<ClientReport> {
    while (await this.#connection());
    return {
      received: this.#received,
      start: this.plan.earliest ? null : this.#start,
      end: this.#end,
      faults: this.#faults,
      dones: this.#dones,
      connections: this.#connections,
      pauses: this.#pauses,
    };
  }

  /** One stream; false when the client has what it came for. */
  async #connection(): Promise<boolean> {
    const left = this.#lastId === null ? null : this.#model.owed(this.plan, this.#lastId, null);
    const client = await this.#open();
    this.#connections += 1;
    if (client.status === 204) return this.#noContent(left);
    if (client.status !== 200) {
      this.#faults.push(`status ${client.status}: ${client.text}`);
      client.cut();
      return false;
    }
    await this.#read(client);
    this.#take(client);
    return this.#after(client);
  }

  #open(): Promise<SseClient> {
    const { timeout, earliest } = this.plan;
    const query = {
      ...queryOf(this.plan, this.plan),
      timeout: String(timeout),
      ...(earliest ? { last_event_id: 'earliest' } : {}),
    };
    return this.#system.sse(query, this.#lastId === null ? {} : { 'last-event-id': this.#lastId });
  }

  /** `left`: what was owed to it, and acknowledged, before it asked. */
  #noContent(left: readonly string[] | null): boolean {
    if (left === null) this.#faults.push('204 without a position');
    else if (left.length > 0) this.#faults.push(`204 although ${left.length} events were owed, from ${left[0] ?? ''}`);
    if (this.plan.keepOpen) this.#faults.push('204 with keep_open');
    // The position of the answer is at least the newest that was acknowledged, or its last id: late events may follow.
    this.#end = this.#lastId;
    return false;
  }

  /** Reads, pauses and goes on until it is cut, the server ends it, or the run is over and it has everything. */
  async #read(client: SseClient): Promise<void> {
    while (!client.ended && !this.#model.finished) {
      const some = 1 + this.#random.below(400);
      await this.#either(client, some);
      if (this.#random.oneIn(4)) {
        client.cut();
        await client.end();
        return;
      }
      if (!this.#random.oneIn(3)) continue;
      this.#pauses += 1;
      client.pause();
      await this.#model.progress(1 + this.#random.below(3_000));
      client.resume();
    }
    client.resume();
    const cancel = systemClock.after(patienceMs, () => {
      this.#faults.push('nothing more is published, and what it waits for does not come');
      this.#gaveUp = true;
      client.cut();
    });
    try {
      await this.#last(client);
    } finally {
      cancel();
    }
  }

  /** The rest of what is owed: a stream that is kept open is closed by the client then, any other by the server. */
  async #last(client: SseClient): Promise<void> {
    if (!this.plan.keepOpen || client.ended) {
      await client.end();
      return;
    }
    const from = this.#lastId ?? (this.plan.earliest ? null : await this.#readyId(client));
    const all = this.#model.owed(this.plan, from, null).length;
    const frames = all + (this.plan.controlEvents ? 1 : 0);
    await client.until(({ received, ended }) => ended || received.length >= frames);
    client.cut();
    await client.end();
  }

  async #readyId(client: SseClient): Promise<string> {
    await client.until(({ lastId, ended }) => ended || lastId !== undefined);
    return client.named('ready')[0]?.id ?? '';
  }

  /** So many more events came here, or ten times as many to anybody. */
  async #either(client: SseClient, count: number): Promise<void> {
    const target = client.received.length + count;
    const here = client.until(({ received, ended }) => ended || received.length >= target).catch(() => undefined);
    await Promise.race([here, this.#model.progress(count * 10)]);
  }

  #take(client: SseClient): void {
    const ready = client.named('ready')[0];
    if (this.plan.controlEvents && this.#start === null && ready !== undefined) this.#start = ready.id ?? '';
    for (const { id, data } of client.events) {
      const last = this.#received.at(-1);
      if (id === undefined || id !== data['id']) this.#faults.push(`an event whose id is not its own: ${id ?? ''}`);
      else if (last !== undefined && id <= last) this.#faults.push(`${id} came after ${last}`);
      this.#received.push(id ?? '');
    }
    for (const gap of client.named('gap')) this.#faults.push(`a gap: ${JSON.stringify(gap.data)}`);
    this.#lastId = client.lastId ?? this.#lastId;
  }

  /** Whether it comes again. */
  #after(client: SseClient): boolean {
    if (this.#gaveUp) return false;
    const done = client.named('done')[0];
    if (done === undefined) return this.#afterPlain(client);
    const position = done.id ?? '';
    if (done.data['reason'] === 'timeout') return this.#goesOn();
    if (done.data['reason'] !== 'executions_terminal') this.#faults.push(`done: ${JSON.stringify(done.data)}`);
    if (this.plan.keepOpen) this.#faults.push('done with keep_open');
    this.#dones.push(position);
    this.#end = position;
    // Mostly it stops there; now and then it comes again, for what is late or for 204.
    const again = this.#random.oneIn(3);
    if (again) this.#end = null;
    return again;
  }

  #afterPlain(client: SseClient): boolean {
    // Without control events the end of a stream says nothing: it comes again and is told 204. One without a position never is.
    if (this.#model.finished && !this.plan.keepOpen && this.#lastId === null && client.ended) return false;
    return this.#goesOn();
  }

  #goesOn(): boolean {
    if (!this.#model.finished || !this.plan.keepOpen) return true;
    const from = this.plan.earliest ? null : this.#start;
    return this.#received.length < this.#model.owed(this.plan, from, null).length;
  }
}
