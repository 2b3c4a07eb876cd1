import { parseUuid } from './event-id.ts';
import { reasonBytesMax, tagBytesMax } from './limits.ts';

/** A run of a pipeline. The order is that of the proto enum, from 1. */
export const executionStatuses = ['pending', 'running', 'completed', 'failed', 'cancelled'] as const;
export type ExecutionStatus = (typeof executionStatuses)[number];

/** Terminal is final: the bus refuses any later change of status, at the append. */
export function isTerminal(status: ExecutionStatus): boolean {
  return status === 'completed' || status === 'failed' || status === 'cancelled';
}

const control = /[\u0000-\u001f\u007f-\u009f\u2028\u2029]/;

/** True when the text holds a C0 or C1 control character, DEL, U+2028 or U+2029. */
export function hasControl(text: string): boolean {
  return control.test(text);
}

/** Why a tag is refused, or null when it is fine: 1 to 128 bytes, no control character, not shaped like a UUID. */
export function tagFault(tag: string): string | null {
  const bytes = Buffer.byteLength(tag);
  if (bytes === 0) return 'must not be empty';
  if (bytes > tagBytesMax) return `must be at most ${tagBytesMax} bytes, is ${bytes}`;
  if (!tag.isWellFormed()) return 'must be well-formed Unicode';
  if (hasControl(tag)) return 'must not contain control characters';
  if (parseUuid(tag) !== null) return 'must not be shaped like a UUID';
  return null;
}

/** Why a change's reason is refused, or null. It may have line breaks: it only ever travels inside JSON. */
export function reasonFault(reason: string): string | null {
  const bytes = Buffer.byteLength(reason);
  if (bytes > reasonBytesMax) return `must be at most ${reasonBytesMax} bytes, is ${bytes}`;
  return reason.isWellFormed() ? null : 'must be well-formed Unicode';
}
