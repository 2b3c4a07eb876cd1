import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

/** What a process holds, as Linux tells it. */
export interface Footprint {
  readonly descriptors: number;
  /** Resident, all of it. */
  readonly residentKiB: number;
  /** Resident without what is mapped from files: the journal's pages come and go as the kernel likes. */
  readonly anonymousKiB: number;
}

function footprintNow(pid: number): Footprint {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const kib = (name: string): number =>
    Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(status)?.[1] ?? Number.NaN);
  return {
    descriptors: readdirSync(`/proc/${pid}/fd`).length,
    residentKiB: kib('VmRSS'),
    anonymousKiB: kib('RssAnon'),
  };
}

const readings = 40;
const readingEveryMs = 500;

/** The least of twenty seconds of readings: the bus has pinged its connections twice by then, the collector of a program without work has run by then, and closed sockets are gone. */
export async function settledFootprint(pid: number): Promise<Footprint> {
  let least = footprintNow(pid);
  for (let left = readings; left > 0; left -= 1) {
    await sleep(readingEveryMs);
    const now = footprintNow(pid);
    least = {
      descriptors: Math.min(least.descriptors, now.descriptors),
      residentKiB: Math.min(least.residentKiB, now.residentKiB),
      anonymousKiB: Math.min(least.anonymousKiB, now.anonymousKiB),
    };
  }
  return least;
}

/** Growth that is no leak: five in a hundred of memory, not one descriptor. */
const growthMax = 1.05;

/** Why the second is a leak against the first; null when it is none. */
export function leakOf(before: Footprint, after: Footprint): string | null {
  if (after.descriptors > before.descriptors) return `${after.descriptors - before.descriptors} more descriptors`;
  if (after.residentKiB <= before.residentKiB * growthMax) return null;
  return `resident memory grew from ${before.residentKiB} to ${after.residentKiB} KiB`;
}

export function footprintText({ descriptors, residentKiB, anonymousKiB }: Footprint): string {
  const mib = (kib: number): string => (kib / 1024).toFixed(1);
  return `${descriptors} descriptors, ${mib(residentKiB)} MiB resident (${mib(anonymousKiB)} MiB anonymous)`;
}
