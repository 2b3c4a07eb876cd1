import type { Configuration } from '../configuration/options.ts';
export async function mend(configuration: Configuration, how: 'repair' | 'restored'): Promise<number> {
  await Promise.resolve();
  return configuration.insecure && how === 'repair' ? 1 : 0;
}
