import test from 'ava';
import { BusWatchdog } from '../../src/app/supervision/bus-watchdog.ts';
import { shardGivenUpMs, shardPingMs, shardUnresponsiveMs } from '../../src/core/limits.ts';
import { FakeClock } from '../support/fake-clock.ts';

interface Watched {
  readonly clock: FakeClock;
  readonly told: string[];
  readonly watchdog: BusWatchdog;
  answers: boolean;
  asked: number;
}

function watch(): Watched {
  const clock = new FakeClock();
  const told: string[] = [];
  const watchdog = new BusWatchdog({
    clock,
    ask: () => {
      watched.asked += 1;
      if (watched.answers) watchdog.answered();
    },
    onResponsive: (responsive) => told.push(responsive ? 'answers' : 'silent'),
    onGivenUp: () => told.push('given up'),
  });
  const watched: Watched = { clock, told, watchdog, answers: true, asked: 0 };
  return watched;
}

test('a thread that answers is never told of; one that stops is silent after 3 s and given up within 5, once', (t) => {
  const watched = watch();
  const { clock, told, watchdog } = watched;
  clock.advance(60_000);
  t.deepEqual([told, watchdog.responsive], [[], true]);
  watched.answers = false;
  const asked = watched.asked;
  clock.advance(shardUnresponsiveMs);
  t.deepEqual(told, []);
  clock.advance(shardPingMs);
  t.deepEqual([told, watchdog.responsive], [['silent'], false]);
  clock.advance(shardGivenUpMs - shardUnresponsiveMs);
  t.deepEqual(told, ['silent', 'given up']);
  clock.advance(60_000);
  t.deepEqual(told, ['silent', 'given up']);
  t.is(watched.asked, asked + 1, 'nothing piles up');
  t.is(clock.pending, 0);
});

test('a thread that answers late is told of again, and its silence begins anew', (t) => {
  const watched = watch();
  const { clock, told, watchdog } = watched;
  watched.answers = false;
  clock.advance(shardUnresponsiveMs + shardPingMs);
  watched.answers = true;
  watchdog.answered();
  clock.advance(60_000);
  t.deepEqual(told, ['silent', 'answers']);
});
