/**
 * The life of one stream, as a total transition table.
 *
 *   joining ─answered─▶ catching-up ─caught-up─▶ live ─behind─▶ catching-up
 *   joining ─wait─▶ waiting ─answered─▶ catching-up
 *   joining ─answered-complete─▶ deciding ─owed─▶ catching-up, or 204 and closed when nothing is left
 *   live, catching-up ─blocked─▶ parked ─drained─▶ catching-up
 *   each of them ─ended, gone─▶ closed
 *
 * `parked` holds a cursor and nothing else: no bytes, no place in the index. `catching-up` is the same with a socket that has room; it waits for its
 * turn to read the window or for a block of history. Only `live` stands in the index.
 */
export type SessionState = 'joining' | 'waiting' | 'deciding' | 'catching-up' | 'parked' | 'live' | 'closed';

export type SessionEvent =
  /** The owner needs longer; the stream is opened meanwhile. */
  | 'wait'
  /** The owner's answer is here, and the stream is open. */
  | 'answered'
  /** The owner's answer is here, and it may be that nothing is left: nothing is sent before that is known. */
  | 'answered-complete'
  /** Something is owed after all, or the answer took too long. */
  | 'owed'
  /** A write was buffered: the socket owes us a drain. */
  | 'blocked'
  /** The socket has room again. */
  | 'drained'
  /** Everything up to the shard's drain position has been handed to the socket. */
  | 'caught-up'
  /** The position fell behind the shard's: lapped, or a new view of the journal. */
  | 'behind'
  /** Ended by us, in order or not. */
  | 'ended'
  /** The client has gone. */
  | 'gone';

type Row = Readonly<Record<SessionEvent, SessionState | null>>;

/** null: cannot happen; whoever causes it has a bug. */
export const sessionTransitions: Readonly<Record<SessionState, Row>> = {
  joining: {
    wait: 'waiting',
    answered: 'catching-up',
    'answered-complete': 'deciding',
    owed: null,
    blocked: null,
    drained: null,
    'caught-up': null,
    behind: null,
    ended: 'closed',
    gone: 'closed',
  },
  waiting: {
    wait: 'waiting',
    answered: 'catching-up',
    'answered-complete': null,
    owed: null,
    blocked: 'waiting',
    drained: 'waiting',
    'caught-up': null,
    behind: null,
    ended: 'closed',
    gone: 'closed',
  },
  deciding: {
    wait: null,
    answered: null,
    'answered-complete': null,
    owed: 'catching-up',
    blocked: null,
    drained: null,
    'caught-up': null,
    behind: 'deciding',
    ended: 'closed',
    gone: 'closed',
  },
  'catching-up': {
    wait: null,
    answered: null,
    'answered-complete': null,
    owed: null,
    blocked: 'parked',
    drained: 'catching-up',
    'caught-up': 'live',
    behind: 'catching-up',
    ended: 'closed',
    gone: 'closed',
  },
  parked: {
    wait: null,
    answered: null,
    'answered-complete': null,
    owed: null,
    blocked: 'parked',
    drained: 'catching-up',
    'caught-up': null,
    behind: 'parked',
    ended: 'closed',
    gone: 'closed',
  },
  live: {
    wait: null,
    answered: null,
    'answered-complete': null,
    owed: null,
    blocked: 'parked',
    drained: 'live',
    'caught-up': 'live',
    behind: 'catching-up',
    ended: 'closed',
    gone: 'closed',
  },
  closed: {
    wait: 'closed',
    answered: 'closed',
    'answered-complete': 'closed',
    owed: 'closed',
    blocked: 'closed',
    drained: 'closed',
    'caught-up': 'closed',
    behind: 'closed',
    ended: 'closed',
    gone: 'closed',
  },
};
