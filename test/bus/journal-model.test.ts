import { randomInt } from 'node:crypto';
import test from 'ava';
import fc from 'fast-check';
import { MemoryStore } from '../../src/bus/engine/memory-store.ts';
import type { EventJournal, JournalEntry } from '../../src/contract/journal.ts';
import { type ExecutionStatus, executionStatuses, isTerminal } from '../../src/core/execution.ts';
import { AppendError } from '../../src/core/failure.ts';
import { append, changeEntry, eventEntry, recordsAfter, sequencesOf } from '../support/journal-input.ts';
import { journalIn } from '../support/open-journal.ts';

interface Model {
  readonly records: string[];
  readonly executions: Map<
    string,
    { status: ExecutionStatus; said: boolean; tags: string[]; last: string; events: number }
  >;
  readonly sources: Map<string, { input: string; id: string }>;
}

type ModelEntry = Extract<JournalEntry, { kind: 'event' }> | Extract<JournalEntry, { kind: 'change' }>;

/** The obvious journal: a list, copied before each batch. Ids are the model's own numbers. Null: the batch is refused. */
// eslint-disable-next-line complexity -- the model is one piece on purpose: every rule in the order in which it applies
function applyBatch(model: Model, batch: readonly ModelEntry[]): { model: Model; ids: string[] } | null {
  const next = structuredClone(model);
  const ids: string[] = [];
  for (const entry of batch) {
    const executionId = entry.kind === 'event' ? entry.event.execution_id : entry.executionId;
    const known = next.executions.get(executionId);
    const execution = known ?? { status: 'running' as ExecutionStatus, said: false, tags: [], last: '', events: 0 };
    const id = String(next.records.length + 1);
    if (entry.kind === 'event') {
      const key = entry.event.source_id === undefined ? null : `${executionId} ${entry.event.source_id}`;
      const input = JSON.stringify(entry.event);
      const earlier = key === null ? undefined : next.sources.get(key);
      if (earlier !== undefined && earlier.input !== input) return null;
      if (earlier !== undefined) {
        ids.push(earlier.id);
        continue;
      }
      if (key !== null) next.sources.set(key, { input, id });
      execution.events += 1;
    } else {
      const changed = entry.status !== null && (known === undefined || !known.said || known.status !== entry.status);
      if (changed && isTerminal(execution.status)) return null;
      const added = [...new Set(entry.tags)].filter((tag) => !execution.tags.includes(tag));
      if (known !== undefined && !changed && added.length === 0) {
        ids.push(execution.last);
        continue;
      }
      if (changed) Object.assign(execution, { status: entry.status, said: true });
      execution.tags.push(...added);
      execution.last = id;
    }
    next.records.push(executionId);
    next.executions.set(executionId, execution);
    ids.push(id);
  }
  return { model: next, ids };
}

const entry: fc.Arbitrary<ModelEntry> = fc.oneof(
  fc
    .record({ execution: fc.nat(2), source: fc.option(fc.nat(3)), size: fc.nat(1) })
    .map(({ execution, source, size }) => {
      const more = source === null ? { size } : { size, source_id: `w-${source}` };
      return eventEntry(execution, more);
    }),
  fc
    .record({
      execution: fc.nat(2),
      status: fc.constantFrom(...executionStatuses, null, null),
      tags: fc.array(fc.constantFrom('a', 'b', 'c'), { minLength: 1, maxLength: 3 }),
    })
    .map(({ execution, status, tags }) => changeEntry(execution, status, tags)),
);

async function agrees(journal: EventJournal, model: Model, idOf: ReadonlyMap<string, string>): Promise<string | null> {
  const records = await recordsAfter(journal, 0);
  const named = records.map((record) => record.event?.execution_id ?? record.change?.execution_id);
  if (JSON.stringify(named) !== JSON.stringify(model.records)) return `records are ${named.join()}`;
  if (records.some(({ id }, index) => id !== idOf.get(String(index + 1)))) return 'ids differ';
  for (const [executionId, expected] of model.executions) {
    const facts = journal.execution(executionId);
    const same =
      facts?.status === expected.status &&
      facts.events === expected.events &&
      JSON.stringify(facts.tags.map(({ tag }) => tag)) === JSON.stringify(expected.tags);
    if (!same) return `execution ${executionId} is ${JSON.stringify(facts)}, should be ${JSON.stringify(expected)}`;
    const own = sequencesOf(await recordsAfter(journal, 0, [Number(executionId.slice(-12))]));
    const expectedOwn = model.records.flatMap((one, index) => (one === executionId ? [index + 1] : []));
    if (JSON.stringify(own) !== JSON.stringify(expectedOwn)) return `index of ${executionId} is ${own.join()}`;
  }
  return null;
}

test('the journal agrees with a list on any batches, appended together or apart, over restarts', async (t) => {
  const seed = randomInt(2 ** 31);
  t.log(`seed ${seed}`);
  const group = fc.record({
    batches: fc.array(fc.array(entry, { minLength: 1, maxLength: 4 }), { minLength: 1, maxLength: 4 }),
    reopen: fc.boolean(),
  });
  // eslint-disable-next-line complexity -- one comparison after the other
  const property = fc.asyncProperty(fc.array(group, { maxLength: 12 }), async (groups) => {
    const store = new MemoryStore();
    let { journal, reopen } = await journalIn(t, () => store);
    let model: Model = { records: [], executions: new Map(), sources: new Map() };
    /** The model's number to the journal's id. */
    const idOf = new Map<string, string>();
    for (const { batches, reopen: restart } of groups) {
      const results = await Promise.allSettled(batches.map((batch) => append(journal, ...batch)));
      for (const [index, batch] of batches.entries()) {
        const expected = applyBatch(model, batch);
        const result = results[index];
        if (expected === null) {
          if (result?.status !== 'rejected' || !(result.reason instanceof AppendError)) return t.fail('not refused');
          continue;
        }
        if (result?.status !== 'fulfilled') return t.fail(`refused: ${String(result?.reason)}`);
        model = expected.model;
        for (const [place, number] of expected.ids.entries()) {
          const id = result.value.ids[place] ?? '';
          if ((idOf.get(number) ?? id) !== id) return t.fail(`entry ${place} has another id than before`);
          idOf.set(number, id);
        }
      }
      if (restart) ({ journal, reopen } = await reopen());
      const difference = await agrees(journal, model, idOf);
      if (difference !== null) return t.fail(difference);
    }
    return true;
  });
  await fc.assert(property, { seed, numRuns: 150 });
  t.pass();
});
