import { createHash } from 'node:crypto';
import type { StorageEventInput } from '../../../core/event.ts';

/**
 * The input as published, before anything is computed or stamped: what a repeated source_id is compared by. The order of metadata and the
 * case of the execution id do not count. 128 bits of SHA-256.
 */
export function inputHash(event: StorageEventInput): string {
  const metadata = Object.entries(event.metadata ?? {}).sort(([a], [b]) => (a < b ? -1 : 1));
  const input = [
    event.stage,
    event.path,
    event.size ?? null,
    event.content_type ?? '',
    event.checksum ?? '',
    event.uri ?? '',
    event.time ?? '',
    metadata,
  ];
  return createHash('sha256').update(JSON.stringify(input)).digest('base64url').slice(0, 22);
}
