import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { systemClock } from '../../src/core/clock.ts';
import { projectRoot } from '../support/source-files.ts';

interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly out: string;
  readonly error: string;
}

class Process {
  readonly child: ChildProcess;
  readonly ended: Promise<Ended>;
  out = '';
  error = '';

  constructor(t: ExecutionContext, mode: string) {
    this.child = spawn(process.execPath, [join(projectRoot, 'build/test/support/lifecycle-process.js'), mode]);
    t.teardown(() => this.child.kill('SIGKILL'));
    this.child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.out += text;
    });
    this.child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.error += text;
    });
    this.ended = once(this.child, 'close').then(([code, signal]) => ({
      code: code as number | null,
      signal: signal as NodeJS.Signals | null,
      out: this.out,
      error: this.error,
    }));
  }

  async saw(text: string): Promise<void> {
    while (!this.out.includes(text)) await once(this.child.stdout ?? this.child, 'data');
  }
}

for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  test(`${signal} stops the parts, the last started first, and exits with 0`, async (t) => {
    const running = new Process(t, 'plain');
    await running.saw('ready');
    running.child.kill(signal);
    const ended = await running.ended;
    t.is(ended.out, 'ready\nstop second\nstop first\n');
    t.is(ended.code, 0);
  });
}

test('a part that fails ends the process in order with exit code 1 and its reason', async (t) => {
  const ended = await new Process(t, 'part-fails').ended;
  t.is(ended.out, 'ready\nstop second\nstop first\n');
  t.regex(ended.error, /the part broke/);
  t.is(ended.code, 1);
});

test('a defect is logged and ends the process in order with exit code 70', async (t) => {
  const ended = await new Process(t, 'defect').ended;
  t.is(ended.out, 'ready\nstop second\nstop first\n');
  t.regex(ended.error, /"a defect"/);
  t.is(ended.code, 70);
});

test('a part that cannot be stopped does not keep the others from it', async (t) => {
  const running = new Process(t, 'stop-fails');
  await running.saw('ready');
  running.child.kill('SIGTERM');
  const ended = await running.ended;
  t.is(ended.out, 'ready\nstop second\nstop first\n');
  t.regex(ended.error, /will not/);
  t.is(ended.code, 0);
});

// A stuck shard cannot be closed in order; without this the process would hang until somebody kills it.
test('a part that never stops gets the process killed when its time is over', async (t) => {
  const running = new Process(t, 'stuck');
  await running.saw('ready');
  running.child.kill('SIGTERM');
  const ended = await running.ended;
  t.is(ended.signal, 'SIGKILL');
  t.regex(ended.error, /did not stop in time/);
});

// The check of a damaged disk takes up to a minute: a supervisor that waits ten seconds would have to kill, with no word of why.
test('a part that never starts gets the process killed when the time of a stop is over', async (t) => {
  const running = new Process(t, 'stuck-start');
  await running.saw('ready');
  running.child.kill('SIGTERM');
  const ended = await running.ended;
  t.is(ended.signal, 'SIGKILL');
  t.regex(ended.error, /did not stop in time/);
});

// npm sends on the SIGINT that the terminal has already sent: one Ctrl-C must not count as two.
test('a second signal at once is the same press', async (t) => {
  const running = new Process(t, 'plain');
  await running.saw('ready');
  running.child.kill('SIGINT');
  running.child.kill('SIGINT');
  t.is((await running.ended).code, 0);
});

test('a second signal later ends the process at once, by that signal', async (t) => {
  const running = new Process(t, 'stuck-pressed-twice');
  await running.saw('ready');
  running.child.kill('SIGTERM');
  await running.saw('stop second');
  // The signal that falls inside the time of one press is ignored; the next is not.
  const again = systemClock.every(20, () => running.child.kill('SIGTERM'));
  t.teardown(again);
  const ended = await running.ended;
  t.is(ended.signal, 'SIGTERM');
  t.false(ended.out.includes('stop first'));
});
