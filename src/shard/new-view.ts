import type { ShardMessage, ViewGap } from '../contract/shard-messages.ts';
import type { GroupTable } from './group.ts';
import type { CatchUp } from './reading/catch-up.ts';
import type { Drain } from './reading/drain.ts';
import { type Cursor, copyCursor, cursorAt, cursorId, type Session } from './stream/session.ts';
import type { Sessions } from './stream/sessions.ts';
import type { WatchTable } from './watch.ts';

export type NewView = Extract<ShardMessage, { kind: 'resync' }>;

/** The parts of a shard that a new view touches. */
export interface ViewParts {
  readonly watch: WatchTable<Session>;
  readonly groups: GroupTable;
  readonly sessions: Sessions;
  readonly catchUp: CatchUp;
  readonly drain: Drain;
}

/**
 * A new view of the journal: every value anew, exact as of `at`, and the shard stands there.
 *
 * Without a gap (the shard was lapped) each stream reads on from where it was. With one (the router was overtaken, the journal replaced) each
 * says so and goes on where the view says.
 */
export function takeNewView(parts: ViewParts, view: NewView): void {
  const { watch, sessions, catchUp, drain } = parts;
  // First, while the position is still the old one: it is the cursor of every live stream.
  const leave = (session: Session): void => {
    leaveIndex(parts, session);
  };
  for (const session of sessions.byKey.values()) sessions.contain('resync', session, leave);
  catchUp.reset();
  drain.takeOver();
  copyCursor(cursorAt(view.at, view.at.offset), drain.position);
  watch.restart(view.values);
  const move = (session: Session): void => {
    if (session.cursor === null) return;
    catchUp.forget(session);
    if (view.gap === null) session.cursor.offset = -1;
    else moveWithGap(sessions, session, session.cursor, view.gap);
    if (session.state === 'catching-up' || session.state === 'deciding') catchUp.enqueue(session);
  };
  for (const session of sessions.byKey.values()) sessions.contain('resync', session, move);
}

function leaveIndex({ sessions, groups }: ViewParts, session: Session): void {
  if (session.state !== 'live') return;
  sessions.settleCursor(session);
  groups.leave(session);
  session.advance('behind');
}

function moveWithGap(sessions: Sessions, session: Session, cursor: Cursor, gap: ViewGap): void {
  const requested = cursorId(cursor);
  copyCursor(cursorAt(gap.resumeAfter), cursor);
  sessions.sayGap(session, { reason: gap.reason, requested, oldestAvailable: gap.oldestAvailable });
}
