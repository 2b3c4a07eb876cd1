import { randomUUID } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import type { BusClient } from '../../src/wire/bus/bus-client.ts';
import { benchEntry } from './bench-event.ts';
import type { Source } from './feed.ts';
import type { LoadPlan } from './load-client.ts';

/** Filters of one execution: `a`, `a/b`, … ten deep. An event at depth k meets the k outer ones, so 1 to 10; over ten events in a row, 55. */
export const filtersAnExecution = 10;
export const matchesOfTenEvents = 55;

const folders = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j'];
const pathTo = (depth: number): string => folders.slice(0, depth).join('/');

/** Depth of an execution's event: all ten come round, each execution at another. */
export function depthOf(execution: number, index: number): number {
  return ((index + execution) % filtersAnExecution) + 1;
}

/** The bits of the indexes, modulo ten, that the filter at `depth` lets through. */
export function maskOf(execution: number, depth: number): number {
  let mask = 0;
  for (let bit = 0; bit < filtersAnExecution; bit += 1) if (depthOf(execution, bit) >= depth) mask |= 1 << bit;
  return mask;
}

/** So many executions, each with ten distinct filters and one stream a filter. */
export class FilterField {
  readonly executionIds: readonly string[];

  constructor(executions: number) {
    this.executionIds = Array.from({ length: executions }, () => randomUUID());
  }

  get streams(): number {
    return this.executionIds.length * filtersAnExecution;
  }

  /** Known before anybody asks for them. */
  async announce(client: BusClient): Promise<void> {
    await client.publish({
      entries: this.executionIds.map((execution_id) => ({ change: { execution_id, status: 2, tags: [] } })),
    });
  }

  /** What each stream asks for and is owed. */
  writePlan(file: string): LoadPlan {
    const lines = this.executionIds.flatMap((id, execution) =>
      folders.map((_, at) => {
        const target = `/api/v1/storage/events?execution_id=${id}&path=${pathTo(at + 1)}&timeout=3600`;
        return `${maskOf(execution, at + 1)} ${target}\n`;
      }),
    );
    writeFileSync(file, lines.join(''));
    return { file, cycle: filtersAnExecution };
  }

  /** `perExecution` events of each, the executions in turn. */
  source(client: BusClient, perExecution: number): Source {
    const pipe = client.publishPipe();
    const count = this.executionIds.length;
    return {
      events: perExecution * count,
      publish: (first, due) => {
        const entries = due.map((dueNs, offset) => {
          const [execution, index] = [(first + offset) % count, Math.floor((first + offset) / count)];
          return benchEntry(this.executionIds[execution] ?? '', index, dueNs, pathTo(depthOf(execution, index)));
        });
        return pipe.publish({ entries });
      },
      end: () => {
        pipe.end();
      },
    };
  }
}
