import test from 'ava';
import { heartbeatMs, parkedNudgeMs, stalledCloseMs, unsureBytesMax } from '../../src/core/limits.ts';
import {
  note,
  type SlowClientStep,
  type SocketFacts,
  type SocketNews,
  slowClientDueMs,
  slowClientStep,
} from '../../src/shard/stream/slow-client.ts';

const startMs = 1_000_000;

function facts(more: Partial<SocketFacts> = {}): SocketFacts {
  return { lastWriteMs: startMs, unsureBytes: 0, blockedSinceMs: 0, owed: false, nudgedMs: 0, ...more };
}

const nudge = parkedNudgeMs;
const blocked: Partial<SocketFacts> = { blockedSinceMs: startMs, owed: true, nudgedMs: startMs };
const owed: Partial<SocketFacts> = { owed: true, nudgedMs: startMs };

// What is due, and one millisecond before it is.
const table: readonly [string, Partial<SocketFacts>, number, SlowClientStep, SlowClientStep][] = [
  ['silence after a certain answer', {}, heartbeatMs, 'nothing', 'heartbeat'],
  [
    'silence after writes that may have stayed behind',
    { unsureBytes: unsureBytesMax + 1 },
    nudge,
    'nothing',
    'heartbeat',
  ],
  ['silence after a few events', { unsureBytes: unsureBytesMax }, heartbeatMs, 'nothing', 'heartbeat'],
  ['blocked', blocked, nudge, 'nothing', 'nudge'],
  ['blocked and nudged since', { ...blocked, nudgedMs: startMs + 8_000 }, 8_000 + nudge, 'nothing', 'nudge'],
  ['blocked for 60 s', { ...blocked, nudgedMs: startMs + 57_000 }, stalledCloseMs, 'nothing', 'close'],
  ['blocked for 60 s, and a nudge is due too', blocked, stalledCloseMs, 'nudge', 'close'],
  ['room again, but not reported', owed, nudge, 'nothing', 'nudge'],
  [
    'the same in a silence: the nudge is a heartbeat',
    { ...owed, nudgedMs: startMs + 15_000 },
    19_000,
    'nothing',
    'nudge',
  ],
  ['never closed for silence alone', { lastWriteMs: startMs - 3_600_000 }, 0, 'heartbeat', 'heartbeat'],
];

for (const [name, given, afterMs, before, due] of table) {
  test(`due: ${name}`, (t) => {
    t.is(slowClientStep(facts(given), startMs + afterMs - 1), before);
    t.is(slowClientStep(facts(given), startMs + afterMs), due);
    if (before === 'nothing') t.is(slowClientDueMs(facts(given)), startMs + afterMs);
  });
}

test('a first buffered write starts both clocks, more of them behind it neither', (t) => {
  const socket = facts();
  note(socket, 'buffered', startMs + 10);
  t.like(socket, { blockedSinceMs: startMs + 10, owed: true, nudgedMs: startMs + 10, unsureBytes: 0 });
  note(socket, 'buffered', startMs + 30_000);
  t.like(socket, { blockedSinceMs: startMs + 10, nudgedMs: startMs + 10 }, 'what is put behind it is no progress');
});

test('bytes that said flushed add up until an answer is certain', (t) => {
  const socket = facts();
  note(socket, 'flushed', startMs + 1, 10_000);
  note(socket, 'flushed', startMs + 2, 10_000);
  t.is(socket.unsureBytes, 20_000);
  note(socket, 'certainly-flushed', startMs + 3);
  t.is(socket.unsureBytes, 0);
  note(socket, 'flushed', startMs + 4, 330);
  t.is(slowClientStep(socket, startMs + 4 + heartbeatMs - 1), 'nothing');
});

test('what counts as progress: a writable, and a nudge that is flushed; after that one the writable is still owed', (t) => {
  for (const [news, stillOwed] of [
    ['writable', false],
    ['certainly-flushed', true],
    ['flushed', true],
  ] as const) {
    const socket = facts(blocked);
    note(socket, news, startMs + 59_000);
    t.like(socket, { blockedSinceMs: 0, owed: stillOwed }, news);
    note(socket, 'buffered', startMs + 59_001);
    t.is(socket.blockedSinceMs, startMs + 59_001, 'the 60 s begin anew');
  }
});

// Every order of news of length five: whoever is blocked has 60 s from the first buffered write since the last progress, and an owed socket is never left alone.
test('over every sequence of news the clocks say what a plain reading of the list says', (t) => {
  const all: readonly SocketNews[] = ['flushed', 'certainly-flushed', 'buffered', 'writable'];
  let sequences = 0;
  const walk = (list: readonly SocketNews[]): void => {
    if (list.length === 5) {
      sequences += 1;
      const socket = facts();
      list.forEach((news, index) => {
        note(socket, news, startMs + index);
      });
      const lastProgress = list.findLastIndex((news) => news !== 'buffered');
      const isBlocked = list.at(-1) === 'buffered';
      t.is(socket.blockedSinceMs, isBlocked ? startMs + lastProgress + 1 : 0, list.join(' '));
      const lastBuffered = list.lastIndexOf('buffered');
      t.is(socket.owed, lastBuffered >= 0 && list.indexOf('writable', lastBuffered) < 0, list.join(' '));
      if (socket.owed) t.is(slowClientStep(socket, socket.nudgedMs + nudge), 'nudge');
      return;
    }
    for (const news of all) walk([...list, news]);
  };
  walk([]);
  t.is(sequences, 1_024);
});

// The wheel looks at a stream when something is due, and every 4 s; nobody tells it of a write. So no write may make anything due sooner than in 4 s.
test('over every sequence of news the due time is exact, and what is noted never brings it nearer than 4 s', (t) => {
  const all: readonly SocketNews[] = ['flushed', 'certainly-flushed', 'buffered', 'writable'];
  const waits = [0, 1, nudge - 1, nudge, heartbeatMs - 1, stalledCloseMs];
  let steps = 0;
  const walk = (socket: SocketFacts, nowMs: number, depth: number): void => {
    const dueMs = slowClientDueMs(socket);
    t.is(slowClientStep(socket, dueMs - 1), 'nothing');
    t.not(slowClientStep(socket, dueMs), 'nothing');
    if (depth === 0) return;
    for (const news of all) {
      for (const wait of waits) {
        const next = { ...socket };
        const noteMs = nowMs + wait;
        note(next, news, noteMs, unsureBytesMax);
        steps += 1;
        if (slowClientDueMs(next) < Math.min(dueMs, noteMs + nudge)) t.fail(`${news} at ${noteMs}`);
        walk(next, noteMs, depth - 1);
      }
    }
  };
  walk(facts(), startMs, 3);
  t.is(steps, 24 + 24 ** 2 + 24 ** 3);
});
