import test from 'ava';
import { EventSums } from '../../src/executions/event-sums.ts';
import { ExecutionRegistry } from '../../src/executions/registry.ts';
import { RecordReader } from '../../src/wire/record/record-reader.ts';
import { changeRecord, encodeBatch, eventRecord, type RecordBody } from '../support/record-batch.ts';
import { type Random, seeded } from '../support/seed.ts';

const executions = Array.from({ length: 5 }, (_, index) => `0190b6a2-7c1e-4f00-9a3b-00000000000${index}`);

function anyRecord(random: Random, sequence: number): RecordBody {
  const executionId = random.pick(executions);
  if (random.oneIn(12))
    return changeRecord(sequence, { executionId, status: 1 + random.below(5), statusChanged: true });
  const time = `2026-11-24T14:27:48.${String(random.below(1_000)).padStart(3, '0')}Z`;
  return eventRecord(sequence, { executionId, time, ...(random.oneIn(3) ? {} : { size: random.below(1_000) }) });
}

/** The registry as the obvious way makes it. */
function applyEach(registry: ExecutionRegistry, reader: RecordReader): void {
  const { executionId, sequence, id, timeMs, size, time, change } = reader;
  const at = { sequence, id, timeMs };
  if (change === null) registry.applyEvent(executionId, at, size ?? 0, time);
  else registry.applyChange(executionId, at, { ...change, reason: change.reason ?? '' });
}

const factsOf = (registry: ExecutionRegistry): unknown[] =>
  [...registry.values()].map((facts) => ({ ...facts })).sort((a, b) => (a.executionId < b.executionId ? -1 : 1));

// Invariant E1. Some batches begin before what the registry has seen, as after a reconnection or behind a snapshot.
test('sums agree with applying each event alone, on 300 seeded journals', (t) => {
  const random = seeded(t);
  for (let journal = 0; journal < 300; journal += 1) {
    const [alone, summed] = [new ExecutionRegistry(), new ExecutionRegistry()];
    const sums = new EventSums(summed);
    const reader = new RecordReader();
    let next = 1;
    for (let batch = 0; batch < 6; batch += 1) {
      const first = Math.max(1, next - (random.oneIn(3) ? random.below(8) : 0));
      const records = Array.from({ length: random.below(30) }, (_, index) => anyRecord(random, first + index));
      next = first + records.length;
      const bytes = encodeBatch({ records });
      reader.reset(bytes);
      while (reader.next()) {
        applyEach(alone, reader);
        if (reader.isEvent) {
          sums.add(reader.executionId, reader);
          continue;
        }
        sums.settle(bytes);
        applyEach(summed, reader);
      }
      sums.settle(bytes);
      t.deepEqual(factsOf(summed), factsOf(alone));
    }
    t.deepEqual(
      summed.page({ after: '', limit: 10, tag: null, status: null }),
      alone.page({ after: '', limit: 10, tag: null, status: null }),
    );
  }
});
