import { connect, type Socket } from 'node:net';

/** What a client holds back: the end of its head, or of its body. */
export type Withheld = 'head' | 'body';

export interface LorisResult {
  readonly sockets: number;
  readonly cut: number;
  /** From the connection to its end by the server, milliseconds; over the sockets that were cut. */
  readonly firstCutMs: number;
  readonly lastCutMs: number;
}

const heads: Readonly<Record<Withheld, string>> = {
  head: 'GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-Slow: ',
  body: 'POST /api/v1/storage/events HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 1000000\r\n\r\n',
};

/** Opens connections that send one more byte now and then and never finish. Ends when the server has cut them all, or after `patienceMs`. */
export async function slowLoris(
  port: number,
  withheld: Withheld,
  { sockets, everyMs, patienceMs }: { readonly sockets: number; readonly everyMs: number; readonly patienceMs: number },
): Promise<LorisResult> {
  const open = new Set<Socket>();
  const cutMs: number[] = [];
  const all = Array.from({ length: sockets }, () => {
    const socket = connect(port, '127.0.0.1');
    open.add(socket);
    let startMs = performance.now();
    return new Promise<void>((resolve) => {
      socket.once('connect', () => {
        startMs = performance.now();
        socket.write(heads[withheld]);
      });
      socket.on('error', () => undefined);
      // Without a reader the end would not be seen.
      socket.resume();
      socket.once('close', () => {
        if (open.delete(socket)) cutMs.push(performance.now() - startMs);
        resolve();
      });
    });
  });
  const drip = setInterval(() => {
    for (const socket of open) if (socket.writable) socket.write('a');
  }, everyMs);
  const giveUp = setTimeout(() => {
    const rest = [...open];
    open.clear();
    for (const socket of rest) socket.destroy();
  }, patienceMs);
  await Promise.all(all);
  clearInterval(drip);
  clearTimeout(giveUp);
  return { sockets, cut: cutMs.length, firstCutMs: Math.min(...cutMs), lastCutMs: Math.max(...cutMs) };
}
