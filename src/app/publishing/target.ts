import type { EventPublisher } from '../../storage/publisher.ts';
import type { Invocation } from '../command-line.ts';
import { HttpPublisher } from './http-publisher.ts';

/** Where a client command publishes to. */
export type Target =
  | { readonly kind: 'http'; readonly url: string }
  | { readonly kind: 'bus'; readonly address: string };

/** A flag decides before the environment or the file, which may name a bus for the sake of the router; then the command's own habit. */
export function targetOf(invocation: Invocation, habit: Target['kind']): Target {
  const { configuration, given, flags } = invocation;
  const chosen = (['url', 'bus'] as const).find((name) => flags[name] !== undefined) ?? onlyGiven(given);
  const kind = chosen === undefined ? habit : chosen === 'url' ? 'http' : 'bus';
  return kind === 'http' ? { kind, url: configuration.url } : { kind, address: configuration.bus };
}

function onlyGiven(given: Invocation['given']): 'url' | 'bus' | undefined {
  if (given.has('url') === given.has('bus')) return undefined;
  return given.has('url') ? 'url' : 'bus';
}

export const targetText = (target: Target): string => (target.kind === 'http' ? target.url : target.address);

/** gRPC is loaded only when it is the way. */
export async function openPublisher(target: Target): Promise<EventPublisher> {
  if (target.kind === 'http') return new HttpPublisher(target.url);
  const { openBusPublisher } = await import('./bus-publisher.ts');
  return openBusPublisher(target.address);
}
