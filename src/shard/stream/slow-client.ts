import {
  heartbeatMs,
  parkedNudgeMs,
  sessionProbeBytesMax,
  sessionWriteBytesMax,
  stalledCloseMs,
} from '../../core/limits.ts';

/**
 * The one policy for slow clients. What a write said is noted here (`note`), what is due is decided here (`slowClientStep`); nobody else looks at a clock
 * for the sake of a socket.
 *
 * *Blocked*: bytes of ours wait in the process. The session is parked, and has `stalledCloseMs` to make progress.
 * *Progress*: everything that waited has gone to the kernel. Two things say so: `writable`, which Linux reports only once a third of the socket's buffer (up to
 * 4 MB) is free, and a nudge that comes back flushed, which needs no more room than what waits (48 KiB). A client of 20 KB/s shows the first after
 * about 60 s and the second every 4 to 8 s, so it is the nudge that keeps it from being cut.
 * *Owed*: the socket has yet to report `writable`. Until then uWebSockets.js's own clock of 10 s runs, blocked or not, and each nudge sets it back.
 * *Certain*: a write may say flushed although it just filled the kernel's buffer and stayed behind; then that clock runs and nobody knows. The
 * next write would tell; where none comes, a heartbeat asks, and its answer is certain.
 */
export interface SocketFacts {
  lastWriteMs: number;
  /** The answer to the last write can be relied upon. */
  certain: boolean;
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

/** Keeps the facts. Nothing is allocated: it runs once a member and batch. */
export function note(facts: SocketFacts, news: SocketNews, nowMs: number): void {
  if (news === 'writable') {
    facts.owed = false;
    facts.blockedSinceMs = 0;
    return;
  }
  facts.lastWriteMs = nowMs;
  facts.certain = news !== 'flushed';
  if (news !== 'buffered') {
    facts.blockedSinceMs = 0;
    return;
  }
  // More bytes behind those that wait are no progress.
  if (facts.blockedSinceMs === 0) facts.blockedSinceMs = nowMs;
  if (!facts.owed) facts.nudgedMs = nowMs;
  facts.owed = true;
}

/** How much the next write may hold: little while it may be the one that stays behind until the client is closed. */
export function writeBytesMax(facts: Readonly<SocketFacts>): number {
  return facts.owed ? sessionProbeBytesMax : sessionWriteBytesMax;
}

export type SlowClientStep = 'nothing' | 'heartbeat' | 'nudge' | 'close';

/** What is due for a socket. Pure; asked of every open stream four times a second. */
export function slowClientStep(facts: Readonly<SocketFacts>, nowMs: number): SlowClientStep {
  if (facts.blockedSinceMs > 0 && nowMs - facts.blockedSinceMs >= stalledCloseMs) return 'close';
  if (facts.owed) return nowMs - facts.nudgedMs >= parkedNudgeMs ? 'nudge' : 'nothing';
  const silenceMs = facts.certain ? heartbeatMs : parkedNudgeMs;
  return nowMs - facts.lastWriteMs >= silenceMs ? 'heartbeat' : 'nothing';
}
