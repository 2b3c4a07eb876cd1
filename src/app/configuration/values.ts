import { isIP } from 'node:net';
import { z } from 'zod';
import * as bounds from './option-bounds.ts';
import { formatBytes, formatDuration, parseBytes, parseDuration } from './units.ts';

/** What a flag, a variable or a key of the file may hold before it is understood. */
export type RawValue = string | number | boolean | readonly string[];

/** A kind of value: how it is read, and what to say is allowed when it cannot be. */
export interface ValueKind<Value> {
  readonly schema: z.ZodType<Value, RawValue>;
  readonly allowed: string;
  /** Shown in help between angle brackets; null for a switch that takes no value. */
  readonly placeholder: string | null;
  /** Lists collect repeated flags and split at commas. */
  readonly list: boolean;
}

const raw = z.union([z.string(), z.number(), z.boolean(), z.array(z.string()).readonly()]);

/** A schema over one reading function: `null` means not allowed. The text of the issue is `allowed`, said once, by the caller. */
function kind<Value>(
  allowed: string,
  placeholder: string | null,
  read: (value: RawValue) => Value | null,
): ValueKind<Value> {
  const schema = raw.transform((value, context): Value => {
    const result = read(value);
    if (result !== null) return result;
    context.issues.push({ code: 'custom', message: allowed, input: value });
    return z.NEVER;
  });
  return { schema, allowed, placeholder, list: false };
}

const textOf = (value: RawValue): string | null => {
  if (typeof value === 'string') return value.trim();
  return typeof value === 'number' ? String(value) : null;
};

const within = (value: number | null, min: number, max: number): number | null =>
  value !== null && value >= min && value <= max ? value : null;

export function wholeNumber(min: number, max: number, placeholder = 'n', note = ''): ValueKind<number> {
  return kind(`a whole number from ${min} to ${max}${note}`, placeholder, (value) => {
    const text = textOf(value);
    return text !== null && /^\d{1,15}$/.test(text) ? within(Number(text), min, max) : null;
  });
}

export const port = (): ValueKind<number> => wholeNumber(0, bounds.portMax, 'port', ' (0 picks a free one)');

export function bytes(min: number, max: number): ValueKind<number> {
  const allowed = `a size from ${formatBytes(min)} to ${formatBytes(max)}, such as 64MiB`;
  return kind(allowed, 'size', (value) => {
    const text = textOf(value);
    return text === null ? null : within(parseBytes(text), min, max);
  });
}

/** In milliseconds. */
export function duration(min: number, max: number): ValueKind<number> {
  const allowed = `a duration from ${formatDuration(min)} to ${formatDuration(max)}, such as 90s, 12h or 7d`;
  return kind(allowed, 'duration', (value) => {
    const text = textOf(value);
    return text === null ? null : within(parseDuration(text), min, max);
  });
}

export function seconds(maxMs: number): ValueKind<number> {
  return kind(`a number of seconds from 0 to ${maxMs / 1000}`, 'seconds', (value) => {
    const text = textOf(value);
    return text !== null && /^\d{1,9}(?:\.\d{1,6})?$/.test(text) ? within(Number(text), 0, maxMs / 1000) : null;
  });
}

export function choice<const Name extends string>(names: readonly Name[], placeholder: string): ValueKind<Name> {
  return kind(`one of ${names.join(', ')}`, placeholder, (value) => {
    const text = textOf(value);
    return names.find((name) => name === text) ?? null;
  });
}

/** A folder, or the empty text where the option gives that a meaning. */
export function folderOrNone(): ValueKind<string> {
  return kind('the path of a folder', 'folder', (value) =>
    typeof value === 'string' && !value.includes('\0') ? value : null,
  );
}

export function directory(): ValueKind<string> {
  return kind('the path of a directory', 'directory', (value) =>
    typeof value === 'string' && value.trim() !== '' && !value.includes('\0') ? value : null,
  );
}

export function toggle(): ValueKind<boolean> {
  return kind('true or false', null, (value) => {
    if (typeof value === 'boolean') return value;
    if (value === 'true' || value === '1') return true;
    return value === 'false' || value === '0' ? false : null;
  });
}

const hostName = /^(?=.{1,253}$)[a-z\d](?:[a-z\d-]{0,61}[a-z\d])?(?:\.[a-z\d](?:[a-z\d-]{0,61}[a-z\d])?)*$/i;

const isHost = (text: string): boolean => isIP(text) !== 0 || hostName.test(text);

/** An address to listen on: an IP address or a host name, no port. */
export function host(): ValueKind<string> {
  return kind('an IP address or host name without port', 'host', (value) => {
    const text = textOf(value)?.replace(/^\[(.*)\]$/, '$1') ?? '';
    return isHost(text) ? text : null;
  });
}

/** `host:port`, IPv6 in brackets; answered in that form. */
export function address(): ValueKind<string> {
  return kind('host:port, such as 127.0.0.1:50051', 'host:port', (value) => {
    const match = typeof value === 'string' ? /^(\[[^\]]+\]|[^:]+):(\d{1,5})$/.exec(value.trim()) : null;
    if (match === null) return null;
    const [, hostText = '', portText = ''] = match;
    const bare = hostText.replace(/^\[(.*)\]$/, '$1');
    return isHost(bare) && within(Number(portText), 1, bounds.portMax) !== null
      ? `${hostText}:${Number(portText)}`
      : null;
  });
}

/** The base of a server: scheme, host, port; answered without a trailing slash. */
export function url(): ValueKind<string> {
  return kind('an http:// or https:// URL', 'url', (value) => {
    if (typeof value !== 'string' || !URL.canParse(value)) return null;
    const parsed = new URL(value);
    return /^https?:$/.test(parsed.protocol) && parsed.search === '' && parsed.hash === ''
      ? parsed.href.replace(/\/+$/, '')
      : null;
  });
}

function list(
  allowed: string,
  placeholder: string,
  read: (entry: string) => string | null,
): ValueKind<readonly string[]> {
  const whole = `${allowed}, separated by commas, at most ${bounds.listEntriesMax}`;
  const base = kind<readonly string[]>(whole, placeholder, (value) => {
    const entries = (
      typeof value === 'string' ? value.split(',') : Array.isArray(value) ? (value as readonly string[]) : null
    )
      ?.map((entry) => entry.trim())
      .filter((entry) => entry !== '');
    if (entries === undefined || entries.length > bounds.listEntriesMax) return null;
    const results = entries.map(read);
    return results.includes(null) ? null : results.filter((entry) => entry !== null);
  });
  return { ...base, list: true };
}

/** Host names without port; `*` takes all. */
export const hosts = (): ValueKind<readonly string[]> =>
  list('host names without port, or *', 'hosts', (entry) => {
    const bare = entry.replace(/^\[(.*)\]$/, '$1').toLowerCase();
    return entry === '*' || isHost(bare) ? bare : null;
  });

/** `scheme://host[:port]` as a browser sends it; no path, no `*`: a list of origins is what makes a cross-origin read deliberate. */
export const origins = (): ValueKind<readonly string[]> =>
  list('origins such as https://app.example', 'origins', (entry) => {
    if (!URL.canParse(entry)) return null;
    const { origin } = new URL(entry);
    return /^https?:/.test(origin) && origin === entry.replace(/\/$/, '').toLowerCase() ? origin : null;
  });

/** IP addresses and CIDR blocks. */
export const networks = (): ValueKind<readonly string[]> =>
  list('IP addresses or CIDR blocks such as 10.0.0.0/8', 'networks', (entry) => {
    const [ip = '', prefix, ...rest] = entry.split('/');
    const family = isIP(ip);
    if (family === 0 || rest.length > 0) return null;
    if (prefix === undefined) return entry;
    return /^\d{1,3}$/.test(prefix) && Number(prefix) <= (family === 4 ? 32 : 128) ? entry : null;
  });
