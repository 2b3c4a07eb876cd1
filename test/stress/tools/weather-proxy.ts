import { connect, createServer, type Server, type Socket } from 'node:net';
import { setTimeout as sleep, setImmediate as turn } from 'node:timers/promises';
import type { StressContext } from '../scenario.ts';

/** How a connection is ended: as a program closes it, or as a network breaks it. */
export type Ending = 'end' | 'reset';

/** What the network does to everything that passes from now on. */
export interface Weather {
  /** Each chunk waits so long, and never overtakes another. */
  latencyMs: number;
  /** What the server says is torn into pieces of so many bytes, one a turn of the loop; 0: it is not. */
  dribbleBytes: number;
  /** Bytes of the server that one connection brings at most, drawn when it is made; null: all. Then it is ended so. */
  budget: (() => { readonly bytes: number; readonly ending: Ending }) | null;
  /** A new connection is answered so in place of the server; null: by the server. */
  instead: (() => string | null) | null;
  /** New connections are reset. */
  refusing: boolean;
}

/** One direction of one connection: chunks pass in order, each when the weather lets it. */
class Lane {
  readonly #from: Socket;
  readonly #to: Socket;
  readonly #weather: Weather;
  readonly #pass: (chunk: Buffer) => Buffer | null;
  readonly #tears: boolean;
  #halted = false;
  #queue: Promise<void> = Promise.resolve();
  #go: () => void = () => undefined;
  #gate: Promise<void> = Promise.resolve();

  /** `pass`: what of the chunk may go on; null when that was the last. */
  constructor(
    { from, to, tears }: { readonly from: Socket; readonly to: Socket; readonly tears: boolean },
    weather: Weather,
    pass: (chunk: Buffer) => Buffer | null,
  ) {
    this.#from = from;
    this.#to = to;
    this.#tears = tears;
    this.#weather = weather;
    this.#pass = pass;
    from.on('data', (chunk: Buffer) => {
      this.#take(chunk);
    });
    from.on('end', () => {
      this.#queue = this.#queue.then(() => this.#gate).then(() => void to.end());
    });
  }

  /** Nothing passes until `go`: neither bytes nor the end of the connection. */
  halt(): void {
    if (this.#halted) return;
    this.#halted = true;
    this.#from.pause();
    this.#gate = new Promise((resolve) => {
      this.#go = resolve;
    });
  }

  go(): void {
    if (!this.#halted) return;
    this.#halted = false;
    this.#go();
    this.#from.resume();
  }

  #take(chunk: Buffer): void {
    const due = performance.now() + this.#weather.latencyMs;
    this.#from.pause();
    this.#queue = this.#queue.then(() => this.#forward(chunk, due));
  }

  async #forward(chunk: Buffer, due: number): Promise<void> {
    await this.#gate;
    const wait = due - performance.now();
    if (wait >= 1) await sleep(wait);
    const rest = this.#pass(chunk);
    if (rest === null) return;
    const piece = (this.#tears ? this.#weather.dribbleBytes : 0) || rest.length;
    for (let at = 0; at < rest.length && !this.#to.destroyed; at += piece) {
      await this.#write(rest.subarray(at, at + piece));
      if (piece < rest.length) await turn();
    }
    if (!this.#halted) this.#from.resume();
  }

  /** Waits for the drain: what the other side does not take is not taken from this one. */
  #write(bytes: Buffer): Promise<void> {
    return new Promise((resolve) => {
      if (this.#to.write(bytes)) {
        resolve();
        return;
      }
      const settle = (): void => {
        this.#to.off('drain', settle);
        this.#to.off('close', settle);
        resolve();
      };
      this.#to.on('drain', settle);
      this.#to.on('close', settle);
    });
  }
}

interface Link {
  readonly near: Socket;
  readonly far: Socket;
  readonly lanes: readonly Lane[];
}

/** A TCP relay in front of a server, with weather. What is under way when the weather changes is under the new one. */
export class WeatherProxy {
  readonly weather: Weather = { latencyMs: 0, dribbleBytes: 0, budget: null, instead: null, refusing: false };
  /** Connections made, ended in the middle by the weather, and answered in place of the server. */
  connections = 0;
  broken = 0;
  answered = 0;
  readonly #server: Server;
  readonly #target: () => string;
  readonly #links = new Set<Link>();

  private constructor(server: Server, target: () => string) {
    this.#server = server;
    this.#target = target;
    server.on('connection', (near: Socket) => {
      this.#accept(near);
    });
  }

  /** `target`: host:port, asked at each connection. */
  static async start(context: StressContext, target: () => string): Promise<WeatherProxy> {
    const server = createServer({ allowHalfOpen: true, noDelay: true });
    const proxy = new WeatherProxy(server, target);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    context.teardown(() => {
      proxy.close();
    });
    return proxy;
  }

  close(): void {
    this.breakAll('reset');
    this.#server.close();
  }

  /** host:port. */
  get address(): string {
    const address = this.#server.address();
    return `127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}`;
  }

  get url(): string {
    return `http://${this.address}`;
  }

  get open(): number {
    return this.#links.size;
  }

  /** Both sides lose every connection of now. */
  breakAll(ending: Ending): number {
    const count = this.#links.size;
    for (const link of this.#links) this.#break(link, ending);
    return count;
  }

  /** The connections of now go dead without a word to either side; those to come do not. Answers how many. */
  halt(): number {
    for (const { lanes } of this.#links) for (const lane of lanes) lane.halt();
    return this.#links.size;
  }

  go(): void {
    for (const { lanes } of this.#links) for (const lane of lanes) lane.go();
  }

  #accept(near: Socket): void {
    this.connections += 1;
    near.on('error', () => undefined);
    const { refusing, instead, budget } = this.weather;
    if (refusing) {
      near.resetAndDestroy();
      return;
    }
    const answer = instead?.() ?? null;
    if (answer !== null) {
      this.answered += 1;
      near.once('data', () => near.end(answer));
      return;
    }
    const [host = '', port = ''] = this.#target().split(':');
    const far = connect({ host, port: Number(port), noDelay: true, allowHalfOpen: true });
    const passing = budget === null ? null : budget();
    let left = passing?.bytes ?? Number.POSITIVE_INFINITY;
    const link: Link = {
      near,
      far,
      lanes: [
        new Lane({ from: near, to: far, tears: false }, this.weather, (chunk) => chunk),
        new Lane({ from: far, to: near, tears: true }, this.weather, (chunk) => {
          if (chunk.length < left) {
            left -= chunk.length;
            return chunk;
          }
          this.broken += 1;
          // The last bytes leave before the end does.
          near.write(chunk.subarray(0, left), () => {
            this.#break(link, passing?.ending ?? 'reset');
          });
          left = 0;
          return null;
        }),
      ],
    };
    this.#links.add(link);
    this.#watch(link);
  }

  #watch(link: Link): void {
    const { near, far } = link;
    far.on('error', () => undefined);
    const over = (): void => {
      this.#links.delete(link);
      for (const lane of link.lanes) lane.go();
    };
    near.on('close', () => {
      over();
      far.destroy();
    });
    far.on('close', () => {
      over();
      // What the server said last may still be on its way: an orderly end is passed on by its lane.
      if (far.errored !== null) near.destroy();
    });
  }

  #break(link: Link, ending: Ending): void {
    for (const socket of [link.near, link.far]) {
      if (ending === 'reset') socket.resetAndDestroy();
      else socket.destroy();
    }
  }
}
