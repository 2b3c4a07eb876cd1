import type { StreamRefusal } from '../contract/stream.ts';
import { shardsMax } from '../core/limits.ts';
import type { ShardIndex } from '../core/sequence.ts';

/** Counts the open streams, in all and per client address, over all shards: the one place that can. */
export class AdmissionDesk {
  readonly #streamsMax: number;
  readonly #perAddressMax: number;
  readonly #addresses = new Map<string, Address>();
  /** By session and shard in one number: beside each stream's own memory this is all that it costs the main thread. */
  readonly #streams = new Map<number, Address>();

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
    const known = this.#addresses.get(address) ?? { address, streams: 0 };
    if (this.#perAddressMax > 0 && known.streams >= this.#perAddressMax) {
      return { kind: 'connections-exhausted', scope: 'address', max: this.#perAddressMax };
    }
    known.streams += 1;
    if (known.streams === 1) this.#addresses.set(address, known);
    this.#streams.set(keyOf(shard, session), known);
    return null;
  }

  /** Gives the place back; nothing for a stream that had none. */
  leave(shard: ShardIndex, session: number): void {
    const key = keyOf(shard, session);
    const known = this.#streams.get(key);
    if (known === undefined) return;
    this.#streams.delete(key);
    known.streams -= 1;
    if (known.streams === 0) this.#addresses.delete(known.address);
  }
}

interface Address {
  readonly address: string;
  streams: number;
}

/** A router has at most `shardsMax` shards. */
function keyOf(shard: ShardIndex, session: number): number {
  return session * shardsMax + shard;
}
