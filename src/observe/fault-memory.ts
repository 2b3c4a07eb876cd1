import { BusError } from '../core/failure.ts';
import { damagesRememberedMax } from '../core/limits.ts';

export const isDamage = (error: unknown): error is BusError => error instanceof BusError && error.code === 'damaged';

/**
 * Answers true for a fault that was said already and is met again with every try, and so is said once a cause: a damaged place of the journal, and
 * whatever a read of history fails by. Beyond `damagesRememberedMax` causes nothing of the kind is said any more.
 */
export function faultMemory(): (what: string, error: unknown) => boolean {
  const said = new Set<string>();
  return (what, error) => {
    if (what !== 'history' && !isDamage(error)) return false;
    const cause = error instanceof Error ? error.message : String(error);
    const isOld = said.has(cause) || said.size >= damagesRememberedMax;
    if (!isOld) said.add(cause);
    return isOld;
  };
}
