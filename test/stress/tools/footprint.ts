import { readdir, readFile } from 'node:fs/promises';
import type { System } from '../../support/system.ts';
import { until } from '../../support/until.ts';
import { hold, type StressContext } from '../scenario.ts';

const mebibyte = 1_048_576;

/** What a process holds, as the kernel counts it. */
export interface Footprint {
  readonly residentMib: number;
  readonly descriptors: number;
  /** Processor time since it began: what a busy machine does not stretch. */
  readonly cpuSeconds: number;
}

/** Of the kernel's clock: `getconf CLK_TCK` on every Linux that Node.js runs on. */
const ticksPerSecond = 100;

export async function footprintOf({ process: { pid = 0 } }: System): Promise<Footprint> {
  const [status, stat, descriptors] = await Promise.all([
    readFile(`/proc/${pid}/status`, 'utf8'),
    readFile(`/proc/${pid}/stat`, 'utf8'),
    readdir(`/proc/${pid}/fd`),
  ]);
  const kib = Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1] ?? Number.NaN);
  // Fields 14 and 15, counted behind the name in brackets, which may hold anything.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const ticks = Number(fields[11]) + Number(fields[12]);
  return {
    residentMib: Math.round((kib * 1024) / mebibyte),
    descriptors: descriptors.length,
    cpuSeconds: ticks / ticksPerSecond,
  };
}

export function footprintText({ residentMib, descriptors, cpuSeconds }: Footprint): string {
  return `${residentMib} MiB resident, ${descriptors} descriptors, ${cpuSeconds.toFixed(1)} s of processor`;
}

/** Descriptors that this process may open, and so a child of it. */
export async function descriptorsMax(): Promise<number> {
  const limits = await readFile('/proc/self/limits', 'utf8');
  const soft = /^Max open files\s+(\d+|unlimited)/m.exec(limits)?.[1];
  return soft === undefined || soft === 'unlimited' ? Number.POSITIVE_INFINITY : Number(soft);
}

/** No stream, filter or interest is left: what clients leave behind when they go. */
const gauges = ['rivulet_connections', 'rivulet_sessions', 'rivulet_filter_groups', 'rivulet_watched_executions'];

/** Waits until nothing of any client is left, and holds that it is so. */
export async function expectNobody(context: StressContext, system: System): Promise<void> {
  for (const gauge of gauges) {
    const kept = async (): Promise<boolean> => (await system.metric(gauge)) === 0;
    await until(kept, `${gauge} is 0 when everybody has gone`);
    hold(await kept(), `${gauge} is not 0 although everybody has gone`);
  }
  context.checked('gauges back at zero', gauges.length);
}
