import test, { type ExecutionContext } from 'ava';
import { type Ended, exitCodeOf, judge, type Verdict } from '../../src/app/supervision/restart-policy.ts';
import { portsOf, type SupervisedChild, Supervisor } from '../../src/app/supervision/supervisor.ts';
import { supervisedBackoffMs, supervisedRestartsMax, supervisedSteadyMs } from '../../src/core/limits.ts';
import type { Log } from '../../src/observe/log.ts';
import { FakeClock, settled } from '../support/fake-clock.ts';

interface Case {
  readonly name: string;
  readonly ended: Partial<Ended>;
  readonly kind: Verdict['kind'];
}

const cases: readonly Case[] = [
  { name: 'a stuck thread', ended: { signal: 'SIGKILL' }, kind: 'restart' },
  { name: 'an abort', ended: { signal: 'SIGABRT' }, kind: 'restart' },
  { name: 'a fault in memory', ended: { signal: 'SIGSEGV' }, kind: 'restart' },
  { name: 'a defect', ended: { code: 70 }, kind: 'restart' },
  { name: 'something outside, after it served', ended: { code: 1 }, kind: 'restart' },
  { name: 'something outside, before it served again', ended: { code: 1, ready: false }, kind: 'restart' },
  {
    name: 'something outside, before it ever served',
    ended: { code: 1, ready: false, readyBefore: false },
    kind: 'end',
  },
  { name: 'killed before it ever served', ended: { signal: 'SIGKILL', ready: false, readyBefore: false }, kind: 'end' },
  { name: 'a bad option', ended: { code: 2, ready: false, readyBefore: false }, kind: 'end' },
  { name: 'an option that has become bad', ended: { code: 2, ready: false }, kind: 'end' },
  { name: 'in order', ended: { code: 0 }, kind: 'end' },
  { name: 'stopped at once by a second signal', ended: { signal: 'SIGTERM' }, kind: 'end' },
  { name: 'killed while it was being stopped', ended: { signal: 'SIGKILL', stopping: true }, kind: 'end' },
  { name: 'once too often', ended: { signal: 'SIGKILL', restarts: supervisedRestartsMax }, kind: 'end' },
  { name: 'the last time', ended: { signal: 'SIGKILL', restarts: supervisedRestartsMax - 1 }, kind: 'restart' },
];

for (const { name, ended, kind } of cases) {
  test(`judged: ${name} is '${kind}'`, (t) => {
    const whole: Ended = {
      code: null,
      signal: null,
      ready: true,
      readyBefore: true,
      stopping: false,
      restarts: 0,
      ...ended,
    };
    const verdict = judge(whole);
    t.is(verdict.kind, kind);
    t.true(verdict.reason.length > 0);
    if (verdict.kind === 'end') t.is(verdict.code, exitCodeOf(whole));
  });
}

test('exit codes are those of a shell', (t) => {
  t.deepEqual(
    (['SIGKILL', 'SIGABRT', 'SIGSEGV', 'SIGTERM', 'SIGINT'] as const).map((signal) =>
      exitCodeOf({ code: null, signal }),
    ),
    [137, 134, 139, 143, 130],
  );
});

test('the ports of a ready line, hosts in brackets included', (t) => {
  t.deepEqual(portsOf('rivulet ready http=http://[::1]:8080 grpc=127.0.0.1:50051 ops=127.0.0.1:9464'), [
    '--port=8080',
    '--bus-port=50051',
    '--ops-port=9464',
  ]);
  t.deepEqual(portsOf('rivulet ready grpc=127.0.0.1:1'), ['--bus-port=1']);
});

/** A supervisor whose children live as long as the test lets them. */
class Nursery {
  readonly clock = new FakeClock();
  readonly written: string[] = [];
  readonly logged: string[] = [];
  readonly ports: (readonly string[])[] = [];
  readonly signals: string[] = [];
  readonly supervisor: Supervisor;
  #say: (line: string) => void = () => undefined;
  #end: (exit: { code: number | null; signal: NodeJS.Signals | null }) => void = () => undefined;

  constructor() {
    const say = (_fields: object, message: string): void => {
      this.logged.push(message);
    };
    const log = { fatal: say, error: say, warn: say } as unknown as Log;
    this.supervisor = new Supervisor({
      clock: this.clock,
      log,
      random: () => 1,
      write: (line) => this.written.push(line),
      start: (ports) => {
        this.ports.push(ports);
        const child: SupervisedChild = {
          pid: this.ports.length,
          kill: (signal) => this.signals.push(signal),
          onLine: (listener) => {
            this.#say = listener;
          },
          exited: new Promise((resolve) => {
            this.#end = resolve;
          }),
        };
        return child;
      },
    });
  }

  async serve(): Promise<void> {
    this.#say(`rivulet ready http=http://127.0.0.1:${1_000 + this.ports.length}`);
    await settled();
  }

  async die(code: number | null, signal: NodeJS.Signals | null = null): Promise<void> {
    this.#end({ code, signal });
    await settled();
  }
}

const running = (t: ExecutionContext): { nursery: Nursery; code: () => number | null } => {
  const nursery = new Nursery();
  let code: number | null = null;
  nursery.supervisor.run().then(
    (ended) => {
      code = ended;
    },
    (error: unknown) => {
      t.fail(String(error));
    },
  );
  return { nursery, code: () => code };
};

test('a child that breaks comes back on the ports of the first, and each ready line is passed through', async (t) => {
  const { nursery, code } = running(t);
  await nursery.serve();
  await nursery.die(null, 'SIGKILL');
  t.is(nursery.ports.length, 1, 'not at once');
  await nursery.clock.pass(supervisedBackoffMs.base);
  await nursery.serve();
  t.deepEqual(nursery.ports, [[], ['--port=1001']]);
  t.deepEqual(nursery.written, [
    'rivulet ready http=http://127.0.0.1:1001',
    'rivulet ready http=http://127.0.0.1:1001',
  ]);
  t.regex(nursery.logged[0] ?? '', /^starting again: killed: /);
  t.is(nursery.logged[1], 'it serves again');
  t.is(code(), null);
  await nursery.die(0);
  t.is(code(), 0);
});

test('a crash loop waits longer each time, up to a cap, and ends with the code of the child', async (t) => {
  const { nursery, code } = running(t);
  const waits: number[] = [];
  for (let life = 0; life <= supervisedRestartsMax; life += 1) {
    const before = nursery.ports.length;
    await nursery.serve();
    await nursery.die(70);
    const startMs = nursery.clock.monotonicMs();
    while (nursery.ports.length === before && code() === null) await nursery.clock.pass(100);
    waits.push(nursery.clock.monotonicMs() - startMs);
  }
  t.is(code(), 70);
  t.deepEqual(waits, [200, 400, 800, 1_600, 3_200, 6_400, 10_000, 10_000, 10_000, 10_000, 0]);
  t.regex(nursery.logged.at(-1) ?? '', /^not started again: 10 restarts in a row did not help: a defect/);
});

test('a child that has served for a while is forgiven what was before', async (t) => {
  const { nursery, code } = running(t);
  for (let life = 0; life < supervisedRestartsMax * 2; life += 1) {
    await nursery.serve();
    await nursery.clock.pass(supervisedSteadyMs);
    await nursery.die(1);
    t.is(code(), null);
    await nursery.clock.pass(supervisedBackoffMs.base);
  }
  t.is(nursery.ports.length, supervisedRestartsMax * 2 + 1);
});

test('a signal goes to the child, which is not started again; while none runs it ends the wait', async (t) => {
  const first = running(t);
  await first.nursery.serve();
  first.nursery.supervisor.signal('SIGTERM');
  t.deepEqual(first.nursery.signals, ['SIGTERM']);
  await first.nursery.die(null, 'SIGKILL');
  t.is(first.code(), 137);
  const second = running(t);
  await second.nursery.serve();
  await second.nursery.die(70);
  second.nursery.supervisor.signal('SIGINT');
  await settled();
  t.is(second.code(), 0);
  t.is(second.nursery.ports.length, 1);
});
