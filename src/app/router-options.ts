import type { ControlAnswer } from '../contract/control.ts';
import type { EdgeSettings } from '../contract/edge-settings.ts';
import type { Log, LogSettings } from '../observe/log.ts';

/** What a router is started with. Sizes in bytes. */
export interface RouterOptions {
  /** `host:port` of the bus. */
  readonly busAddress: string;
  readonly host: string;
  /** 0 picks a free one. */
  readonly port: number;
  readonly shards: number;
  readonly windowBytes: number;
  /** Open streams over all shards. */
  readonly connections: number;
  /** Open streams of one client address; 0 is no limit. */
  readonly connectionsPerAddress: number;
  /** Events and changes a second over HTTP; 0 is no limit. */
  readonly publishRate: number;
  /** For `/healthz`, where the bus is a thread of the same process. */
  readonly busResponsive?: () => boolean;
  readonly edge: EdgeSettings;
  readonly log: Log;
  /** For the threads, which make their own. */
  readonly logSettings: LogSettings;
}

/** A router that serves. */
export interface RunningRouter {
  readonly httpPort: number;
  /** Alive, and if not, which thread is silent. */
  health(): Extract<ControlAnswer, { kind: 'health' }>;
  /**
   * Stops accepting, ends every stream with `done` and `shutdown`, closes the threads in order. Resolves when the port is closed. Rejects with a
   * StuckThreadError, everything else closed, when a thread does not come back.
   */
  stop(): Promise<void>;
  /** Settles when the router cannot go on; never rejects. */
  readonly failed: Promise<Error>;
  /** The metrics of all its threads in the text format of Prometheus. */
  metrics(): Promise<string>;
}
