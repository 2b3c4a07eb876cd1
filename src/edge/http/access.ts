import type { EdgeSettings } from '../../contract/edge-settings.ts';
import type { ErrorWords, Header } from './answer.ts';

/** Who may talk to this server: by `Host` (DNS rebinding) and by `Origin` (CORS, cross-site writes). Pure. */
export interface AccessRules {
  readonly hosts: ReadonlySet<string>;
  readonly origins: ReadonlySet<string>;
  readonly writeOrigins: ReadonlySet<string>;
}

export function accessRules(settings: EdgeSettings): AccessRules {
  const lower = (texts: readonly string[]): ReadonlySet<string> => new Set(texts.map((text) => text.toLowerCase()));
  return {
    hosts: lower(settings.allowedHosts),
    origins: lower([...settings.corsOrigins, ...settings.corsWriteOrigins]),
    writeOrigins: lower(settings.corsWriteOrigins),
  };
}

/** A reg-name of RFC 3986 or an address: it is given back in the `Location` of a redirect, so no other byte may be in it. */
const hostForm = /^(\[[0-9a-f:.]+\]|[a-z0-9._~!$&'()*+,;=%-]+)(?::\d{1,5})?$/i;

/** The host of a `Host` header or an origin, lower case, without port and final dot; null when malformed. */
function hostName(host: string): string | null {
  const name = hostForm.exec(host)?.[1]?.toLowerCase();
  return name?.replace(/\.$/, '') ?? null;
}

const loopbackV4 = /^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/;

function isLoopbackName(name: string): boolean {
  return name === 'localhost' || name.endsWith('.localhost') || name === '[::1]' || loopbackV4.test(name);
}

export const hostRefused: ErrorWords = {
  status: 403,
  code: 'HOST_NOT_ALLOWED',
  detail: 'Host not allowed: neither a loopback name nor one of the configured hosts',
};

/** A page whose name was rebound to this address comes with its own name in `Host`: that is refused. */
export function hostAllowed(host: string, rules: AccessRules): boolean {
  const name = hostName(host);
  if (name === null) return false;
  return isLoopbackName(name) || rules.hosts.has(name) || rules.hosts.has('*');
}

/** An origin that may read is given back in a header: whatever is configured, it is visible ASCII (RFC 6454 section 6.2). */
const visibleAscii = /^[\x21-\x7e]+$/;
const originForm = /^https?:\/\/([^/?#]+)$/i;

function originMayRead(origin: string, rules: AccessRules): boolean {
  if (!visibleAscii.test(origin)) return false;
  const lower = origin.toLowerCase();
  if (rules.origins.has(lower) || rules.origins.has('*')) return true;
  const name = hostName(originForm.exec(lower)?.[1] ?? '');
  return name !== null && isLoopbackName(name);
}

function originMayWrite(origin: string, rules: AccessRules): boolean {
  return rules.writeOrigins.has(origin.toLowerCase()) || rules.writeOrigins.has('*');
}

export const originRefused: ErrorWords = {
  status: 403,
  code: 'ORIGIN_NOT_ALLOWED',
  detail: 'Cross-origin writes are not allowed from this origin',
};

/** A browser names its page's origin on every write; without one, or on the server's own pages, there is nothing to refuse. */
export function writeAllowed(origin: string, host: string, rules: AccessRules): boolean {
  if (origin === '' || originMayWrite(origin, rules)) return true;
  const authority = originForm.exec(origin)?.[1];
  return authority !== undefined && authority.toLowerCase() === host.toLowerCase();
}

/** Headers that let a page of an allowed origin read the answer. `Vary` always, so that a cache never mixes two origins. */
export function corsHeaders(origin: string, rules: AccessRules): readonly Header[] {
  if (origin === '' || !originMayRead(origin, rules)) return [['Vary', 'Origin']];
  return [
    ['Vary', 'Origin'],
    ['Access-Control-Allow-Origin', origin],
    ['Access-Control-Expose-Headers', 'X-Request-ID, X-Correlation-ID, Retry-After, Rivulet-Visible'],
  ];
}

/** The rest of a preflight's answer; nothing for an origin that may not read, so the browser refuses on its own. */
export function preflightHeaders(origin: string, rules: AccessRules): readonly Header[] {
  if (origin === '' || !originMayRead(origin, rules)) return [];
  const mayWrite = originMayWrite(origin, rules);
  return [
    ['Access-Control-Allow-Methods', mayWrite ? 'GET, POST, PUT' : 'GET'],
    [
      'Access-Control-Allow-Headers',
      `Last-Event-ID, X-Request-ID, X-Correlation-ID, Cache-Control${mayWrite ? ', Content-Type' : ''}`,
    ],
    ['Access-Control-Max-Age', '600'],
  ];
}
