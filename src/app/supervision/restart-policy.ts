import { supervisedRestartsMax } from '../../core/limits.ts';

/** How a child process ended. */
export interface ChildExit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** What is known when a child has ended. */
export interface Ended extends ChildExit {
  /** It had printed its ready line. */
  readonly ready: boolean;
  /** Some child before it had: the configuration is one that works. */
  readonly readyBefore: boolean;
  /** Somebody has asked us to stop. */
  readonly stopping: boolean;
  /** Restarts in a row, none of which served for `supervisedSteadyMs`. */
  readonly restarts: number;
}

export type Verdict =
  | { readonly kind: 'restart'; readonly reason: string }
  | { readonly kind: 'end'; readonly code: number; readonly reason: string };

/** Numbers of the signals that end a process, as shells add them to 128. */
const signalNumbers: Readonly<Partial<Record<NodeJS.Signals, number>>> = {
  SIGHUP: 1,
  SIGINT: 2,
  SIGQUIT: 3,
  SIGILL: 4,
  SIGABRT: 6,
  SIGBUS: 7,
  SIGKILL: 9,
  SIGSEGV: 11,
  SIGTERM: 15,
};

/** The exit code as a shell shows it: 128 and the number of the signal. */
export function exitCodeOf({ code, signal }: ChildExit): number {
  return code ?? 128 + (signal === null ? 0 : (signalNumbers[signal] ?? 0));
}

/** What people can do with a code. */
export function reasonOf(exit: ChildExit): string {
  const code = exitCodeOf(exit);
  switch (code) {
    case 0:
      return 'stopped in order';
    case 1:
      return 'something outside stands in the way';
    case 2:
      return 'an option is not allowed';
    case 70:
      return 'a defect, closed in order';
    case 134:
      return 'aborted: a thread ended with sockets open, or memory was used up';
    case 135:
    case 139:
      return 'a fault in memory: look at the disk and at the journal';
    case 137:
      return 'killed: a stuck thread (by the process itself), memory short (by the system), or kill -9';
    default:
      return exit.signal === null ? `exit code ${code}` : `ended by ${exit.signal}`;
  }
}

/** Ends that somebody asked for: in order, or at once by a second signal. */
const wished: readonly number[] = [0, 129, 130, 131, 143];

/**
 * Whether a child is started again. Not when its end was asked for; not when the first one never served (an option, a port: the caller is told its code);
 * not when its options have become wrong; not after `supervisedRestartsMax` restarts in a row.
 */
export function judge(ended: Ended): Verdict {
  const code = exitCodeOf(ended);
  const reason = reasonOf(ended);
  const end = (because: string): Verdict => ({ kind: 'end', code, reason: because });
  if (ended.stopping || wished.includes(code)) return end(reason);
  if (!ended.ready && !ended.readyBefore) return end(`it never served: ${reason}`);
  if (!ended.ready && code === 2) return end(reason);
  if (ended.restarts >= supervisedRestartsMax)
    return end(`${ended.restarts} restarts in a row did not help: ${reason}`);
  return { kind: 'restart', reason };
}
