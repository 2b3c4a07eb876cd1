import type { us_listen_socket } from 'uWebSockets.js';
import { type AddressInfo, createServer } from 'node:net';
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
 * uSockets' default: SO_REUSEADDR and SO_REUSEPORT. Its exclusive mode has neither, and then the connections that a killed process leaves behind keep its
 * port from its successor for a minute. That nobody else listens there is asked before: two programs would each get half of the connections.
 */
const listenShared = 0;

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
  const free = await probe(host, port);
  const listening = await new Promise<us_listen_socket | false>((resolve) => {
    if (free.kind === 'free') app.listen(host, free.port, listenShared, resolve);
    else resolve(false);
  });
  if (listening === false) {
    app.close();
    throw new StartError(listenFault(host, port, free), 1);
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

type Probe = { readonly kind: 'free'; readonly port: number } | { readonly kind: 'refused'; readonly code: string };

/** uWebSockets.js says only that it failed; a listener of Node's own, tried before it, says why. */
function listenFault(host: string, port: number, probed: Probe): string {
  const place = `${host.includes(':') ? `[${host}]` : host}:${port}`;
  switch (probed.kind === 'refused' ? probed.code : '') {
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

/** Whether nobody listens there, and for port 0 which one is free. Connections that linger from a predecessor do not count. */
function probe(host: string, port: number): Promise<Probe> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', (error: NodeJS.ErrnoException) => {
      resolve({ kind: 'refused', code: error.code ?? '' });
    });
    server.listen({ host, port, exclusive: true }, () => {
      const free = (server.address() as AddressInfo).port;
      server.close(() => {
        resolve({ kind: 'free', port: free });
      });
    });
  });
}
