import test from 'ava';
import { catchUpStepsPerTurn, historyReadsMax } from '../../src/core/limits.ts';
import { type Client, executionOf, ShardHarness } from '../support/shard-harness.ts';

/** Fairness of catch-up as a number, counted in turns: a turn of a session is a slice from the window or a block of history. */

const a = executionOf(1);
const liveId = executionOf(2);

/** Each wants an execution of its own beside, so that no two share a block, and a request for one says whose it is. */
const sessionsMax = 100;
const ownOf = (session: number): string => executionOf(1_000 + session);
const owners = new Map(Array.from({ length: sessionsMax }, (_, session) => [ownOf(session), session]));
const valuesOf = (session: number): string[] => [a, ownOf(session)];

/** Events of about 4 KiB: a slice holds a dozen. */
function append(harness: ShardHarness, from: number, to: number): void {
  for (let n = from; n <= to; n += 1) harness.event(a, `${n}.md`, { uri: 'u'.repeat(4_000) });
}

/** Sessions that catch up while a live one beside them is served. The test is the loop: one turn of catch-up, then whatever else is due. */
class CatchUpRun {
  readonly harness: ShardHarness;
  /** Whose turn it was, in order. */
  readonly turns: number[] = [];
  /** How many there had been at the end of each turn of the loop. */
  readonly loops: number[] = [];
  readonly #live: Client;
  /** Blocks that had come, and were not taken in the turn of the loop that followed. */
  late = 0;
  #livePaths = 0;
  readonly #clients: Client[] = [];

  constructor(windowBytes?: number) {
    this.harness = new ShardHarness(windowBytes);
    this.harness.change(a, 'running');
    this.harness.change(liveId, 'running');
    for (let session = 0; session < sessionsMax; session += 1) this.harness.change(ownOf(session), 'running');
    this.#live = this.harness.join({ values: [liveId] });
  }

  /** It has the step that a join brings before the others are there; turns count from `run`. */
  join(start: number, values = valuesOf(this.#clients.length)): void {
    const { harness, turns } = this;
    const session = this.#clients.length;
    const client = harness.connect({ values });
    this.#clients.push(client);
    harness.handle([harness.joined(client, { start })]);
    const { socket } = client;
    const write = socket.write.bind(socket);
    socket.write = (bytes) => {
      turns.push(session);
      return write(bytes);
    };
  }

  /** Until nobody has anything left to read. Answers whether the live stream had each event before the next turn. */
  run(blockBytes: number): boolean {
    let prompt = true;
    for (let loops = 0; this.loop(blockBytes); loops += 1) {
      prompt &&= this.#live.socket.paths.length === this.#livePaths;
      if (loops > 1_000) throw new RangeError('catch-up does not come to its end');
    }
    return prompt;
  }

  /** One turn of the loop. False when there was nothing to do in it. */
  loop(blockBytes: number): boolean {
    const { harness } = this;
    const before = this.turns.length;
    const answered = this.#answerHistory(blockBytes);
    const more = harness.clock.turn();
    const served = new Set(this.turns.slice(before));
    this.late += answered.filter((owner) => !served.has(owner)).length;
    this.loops.push(this.turns.length - before);
    this.#livePaths += 1;
    harness.event(liveId, `live-${this.#livePaths}`);
    harness.drain();
    return more || answered.length > 0;
  }

  paths(session: number): unknown[] {
    return this.#clients[session]?.socket.paths ?? [];
  }

  /** Answers whose they are. */
  #answerHistory(blockBytes: number): number[] {
    const { harness } = this;
    const answered: number[] = [];
    for (;;) {
      const report = harness.take('read-history');
      if (report === null) return answered;
      harness.handle([{ kind: 'history', ticket: report.ticket, outcome: harness.block(report, blockBytes) }]);
      answered.push(...report.executionIds.flatMap((id) => owners.get(id) ?? []));
    }
  }

  /** Most turns that one session had while another (`of`: which ones), which was still owed something, had none. */
  mostBeforeAnother(of: (session: number) => boolean = () => true): number {
    const lastOf = new Map<number, number>();
    for (const [place, session] of this.turns.entries()) lastOf.set(session, place);
    let most = 0;
    for (const waiting of [...lastOf.keys()].filter(of)) {
      const since = new Map<number, number>();
      for (const [place, session] of this.turns.entries()) {
        if (place > (lastOf.get(waiting) ?? 0)) break;
        if (session === waiting) since.clear();
        else {
          const count = (since.get(session) ?? 0) + 1;
          since.set(session, count);
          most = Math.max(most, count);
        }
      }
    }
    return most;
  }

  turnsOf(session: number): number {
    return this.turns.filter((of) => of === session).length;
  }
}

function numbers(from: number, to: number): string[] {
  return Array.from({ length: to - from + 1 }, (_, index) => `${from + index}.md`);
}

// A client that was away for an hour must not hold up one that was away for a second, nor either of them those that are live.
test('from the window: nobody has a second turn before every other has had one, whatever they are owed', (t) => {
  const run = new CatchUpRun();
  const first = run.harness.head().sequence;
  append(run.harness, 1, 200);
  const count = sessionsMax;
  // One in five is owed everything, the others the last quarter or less.
  const startOf = (index: number): number => (index % 5 === 0 ? 0 : 150 + (index % 37));
  for (let index = 0; index < count; index += 1) run.join(first + startOf(index));
  t.true(run.run(0), 'the live stream was served between any two turns');
  t.is(run.mostBeforeAnother(), 1);
  t.true(run.loops.every((turns) => turns <= catchUpStepsPerTurn));
  t.is(run.loops[0], catchUpStepsPerTurn);
  const untilAllHadOne = Math.ceil(count / catchUpStepsPerTurn);
  const early = run.turns.slice(
    0,
    run.loops.slice(0, untilAllHadOne).reduce((sum, turns) => sum + turns, 0),
  );
  t.is(new Set(early).size, count, `each had a turn within ${untilAllHadOne} of the loop`);
  t.true(run.turnsOf(0) > run.turnsOf(1) * 3, `${run.turnsOf(0)} turns beside ${run.turnsOf(1)}`);
  for (let index = 0; index < count; index += 1) t.deepEqual(run.paths(index), numbers(startOf(index) + 1, 200));
  t.log(`${run.turns.length} turns of ${count} sessions in ${run.loops.length} of the loop`);
  run.harness.close();
});

test('from history: nobody has a second block before every other has had one, although eight are read at a time', (t) => {
  const run = new CatchUpRun(90_000);
  const first = run.harness.head().sequence;
  append(run.harness, 1, 60);
  run.harness.lap();
  const count = historyReadsMax * 3 + 2;
  const startOf = (index: number): number => (index % 5 === 0 ? 0 : 40 + (index % 13));
  for (let index = 0; index < count; index += 1) run.join(first + startOf(index));
  // A block of four events is one write.
  t.true(run.run(20_000), 'the live stream was served between any two turns');
  t.is(run.mostBeforeAnother(), 1);
  t.true(run.loops.every((turns) => turns <= historyReadsMax));
  t.true(run.turnsOf(0) >= run.turnsOf(1) * 3, `${run.turnsOf(0)} turns beside ${run.turnsOf(1)}`);
  for (let index = 0; index < count; index += 1) t.deepEqual(run.paths(index), numbers(startOf(index) + 1, 60));
  t.log(`${run.turns.length} turns of ${count} sessions in ${run.loops.length} of the loop`);
  run.harness.close();
});

// How long the bus takes is not the shard's to say: who comes from history waits for a turn from the moment that its block is here.
test('from both: a block is taken in the turn in which it has come, and nobody has a second turn before everyone from the window has had one', (t) => {
  const run = new CatchUpRun();
  const first = run.harness.head().sequence;
  append(run.harness, 1, 60);
  run.harness.lap();
  const behind = run.harness.head().sequence;
  append(run.harness, 61, 220);
  const count = 60;
  // One in five comes from history; a few of those from the window are owed little.
  const ofHistory = (index: number): boolean => index % 5 === 0;
  const startOf = (index: number): number => (index % 3 === 0 ? 60 : 190);
  for (let index = 0; index < count; index += 1) {
    run.join(ofHistory(index) ? first + (index % 7) : behind + startOf(index) - 60);
  }
  t.true(run.run(20_000), 'the live stream was served between any two turns');
  t.is(run.late, 0);
  t.is(
    run.mostBeforeAnother((index) => !ofHistory(index)),
    1,
  );
  t.true(run.loops.every((turns) => turns <= catchUpStepsPerTurn));
  for (let index = 0; index < count; index += 1) {
    const from = ofHistory(index) ? index % 7 : startOf(index);
    t.deepEqual(run.paths(index), numbers(from + 1, 220), `session ${index}`);
  }
  t.log(`${run.turns.length} turns of ${count} sessions in ${run.loops.length} of the loop`);
  run.harness.close();
});

// It would get everything by way of its turns, but for the end: that is decided where it has caught up, and each drain put it behind again.
test('who has read up to the position is live, and has its end, although a drain comes between any two turns', (t) => {
  for (const ends of [false, true]) {
    const run = new CatchUpRun();
    const first = run.harness.head().sequence;
    append(run.harness, 1, 30);
    if (ends) run.harness.change(a, 'completed');
    run.join(first, [a]);
    for (let turns = 0; turns < 10; turns += 1) run.loop(0);
    t.deepEqual(run.paths(0), numbers(1, 30));
    t.is(run.harness.shard.gauges().sessions['live'], ends ? 1 : 2);
    t.deepEqual(run.harness.seen.ended, ends ? ['executions_terminal'] : []);
    run.harness.close();
  }
});
