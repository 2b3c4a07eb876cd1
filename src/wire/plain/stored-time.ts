/** Bytes of a time as the journal stores it: `2026-11-24T14:27:48.123Z`. */
export const storedTimeBytes = 24;

/** '0' for each digit, else the character itself. */
const form = '0000-00-00T00:00:00.000Z';
const digitZero = 0x30;
const formBytes = Uint8Array.from(form, (character) => character.charCodeAt(0));
const daysOfMonth = [0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

/**
 * True when the 24 bytes at `start` are a time that core/event.ts `normalizeTime` answers unchanged: UTC, milliseconds, a day that exists.
 * Years below 1000 are left to it. The caller makes sure that the bytes are there.
 */
export function isStoredTime(bytes: Uint8Array, start: number): boolean {
  return hasForm(bytes, start) && hasDay(bytes, start) && hasHour(bytes, start + 11);
}

function hasForm(bytes: Uint8Array, start: number): boolean {
  for (let index = 0; index < storedTimeBytes; index += 1) {
    const byte = bytes[start + index] as number; // the caller has bounded it
    const wanted = formBytes[index] as number; // as long as the loop
    if (wanted === digitZero ? byte < digitZero || byte > digitZero + 9 : byte !== wanted) return false;
  }
  return true;
}

function hasDay(bytes: Uint8Array, start: number): boolean {
  const year = two(bytes, start) * 100 + two(bytes, start + 2);
  const month = two(bytes, start + 5);
  const day = two(bytes, start + 8);
  if (year < 1_000 || month < 1 || month > 12 || day < 1) return false;
  const leap = year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);
  const days = month === 2 && leap ? 29 : (daysOfMonth[month] as number); // 1 to 12
  return day <= days;
}

function hasHour(bytes: Uint8Array, start: number): boolean {
  return two(bytes, start) < 24 && two(bytes, start + 3) < 60 && two(bytes, start + 6) < 60;
}

function two(bytes: Uint8Array, at: number): number {
  return ((bytes[at] as number) - digitZero) * 10 + ((bytes[at + 1] as number) - digitZero); // digits, as checked
}
