import { unreachable } from '../../core/assert.ts';
import { parkedNudgeMs, verifyWaitMs } from '../../core/limits.ts';
import type { Session } from './session.ts';
import type { Sessions } from './sessions.ts';
import { slowClientDueMs, slowClientStep } from './slow-client.ts';

/**
 * Four times a second: time-outs, and what the policy for slow clients says is due, of the sessions whose turn it is on the wheel, in place of a timer
 * for each.
 *
 * A look at a session every `parkedNudgeMs` is enough to miss nothing: whatever happens to a stream in between makes nothing due sooner than that
 * after it happened, so nobody who writes to one has to tell the wheel.
 * Cost: of 10,000 quiet sessions about 630 looks a tick, each a few comparisons.
 *
 * @param resumed a parked session has room again, and reads on
 */
export function sweep(sessions: Sessions, nowMs: number, resumed: (session: Session) => void): void {
  const step = (session: Session): void => {
    sweepOne(sessions, session, nowMs, resumed);
  };
  const { wheel } = sessions;
  wheel.advance(nowMs, (session) => {
    sessions.contain('sweep', session, step);
    if (session.state !== 'closed') wheel.put(session, lookMs(session, nowMs));
  });
}

function lookMs(session: Session, nowMs: number): number {
  // Whatever the owner answers, something may be due at once. Nobody stays so for long.
  if (session.state === 'joining') return nowMs;
  if (session.state === 'deciding') return session.lastWriteMs + verifyWaitMs;
  return Math.min(session.deadlineMs, slowClientDueMs(session), nowMs + parkedNudgeMs);
}

function sweepOne(sessions: Sessions, session: Session, nowMs: number, resumed: (session: Session) => void): void {
  if (session.state === 'joining') return;
  if (session.state === 'deciding') {
    // Nothing has been sent; a bus that is away must not keep the client without an answer.
    if (nowMs - session.lastWriteMs >= verifyWaitMs) sessions.begin(session, 'owed');
    return;
  }
  if (nowMs >= session.deadlineMs) {
    sessions.end(session, 'timeout');
    return;
  }
  const step = slowClientStep(session, nowMs);
  switch (step) {
    case 'nothing':
      return;
    case 'heartbeat':
      sessions.heartbeat(session);
      return;
    case 'nudge':
      if (sessions.nudge(session)) resumed(session);
      return;
    case 'close':
      sessions.disconnect(session, 'stalled');
      return;
    default:
      unreachable(step);
  }
}
