import test from 'ava';
import { InvariantError } from '../../src/core/assert.ts';
import { openFilter } from '../../src/core/filter.ts';
import { Group } from '../../src/shard/group.ts';
import { Session } from '../../src/shard/stream/session.ts';
import { type SessionEvent, type SessionState, sessionTransitions } from '../../src/shard/stream/session-state.ts';
import { FakeSocket } from '../support/fake-socket.ts';

const states = Object.keys(sessionTransitions) as SessionState[];
const events = Object.keys(sessionTransitions.joining) as SessionEvent[];

function sessionIn(state: SessionState): Session {
  const options = { keepOpen: false, controlEvents: true, deadlineMs: 1_000 };
  const session = new Session(1, new FakeSocket(), new Group(1, '', [], openFilter), options, 0);
  session.state = state;
  return session;
}

// A new state or event without a row would be undefined, and pass for "allowed".
test('the table has an answer for every state and event', (t) => {
  for (const state of states) {
    t.deepEqual(Object.keys(sessionTransitions[state]).sort(), [...events].sort(), state);
    for (const event of events) {
      const next = sessionTransitions[state][event];
      t.true(next === null || states.includes(next), `${state} ${event}`);
    }
  }
});

// The map of what may happen, written down apart from the code: a change of either has to be meant.
test('the moves between states are just these', (t) => {
  const moves = states.flatMap((state) =>
    events
      .filter((event) => ![null, state].includes(sessionTransitions[state][event]))
      .map((event) => `${state} ${event} ${sessionTransitions[state][event] ?? ''}`),
  );
  t.deepEqual(moves.sort(), [
    'catching-up blocked parked',
    'catching-up caught-up live',
    'catching-up ended closed',
    'catching-up gone closed',
    'deciding ended closed',
    'deciding gone closed',
    'deciding owed catching-up',
    'joining answered catching-up',
    'joining answered-complete deciding',
    'joining ended closed',
    'joining gone closed',
    'joining wait waiting',
    'live behind catching-up',
    'live blocked parked',
    'live ended closed',
    'live gone closed',
    'parked drained catching-up',
    'parked ended closed',
    'parked gone closed',
    'waiting answered catching-up',
    'waiting ended closed',
    'waiting gone closed',
  ]);
});

// A state from which a stream cannot end would leak its socket, its place in the index and the interest of its shard.
test('every state is reached from joining, and closed is reached from every state', (t) => {
  const reach = (from: SessionState): Set<SessionState> => {
    const reached = new Set<SessionState>([from]);
    for (const state of reached) {
      for (const event of events) {
        const next = sessionTransitions[state][event];
        if (next !== null) reached.add(next);
      }
    }
    return reached;
  };
  t.deepEqual([...reach('joining')].sort(), [...states].sort());
  for (const state of states) t.true(reach(state).has('closed'), state);
  t.deepEqual([...reach('closed')], ['closed'], 'closed is the end');
});

test('a legal event moves the session, an illegal one throws and leaves it where it was', (t) => {
  for (const state of states) {
    for (const event of events) {
      const session = sessionIn(state);
      const next = sessionTransitions[state][event];
      if (next === null) {
        t.throws(() => session.advance(event), { instanceOf: InvariantError }, `${state} ${event}`);
        t.is(session.state, state);
      } else {
        t.is(session.advance(event), next);
        t.is(session.state, next);
      }
    }
  }
});

// Whoever is not open has no head yet: a frame written to it would be the body of another status.
test('a session is open exactly when its head has been sent and its end has not', (t) => {
  const open = states.filter((state) => sessionIn(state).open);
  t.deepEqual(open.sort(), ['catching-up', 'live', 'parked', 'waiting']);
});
