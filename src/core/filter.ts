import { lowerAscii } from './event.ts';
import { pathBytesMax } from './limits.ts';

/**
 * What one stream wants of the events of its executions. All given parts are ANDed; null filters nothing.
 *
 * `stage` and `path` are the request's texts without surrounding slashes: whole segments unless the last character is `*`, which makes
 * the rest a character prefix. `extension` has its leading dot and is ASCII lower-cased.
 */
export interface Filter {
  readonly stage: string | null;
  readonly path: string | null;
  readonly extension: string | null;
}

export const wildcard = '*';

/** Filters nothing. */
export const openFilter: Filter = { stage: null, path: null, extension: null };

/**
 * The one door from a request's texts to a Filter. Null and empty filter nothing, and so does a lone `*`. Never fails: a text that no event can
 * have makes a filter that matches nothing. Trims in loops, as a pattern costs the square of a run of slashes.
 */
export function parseFilter(stage: string | null, path: string | null, extension: string | null): Filter {
  return { stage: prefixOf(stage), path: prefixOf(path), extension: dotted(extension) };
}

/** Equal for filters with equal parts, and only for those; for interning. */
export function filterKey(filter: Filter): string {
  return JSON.stringify([filter.stage, filter.path, filter.extension]);
}

/** True when no event can match, whatever its execution: a segment that no stage or path can have, or an extension longer than any path. */
export function matchesNothing(filter: Filter): boolean {
  if (filter.extension !== null && (filter.extension.includes('/') || filter.extension.length >= pathBytesMax))
    return true;
  return hasImpossibleSegment(filter.stage) || hasImpossibleSegment(filter.path);
}

/**
 * Whether an event passes, as a function of its stage and path, with the work that depends on the filter alone done once. The reference that the
 * index is checked against, and what a replay uses: one filter, many events. Cost: no allocation.
 */
export function compileFilter(filter: Filter): (stage: string, path: string) => boolean {
  if (matchesNothing(filter)) return () => false;
  const { stage: stagePrefix, path: pathPrefix, extension } = filter;
  if (stagePrefix === null && pathPrefix === null && extension === null) return () => true;
  return (stage, path) =>
    matchesPrefix(stagePrefix, stage) &&
    matchesPrefix(pathPrefix, path) &&
    (extension === null || hasExtension(path, extension));
}

function prefixOf(text: string | null): string | null {
  if (text === null) return null;
  let start = 0;
  let end = text.length;
  while (start < end && text[start] === '/') start += 1;
  while (end > start && text[end - 1] === '/') end -= 1;
  const trimmed = text.slice(start, end);
  return trimmed === '' || trimmed === wildcard ? null : trimmed;
}

function dotted(extension: string | null): string | null {
  if (extension === null || extension === '') return null;
  return lowerAscii(extension.startsWith('.') ? extension : `.${extension}`);
}

/** `text` is `prefix`, or goes on with a slash; with a trailing `*` just starts with it. */
function matchesPrefix(prefix: string | null, text: string): boolean {
  if (prefix === null) return true;
  const last = prefix.length - 1;
  if (prefix[last] === wildcard) return startsWithPart(text, prefix, last);
  return text.startsWith(prefix) && (text.length === prefix.length || text[prefix.length] === '/');
}

/** Whether `text` starts with the first `length` characters of `prefix`, without cutting them out. */
function startsWithPart(text: string, prefix: string, length: number): boolean {
  if (text.length < length) return false;
  for (let index = 0; index < length; index += 1) {
    if (text.charCodeAt(index) !== prefix.charCodeAt(index)) return false;
  }
  return true;
}

/** The file name of `path` ends with `extension`, ASCII case aside, and is longer. `extension` is lower-case and has no slash. */
function hasExtension(path: string, extension: string): boolean {
  const start = path.length - extension.length;
  if (start <= 0 || path[start - 1] === '/') return false;
  for (let index = 0; index < extension.length; index += 1) {
    let code = path.charCodeAt(start + index);
    if (code >= 0x41 && code <= 0x5a) code += 0x20;
    if (code !== extension.charCodeAt(index)) return false;
  }
  return true;
}

function hasImpossibleSegment(prefix: string | null): boolean {
  if (prefix === null) return false;
  const segments = prefix.split('/');
  const isPartial = prefix.endsWith(wildcard);
  const whole = isPartial ? segments.length - 1 : segments.length;
  for (let index = 0; index < whole; index += 1) {
    const segment = segments[index];
    if (segment === '' || segment === '.' || segment === '..') return true;
  }
  return false;
}
