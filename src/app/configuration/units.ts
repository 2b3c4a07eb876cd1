/** Sizes and durations as people write them: `64MiB`, `10GiB`, `7d`, `1h30m`. */

const byteUnits: Readonly<Record<string, number>> = {
  '': 1,
  b: 1,
  kib: 2 ** 10,
  mib: 2 ** 20,
  gib: 2 ** 30,
  tib: 2 ** 40,
  kb: 1e3,
  mb: 1e6,
  gb: 1e9,
  tb: 1e12,
};

const durationUnits: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

/** Bytes, or null when malformed. A bare number is bytes; `kB` is 1,000, `KiB` 1,024; case does not matter. */
export function parseBytes(text: string): number | null {
  const match = /^(\d{1,15}(?:\.\d{1,6})?)\s*([a-z]*)$/i.exec(text.trim());
  const unit = byteUnits[(match?.[2] ?? '').toLowerCase()];
  if (match === null || unit === undefined) return null;
  const bytes = Number(match[1]) * unit;
  return Number.isSafeInteger(bytes) ? bytes : null;
}

/** Milliseconds, or null when malformed. A unit is required, except for 0: `7` could be anything. Units may be joined: `1h30m`. */
export function parseDuration(text: string): number | null {
  const trimmed = text.trim().toLowerCase();
  if (trimmed === '0') return 0;
  if (!/^(?:\d{1,12}(?:\.\d{1,6})?(?:ms|s|m|h|d))+$/.test(trimmed)) return null;
  let total = 0;
  for (const [, amount, unit] of trimmed.matchAll(/([\d.]+)(ms|s|m|h|d)/g)) {
    total += Number(amount) * (durationUnits[unit ?? ''] ?? Number.NaN);
  }
  return Number.isSafeInteger(total) ? total : null;
}

/** The largest binary unit that leaves a whole number. */
export function formatBytes(bytes: number): string {
  for (const [name, unit] of [
    ['TiB', 2 ** 40] as const,
    ['GiB', 2 ** 30] as const,
    ['MiB', 2 ** 20] as const,
    ['KiB', 2 ** 10] as const,
  ]) {
    if (bytes >= unit && bytes % unit === 0) return `${bytes / unit}${name}`;
  }
  return `${bytes}B`;
}

/** The largest unit that leaves a whole number. */
export function formatDuration(ms: number): string {
  for (const name of ['d', 'h', 'm', 's']) {
    const unit = durationUnits[name] ?? 1;
    if (ms >= unit && ms % unit === 0) return `${ms / unit}${name}`;
  }
  return `${ms}ms`;
}
