import test from 'ava';
import type { HistoryOutcome } from '../../src/contract/shard-messages.ts';
import { testId } from '../support/record-batch.ts';
import { type Random, randomFrom, seeded } from '../support/seed.ts';
import { type Client, executionOf, type Report, ShardHarness } from '../support/shard-harness.ts';

/**
 * One shard against a model, under random interleavings of everything that moves a session: events, drains, sockets that fill and drain, single turns of the
 * catch-up, laps of the window, blocks of history in any order and size, retention, new views with and without a gap, clients that come, go and stall.
 *
 * The model is the journal. A client's position begins at its start; each event frame must be the very next event of its executions behind the position, each
 * gap frame moves the position to where it says. At the end, with all sockets open, nothing may be left behind it. So a loss, a duplicate, a wrong order
 * or a silent gap at any seam is a failure, at the first frame that is wrong.
 */

const executions = [1, 2, 3].map(executionOf);

interface Event {
  readonly sequence: number;
  readonly execution: string;
}

interface Watched {
  readonly client: Client;
  readonly values: readonly string[];
  position: number;
  /** Frames looked at. */
  seen: number;
}

class Model {
  readonly harness: ShardHarness;
  readonly random: Random;
  readonly journal: Event[] = [];
  readonly sequences = new Map<string, number>();
  /** Cursors below it have no meaning in this journal. */
  floor = 0;
  clients: Watched[] = [];
  history: Report<'read-history'>[] = [];
  lapped = false;
  readonly counts = { frames: 0, gaps: 0, blocks: 0, views: 0, stalled: 0, parks: 0 };
  #paths = 0;

  constructor(random: Random) {
    this.random = random;
    // In half of the rounds a drain may hand over little, and puts its members behind.
    this.harness = new ShardHarness(90_000, random.pick([5_000, 40_000, 8_000_000, 8_000_000]));
    this.#know(0);
    this.#begin();
  }

  step(): void {
    let draw = this.random.below(100);
    for (const [weight, act] of this.#moves) {
      draw -= weight;
      if (draw >= 0) continue;
      act();
      break;
    }
    this.look();
  }

  /** Out of a hundred steps; the rest does nothing but look. */
  readonly #moves: readonly (readonly [weight: number, act: () => void])[] = [
    [
      30,
      () => {
        for (let left = 1 + this.random.below(6); left > 0; left -= 1) this.publish();
      },
    ],
    [
      18,
      () => {
        this.harness.drain();
      },
    ],
    [
      10,
      () => {
        this.#one(({ client }) => {
          client.socket.fill(this.random.below(4));
        });
      },
    ],
    [
      12,
      () => {
        this.#one(({ client }) => {
          client.drain(this.random.pick([0, 1, 2, 3, 4, Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY]));
        });
      },
    ],
    [
      8,
      () => {
        this.harness.clock.turn();
      },
    ],
    [
      6,
      () => {
        this.#serve();
      },
    ],
    [
      4,
      () => {
        this.#join();
      },
    ],
    [
      2,
      () => {
        this.#leave();
      },
    ],
    [
      1,
      () => {
        this.#lap();
      },
    ],
    [
      5,
      () => {
        this.harness.clock.advance(250 * (1 + this.random.below(40)));
      },
    ],
    [
      2,
      () => {
        if (this.lapped || this.random.oneIn(3)) this.#view();
      },
    ],
    [
      1,
      () => {
        if (this.random.oneIn(3)) this.#overtaken();
      },
    ],
  ];

  publish(): void {
    const { harness, random } = this;
    const execution = random.pick(executions);
    this.#paths += 1;
    const sequence = harness.event(execution, `${this.#paths}.md`, {
      uri: 'u'.repeat(random.pick([10, 100, 2_000, 9_000])),
    });
    this.journal.push({ sequence, execution });
    this.#know(sequence);
  }

  /** What each client has been given since the last look. */
  look(): void {
    const { harness } = this;
    while (harness.take('lapped') !== null) this.lapped = true;
    for (let report = harness.take('read-history'); report !== null; report = harness.take('read-history')) {
      this.history.push(report);
    }
    for (const watched of this.clients) this.#follow(watched);
    this.counts.stalled += this.clients.filter(({ client }) => client.socket.aborted).length;
    this.clients = this.clients.filter(({ client }) => !client.socket.aborted);
    if (harness.faults.length > 0) throw new TypeError(`a fault: ${String(harness.faults[0]?.fault)}`);
  }

  /** All sockets are open from now on: everything that is owed must come. */
  finish(): void {
    const { harness } = this;
    for (let rounds = 0; rounds < 200; rounds += 1) {
      if (this.lapped) this.#view();
      harness.drain();
      for (const { client } of this.clients) {
        client.socket.fill(Number.POSITIVE_INFINITY);
        if (client.socket.blocked) client.drain();
      }
      harness.clock.settle();
      this.look();
      while (this.history.length > 0) this.#serve(false);
    }
    for (const { client, position, values } of this.clients) {
      const left = this.#nextAfter(position, values);
      if (left !== undefined)
        throw new RangeError(`client ${client.key} stands at ${position} and never had ${left.sequence}`);
    }
    this.counts.parks = harness.seen.parked;
    harness.close();
  }

  #begin(): void {
    for (const execution of executions) this.#know(this.harness.change(execution, 'running'));
  }

  #know(sequence: number): void {
    this.sequences.set(testId(sequence), sequence);
  }

  #nextAfter(position: number, values: readonly string[]): Event | undefined {
    let [low, high] = [0, this.journal.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.journal[middle]?.sequence ?? 0) <= position) low = middle + 1;
      else high = middle;
    }
    for (let index = low; index < this.journal.length; index += 1) {
      const event = this.journal[index];
      if (event !== undefined && values.includes(event.execution)) return event;
    }
    return undefined;
  }

  #follow(watched: Watched): void {
    const { socket, key } = watched.client;
    if (socket.writesWhileBlocked > 0) throw new RangeError(`client ${key} was written to while it was blocked`);
    for (; watched.seen < socket.frames.length; watched.seen += 1) {
      const frame = socket.frames[watched.seen];
      const sequence = this.sequences.get(frame?.id ?? '');
      if (frame?.event === 'ready') continue;
      this.counts.frames += 1;
      if (sequence === undefined) throw new RangeError(`client ${key} had the unknown id ${String(frame?.id)}`);
      if (frame?.event === 'gap') {
        this.counts.gaps += 1;
        if (sequence < watched.position) throw new RangeError(`a gap took client ${key} back to ${sequence}`);
      } else {
        const owed = this.#nextAfter(watched.position, watched.values)?.sequence;
        if (sequence !== owed)
          throw new RangeError(`client ${key} at ${watched.position} had ${sequence}, is owed ${String(owed)}`);
      }
      watched.position = sequence;
    }
  }

  #one(act: (watched: Watched) => void): void {
    if (this.clients.length > 0) act(this.random.pick(this.clients));
  }

  #join(): void {
    const { harness, random } = this;
    if (this.clients.length >= 12) return;
    const head = harness.head().sequence;
    const values = executions.filter(() => random.oneIn(2));
    if (values.length === 0) values.push(random.pick(executions));
    const start = random.oneIn(2) ? head : this.floor + random.below(head - this.floor + 1);
    const client = harness.connect({ values, keepOpen: true, timeoutMs: 1e9 });
    if (random.oneIn(4)) client.socket.fill(random.below(3));
    // A lapped shard cannot stand at the head: the owner's answers come behind the new view.
    if (this.lapped) this.#view();
    harness.handle([harness.joined(client, { start })]);
    this.clients.push({ client, values, position: start, seen: 0 });
  }

  #leave(): void {
    this.#one((watched) => {
      watched.client.events.onClosed();
      this.clients = this.clients.filter((one) => one !== watched);
    });
  }

  #lap(): void {
    const { harness } = this;
    const before = harness.head().sequence;
    harness.lap();
    for (let sequence = before + 1; sequence <= harness.head().sequence; sequence += 1) this.#know(sequence);
  }

  /** Any of the requests that wait, with a block of any size; now and then retention was there first. */
  #serve(mayBeTooOld = true): void {
    const { harness, random, history } = this;
    if (history.length === 0) return;
    const [report] = history.splice(random.below(history.length), 1);
    if (report === undefined) return;
    this.counts.blocks += 1;
    let outcome: HistoryOutcome = harness.block(report, random.pick([10_000, 40_000, 262_144]));
    const span = report.until.sequence - report.after;
    if (mayBeTooOld && span > 2 && random.oneIn(8)) {
      const resume = report.after + 1 + random.below(span - 1);
      outcome = { kind: 'too-old', resumeAfter: harness.at(resume), oldestAvailable: testId(resume + 1) };
    }
    harness.handle([{ kind: 'history', ticket: report.ticket, outcome }]);
  }

  #view(): void {
    this.counts.views += 1;
    this.lapped = false;
    this.look();
    this.lapped = false;
    this.harness.resync(executions);
  }

  /** The router was overtaken: what it had not read is gone, for every stream. */
  #overtaken(): void {
    const { harness, random } = this;
    this.counts.views += 1;
    // Whatever was handed over before counts; whatever is asked for of the old view is answered by nobody.
    this.look();
    this.history = [];
    this.lapped = false;
    const from = harness.head().sequence + 1 + random.below(20);
    harness.restart(from);
    this.floor = from;
    this.#know(from);
    this.#begin();
    harness.resync(executions, {
      reason: 'overtaken',
      oldestAvailable: testId(from + 1),
      resumeAfter: harness.at(from),
    });
  }
}

const rounds = 34;
const stepsPerRound = 600;

test('20,400 random steps: every client has each matching event once, in order, or a gap that says so', (t) => {
  const seeds = seeded(t);
  const total: Record<string, number> = {};
  for (let round = 0; round < rounds; round += 1) {
    const random = randomFrom(seeds.below(2 ** 32));
    const model = new Model(random);
    try {
      for (let step = 0; step < stepsPerRound; step += 1) model.step();
      model.finish();
    } catch (error) {
      t.fail(`round of seed ${random.seed}: ${String(error)}`);
      return;
    }
    for (const [name, count] of Object.entries(model.counts)) total[name] = (total[name] ?? 0) + count;
  }
  t.log(total);
  // A model that nothing reaches proves nothing.
  for (const [name, least] of Object.entries({
    frames: 10_000,
    gaps: 50,
    blocks: 300,
    views: 100,
    stalled: 1,
    parks: 300,
  })) {
    t.true((total[name] ?? 0) >= least, `${name}: ${total[name] ?? 0}`);
  }
});
