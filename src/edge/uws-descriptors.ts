import type { us_listen_socket } from 'uWebSockets.js';

/**
 * What uws-pack's types leave out. A descriptor is a native handle (a number that stands for a pointer): it may cross to another
 * thread of this process and means nothing outside it.
 *
 * `listen` takes options between port and callback (measured: a second exclusive listener on the port is told `false`).
 */
export type AppDescriptor = number;

declare module 'uWebSockets.js' {
  /** Without it a listen socket shares its port (SO_REUSEPORT) with any other program that asks. */
  const LIBUS_LISTEN_EXCLUSIVE_PORT: number;

  interface TemplatedApp {
    /** The handle by which an acceptor in another thread hands connections to this app. */
    getDescriptor(): AppDescriptor;
    /** Connections accepted from now on go round-robin over the child apps, none to this one. */
    addChildAppDescriptor(descriptor: AppDescriptor): TemplatedApp;
    removeChildAppDescriptor(descriptor: AppDescriptor): TemplatedApp;
    listen(
      host: string,
      port: number,
      options: number,
      done: (listening: us_listen_socket | false) => void,
    ): TemplatedApp;
  }
}
