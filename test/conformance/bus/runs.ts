import type { PublishResponseMessage } from '../../../src/wire/bus/bus-messages.ts';
import { present } from '../kit/check.ts';
import { type BusDoor, event, newExecution } from './door.ts';

/** What the checks of reading have to read. */

export const batchBytesMax = 1_048_576;
export const batchRecordsMax = 1_000;

export interface Run extends PublishResponseMessage {
  readonly execution: string;
  /** Of each id. */
  readonly sequences: readonly number[];
}

/** A new execution with so many events. */
export async function runOf(bus: BusDoor, count: number): Promise<Run> {
  const execution = newExecution();
  const answer = await bus.publish(...Array.from({ length: count }, (_, n) => event(execution, `e${n}`)));
  const { records } = await bus.read({ execution_ids: [execution] });
  return { ...answer, execution, sequences: records.map(({ sequence }) => sequence) };
}

export const at = <T>(list: readonly T[], index: number): T => present(list.at(index), `number ${index}`);

/** An id like ours of another journal, or of no journal: the same but for its last 22 bits, the tag. */
export function foreign(id: string): string {
  const tail = Number.parseInt(id.slice(-6), 16);
  return id.slice(0, -6) + (tail ^ 0x15_5555).toString(16).padStart(6, '0');
}
