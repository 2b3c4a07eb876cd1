import { randomUUID } from 'node:crypto';

/** A program that several tests share sees each of them under names of its own. */
export function newExecution(): string {
  return randomUUID();
}

export function newTag(): string {
  return `tag-${randomUUID().slice(0, 8)}-${randomUUID().slice(0, 8)}`;
}

export interface EventFields extends Record<string, unknown> {
  readonly execution_id: string;
  readonly stage: string;
  readonly path: string;
}

/** One event as a publisher gives it. */
export function eventAt(execution: string, path: string, more: Readonly<Record<string, unknown>> = {}): EventFields {
  return { execution_id: execution, stage: 'ingest', path, ...more };
}
