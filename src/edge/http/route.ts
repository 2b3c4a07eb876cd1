import { decodePercent } from '../stream/query.ts';

export type RouteName =
  | 'events'
  | 'executions'
  | 'execution'
  | 'health'
  | 'readiness'
  | 'openapi'
  | 'home'
  | 'docs'
  | 'asset';

export interface Route {
  readonly name: RouteName;
  readonly methods: readonly string[];
}

export type Resolved =
  | { readonly kind: 'route'; readonly route: Route; readonly parameter: string }
  | { readonly kind: 'redirect'; readonly path: string }
  | { readonly kind: 'none' };

const read = ['GET'];
const routes = new Map<string, Route>([
  ['/api/v1/storage/events', { name: 'events', methods: ['GET', 'POST'] }],
  ['/api/v1/executions', { name: 'executions', methods: read }],
  ['/healthz', { name: 'health', methods: read }],
  ['/readyz', { name: 'readiness', methods: read }],
  ['/openapi.json', { name: 'openapi', methods: read }],
  ['/', { name: 'home', methods: read }],
  ['/docs', { name: 'docs', methods: read }],
]);
const execution: Route = { name: 'execution', methods: ['GET', 'PUT'] };
const asset: Route = { name: 'asset', methods: read };

const executionPrefix = '/api/v1/executions/';
const assetPrefix = '/assets/';

/** One more level below a prefix: `/assets/x`, never `/assets/x/y`. */
function below(path: string, prefix: string): string | null {
  if (!path.startsWith(prefix)) return null;
  const rest = path.slice(prefix.length);
  return rest === '' || rest.includes('/') ? null : rest;
}

function match(path: string): Resolved {
  const route = routes.get(path);
  if (route !== undefined) return { kind: 'route', route, parameter: '' };
  const executionId = below(path, executionPrefix);
  if (executionId !== null) return { kind: 'route', route: execution, parameter: executionId };
  const file = below(path, assetPrefix);
  if (file !== null) return { kind: 'route', route: asset, parameter: file };
  return { kind: 'none' };
}

/** A loop, as `/\/+$/` costs the square of a run of slashes that is not at the end. */
function withoutTrailing(path: string): string {
  let end = path.length;
  while (end > 0 && path.charAt(end - 1) === '/') end -= 1;
  return path.slice(0, end);
}

/**
 * Routes a raw path as Starlette does behind uvicorn: percent-decoded before the match, and a path that would match without its
 * trailing slashes is redirected, whatever the method.
 */
export function resolveRoute(rawPath: string): Resolved {
  const path = rawPath.includes('%') ? decodePercent(rawPath) : rawPath;
  const found = match(path);
  if (found.kind !== 'none' || !path.endsWith('/')) return found;
  const bare = withoutTrailing(path) || '/';
  // encodeURI: a decoded name goes into a header, where neither CR LF nor raw bytes may stand.
  return match(bare).kind === 'route' ? { kind: 'redirect', path: encodeURI(bare.toWellFormed()) } : found;
}
