import { BusError, InvalidInputError } from '../../core/failure.ts';
import { reasonBytesMax } from '../../core/limits.ts';
import { StorageError } from '../../storage/file-storage.ts';
import type { Outcome } from './demo.ts';
import { DocumentError, type SourceDocument } from './documents.ts';
import type { Job } from './pipeline.ts';

/** How many executions a run has: enough to see that a tag, a set of ids and one id are different questions. */
const jobCount = 3;

/** Deals the documents out in turn. With fewer than three, a job without a share of its own takes one that another has too. */
export function jobsOf(documents: readonly SourceDocument[], newId: () => string): readonly Job[] {
  return Array.from({ length: jobCount }, (_, job) => {
    const own = documents.filter((_document, index) => index % jobCount === job);
    const share = own.length > 0 ? own : documents.slice(job % documents.length, (job % documents.length) + 1);
    return { executionId: newId(), documents: share };
  });
}

/** Why an execution failed, within the bounds of a reason: one line, at most 1 KiB. Defects are thrown on. */
export function reasonText(error: unknown): string {
  const known = [DocumentError, StorageError, BusError, InvalidInputError].some((kind) => error instanceof kind);
  const interrupted = error instanceof Error && error.name === 'InterruptedError';
  if (!(error instanceof Error) || !(known || interrupted)) throw error;
  // A character of the message is at most four bytes.
  return error.message.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]+/g, ' ').slice(0, reasonBytesMax / 4);
}

export function outcomeText({ executionId, status, reason }: Outcome): string {
  return reason === null ? `${executionId} ${status}` : `${executionId} ${status}: ${reason}`;
}
