import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import type { StressContext } from '../scenario.ts';

interface Pair {
  readonly client: Socket;
  readonly server: Socket;
  /** Bytes that the server has sent. */
  answered: number;
  held: boolean;
}

/** A network between two programs that can be held up or cut. Only loopback. */
export class Proxy {
  readonly #pairs = new Set<Pair>();
  #target: string;
  #address = '';
  #holding = false;

  private constructor(target: string) {
    this.#target = target;
  }

  /** In front of `target`, host:port. */
  static async start(context: StressContext, target: string): Promise<Proxy> {
    const proxy = new Proxy(target);
    const server = createServer((client) => {
      const [host = '', port = ''] = proxy.#target.split(':');
      proxy.#join(client, connect(Number(port), host));
    });
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(0, '127.0.0.1', resolve);
    });
    proxy.#address = `127.0.0.1:${(server.address() as AddressInfo).port}`;
    context.teardown(() => {
      proxy.cut();
      server.close();
    });
    return proxy;
  }

  get address(): string {
    return this.#address;
  }

  /** From now on nothing that the server sends arrives; what is sent to it does. */
  hold(): void {
    this.#holding = true;
    for (const pair of this.#pairs) holdPair(pair);
  }

  /** The same for just the connection over which most has come: of a router, the one of its subscription. */
  holdBusiest(): void {
    const [busiest] = [...this.#pairs].sort((one, other) => other.answered - one.answered);
    if (busiest !== undefined) holdPair(busiest);
  }

  /** Another server stands there from now on: every connection to the first ends but those that are held. */
  retarget(target: string): void {
    this.#target = target;
    for (const pair of this.#pairs) if (!pair.held) pair.client.destroy();
  }

  release(): void {
    this.#holding = false;
    for (const pair of this.#pairs) {
      pair.held = false;
      pair.server.resume();
    }
  }

  /** Ends every connection of now. */
  cut(): void {
    for (const { client, server } of this.#pairs) {
      client.destroy();
      server.destroy();
    }
  }

  #join(client: Socket, server: Socket): void {
    const pair: Pair = { client, server, answered: 0, held: false };
    this.#pairs.add(pair);
    client.pipe(server);
    server.on('data', (bytes) => {
      pair.answered += bytes.length;
      if (!client.write(bytes)) server.pause();
    });
    client.on('drain', () => {
      if (!pair.held) server.resume();
    });
    const finish = (): void => {
      this.#pairs.delete(pair);
      client.destroy();
      server.destroy();
    };
    for (const socket of [client, server]) {
      socket.setNoDelay(true);
      socket.on('error', finish);
      socket.on('close', finish);
    }
    if (this.#holding) holdPair(pair);
  }
}

function holdPair(pair: Pair): void {
  pair.held = true;
  pair.server.pause();
}
