/** `['entries', 3, 'event', 'stage']` to `entries[3].event.stage`; a name that is no identifier (a metadata key) as `["name"]`. */
export function formatFieldPath(field: readonly (string | number)[]): string {
  let path = '';
  for (const part of field) {
    if (typeof part === 'number') path += `[${part}]`;
    else if (!/^[A-Za-z_]\w*$/.test(part)) path += `[${JSON.stringify(part)}]`;
    else path += path === '' ? part : `.${part}`;
  }
  return path;
}

const step = /\.?([A-Za-z_]\w*)|\[(\d+)\]|\[("(?:[^"\\]|\\.)*")\]/gy;

/** The way back. What does not parse (another bus's own style) stays one name. */
export function parseFieldPath(path: string): (string | number)[] {
  const field: (string | number)[] = [];
  let end = 0;
  for (const match of path.matchAll(step)) {
    const [whole, name, index, quoted] = match;
    if (name !== undefined) field.push(name);
    else if (index !== undefined) field.push(Number(index));
    else if (quoted !== undefined) field.push(unquote(quoted));
    end = match.index + whole.length;
  }
  return end === path.length ? field : [path];
}

function unquote(quoted: string): string {
  try {
    return JSON.parse(quoted) as string;
  } catch {
    return quoted;
  }
}
