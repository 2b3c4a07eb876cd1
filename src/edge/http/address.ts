import { BlockList, isIP, SocketAddress } from 'node:net';
import { StartError } from '../../core/failure.ts';

/** Addresses or CIDR blocks. A bad one is the operator's word: StartError 2. */
export function proxyList(entries: readonly string[]): BlockList {
  const list = new BlockList();
  for (const entry of entries) {
    const [address = '', bits] = entry.split('/');
    const family = isIP(address);
    const width = family === 4 ? 32 : 128;
    const prefix = bits === undefined ? width : /^\d{1,3}$/.test(bits) ? Number(bits) : -1;
    if (family === 0 || prefix < 0 || prefix > width) {
      throw new StartError(
        `trusted proxy '${entry}' is not allowed: give an IP address or a block such as 10.0.0.0/8`,
        2,
      );
    }
    list.addSubnet(address, prefix, family === 4 ? 'ipv4' : 'ipv6');
  }
  return list;
}

const mappedPrefix = '00000000000000000000ffff';

/** The text of a binary address as uWebSockets.js reports it: 4 or 16 bytes; IPv4 inside IPv6 is given as IPv4. */
export function addressText(bytes: Uint8Array): string {
  if (bytes.length === 4) return bytes.join('.');
  if (bytes.length !== 16) return 'unknown';
  const hex = Buffer.from(bytes).toString('hex');
  if (hex.startsWith(mappedPrefix)) return bytes.subarray(12).join('.');
  return new SocketAddress({ address: hex.replace(/(.{4})(?!$)/g, '$1:'), family: 'ipv6' }).address;
}

export function isTrusted(address: string, proxies: BlockList): boolean {
  const family = isIP(address);
  return family !== 0 && proxies.check(address, family === 4 ? 'ipv4' : 'ipv6');
}

/**
 * The client behind trusted proxies: X-Forwarded-For is read from the right, as each proxy appends the address it saw; the first
 * one that is not trusted is the client. A hop that is no address ends the walk: what stands left of it is anybody's claim.
 */
export function clientAddress(remote: string, forwardedFor: string, proxies: BlockList): string {
  if (forwardedFor === '' || !isTrusted(remote, proxies)) return remote;
  let client = remote;
  for (const hop of forwardedFor.split(',').reverse()) {
    const address = hopAddress(hop.trim());
    if (address === null) return client;
    client = address;
    if (!isTrusted(client, proxies)) return client;
  }
  return client;
}

/** `1.2.3.4`, `1.2.3.4:80`, `::1`, `[::1]`, `[::1]:80`. */
function hopAddress(hop: string): string | null {
  const bare = /^\[(.*)\](?::\d+)?$/.exec(hop)?.[1] ?? hop.replace(/^([\d.]+):\d+$/, '$1');
  return isIP(bare) === 0 || bare.includes('%') ? null : bare;
}
