import { faultInputCharactersMax, faultInputDepthMax, faultInputItemsMax } from '../../core/limits.ts';

/**
 * A copy of what a caller sent, small enough to say back: an answer to 1 MiB of faults must not be many MiB, and JSON.stringify
 * overflows the stack on deep nesting. What is cut shows as `…`.
 */
export function boundedInput(value: unknown, depth = 0): unknown {
  if (typeof value === 'string') return boundedText(value);
  if (typeof value !== 'object' || value === null) return value ?? null;
  if (depth === faultInputDepthMax) return '…';
  if (Array.isArray(value)) {
    const items = value.slice(0, faultInputItemsMax).map((item) => boundedInput(item, depth + 1));
    return value.length > faultInputItemsMax ? [...items, '…'] : items;
  }
  const entries = Object.entries(value);
  const kept = entries
    .slice(0, faultInputItemsMax)
    .map(([key, item]) => [boundedText(key), boundedInput(item, depth + 1)]);
  if (entries.length > faultInputItemsMax) kept.push(['…', '…']);
  return Object.fromEntries(kept);
}

function boundedText(text: string): string {
  return text.length <= faultInputCharactersMax ? text : `${text.slice(0, faultInputCharactersMax).toWellFormed()}…`;
}
