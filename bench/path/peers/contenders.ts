import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Unmeasured } from '../../report/result.ts';
import { nchan } from './nchan.ts';
import { betterSse, nodeHttp } from './node-peers.ts';
import type { Peer, RunningPeer } from './peer.ts';
import { pushpin } from './pushpin.ts';
import { rivulet } from './rivulet.ts';

const all: readonly Peer[] = [rivulet, nodeHttp, betterSse, nchan, pushpin];

export interface Started {
  readonly peer: Peer;
  readonly server: RunningPeer;
}

export function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Starts those of `names` (none: all) that are here. One that is not, or that does not start, is skipped loudly and does not stop the others. */
export async function startPeers(
  directory: string,
  names: readonly string[],
): Promise<{ started: Started[]; skipped: Unmeasured[] }> {
  const started: Started[] = [];
  const skipped: Unmeasured[] = [];
  const skip = (what: string, reason: string): void => {
    skipped.push({ what, reason });
    process.stderr.write(`SKIPPED: ${what}, nothing of it is measured: ${reason}\n`);
  };
  for (const peer of all.filter(({ name }) => names.length === 0 || names.includes(name))) {
    const install = peer.missing();
    if (install !== null) {
      skip(peer.name, `not installed: ${install}`);
      continue;
    }
    const own = join(directory, peer.name.replace(/\W/g, '-'));
    mkdirSync(own);
    try {
      started.push({ peer, server: await peer.start(own) });
    } catch (error) {
      skip(peer.name, reasonOf(error));
    }
  }
  return { started, skipped };
}
