import { randomInt } from 'node:crypto';
import test from 'ava';
import fc from 'fast-check';
import { ExecutionRegistry } from '../../src/executions/registry.ts';
import { SortedIds } from '../../src/executions/sorted-ids.ts';
import { executionOf } from '../support/journal-input.ts';

const at = (sequence: number): { sequence: number; id: string; timeMs: number } => ({
  sequence,
  id: `id-${sequence}`,
  timeMs: 1000 + sequence,
});
const change = (more: object): Parameters<ExecutionRegistry['applyChange']>[2] => ({
  status: 'running',
  statusChanged: true,
  tags: [],
  reason: '',
  ...more,
});
const time = '2026-11-24T12:00:00.000Z';

test('a registry counts events, late ones apart', (t) => {
  const registry = new ExecutionRegistry();
  t.true(registry.applyEvent('x', at(1), 5, time));
  t.false(registry.applyEvent('x', at(2), 7, time));
  registry.applyChange('x', at(3), change({ status: 'completed' }));
  registry.applyEvent('x', at(4), 0, time);
  t.like(registry.get('x'), {
    status: 'completed',
    events: 3,
    bytes: 12,
    lateEvents: 1,
    createdSequence: 1,
    statusSequence: 3,
    lastEventSequence: 4,
    lastId: 'id-4',
    changedMs: 1004,
  });
});

// Without this, a router that starts from a snapshot would count twice what came between the snapshot and its position.
test('a record that an execution has seen changes nothing', (t) => {
  const registry = new ExecutionRegistry();
  registry.applyEvent('x', at(5), 1, time);
  registry.applyEvent('x', at(5), 1, time);
  registry.applyChange('x', at(4), change({ status: 'failed' }));
  t.like(registry.get('x'), { events: 1, status: 'running' });
});

test('members of a tag have the sequence at which they got it, and leave when forgotten', (t) => {
  const registry = new ExecutionRegistry();
  registry.applyChange('x', at(1), change({ tags: ['a'] }));
  registry.applyChange('y', at(2), change({ tags: ['a', 'b'] }));
  registry.applyChange('x', at(3), change({ statusChanged: false, tags: ['b'] }));
  t.deepEqual(
    [...(registry.members('b') ?? [])],
    [
      ['y', 2],
      ['x', 3],
    ],
  );
  t.true(registry.knows('a') && registry.knows('x') && !registry.knows('c'));
  t.true(registry.forget('y'));
  t.deepEqual([...(registry.members('a') ?? [])], [['x', 1]]);
  registry.clear();
  t.is(registry.members('a'), undefined);
  t.is(registry.size, 0);
});

test('the greatest terminal sequence is null while one is not over', (t) => {
  const registry = new ExecutionRegistry();
  registry.applyChange('x', at(1), change({ status: 'completed' }));
  registry.applyChange('y', at(2), change({}));
  t.is(registry.greatestTerminal(['x']), 1);
  t.is(registry.greatestTerminal(['x', 'y']), null);
  t.is(registry.greatestTerminal(['x', 'z']), null);
  registry.applyChange('y', at(9), change({ status: 'cancelled' }));
  t.is(registry.greatestTerminal(['x', 'y']), 9);
});

test('a snapshot is a copy, and loses to newer facts', (t) => {
  const bus = new ExecutionRegistry();
  bus.applyChange('x', at(1), change({ tags: ['a'] }));
  const router = new ExecutionRegistry();
  router.loadSnapshot(bus.values());
  bus.applyEvent('x', at(2), 1, time);
  t.is(router.get('x')?.events, 0);
  router.applyEvent('x', at(2), 1, time);
  router.applyChange('x', at(3), change({ status: 'completed' }));
  router.loadSnapshot(bus.values());
  t.like(router.get('x'), { status: 'completed', events: 1 });
  t.deepEqual([...(router.members('a') ?? [])], [['x', 1]]);
});

test('pages go over all executions once, by id, filtered by tag and status', (t) => {
  const registry = new ExecutionRegistry();
  for (let n = 0; n < 25; n += 1) {
    const tags = n % 2 === 0 ? ['even'] : [];
    registry.applyChange(
      executionOf((n * 7) % 25),
      at(n + 1),
      change({ status: n % 5 === 0 ? 'failed' : 'running', tags }),
    );
  }
  const walk = (filter: object): string[] => {
    const ids: string[] = [];
    for (let after: string | null = ''; after !== null; ) {
      const page = registry.page({ tag: null, status: null, limit: 4, after, ...filter });
      t.true(page.executions.length <= 4);
      ids.push(...page.executions.map(({ executionId }) => executionId));
      after = page.next;
    }
    return ids;
  };
  const all = [...registry.values()];
  const expected = (keep: (facts: (typeof all)[number]) => boolean): string[] =>
    all
      .filter(keep)
      .map(({ executionId }) => executionId)
      .sort();
  t.deepEqual(
    walk({}),
    expected(() => true),
  );
  t.deepEqual(
    walk({ status: 'failed' }),
    expected(({ status }) => status === 'failed'),
  );
  t.deepEqual(
    walk({ tag: 'even' }),
    expected(({ tags }) => tags.length > 0),
  );
  t.deepEqual(walk({ tag: 'none' }), []);
});

test('sorted ids agree with a sorted list', (t) => {
  const seed = randomInt(2 ** 31);
  t.log(`seed ${seed}`);
  const steps = fc.array(fc.tuple(fc.boolean(), fc.nat(3_000)), { minLength: 1, maxLength: 4_000, size: 'max' });
  const property = fc.property(steps, fc.nat(3_000), (taken, from) => {
    const ids = new SortedIds();
    const model = new Set<string>();
    for (const [add, n] of taken) {
      const id = executionOf(n);
      if (add || n % 3 === 0) {
        if (ids.add(id) === model.has(id)) return false;
        model.add(id);
      } else if (ids.delete(id) !== model.delete(id)) return false;
    }
    const expected = [...model].filter((id) => id > executionOf(from)).sort();
    return ids.size === model.size && [...ids.after(executionOf(from))].join() === expected.join();
  });
  fc.assert(property, { seed, numRuns: 60 });
  t.pass();
});
