import type { us_listen_socket } from 'uWebSockets.js';
import { createServer } from 'node:net';
import { StartError } from '../core/failure.ts';
import { loadUws } from './uws.ts';
import type { AppDescriptor } from './uws-descriptors.ts';

/** The listening socket in the main thread; connections go round-robin over the children, which do not listen. */
export interface Acceptor {
  readonly host: string;
  /** The real one, also when 0 was asked for. */
  readonly port: number;
  addChild(descriptor: AppDescriptor): void;
  removeChild(descriptor: AppDescriptor): void;
  /** New connections are refused; those that the children have live on. */
  stopAccepting(): void;
  /** Call last, after every child app was closed and its thread has ended (docs/ARCHITECTURE.md, "Shutdown"). */
  close(): void;
}

/**
 * Listens on host and port and deals connections out to `children`, at least one.
 *
 * Fails with StartError(1), in a plain sentence, when the port is taken, not permitted, or the host is not an address of this machine.
 */
export async function createAcceptor(
  host: string,
  port: number,
  children: readonly AppDescriptor[],
): Promise<Acceptor> {
  const uws = await loadUws();
  const app = uws.App();
  for (const child of children) app.addChildAppDescriptor(child);
  // Exclusive: with SO_REUSEPORT two programs would share the port and each get half of the connections.
  const listening = await new Promise<us_listen_socket | false>((resolve) => {
    app.listen(host, port, uws.LIBUS_LISTEN_EXCLUSIVE_PORT, resolve);
  });
  if (listening === false) {
    app.close();
    throw new StartError(await listenFault(host, port), 1);
  }
  let accepting = true;
  let closed = false;
  const stopAccepting = (): void => {
    if (accepting) uws.us_listen_socket_close(listening);
    accepting = false;
  };
  return {
    host,
    port: uws.us_socket_local_port(listening),
    addChild: (descriptor) => void app.addChildAppDescriptor(descriptor),
    removeChild: (descriptor) => void app.removeChildAppDescriptor(descriptor),
    stopAccepting,
    close() {
      if (closed) return;
      closed = true;
      stopAccepting();
      app.close();
    },
  };
}

/** uWebSockets.js says only that it failed; a listener of Node's own, tried in its place, says why. */
async function listenFault(host: string, port: number): Promise<string> {
  const place = `${host.includes(':') ? `[${host}]` : host}:${port}`;
  switch (await probe(host, port)) {
    case 'EADDRINUSE':
      return `cannot listen on ${place}: the port is taken by another program; choose another with --port, or 0 for a free one`;
    case 'EACCES':
      return `cannot listen on ${place}: not permitted for this user; choose a port from 1024 up with --port`;
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return `cannot listen on ${place}: the host is not an address of this machine; check --host`;
    default:
      return `cannot listen on ${place}: the system refused without a reason that could be found again`;
  }
}

function probe(host: string, port: number): Promise<string> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', (error: NodeJS.ErrnoException) => {
      resolve(error.code ?? '');
    });
    server.listen({ host, port, exclusive: true }, () => {
      server.close(() => {
        resolve('');
      });
    });
  });
}
