import { join } from 'node:path';
import { sleep, systemClock } from '../../src/core/clock.ts';
import { latencyFromAnswer, latencyOf } from './arrivals.ts';
import { nowNs } from './bench-event.ts';
import { feedPaced, feedSaturated, type Source } from './feed.ts';
import { type LoadReport, percentileMs, startLoad } from './load-client.ts';
import type { RunningPeer } from './peers/peer.ts';

/** How all servers of a bench are fed. */
export interface Pattern {
  readonly mode: 'saturated' | 'paced';
  readonly streams: number;
  readonly events: number;
  /** Saturated: events that are published and not yet received by all. */
  readonly ahead: number;
  /** Saturated: events in one publish call. */
  readonly perCall: number;
  /** Paced: events a second. */
  readonly rate: number;
  readonly loadProcesses: number;
}

export interface PeerRun {
  readonly peer: string;
  readonly deliveriesPerSecond: number;
  readonly deliveriesPerCpuSecond: number;
  readonly clientCpuShare: number;
  /** From just before the publish call, or, paced, from when it was due. */
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly p999Ms: number;
  readonly maxMs: number;
  /** From there to the publish answer; it means durable for Rivulet only. */
  readonly answerP50Ms: number;
  readonly answerP99Ms: number;
  /** From the publish answer to each delivery; null in saturated runs and with several load processes, where it is not recorded. */
  readonly fromAnswerP50Ms: number | null;
  readonly fromAnswerP99Ms: number | null;
}

/** Pushpin subscribes a stream after it has sent the origin's answer; nothing may be published before. The same for all. */
const settleMs = 500;
/** Pushpin answers 502 when too many ask it at once. The same for all. */
const openingMax = 32;

/** A source that keeps, by index, the milliseconds from an event's due time to its answer. */
function timed(source: Source, answeredMs: Float64Array): Source {
  return {
    events: source.events,
    end: () => {
      source.end();
    },
    publish: async (first, due) => {
      const answer = await source.publish(first, due);
      const at = nowNs();
      for (const [offset, dueNs] of due.entries()) answeredMs[first + offset] = Number(at - dueNs) / 1e6;
      return answer;
    },
  };
}

/** From the first publish to the last delivery: the client waits 200 ms at the end for what might come twice. */
function wholeSeconds(report: LoadReport, elapsedMs: number): number {
  return Math.max(report.seconds, (elapsedMs - 200) / 1_000);
}

/** One run of one server. Rejects when its run is void: something was lost, came twice, was refused, or took too long. */
export async function runPeer(
  peer: string,
  server: RunningPeer,
  pattern: Pattern,
  directory: string,
): Promise<PeerRun> {
  const { streams, events, ahead, perCall } = pattern;
  const paced = pattern.mode === 'paced';
  const answeredMs = new Float64Array(events).fill(Number.NaN);
  const source = timed(server.source(events), answeredMs);
  const pump = feedSaturated(source, { perBatch: perCall, ahead: ahead / perCall });
  const arrivals = paced && pattern.loadProcesses === 1 ? join(directory, 'arrivals') : null;
  const running = startLoad({
    port: server.port,
    target: server.target,
    readyBy: server.readyBy,
    streams,
    events,
    secondsMax: 90,
    opening: openingMax,
    processes: pattern.loadProcesses,
    ...(arrivals === null ? {} : { arrivals }),
    onProgress: paced ? () => undefined : pump.onReceived,
  });
  // When `ready` fails, `done` does too: the one that is awaited tells of it.
  running.done.catch(() => undefined);
  try {
    await running.ready;
    await sleep(systemClock, settleMs);
    const cpuBefore = server.cpuSeconds();
    const startMs = systemClock.monotonicMs();
    if (!paced) pump.start();
    const fed = paced ? feedPaced(source, pattern.rate) : pump.failed;
    // Of the feed only the failure counts: its end is not the end of the deliveries.
    const report = await Promise.race([running.done, fed.then(() => running.done)]);
    const seconds = wholeSeconds(report, systemClock.monotonicMs() - startMs);
    if (paced) await fed;
    const fromAnswer = arrivals === null ? null : latencyFromAnswer(arrivals, answeredMs);
    const answer = latencyOf(answeredMs.filter((ms) => !Number.isNaN(ms)));
    return {
      peer,
      deliveriesPerSecond: report.frames / seconds,
      deliveriesPerCpuSecond: report.frames / (server.cpuSeconds() - cpuBefore),
      clientCpuShare: report.cpuSeconds / seconds,
      p50Ms: percentileMs(report, 0.5),
      p99Ms: percentileMs(report, 0.99),
      p999Ms: percentileMs(report, 0.999),
      maxMs: report.latencyMaxUs / 1_000,
      answerP50Ms: answer.p50Ms,
      answerP99Ms: answer.p99Ms,
      fromAnswerP50Ms: fromAnswer?.p50Ms ?? null,
      fromAnswerP99Ms: fromAnswer?.p99Ms ?? null,
    };
  } finally {
    running.stop();
  }
}
