/** What a server did in a run and what that cost it; kept with the run, so that a cost for each event, match, delivery and connection can be fitted to several. */
export interface Work {
  readonly events: number;
  /** Filters that an event met, over all events; streams with the same filter are one. */
  readonly matches: number;
  /** Events times the streams that got them. */
  readonly deliveries: number;
  /** To sockets; one may carry several events. */
  readonly writes: number;
  readonly connections: number;
  readonly seconds: number;
  /** User and system time of the server, all its threads. */
  readonly cpuSeconds: number;
}
