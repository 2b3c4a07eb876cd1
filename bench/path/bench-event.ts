import type { PublishEntryMessage } from '../../src/wire/bus/bus-messages.ts';

/** The event of the path benches: its frame on the wire has 330 bytes. */
const stage = 'boost';
const path = 'out/summary';

/** Nanoseconds of CLOCK_MONOTONIC, which the load client reads too. */
export function nowNs(): bigint {
  return process.hrtime.bigint();
}

/** As load.c reads it: 9 digits of index, a dot, 19 digits of the time at which the event was due. */
export function stamp(index: number, dueNs: bigint): string {
  return `${String(index).padStart(9, '0')}.${String(dueNs).padStart(19, '0')}`;
}

export function benchEntry(executionId: string, index: number, dueNs: bigint, where = path): PublishEntryMessage {
  return { event: { execution_id: executionId, stage, path: where, metadata: { t: stamp(index, dueNs) } } };
}

export const eventType = 'storage.object.created';

export function benchId(index: number): string {
  return `0199f7d0-0000-7000-8000-${index.toString(16).padStart(12, '0')}`;
}

/** What stands in `data:`, for a peer that makes the frame itself. */
export function benchData(executionId: string, index: number, dueNs: bigint): object {
  return {
    id: benchId(index),
    type: eventType,
    execution_id: executionId,
    stage,
    path,
    time: '2026-11-24T14:27:48.123Z',
    metadata: { t: stamp(index, dueNs) },
  };
}

/** The same event as a finished frame, for a peer that has it in memory. */
export function benchFrame(executionId: string, index: number, dueNs: bigint): string {
  const json = JSON.stringify(benchData(executionId, index, dueNs));
  return `id: ${benchId(index)}\nevent: ${eventType}\ndata: ${json}\n\n`;
}

/** Where the stamp stands, from the end of a frame. */
export const stampFromEnd = 9 + 1 + 19 + '"}}\n\n'.length;
