import type { Cancel, Clock } from '../../core/clock.ts';
import { supervisedBackoffMs, supervisedSteadyMs } from '../../core/limits.ts';
import type { Log } from '../../observe/log.ts';
import { Backoff } from '../../upstream/backoff.ts';
import { type ChildExit, exitCodeOf, judge } from './restart-policy.ts';

/** A child process as the supervisor sees it. */
export interface SupervisedChild {
  readonly pid: number | undefined;
  kill(signal: NodeJS.Signals): void;
  /** Standard output, line by line, in order, all of it before `exited`. */
  onLine(listener: (line: string) => void): void;
  readonly exited: Promise<ChildExit>;
}

export interface SupervisorDependencies {
  readonly clock: Clock;
  readonly log: Log;
  /** 0 ≤ n < 1; spreads the restarts of many. */
  readonly random: () => number;
  /** Starts a child; `ports` are options that override what it was given. */
  readonly start: (ports: readonly string[]) => SupervisedChild;
  /** Takes each line of a child's standard output. */
  readonly write: (line: string) => void;
}

/** Parts of the ready line, and the option of their port. */
const portOptions: Readonly<Record<string, string>> = { http: 'port', grpc: 'bus-port', ops: 'ops-port' };

/** `--port=…` for each address of a ready line: a child that comes back is where its clients look for it, also when the port was 0 at first. */
export function portsOf(readyLine: string): string[] {
  return readyLine.split(' ').flatMap((part) => {
    const found = /^(\w+)=.*:(\d+)$/.exec(part);
    const option = portOptions[found?.[1] ?? ''];
    return option === undefined ? [] : [`--${option}=${found?.[2] ?? ''}`];
  });
}

/** Keeps one child running until it ends as somebody wished, or restarts do not help. */
export class Supervisor {
  readonly #with: SupervisorDependencies;
  readonly #backoff: Backoff;
  #child: SupervisedChild | null = null;
  #ports: readonly string[] = [];
  #readyLine: string | null = null;
  #readyBefore = false;
  #restarts = 0;
  #stopping = false;
  /** Ends the wait before a restart. */
  #wake: () => void = () => undefined;

  constructor(dependencies: SupervisorDependencies) {
    this.#with = dependencies;
    this.#backoff = new Backoff(supervisedBackoffMs.base, supervisedBackoffMs.cap, dependencies.random);
  }

  /** Passes a signal on to the child, which is not started again. */
  signal(signal: NodeJS.Signals): void {
    this.#stopping = true;
    this.#child?.kill(signal);
    this.#wake();
  }

  /** Answers the exit code: the last child's. */
  async run(): Promise<number> {
    for (;;) {
      const { exit, ready } = await this.#runOnce();
      const verdict = judge({
        ...exit,
        ready,
        readyBefore: this.#readyBefore,
        stopping: this.#stopping,
        restarts: this.#restarts,
      });
      const code = exitCodeOf(exit);
      this.#readyBefore ||= ready;
      if (verdict.kind === 'end') {
        if (!this.#stopping && code !== 0) this.#with.log.fatal({ code }, `not started again: ${verdict.reason}`);
        return verdict.code;
      }
      this.#restarts += 1;
      const waitMs = Math.round(this.#backoff.next());
      this.#with.log.error(
        { code, signal: exit.signal, restarts: this.#restarts, waitMs },
        `starting again: ${verdict.reason}`,
      );
      await this.#wait(waitMs);
      if (this.#stopping) return 0;
    }
  }

  async #runOnce(): Promise<{ exit: ChildExit; ready: boolean }> {
    const child = this.#with.start(this.#ports);
    this.#child = child;
    let ready = false;
    let cancelSteady: Cancel = () => undefined;
    child.onLine((line) => {
      if (ready || !line.startsWith('rivulet ready ')) {
        this.#with.write(line);
        return;
      }
      ready = true;
      this.#readyLine ??= line;
      this.#ports = portsOf(this.#readyLine);
      // The first one each time: the addresses are the same, and a child that was told its port leaves out what it picked before.
      this.#with.write(this.#readyLine);
      if (this.#restarts > 0) this.#with.log.warn({ pid: child.pid, restarts: this.#restarts }, 'it serves again');
      cancelSteady = this.#with.clock.after(supervisedSteadyMs, () => {
        this.#restarts = 0;
        this.#backoff.reset();
      });
    });
    const exit = await child.exited;
    cancelSteady();
    this.#child = null;
    return { exit, ready };
  }

  #wait(waitMs: number): Promise<void> {
    return new Promise((resolve) => {
      const cancel = this.#with.clock.after(waitMs, resolve);
      this.#wake = () => {
        cancel();
        resolve();
      };
      if (this.#stopping) this.#wake();
    });
  }
}
