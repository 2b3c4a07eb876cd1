import type { Source } from '../feed.ts';

/** A server that others would use for this job, as the fan-out sees it: streams on one side, an event to publish on the other. */
export interface Peer {
  readonly name: string;
  /** What its publish answer means. Only Rivulet's says that the event is on the disk. */
  readonly answerMeans: 'durable' | 'in memory';
  /** What to install, or null when it is here. */
  missing(): string | null;
  /** All its processes on the server's core; but what Rivulet has as its bus is on the other, as in every path bench. */
  start(directory: string): Promise<RunningPeer>;
}

export interface RunningPeer {
  readonly version: string;
  readonly port: number;
  /** Path and query of a stream. */
  readonly target: string;
  readonly readyBy: 'frame' | 'comment';
  /** A new run: its events go to whoever then has `target` open. */
  source(events: number): Source;
  /** User and system time of all processes on the server's core. */
  cpuSeconds(): number;
  stop(): Promise<void>;
}
