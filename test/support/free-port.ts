import { randomInt } from 'node:crypto';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';

/** A port that nobody has at the moment; for a server that is to come later. */
export function freePort(): Promise<number> {
  return listenOnce(0);
}

/**
 * A port for a server that is killed and comes back while clients knock. Below the range that the kernel takes client ports from:
 * inside it, a client that knocks for long is sooner or later given the very port as its own and connects to itself.
 */
export async function portToComeBackTo(): Promise<number> {
  for (;;) {
    const port = await listenOnce(randomInt(10_000, 32_000)).catch(() => null);
    if (port !== null) return port;
  }
}

function listenOnce(wanted: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(wanted, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => {
        resolve(port);
      });
    });
  });
}
