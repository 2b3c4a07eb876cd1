import test from 'ava';
import type { Position, ShardTask } from '../../src/contract/shard-messages.ts';
import type { Clock } from '../../src/core/clock.ts';
import { shardGivenUpMs, shardPingMs, shardUnresponsiveMs } from '../../src/core/limits.ts';
import { Mailbox } from '../../src/dispatch/mailbox.ts';
import { Watchdog } from '../../src/dispatch/watchdog.ts';
import { FakeClock } from '../support/fake-clock.ts';

/** Two shards whose answers the test holds back, and a clock that it moves, with turns of the loop between. */
class Kennel {
  readonly fake = new FakeClock();
  /** What passed while the process was held: seen by whoever looks, without a timer having fired. */
  heldMs = 0;
  readonly clock: Clock = {
    wallMs: () => this.fake.wallMs(),
    monotonicMs: () => this.fake.monotonicMs() + this.heldMs,
    after: (delayMs, action) => this.fake.after(delayMs, action),
    every: (periodMs, action) => this.fake.every(periodMs, action),
    soon: (action) => {
      this.fake.soon(action);
    },
  };
  readonly tasks: ShardTask[][] = [[], []];
  readonly beats = [0, 0];
  readonly said: string[] = [];
  readonly stuck = [false, false];
  readonly #waiting: (() => void)[] = [];
  readonly mailboxes = [0, 1].map(
    (shard) =>
      new Mailbox({
        run: (task) => {
          this.tasks[shard]?.push(task);
          if (this.stuck[shard] !== true) return Promise.resolve({ kind: 'done' });
          return new Promise((resolve) => {
            this.#waiting.push(() => {
              resolve({ kind: 'done' });
            });
          });
        },
        head: () => ({ sequence: 0, offset: 0, id: '' }) as unknown as Position,
        clock: this.clock,
        onLost: () => undefined,
        onIdle: () => undefined,
      }),
  );
  readonly watchdog = new Watchdog({
    clock: this.clock,
    mailboxes: this.mailboxes,
    beats: (shard) => this.beats[shard] ?? 0,
    onResponsive: (shard, responsive) => {
      this.said.push(`${shard} ${responsive ? 'answers' : 'is silent'}`);
    },
    onGivenUp: (shard) => {
      this.said.push(`${shard} is given up`);
    },
  });

  pass(milliseconds: number): Promise<void> {
    return this.fake.pass(milliseconds);
  }

  answerAll(): void {
    this.stuck.fill(false);
    for (const answer of this.#waiting.splice(0)) answer();
  }
}

// A shard that nobody wants anything of is stuck as well, and its sockets with it.
test('each shard is asked although there is nothing to do, and one that answers is left alone', async (t) => {
  const kennel = new Kennel();
  await kennel.pass(10_000);
  t.deepEqual(kennel.said, []);
  t.true((kennel.tasks[0]?.length ?? 0) >= 10_000 / shardPingMs - 2);
  t.true(kennel.tasks.flat().every(({ messages, drain }) => messages.length === 0 && drain === null));
});

test('a shard that stops is told as silent, then given up within 5 s, once; the other one is not', async (t) => {
  const kennel = new Kennel();
  await kennel.pass(1_000);
  kennel.stuck[1] = true;
  await kennel.pass(shardUnresponsiveMs + 2 * shardPingMs);
  t.deepEqual(kennel.said, ['1 is silent']);
  t.deepEqual(
    [0, 1].map((shard) => kennel.watchdog.responsive(shard)),
    [true, false],
  );
  await kennel.pass(shardGivenUpMs - shardUnresponsiveMs);
  t.deepEqual(kennel.said, ['1 is silent', '1 is given up']);
  t.deepEqual(
    [0, 1].map((shard) => kennel.watchdog.hopeless(shard)),
    [false, true],
  );
  kennel.answerAll();
  await kennel.pass(10_000);
  t.is(kennel.said.length, 2, 'what it does later is too late');
});

test('a shard that answers again before that is told so, and may fall silent once more', async (t) => {
  const kennel = new Kennel();
  for (let round = 0; round < 2; round += 1) {
    kennel.stuck[0] = true;
    await kennel.pass(shardUnresponsiveMs + 2 * shardPingMs);
    kennel.answerAll();
    await kennel.pass(2 * shardPingMs);
  }
  t.deepEqual(kennel.said, ['0 is silent', '0 answers', '0 is silent', '0 answers']);
});

// A catch-up after a storm is a long task, and killing the process for it would begin the storm anew.
test('a shard in a long task that goes on is not silent', async (t) => {
  const kennel = new Kennel();
  kennel.stuck[0] = true;
  for (let second = 0; second < 20; second += 1) {
    await kennel.pass(1_000);
    kennel.beats[0] = second + 1;
  }
  t.deepEqual(kennel.said, []);
});

// A process that was stopped (a debugger, a paused machine) comes back with its timers first: no shard has had the time to answer.
test('time in which the main thread itself was held is not held against a shard', async (t) => {
  const kennel = new Kennel();
  await kennel.pass(1_000);
  kennel.stuck[0] = true;
  await kennel.pass(shardPingMs);
  kennel.heldMs = 60_000;
  await kennel.pass(2 * shardPingMs);
  t.deepEqual(kennel.said, []);
});
