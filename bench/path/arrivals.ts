import { readFileSync } from 'node:fs';

/** Percentiles of a latency, in milliseconds. */
export interface Latency {
  readonly p50Ms: number;
  readonly p99Ms: number;
}

/** The value that `share` (0 to 1) of them stay within. */
export function shareOf(sorted: Float64Array, share: number): number {
  return sorted[Math.ceil(sorted.length * share) - 1] ?? Number.NaN;
}

export function latencyOf(valuesMs: Float64Array): Latency {
  const sorted = valuesMs.sort();
  return { p50Ms: shareOf(sorted, 0.5), p99Ms: shareOf(sorted, 0.99) };
}

/**
 * Latency of every delivery from the answer to its event's publish. The file is load.c's: index and latency since the event was due (100 ns), 32 bits each.
 * `answeredMs` is, by index, from the same due time to the answer at the publisher. Below zero where the event was delivered before the publisher heard.
 */
export function latencyFromAnswer(file: string, answeredMs: Float64Array): Latency {
  const bytes = readFileSync(file);
  const words = new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
  const fromAnswer = new Float64Array(words.length / 2);
  for (let at = 0; at < fromAnswer.length; at += 1) {
    const answered = answeredMs[words[2 * at] ?? -1] ?? Number.NaN;
    fromAnswer[at] = (words[2 * at + 1] ?? Number.NaN) / 10_000 - answered;
  }
  return latencyOf(fromAnswer);
}
