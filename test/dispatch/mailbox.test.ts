import test from 'ava';
import type { Joined, Position, ShardReply, ShardTask } from '../../src/contract/shard-messages.ts';
import type { WindowMark } from '../../src/contract/window.ts';
import type { Sequence } from '../../src/core/sequence.ts';
import { Mailbox } from '../../src/dispatch/mailbox.ts';
import { FakeClock, settled } from '../support/fake-clock.ts';
import { testId } from '../support/record-batch.ts';
import { type Random, seeded } from '../support/seed.ts';

const recordBytes = 100;

function markAt(sequence: number): WindowMark {
  return { sequence: sequence as Sequence, offset: sequence * recordBytes };
}

class Broken extends Error {
  override readonly name = 'Broken';
}

/** A mailbox over a window that only counts, and a thread that finishes its task when the test says so. */
class Post {
  readonly clock = new FakeClock();
  readonly tasks: ShardTask[] = [];
  readonly faults: unknown[] = [];
  idles = 0;
  newest = 0;
  readonly mailbox: Mailbox;
  #finish: { readonly done: (reply: ShardReply) => void; readonly failed: (fault: Error) => void } | null = null;

  constructor() {
    this.mailbox = new Mailbox({
      run: (task) => {
        this.tasks.push(task);
        if (this.#finish !== null) throw new Broken('two tasks are outstanding');
        return new Promise((done, failed) => {
          this.#finish = { done, failed };
        });
      },
      head: () => this.head(),
      clock: this.clock,
      onLost: (fault) => {
        this.faults.push(fault);
      },
      onIdle: () => {
        this.idles += 1;
      },
    });
  }

  get busy(): boolean {
    return this.#finish !== null;
  }

  head(): Position {
    return { ...markAt(this.newest), id: testId(this.newest) };
  }

  /** Appends a batch; true for each record that the shard watches. */
  append(...interesting: readonly boolean[]): void {
    for (const one of interesting) {
      const before = markAt(this.newest);
      this.newest += 1;
      if (one) this.mailbox.interest(before);
    }
    this.mailbox.flush();
  }

  async finish(fault: Error | null = null): Promise<void> {
    const finish = this.#finish;
    this.#finish = null;
    if (fault === null) finish?.done({ kind: 'done' });
    else finish?.failed(fault);
    await settled();
  }
}

const answer: Omit<Joined, 'kind' | 'from' | 'at'> = {
  session: 1,
  values: [],
  start: { sequence: 0 as Sequence, id: testId(0) },
  gap: null,
  fromEarliest: false,
  mayBeComplete: false,
  mayBeCompletePlain: false,
};

test('one task is outstanding; what arrives meanwhile is one task, messages in order and one drain to the head', async (t) => {
  const post = new Post();
  post.append(true);
  t.is(post.tasks.length, 1);
  post.mailbox.post({ kind: 'wait', session: 1 });
  post.append(false, true, true);
  post.mailbox.post({ kind: 'wait', session: 2 });
  post.append(true, false);
  t.is(post.tasks.length, 1);
  t.is(post.mailbox.depth, 2);
  await post.finish();
  t.is(post.tasks.length, 2);
  const task = post.tasks[1];
  t.deepEqual(task?.messages, [
    { kind: 'wait', session: 1 },
    { kind: 'wait', session: 2 },
  ]);
  t.deepEqual(task?.drain, { from: markAt(2), to: post.head() }, 'from just before the first record of interest');
  await post.finish();
  t.is(post.tasks.length, 2, 'nothing is left to say');
  t.is(post.idles, 2);
});

test('records of no interest wake nobody', async (t) => {
  const post = new Post();
  post.append(false, false);
  await settled();
  t.deepEqual(post.tasks, []);
  t.is(post.mailbox.outstandingTask, null);
});

// The answer is exact as of the head; were its own drain left to the end of the task, it would be applied before records that it already knows of.
test("a join's answer takes the waiting drain along, and the next drain begins behind it", async (t) => {
  const post = new Post();
  post.mailbox.post({ kind: 'wait', session: 1 });
  post.append(false, true);
  post.mailbox.postJoined(answer);
  const joinedAt = post.head();
  post.append(true);
  await post.finish();
  const task = post.tasks[1];
  t.like(task?.messages[0], { kind: 'joined', from: markAt(1), at: joinedAt });
  t.deepEqual(task?.drain, { from: markAt(2), to: post.head() });
  await post.finish();
  post.mailbox.postJoined(answer);
  t.like(
    post.tasks[2]?.messages[0],
    { from: markAt(3), at: post.head() },
    'nothing waits: it is read from its own place on',
  );
});

test('what a shard still has to read counts from the task that it handles', async (t) => {
  const post = new Post();
  t.is(post.mailbox.pendingOffset, null);
  post.append(false, true);
  post.append(true);
  t.is(post.mailbox.pendingOffset, recordBytes);
  await post.finish();
  t.is(post.mailbox.pendingOffset, 2 * recordBytes);
  await post.finish();
  t.is(post.mailbox.pendingOffset, null);
});

// Flow control looks at it: a shard that is busy with the drain of a join's answer is behind as much as any other.
test('the drain of a join that waits or is handled counts as pending too', async (t) => {
  const post = new Post();
  post.mailbox.post({ kind: 'wait', session: 1 });
  post.append(false, true);
  post.mailbox.postJoined(answer);
  t.is(post.mailbox.pendingOffset, recordBytes);
  post.append(true);
  await post.finish();
  t.is(post.mailbox.pendingOffset, recordBytes);
  await post.finish();
  t.is(post.mailbox.pendingOffset, null);
});

// Without this a router whose thread has died would hand it tasks for ever, and its streams would hang.
test('a task that fails means a lost thread: said once, and nothing is handed over after it', async (t) => {
  const post = new Post();
  post.mailbox.post({ kind: 'wait', session: 1 });
  post.mailbox.post({ kind: 'wait', session: 2 });
  await post.finish(new Broken('thread'));
  post.mailbox.post({ kind: 'wait', session: 3 });
  await post.finish();
  t.is(post.faults.length, 1);
  t.is(post.tasks.length, 1);
});

test('closed, a mailbox takes nothing more', async (t) => {
  const post = new Post();
  post.mailbox.post({ kind: 'wait', session: 1 });
  post.mailbox.close();
  post.mailbox.post({ kind: 'wait', session: 2 });
  await post.finish();
  t.is(post.tasks.length, 1);
});

test('the time that a task waited is that of the oldest thing in it', async (t) => {
  const post = new Post();
  post.mailbox.post({ kind: 'wait', session: 1 });
  post.clock.advance(5);
  const sinceMs = post.clock.monotonicMs();
  post.append(true);
  post.clock.advance(5);
  post.mailbox.post({ kind: 'wait', session: 2 });
  await post.finish();
  t.is(post.tasks[1]?.postedMs, sinceMs);
});

/** A shard at its simplest: one position, that never is above the position of the message it handles. */
class ModelShard {
  position = 0;
  /** Records of interest that it has read. */
  readonly read: number[] = [];
  readonly skipped = new Set<number>();
  readonly #interesting: ReadonlySet<number>;

  constructor(interesting: ReadonlySet<number>) {
    this.#interesting = interesting;
  }

  /** What is wrong with the task; null when nothing is. */
  handle(task: ShardTask): string | null {
    for (const message of task.messages) {
      if (message.kind === 'resync') {
        if (this.position > message.at.sequence) return 'a new view from the past';
        for (let record = this.position + 1; record <= message.at.sequence; record += 1) this.skipped.add(record);
        this.position = message.at.sequence;
      }
      if (message.kind !== 'joined') continue;
      const fault = this.#drain(message.from.sequence, message.at.sequence);
      if (fault !== null) return fault;
    }
    return task.drain === null ? null : this.#drain(task.drain.from.sequence, task.drain.to.sequence);
  }

  #drain(from: number, to: number): string | null {
    if (this.position > to) return `it stands at ${this.position}, above ${to}`;
    for (let record = this.position + 1; record <= from; record += 1) {
      if (this.#interesting.has(record)) return `record ${record} would be slept through`;
    }
    for (let record = Math.max(this.position, from) + 1; record <= to; record += 1) {
      if (this.#interesting.has(record)) this.read.push(record);
    }
    this.position = to;
    return null;
  }
}

async function randomStep(random: Random, post: Post, interesting: Set<number>): Promise<void> {
  switch (random.below(6)) {
    case 0:
    case 1: {
      const batch = Array.from({ length: 1 + random.below(4) }, () => random.oneIn(3));
      for (const [index, one] of batch.entries()) if (one) interesting.add(post.newest + 1 + index);
      post.append(...batch);
      return;
    }
    case 2:
      post.mailbox.postJoined(answer);
      return;
    case 3:
      if (random.oneIn(4)) {
        post.mailbox.forgetDrain();
        post.mailbox.post({ kind: 'resync', at: post.head(), values: [], gap: null });
      } else post.mailbox.post({ kind: 'wait', session: 1 });
      return;
    default:
      if (post.busy) await post.finish();
  }
}

test('against a sequential model: no record of interest is slept through, read twice, or read from the future', async (t) => {
  const random = seeded(t);
  for (let round = 0; round < 60; round += 1) {
    const post = new Post();
    const interesting = new Set<number>();
    const shard = new ModelShard(interesting);
    let handled = 0;
    const handleAll = (): void => {
      for (; handled < post.tasks.length; handled += 1) {
        const task = post.tasks[handled];
        if (task !== undefined) t.is(shard.handle(task), null);
      }
    };
    for (let step = 0; step < 60; step += 1) {
      await randomStep(random, post, interesting);
      handleAll();
    }
    while (post.busy) await post.finish();
    handleAll();
    t.deepEqual(
      shard.read,
      [...interesting].filter((record) => !shard.skipped.has(record)).sort((a, b) => a - b),
    );
  }
});
