import { writeSync } from 'node:fs';
import type { ChildReport } from './child-run.ts';
import { journalFault } from './journal-walk.ts';

/** A process of its own for what damage may end. Arguments: the task, the journal's directory, then those of the task. */
const [task = '', directory = '', ...rest] = process.argv.slice(2);

function say(report: ChildReport): void {
  // Not a stream: what is said must have been said when the next read ends the process.
  writeSync(1, `${JSON.stringify(report)}\n`);
}

function check(): void {
  try {
    say({ kind: 'checked', fault: journalFault(directory) });
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    if (/permission|EACCES|EPERM/i.test(reason)) say({ kind: 'unreadable', reason });
    else say({ kind: 'checked', fault: reason });
  }
}

if (task === 'check') check();
else {
  // The check is on the way of every start: it loads no more than it needs.
  const { copyTasks, isCopyTask } = await import('./journal-copy.ts');
  if (isCopyTask(task)) await copyTasks[task](directory, rest, say);
}
