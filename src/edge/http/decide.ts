import type { BlockList } from 'node:net';
import type { ControlCall } from '../../contract/control.ts';
import type { EdgeSettings } from '../../contract/edge-settings.ts';
import type { StreamRequest } from '../../contract/stream.ts';
import { batchBytesMax } from '../../core/limits.ts';
import { isJsonType } from '../api/body.ts';
import { parseChangeExecution, parseGetExecution, parseListExecutions } from '../api/executions.ts';
import { type ParsedCall, parsePublish } from '../api/publish.ts';
import { parseStreamQuery, streamRequestOf } from '../stream/parameters.ts';
import {
  type AccessRules,
  accessRules,
  corsHeaders,
  hostAllowed,
  hostRefused,
  originRefused,
  preflightHeaders,
  writeAllowed,
} from './access.ts';
import { clientAddress, isTrusted, proxyList } from './address.ts';
import {
  type Answer,
  type AnswerContext,
  emptyAnswer,
  errorAnswer,
  type Header,
  notFound,
  validationAnswer,
} from './answer.ts';
import { correlationIdOf } from './correlation.ts';
import { type Resolved, type Route, type RouteName, resolveRoute } from './route.ts';

/** The head of a request as plain data; '' for a header that is absent. Of a repeated header the first value, but for `forwardedFor`. */
export interface RequestHead {
  readonly method: string;
  readonly rawPath: string;
  readonly rawQuery: string;
  readonly host: string;
  readonly origin: string;
  readonly requestMethod: string;
  readonly requestId: string;
  readonly correlationId: string;
  readonly lastEventId: string;
  readonly contentType: string;
  readonly contentLength: string;
  readonly forwardedFor: string;
  readonly forwardedProto: string;
  readonly remoteAddress: string;
}

export interface Policy {
  readonly access: AccessRules;
  readonly proxies: BlockList;
}

export function policyOf(settings: EdgeSettings): Policy {
  return { access: accessRules(settings), proxies: proxyList(settings.trustedProxies) };
}

/** What to do with a request. `body` waits for the body, then `parse` says what to call. */
export type Decision =
  | { readonly kind: 'answer'; readonly route: RouteName | 'none'; readonly answer: Answer }
  | { readonly kind: 'stream'; readonly request: StreamRequest }
  | { readonly kind: 'call'; readonly route: RouteName; readonly call: ControlCall }
  | { readonly kind: 'body'; readonly route: RouteName; readonly parse: (bytes: Uint8Array) => ParsedCall }
  | { readonly kind: 'document'; readonly route: RouteName; readonly name: string };

/** The headers that every answer to a request carries, and its correlation id. */
export function contextOf(head: RequestHead, policy: Policy, wallMs: () => number): AnswerContext {
  const correlationId = correlationIdOf(head.requestId, head.correlationId);
  const headers: Header[] = [
    ['X-Request-ID', correlationId],
    ['X-Correlation-ID', correlationId],
    ...corsHeaders(head.origin, policy.access),
  ];
  return { correlationId, headers, wallMs };
}

/**
 * The order of decisions: host (403), preflight (204), route (404), trailing slash (307), method (405), then the route's own:
 * validation before anything that needs another part.
 */
export function decide(head: RequestHead, policy: Policy, context: AnswerContext): Decision {
  if (!hostAllowed(head.host, policy.access)) return answered(errorAnswer(hostRefused, context));
  if (head.method === 'OPTIONS' && head.requestMethod !== '') {
    return answered({ ...emptyAnswer, headers: preflightHeaders(head.origin, policy.access) });
  }
  const resolved = resolveRoute(head.rawPath);
  switch (resolved.kind) {
    case 'none':
      return answered(errorAnswer(notFound, context));
    case 'redirect':
      return answered(redirect(head, resolved.path, policy));
    case 'route':
      return decideRoute(head, resolved, policy, context);
  }
}

function answered(answer: Answer, route: RouteName | 'none' = 'none'): Decision {
  return { kind: 'answer', route, answer };
}

function redirect(head: RequestHead, path: string, policy: Policy): Answer {
  const secure = head.forwardedProto.toLowerCase() === 'https' && isTrusted(head.remoteAddress, policy.proxies);
  const query = head.rawQuery === '' ? '' : `?${encodeRaw(head.rawQuery)}`;
  const location = `${secure ? 'https' : 'http'}://${head.host}${path}${query}`;
  return { status: 307, headers: [['Location', location]], body: '' };
}

/** What is not visible ASCII (a raw byte in the request line) may not stand in a header. */
function encodeRaw(query: string): string {
  return query.replace(/[^\x21-\x7e]+/g, (run) => encodeURIComponent(run.toWellFormed()));
}

type Matched = Extract<Resolved, { kind: 'route' }>;

function decideRoute(head: RequestHead, matched: Matched, policy: Policy, context: AnswerContext): Decision {
  const { route, parameter } = matched;
  if (!route.methods.includes(head.method)) return answered(methodNotAllowed(route, context), route.name);
  if (head.method !== 'GET') return decideWrite(head, matched, policy, context);
  switch (route.name) {
    case 'events':
      return decideStream(head, policy);
    case 'executions':
      return parsedCall(route.name, parseListExecutions(head.rawQuery));
    case 'execution':
      return parsedCall(route.name, parseGetExecution(parameter));
    case 'health':
      return { kind: 'call', route: route.name, call: { kind: 'health' } };
    case 'readiness':
      return { kind: 'call', route: route.name, call: { kind: 'readiness' } };
    case 'openapi':
      return { kind: 'document', route: route.name, name: 'openapi.json' };
    case 'home':
      return { kind: 'document', route: route.name, name: 'index.html' };
    case 'docs':
      return { kind: 'document', route: route.name, name: 'docs.html' };
    case 'asset':
      return { kind: 'document', route: route.name, name: parameter };
  }
}

function methodNotAllowed(route: Route, context: AnswerContext): Answer {
  const allow: Header = ['Allow', route.methods.join(', ')];
  const words = { status: 405, code: 'METHOD_NOT_ALLOWED', detail: 'Method Not Allowed', headers: [allow] };
  return errorAnswer(words, context);
}

function decideStream(head: RequestHead, policy: Policy): Decision {
  const parsed = parseStreamQuery(head.rawQuery);
  if (parsed.kind === 'invalid') return answered(validationAnswer(parsed.faults), 'events');
  const address = clientAddress(head.remoteAddress, head.forwardedFor, policy.proxies);
  return { kind: 'stream', request: streamRequestOf(parsed.parameters, head.lastEventId, address) };
}

function parsedCall(route: RouteName, parsed: ParsedCall): Decision {
  return parsed.kind === 'call'
    ? { kind: 'call', route, call: parsed.call }
    : answered(validationAnswer(parsed.faults), route);
}

function decideWrite(head: RequestHead, matched: Matched, policy: Policy, context: AnswerContext): Decision {
  const { route, parameter } = matched;
  if (!writeAllowed(head.origin, head.host, policy.access)) {
    return answered(errorAnswer(originRefused, context), route.name);
  }
  if (!isJsonType(head.contentType)) {
    const detail = 'Content-Type must be application/json';
    return answered(errorAnswer({ status: 415, code: 'UNSUPPORTED_MEDIA_TYPE', detail }, context), route.name);
  }
  if (Number(head.contentLength) > batchBytesMax) return answered(bodyTooLarge(context), route.name);
  const parse = route.name === 'events' ? parsePublish : (bytes: Uint8Array) => parseChangeExecution(parameter, bytes);
  // Not waited for: uWebSockets.js does not report the end of an empty body when the head came in several segments.
  if (/^0+$/.test(head.contentLength)) return parsedCall(route.name, parse(new Uint8Array()));
  return { kind: 'body', route: route.name, parse };
}

export function bodyTooLarge(context: AnswerContext): Answer {
  const detail = `Request body must be at most ${batchBytesMax} bytes`;
  return errorAnswer({ status: 413, code: 'BODY_TOO_LARGE', detail }, context);
}
