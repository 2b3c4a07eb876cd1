import { Lifecycle } from '../../src/app/commands/lifecycle.ts';
import { type Clock, systemClock } from '../../src/core/clock.ts';
import { createLog } from '../../src/observe/log.ts';

/** A serving process in miniature for test/app/lifecycle.test.ts; the mode is its argument. */
const mode = process.argv[2];

/** A hundred times as fast where it waits, so that a test need not take the ten seconds of an overdue stop. */
const hasty: Clock = {
  ...systemClock,
  after: (delayMs, action, options) => systemClock.after(delayMs / 100, action, options),
};

/** A hundred times as fast where it measures: two signals a few milliseconds apart are two presses. */
const measuring: Clock = { ...systemClock, monotonicMs: () => systemClock.monotonicMs() * 100 };

const clocks: Readonly<Record<string, Clock>> = {
  stuck: hasty,
  'stuck-start': hasty,
  'stuck-pressed-twice': measuring,
};
const clock = clocks[mode ?? ''] ?? systemClock;

const lifecycle = new Lifecycle(clock, createLog({ level: 'info', pretty: false }));
const keepAlive = systemClock.after(60_000, () => undefined);
let fail: (error: Error) => void = () => undefined;
const failed = new Promise<Error>((resolve) => {
  fail = resolve;
});

function part(name: string): () => Promise<void> {
  return async () => {
    process.stdout.write(`stop ${name}\n`);
    if (mode?.startsWith('stuck') === true && name === 'second') await new Promise(() => undefined);
    if (mode === 'stop-fails' && name === 'second') throw new TypeError('will not');
  };
}

lifecycle.add('first', part('first'));
lifecycle.add('second', part('second'), failed);
process.stdout.write('ready\n');
if (mode === 'part-fails') fail(new TypeError('the part broke'));
if (mode === 'defect') {
  queueMicrotask(() => {
    throw new TypeError('a defect');
  });
}
if (mode === 'stuck-start') await new Promise(() => undefined);
process.exitCode = await lifecycle.untilEnd();
keepAlive();
