import { type Check, CheckSkipped, equal, holds, matches } from '../kit/check.ts';
import {
  type Answer,
  errorResponse,
  eventsPath,
  executionsPath,
  faultsOf,
  type HttpDoor,
  isLoopback,
  type Json,
  jsonOf,
  newExecution,
} from './door.ts';

const errorChecks: readonly Check<HttpDoor>[] = [
  {
    id: 'http/error/unknown-route',
    section: 'errors',
    run: async (door) => {
      for (const path of ['/api/v1/nowhere', `${eventsPath}/x`, '/nope']) {
        equal(errorResponse(await door.ask({ path }), 404)['detail'], 'Not Found', path);
      }
    },
  },
  {
    id: 'http/error/method-not-allowed',
    section: 'errors',
    run: async (door) => {
      for (const method of ['PUT', 'DELETE', 'PATCH', 'OPTIONS']) {
        const answer = await door.ask({ method, path: eventsPath, query: { timeout: 'abc' } });
        equal(errorResponse(answer, 405)['detail'], 'Method Not Allowed', method);
        equal(answer.headers.allow, 'GET, POST', `allow of ${method}`);
      }
    },
  },
  {
    id: 'http/error/head',
    section: 'errors',
    run: async (door) => {
      const answer = await door.ask({ method: 'HEAD', path: eventsPath, query: { execution_id: newExecution() } });
      equal([answer.status, answer.headers.allow, answer.text], [405, 'GET, POST', ''], 'HEAD is 405, without a body');
    },
  },
  {
    id: 'http/error/trailing-slash',
    section: 'events: Query',
    run: async (door) => {
      const answer = await door.ask({ path: `${eventsPath}/?execution_id=x&stage=a%2Fb` });
      equal(answer.status, 307, 'the status');
      const location = new URL(answer.headers.location ?? '', door.base);
      equal(location.pathname + location.search, `${eventsPath}?execution_id=x&stage=a%2Fb`, 'location');
    },
  },
  {
    id: 'http/error/validation-before-404',
    section: 'events: Answers',
    run: async (door) => {
      const query = { execution_id: newExecution(), timeout: '0' };
      const answer = await door.ask({ path: eventsPath, query });
      equal(answer.status, 422, 'the status');
      equal(faultsOf(answer)[0]?.['loc'], ['query', 'timeout'], 'loc');
    },
  },
  {
    id: 'http/error/correlation-echoed',
    section: 'errors',
    run: async (door) => {
      for (const name of ['x-request-id', 'x-correlation-id']) {
        for (const id of ['r-1', 'x'.repeat(128)]) {
          const answer = await door.ask({ path: '/nope', headers: { [name]: id } });
          equal(errorResponse(answer, 404)['correlation_id'], id, `${name} comes back`);
        }
      }
    },
  },
  {
    id: 'http/error/correlation-replaced',
    section: 'errors',
    run: async (door) => {
      const seen: unknown[] = [];
      for (const headers of [{}, { 'x-request-id': 'x'.repeat(129) }, { 'x-request-id': 'two words' }]) {
        const id = errorResponse(await door.ask({ path: '/nope', headers }), 404)['correlation_id'];
        matches(id, /^[!-~]{1,128}$/, 'a new one');
        seen.push(id);
      }
      equal(new Set(seen).size, seen.length, 'each request has its own');
    },
  },
];

const access = 'access-control-';

const accessChecks: readonly Check<HttpDoor>[] = [
  {
    id: 'http/access/preflight',
    section: 'access: CORS',
    run: async (door) => {
      const origin = 'http://localhost:3000';
      const headers = {
        origin,
        [`${access}request-method`]: 'GET',
        [`${access}request-headers`]: 'last-event-id',
      };
      const answer = await door.ask({ method: 'OPTIONS', path: eventsPath, headers });
      equal(answer.status, 204, 'the status');
      equal(answer.headers[`${access}allow-origin`], origin, 'a loopback origin may');
      const allowed = String(answer.headers[`${access}allow-headers`]).toLowerCase();
      holds(allowed.includes('last-event-id') && allowed.includes('x-request-id'), 'with its two headers', allowed);
      matches(answer.headers[`${access}allow-methods`], /\bGET\b/, 'allow-methods');
    },
  },
  {
    id: 'http/access/origins',
    section: 'access: CORS',
    run: async (door) => {
      const ask = (origin: string): Promise<Answer> => door.ask({ path: '/nope', headers: { origin } });
      const local = await ask('http://127.0.0.1:5173');
      equal(local.headers[`${access}allow-origin`], 'http://127.0.0.1:5173', 'a loopback origin may read');
      matches(String(local.headers[`${access}expose-headers`]).toLowerCase(), /x-(?:request|correlation)-id/, 'expose');
      const foreign = await ask('https://conformance.invalid');
      equal(foreign.headers[`${access}allow-origin`], undefined, 'a foreign one may not');
    },
  },
  {
    id: 'http/access/host',
    section: 'access: Host',
    run: async (door) => {
      if (!isLoopback(door.base)) {
        throw new CheckSkipped('a target beyond loopback may have authentication or a proxy, which decide about Host');
      }
      for (const host of ['conformance.invalid', 'localhost.conformance.invalid', '127.0.0.1.conformance.invalid']) {
        errorResponse(
          await door.ask({ path: eventsPath, query: { execution_id: newExecution() }, headers: { host } }),
          403,
        );
      }
      equal((await door.ask({ path: '/nope', headers: { host: 'localhost' } })).status, 404, 'localhost');
    },
  },
];

const documentChecks: readonly Check<HttpDoor>[] = [
  {
    id: 'http/routes/openapi',
    section: 'routes',
    run: async (door) => {
      const answer = await door.ask({ path: '/openapi.json' });
      equal(answer.status, 200, 'the status');
      const { openapi, info, paths } = jsonOf(answer);
      matches(openapi, /^3\.[01]\.\d+$/, 'openapi');
      matches((info as Json | undefined)?.['title'], /./, 'info.title');
      matches((info as Json | undefined)?.['version'], /./, 'info.version');
      const described = paths as Record<string, Json | undefined>;
      const stream = described[eventsPath];
      holds('get' in (stream ?? {}) && 'post' in (stream ?? {}), `GET and POST ${eventsPath}`, Object.keys(described));
      holds(executionsPath in described, executionsPath, Object.keys(described));
      const parameters = ((stream?.['get'] as Json | undefined)?.['parameters'] ?? []) as Json[];
      const names = parameters.filter((one) => one['in'] === 'query').map(({ name }) => name);
      const wanted = [
        'execution_id',
        'stage',
        'path',
        'extension',
        'timeout',
        'keep_open',
        'last_event_id',
        'control_events',
      ];
      equal(new Set(names), new Set(wanted), 'the query parameters of the stream');
    },
  },
  {
    id: 'http/routes/pages',
    section: 'routes',
    run: async (door) => {
      for (const path of ['/docs', '/']) {
        const answer = await door.ask({ path });
        equal(answer.status, 200, path);
        matches(answer.headers['content-type'], /^text\/html/, `${path} is a page`);
      }
    },
  },
  {
    id: 'http/routes/health',
    section: 'routes',
    run: async (door) => {
      for (const path of ['/healthz', '/readyz']) {
        const answer = await door.ask({ path });
        equal(answer.status, 200, path);
        matches(jsonOf(answer)['status'], /./, `status of ${path}`);
      }
    },
  },
];

export const routeChecks: readonly Check<HttpDoor>[] = [...errorChecks, ...accessChecks, ...documentChecks];
