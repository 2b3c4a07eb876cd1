import type { StreamRefusal } from '../contract/stream.ts';
import type { ShardIndex } from '../core/sequence.ts';

/** Counts the open streams, in all and per client address, over all shards: the one place that can. */
export class AdmissionDesk {
  readonly #streamsMax: number;
  readonly #perAddressMax: number;
  readonly #addresses = new Map<string, number>();
  readonly #streams = new Map<string, string>();

  /** @param perAddressMax 0: no limit */
  constructor(streamsMax: number, perAddressMax: number) {
    this.#streamsMax = streamsMax;
    this.#perAddressMax = perAddressMax;
  }

  get streams(): number {
    return this.#streams.size;
  }

  /** Takes a place, or says why there is none. */
  enter(shard: ShardIndex, session: number, address: string): StreamRefusal | null {
    if (this.#streams.size >= this.#streamsMax) {
      return { kind: 'connections-exhausted', scope: 'server', max: this.#streamsMax };
    }
    const count = this.#addresses.get(address) ?? 0;
    if (this.#perAddressMax > 0 && count >= this.#perAddressMax) {
      return { kind: 'connections-exhausted', scope: 'address', max: this.#perAddressMax };
    }
    this.#addresses.set(address, count + 1);
    this.#streams.set(`${shard}:${session}`, address);
    return null;
  }

  /** Gives the place back; nothing for a stream that had none. */
  leave(shard: ShardIndex, session: number): void {
    const key = `${shard}:${session}`;
    const address = this.#streams.get(key);
    if (address === undefined) return;
    this.#streams.delete(key);
    const count = (this.#addresses.get(address) ?? 1) - 1;
    if (count === 0) this.#addresses.delete(address);
    else this.#addresses.set(address, count);
  }
}
