import { StartError } from '../core/failure.ts';
import type { RouterOptions, RunningRouter } from './router-options.ts';

/** Held open for the composition of the router, which another branch brings. */
export function startRouter(options: RouterOptions): Promise<RunningRouter> {
  return Promise.reject(new StartError(`this build has no router to connect to ${options.busAddress}`, 1));
}
