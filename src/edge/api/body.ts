import { missing, type ValidationFault } from '../http/validation.ts';

export type ParsedJson =
  | { readonly kind: 'json'; readonly value: unknown }
  | { readonly kind: 'invalid'; readonly fault: ValidationFault };

const strictUtf8 = new TextDecoder('utf-8', { fatal: true });

/** A request body as JSON: strict UTF-8 (RFC 8259), or FastAPI's `json_invalid`. */
export function parseJsonBody(bytes: Uint8Array): ParsedJson {
  if (bytes.length === 0) return { kind: 'invalid', fault: missing('body') };
  let text: string;
  try {
    text = strictUtf8.decode(bytes);
  } catch {
    return jsonInvalid(0, 'the body is not valid UTF-8');
  }
  try {
    return { kind: 'json', value: JSON.parse(text) };
  } catch (error) {
    const message = error instanceof SyntaxError ? error.message : 'not JSON';
    return jsonInvalid(Number(/position (\d+)/.exec(message)?.[1] ?? text.length), withoutQuote(message));
  }
}

/** V8 quotes the body in its message; `"abc" is not valid JSON` says nothing that the caller does not have. */
function withoutQuote(message: string): string {
  return message.replace(/,? ?(?:\.\.\.)?"[\s\S]*is not valid JSON$/, '').slice(0, 120);
}

function jsonInvalid(position: number, error: string): ParsedJson {
  const fault = { type: 'json_invalid', loc: ['body', position], msg: 'JSON decode error', input: {}, ctx: { error } };
  return { kind: 'invalid', fault };
}

/** `application/json`, with or without parameters. Anything else a page could send without a preflight. */
export function isJsonType(contentType: string): boolean {
  const [type = ''] = contentType.split(';', 1);
  return type.trim().toLowerCase() === 'application/json';
}
