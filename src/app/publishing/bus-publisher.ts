import { BusError } from '../../core/failure.ts';
import type { EventPublisher } from '../../storage/publisher.ts';
export function openBusPublisher(address: string): Promise<EventPublisher> {
  return Promise.reject(new BusError('unavailable', address));
}
