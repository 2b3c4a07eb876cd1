import { heartbeatMs, parkedNudgeMs, stalledCloseMs, unsureBytesMax } from '../../core/limits.ts';

/**
 * The one policy for slow clients. What a write said is noted here (`note`), what is due is decided here (`slowClientStep`); nobody else looks at a clock
 * for the sake of a socket.
 *
 * *Blocked*: bytes of ours wait in the process. The session is parked, and has `stalledCloseMs` to make progress.
 * *Progress*: everything that waited has gone to the kernel. Two things say so: `writable`, which Linux reports only once a third of the socket's buffer (up to
 * 4 MB) is free, and a nudge that comes back flushed, which needs no more room than what waits (20 KiB). A client of 20 KB/s shows the first after
 * about 60 s and the second every 4 to 8 s, so it is the nudge that keeps it from being cut.
 * *Owed*: the socket has yet to report `writable`. Until then uWebSockets.js's own clock of 10 s runs, blocked or not, and each nudge sets it back.
 * *Unsure*: a write may say flushed although it just filled the kernel's buffer and stayed behind; then that clock runs and nobody knows. The
 * next write would tell; where none comes, a heartbeat asks, and its answer is certain. It asks early only behind `unsureBytesMax`: a quiet stream
 * has its heartbeat after 15 s of silence, and what fills a buffer is not a few events.
 */
export interface SocketFacts {
  lastWriteMs: number;
  /** Bytes whose writes said flushed since the last answer that can be relied upon. */
  unsureBytes: number;
  /** Since when bytes have waited without progress; 0 while none do. */
  blockedSinceMs: number;
  /** The socket has not reported `writable` since a write was buffered. */
  owed: boolean;
  /** The last time that uWebSockets.js's clock was set back, or was started. */
  nudgedMs: number;
}

export type SocketNews =
  /** A write was taken whole, as far as can be seen. */
  | 'flushed'
  /** A heartbeat or nudge was: nothing waits. */
  | 'certainly-flushed'
  /** Bytes wait in the process. */
  | 'buffered'
  /** The socket has room. Whoever is told writes next. */
  | 'writable';

/** Keeps the facts; `bytes`: of the write. Nothing is allocated: it runs once a member and batch. */
export function note(facts: SocketFacts, news: SocketNews, nowMs: number, bytes = 0): void {
  if (news === 'writable') {
    facts.owed = false;
    facts.blockedSinceMs = 0;
    return;
  }
  facts.lastWriteMs = nowMs;
  facts.unsureBytes = news === 'flushed' ? facts.unsureBytes + bytes : 0;
  if (news !== 'buffered') {
    facts.blockedSinceMs = 0;
    return;
  }
  // More bytes behind those that wait are no progress.
  if (facts.blockedSinceMs === 0) facts.blockedSinceMs = nowMs;
  if (!facts.owed) facts.nudgedMs = nowMs;
  facts.owed = true;
}

export type SlowClientStep = 'nothing' | 'heartbeat' | 'nudge' | 'close';

/** What is due for a socket. Pure; asked of every open stream at `slowClientDueMs`, and every `parkedNudgeMs` at least. */
export function slowClientStep(facts: Readonly<SocketFacts>, nowMs: number): SlowClientStep {
  if (facts.blockedSinceMs > 0 && nowMs - facts.blockedSinceMs >= stalledCloseMs) return 'close';
  if (facts.owed) return nowMs - facts.nudgedMs >= parkedNudgeMs ? 'nudge' : 'nothing';
  return nowMs - facts.lastWriteMs >= silenceMs(facts) ? 'heartbeat' : 'nothing';
}

/**
 * The time from which `slowClientStep` answers something else than `nothing`, if nothing is noted in the meantime.
 *
 * What is noted may bring it nearer (bytes were buffered, or are unsure now), but never to less than `parkedNudgeMs` after that.
 */
export function slowClientDueMs(facts: Readonly<SocketFacts>): number {
  const closeMs = facts.blockedSinceMs > 0 ? facts.blockedSinceMs + stalledCloseMs : Number.POSITIVE_INFINITY;
  if (facts.owed) return Math.min(closeMs, facts.nudgedMs + parkedNudgeMs);
  return Math.min(closeMs, facts.lastWriteMs + silenceMs(facts));
}

function silenceMs(facts: Readonly<SocketFacts>): number {
  return facts.unsureBytes > unsureBytesMax ? parkedNudgeMs : heartbeatMs;
}
