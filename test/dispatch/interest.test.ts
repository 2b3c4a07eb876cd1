import test from 'ava';
import type { ShardIndex } from '../../src/core/sequence.ts';
import { InterestMap } from '../../src/dispatch/interest.ts';
import { ExecutionRegistry } from '../../src/executions/registry.ts';
import { testId } from '../support/record-batch.ts';
import { seeded } from '../support/seed.ts';
import { executionOf } from '../support/shard-harness.ts';

const shards = 31;

/** The registry and the map as the intake moves them, and beside them the obvious answer. */
class World {
  readonly registry = new ExecutionRegistry();
  readonly map = new InterestMap(this.registry, shards);
  readonly wanted = Array.from({ length: shards }, () => new Set<string>());
  #sequence = 0;

  add(shard: number, value: string): void {
    this.wanted[shard]?.add(value);
    this.map.add(shard as ShardIndex, value);
  }

  remove(shard: number, value: string): void {
    this.wanted[shard]?.delete(value);
    this.map.remove(shard as ShardIndex, value);
  }

  tag(executionId: string, tags: readonly string[]): void {
    this.#sequence += 1;
    const place = { sequence: this.#sequence, id: testId(this.#sequence), timeMs: 0 };
    this.registry.applyChange(executionId, place, { status: 'running', statusChanged: false, tags, reason: '' });
    this.map.onTagged(executionId, tags);
  }

  forget(executionId: string): void {
    this.registry.forget(executionId);
    this.map.forget(executionId);
  }

  naiveMask(executionId: string): number {
    const names = [executionId, ...(this.registry.get(executionId)?.tags.map(({ tag }) => tag) ?? [])];
    return this.wanted.reduce(
      (mask, values, shard) => (names.some((name) => values.has(name)) ? mask | (1 << shard) : mask),
      0,
    );
  }
}

test('against the obvious answer: interest, tags, forgotten executions and new views in any order', (t) => {
  const random = seeded(t);
  const executions = Array.from({ length: 6 }, (_, index) => executionOf(index));
  const tags = ['x', 'y', 'z'];
  const values = [...executions, ...tags];
  for (let round = 0; round < 100; round += 1) {
    const world = new World();
    for (let step = 0; step < 120; step += 1) {
      const shard = random.oneIn(3) ? random.below(shards) : random.below(3);
      const kind = random.below(12);
      if (kind < 4) world.add(shard, random.pick(values));
      else if (kind < 8) world.remove(shard, random.pick(values));
      else if (kind < 10) world.tag(random.pick(executions), [random.pick(tags)]);
      else if (kind < 11) world.forget(random.pick(executions));
      else {
        world.registry.clear();
        world.map.rebuild();
      }
      for (const execution of executions) {
        t.is(world.map.maskOf(execution), world.naiveMask(execution), `round ${round}, step ${step}`);
      }
    }
    for (const [shard, wanted] of world.wanted.entries()) {
      t.deepEqual(new Set(world.map.values(shard as ShardIndex)), wanted);
    }
  }
});

test('the 31st shard has a bit of its own', (t) => {
  const world = new World();
  world.add(30, executionOf(1));
  t.is(world.map.maskOf(executionOf(1)), 1 << 30);
  world.remove(30, executionOf(1));
  t.is(world.map.maskOf(executionOf(1)), 0);
});

// `leave` names values that no stream has any more; a shard that never had one must not lose another's.
test('giving back what one never had changes nothing', (t) => {
  const world = new World();
  world.tag(executionOf(1), ['x']);
  world.add(1, 'x');
  world.remove(0, 'x');
  t.is(world.map.maskOf(executionOf(1)), 1 << 1);
});
