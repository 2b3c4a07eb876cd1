import type { EndReason } from '../../contract/shard-observer.ts';
import { streamExecutionsMax } from '../../core/limits.ts';
import { controlFrame } from '../../wire/frame/sse-frame.ts';
import type { WatchTable } from '../watch.ts';
import { cursorId, type Session } from './session.ts';

/** What a client waits before it reconnects, unless it is told otherwise (WHATWG HTML 9.2.6 `retry`). */
const retryMs = 1_000;

/** The executions that a stream watches now, with their status; `streamExecutionsMax` at most. */
function executionsOf(session: Session, watch: WatchTable<Session>): { execution_id: string; status: string }[] {
  const listed: { execution_id: string; status: string }[] = [];
  for (const executionId of session.group.executionIds()) {
    if (listed.length === streamExecutionsMax) break;
    const entry = watch.execution(executionId);
    if (entry !== undefined) listed.push({ execution_id: executionId, status: entry.status });
  }
  return listed;
}

/** The first frame. It has no id when a gap follows, so that a cut between the two cannot swallow the gap. */
export function readyFrame(session: Session, watch: WatchTable<Session>): Buffer {
  const id = session.cursor === null || session.gap !== null ? null : cursorId(session.cursor);
  return controlFrame('ready', { last_event_id: id, executions: executionsOf(session, watch) }, id, retryMs);
}

/** Takes the session's gap and answers its frame; its id is the position from which the stream goes on. */
export function gapFrame(session: Session): Buffer {
  const { gap, cursor } = session;
  const id = cursor === null ? null : cursorId(cursor);
  return controlFrame(
    'gap',
    { requested: gap?.requested ?? null, oldest_available: gap?.oldestAvailable ?? null, reason: gap?.reason ?? null },
    id,
  );
}

/** The last frame: everything matching up to its id has been sent. */
export function doneFrame(
  session: Session,
  watch: WatchTable<Session>,
  reason: EndReason,
  reconnectMs: number | null,
): Buffer {
  const id = session.cursor === null ? null : cursorId(session.cursor);
  const data = { reason, executions: executionsOf(session, watch), last_event_id: id };
  return controlFrame('done', data, id, reconnectMs ?? undefined);
}
