import test from 'ava';
import { ReadTurns } from '../../src/bus/service/read-turns.ts';
import { systemClock } from '../../src/core/clock.ts';

/** Resolves behind everything that this turn of the loop does. */
const turnOfLoop = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test('eight readers have one step between them in a turn of the loop, each in its order, and other work comes between', async (t) => {
  const turns = new ReadTurns(systemClock);
  const steps: string[] = [];
  const reader = async (name: string): Promise<void> => {
    for (let step = 0; step < 5; step += 1) {
      await turns.next();
      steps.push(name);
    }
  };
  const names = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'];
  const done = Promise.all(names.map(reader));
  const counts: number[] = [];
  while (steps.length < names.length * 5) {
    const before = steps.length;
    await turnOfLoop();
    counts.push(steps.length - before);
  }
  await done;
  t.true(
    counts.every((count) => count <= 1),
    `steps in a turn: ${counts.join(' ')}`,
  );
  t.deepEqual(steps, Array.from({ length: 5 }, () => names).flat());
});

test('a turn that nobody waits for costs nothing, and the next reader begins at once', async (t) => {
  const turns = new ReadTurns(systemClock);
  await turns.next();
  await turnOfLoop();
  await turnOfLoop();
  let had = false;
  void turns.next().then(() => {
    had = true;
  });
  await turnOfLoop();
  await turnOfLoop();
  t.true(had);
});
