/**
 * Splits a query as Python's parse_qsl (keep_blank_values) behind FastAPI: on `&` only, empty pairs skipped, the first `=` splits,
 * `+` is a space, a malformed `%` stays literal, invalid UTF-8 becomes U+FFFD and a byte order mark is kept. Equals
 * URLSearchParams but for its loss of one leading `?`. Cost O(length).
 *
 * @param visit called once a pair, in order
 */
export function eachPair(query: string, visit: (name: string, value: string) => void): void {
  let start = 0;
  while (start < query.length) {
    const ampersand = query.indexOf('&', start);
    const end = ampersand === -1 ? query.length : ampersand;
    if (end > start) {
      const equals = query.indexOf('=', start);
      const split = equals === -1 || equals > end ? end : equals;
      visit(decodeForm(query.slice(start, split)), split === end ? '' : decodeForm(query.slice(split + 1, end)));
    }
    start = end + 1;
  }
}

function decodeForm(text: string): string {
  return decodePercent(text.includes('+') ? text.replaceAll('+', ' ') : text);
}

const utf8 = new TextDecoder('utf-8', { ignoreBOM: true });

/** `%XX` to bytes, bytes to text. */
export function decodePercent(text: string): string {
  if (!text.includes('%')) return text;
  try {
    return decodeURIComponent(text);
  } catch {
    // Malformed escapes or bytes: the slow way, which keeps or replaces them.
    return utf8.decode(percentBytes(Buffer.from(text)));
  }
}

const percent = 0x25;

function percentBytes(source: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(source.length);
  let length = 0;
  for (let index = 0; index < source.length; index += 1) {
    const high = source[index] === percent ? hexDigit(source[index + 1]) : -1;
    const low = high === -1 ? -1 : hexDigit(source[index + 2]);
    if (low === -1) {
      bytes[length] = source[index] ?? 0;
    } else {
      bytes[length] = high * 16 + low;
      index += 2;
    }
    length += 1;
  }
  return bytes.subarray(0, length);
}

function hexDigit(byte: number | undefined): number {
  if (byte === undefined) return -1;
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  const lower = byte | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1;
}

/** The last value of each wanted name, and every value of `list`; what else a query names is ignored. */
export function collectQuery(query: string, wanted: readonly string[], list?: string): Record<string, unknown> {
  const found: Record<string, unknown> = {};
  const values: string[] = [];
  eachPair(query, (name, value) => {
    if (name === list) values.push(value);
    else if (wanted.includes(name)) found[name] = value;
  });
  if (list !== undefined && values.length > 0) found[list] = values;
  return found;
}
