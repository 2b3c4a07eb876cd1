/** Text to number and boolean by Pydantic's lax rules (pydantic-core input/shared.rs: str_as_float, str_as_int, str_as_bool). */

// Unicode White_Space, which Rust's trim() strips: U+0085 is in it and U+FEFF is not; String.prototype.trim has it the other way round.
const whiteSpace =
  '\u0009\u000a\u000b\u000c\u000d\u0020\u0085\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000';

function trimSpace(text: string): string {
  let start = 0;
  let end = text.length;
  while (start < end && whiteSpace.includes(text.charAt(start))) start += 1;
  while (end > start && whiteSpace.includes(text.charAt(end - 1))) end -= 1;
  return text.slice(start, end);
}

// No two digit runs side by side: 60 KiB of digits must not cost the square of that.
const float = /^([+-]?)(?:(inf(?:inity)?)|(nan)|(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:e[+-]?[0-9]+)?)$/i;

/** Binary64 as Rust parses it, infinities and NaN included; null when the text is no number. */
export function parseFloatText(text: string): number | null {
  return floatOf(trimSpace(text)) ?? floatOf(withoutUnderscores(text));
}

function floatOf(text: string): number | null {
  const match = float.exec(text);
  if (match === null) return null;
  if (match[2] !== undefined) return match[1] === '-' ? -Infinity : Infinity;
  return match[3] === undefined ? Number(text) : Number.NaN;
}

/** Single inner underscores are digit separators; any other use leaves the text as it is, which then fails. */
function withoutUnderscores(text: string): string {
  const misplaced = text.startsWith('_') || text.endsWith('_') || text.includes('__');
  return misplaced ? text : text.replaceAll('_', '');
}

const integer = /^[+-]?[0-9]+(?:\.0*)?$/;

/** A whole number; `10.0` counts. Beyond 2^53 it is rounded, which any bound in use refuses anyway. */
export function parseIntText(text: string): number | null {
  const bare = withoutUnderscores(trimSpace(text));
  return integer.test(bare) ? Number(bare) : null;
}

const truths = new Set(['1', 't', 'y', 'on', 'yes', 'true']);
const falsehoods = new Set(['0', 'f', 'n', 'no', 'off', 'false']);
const shortAscii = /^[0-9a-zA-Z]{1,5}$/;

/** ASCII case-insensitive, untrimmed. */
export function parseBoolText(text: string): boolean | null {
  // Checked as ASCII first: toLowerCase would turn a Kelvin sign into a k.
  if (!shortAscii.test(text)) return null;
  const lower = text.toLowerCase();
  if (truths.has(lower)) return true;
  return falsehoods.has(lower) ? false : null;
}
