import type { Clock } from '../../core/clock.ts';

export async function checkJournal(_directory: string, _clock: Clock): Promise<void> {
  await Promise.resolve();
}
