import type { Clock } from '../../core/clock.ts';
import { ThrottledError } from '../../core/failure.ts';
import { publishBurst, TokenBucket } from '../../core/token-bucket.ts';

/** Lets so many entries in, or throws ThrottledError. */
export type PublishGate = (entries: number) => void;

/** The bound on how fast all publishers together may append. `ratePerSecond` 0: none. */
export function publishGate(ratePerSecond: number, clock: Clock): PublishGate {
  if (ratePerSecond === 0) return () => undefined;
  const bucket = new TokenBucket(ratePerSecond, publishBurst(ratePerSecond), clock.monotonicMs());
  return (entries) => {
    const waitMs = bucket.take(entries, clock.monotonicMs());
    if (waitMs > 0) throw new ThrottledError(`more than ${ratePerSecond} entries a second are published`, waitMs);
  };
}
