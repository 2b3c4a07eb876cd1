import type { StreamEvents } from '../../contract/stream.ts';
import type { Session } from './session.ts';

export interface OnSocket {
  readonly writable: (session: Session) => void;
  readonly closed: (session: Session) => void;
}

/** What a socket reports, with the session that it is of: two fields a stream, where two closures would be four times as much. */
export class SocketEvents implements StreamEvents {
  readonly #session: Session;
  readonly #told: OnSocket;

  constructor(session: Session, told: OnSocket) {
    this.#session = session;
    this.#told = told;
  }

  onWritable(): void {
    this.#told.writable(this.#session);
  }

  onClosed(): void {
    this.#told.closed(this.#session);
  }
}
