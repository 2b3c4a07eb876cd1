import type { Filter } from '../../src/core/filter.ts';

/**
 * The obvious answer to "does this event pass this filter", written from the API's words and from nothing in src: slow, segment by
 * segment, over plain arrays. What the index and core/filter.ts are compared with.
 */
export function naiveMatches(filter: Filter, stage: string, path: string): boolean {
  return (
    prefixMatches(filter.stage, stage.split('/')) &&
    prefixMatches(filter.path, path.split('/')) &&
    extensionMatches(filter.extension, path.split('/').at(-1) ?? '')
  );
}

function prefixMatches(prefix: string | null, segments: readonly string[]): boolean {
  if (prefix === null) return true;
  const wanted = prefix.split('/');
  const last = wanted[wanted.length - 1] ?? '';
  const beginning = last.charAt(last.length - 1) === '*' ? last.slice(0, last.length - 1) : null;
  if (beginning !== null) wanted.pop();
  for (const [place, segment] of wanted.entries()) {
    if (['', '.', '..'].includes(segment)) return false;
    if (segments[place] !== segment) return false;
  }
  if (beginning === null) return true;
  const next = segments[wanted.length];
  return next !== undefined && next.slice(0, beginning.length) === beginning;
}

function extensionMatches(extension: string | null, fileName: string): boolean {
  if (extension === null) return true;
  const lower = fileName.replace(/[A-Z]/g, (letter) => letter.toLowerCase());
  return lower.length > extension.length && lower.slice(lower.length - extension.length) === extension;
}
