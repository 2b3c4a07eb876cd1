import type { HttpRequest, HttpResponse, TemplatedApp } from 'uWebSockets.js';
import type { ControlCall, ControlDoor } from '../contract/control.ts';
import type { EdgeSettings } from '../contract/edge-settings.ts';
import type { StreamDoor, StreamRequest } from '../contract/stream.ts';
import type { Clock } from '../core/clock.ts';
import { retryAfterOverloadSeconds } from '../core/limits.ts';
import { controlAnswer } from './api/control-answer.ts';
import { Documents } from './docs/documents.ts';
import { Exchange } from './exchange.ts';
import { addressText, isTrusted } from './http/address.ts';
import { type Answer, errorAnswer, internalError, notFound, validationAnswer } from './http/answer.ts';
import {
  bodyTooLarge,
  contextOf,
  type Decision,
  decide,
  type Policy,
  policyOf,
  type RequestHead,
} from './http/decide.ts';
import type { RouteName } from './http/route.ts';
import { type BodyOutcome, BodyReader } from './request-body.ts';
import { type StreamSocketHooks, UwsStreamSocket } from './stream-socket.ts';
import { loadUws } from './uws.ts';
import './uws-descriptors.ts';

/** Told of what the edge does; each call is synchronous and must not throw. */
export interface EdgeMetrics {
  /** A response's head was written. `route` is one of few names, never a path. */
  answered(route: RouteName | 'none', status: number): void;
  /** A door threw or rejected: our bug, answered 500 where a response was still owed. */
  failed(error: unknown, correlationId: string): void;
}

export interface EdgeOptions {
  readonly door: StreamDoor;
  readonly control: ControlDoor;
  readonly settings: EdgeSettings;
  readonly clock: Clock;
  readonly metrics?: EdgeMetrics;
}

export interface Edge {
  /** Not listening. Hand `app.getDescriptor()` to the acceptor in the main thread. */
  readonly app: TemplatedApp;
  /** Cuts every connection (each open stream gets `onClosed`) and frees the app; the thread may end after it. */
  close(): void;
}

/**
 * The HTTP API of one thread. Fails with StartError when uWebSockets.js has no binary here, or a trusted proxy is malformed.
 *
 * The rim of the room: it turns requests into plain data, asks `decide` (pure), and carries the decision out.
 */
export async function createEdge(options: EdgeOptions): Promise<Edge> {
  const uws = await loadUws();
  const rim = new Rim(options);
  const app = uws.App();
  app.any('/*', (response, request) => {
    rim.handle(response, request);
  });
  let closed = false;
  return {
    app,
    close() {
      if (closed) return;
      closed = true;
      app.close();
    },
  };
}

const noMetrics: EdgeMetrics = { answered: () => undefined, failed: () => undefined };

class Rim {
  readonly #door: StreamDoor;
  readonly #control: ControlDoor;
  readonly #metrics: EdgeMetrics;
  readonly #policy: Policy;
  readonly #documents: Documents;
  readonly #bodies = new BodyReader();
  readonly #wallMs: () => number;
  /** One for all streams. */
  readonly #hooks: StreamSocketHooks;

  constructor(options: EdgeOptions) {
    this.#door = options.door;
    this.#control = options.control;
    this.#metrics = options.metrics ?? noMetrics;
    this.#policy = policyOf(options.settings);
    this.#documents = new Documents(options.settings.version);
    this.#wallMs = () => options.clock.wallMs();
    const metrics = this.#metrics;
    this.#hooks = {
      answered: (status) => {
        metrics.answered('events', status);
      },
      failed: (error, correlationId) => {
        metrics.failed(error, correlationId);
      },
    };
  }

  handle(response: HttpResponse, request: HttpRequest): void {
    let exchange: Exchange | null = null;
    try {
      const head = readHead(response, request, this.#policy);
      const context = contextOf(head, this.#policy, this.#wallMs);
      exchange = new Exchange(response, context, head.method !== 'HEAD');
      this.#carryOut(decide(head, this.#policy, context), exchange);
    } catch (error) {
      if (exchange !== null) {
        this.#fail(exchange, 'none', error);
        return;
      }
      this.#metrics.failed(error, '');
      // Left as it is, uWebSockets.js would end the process: it wants an answer or a handler for the abort.
      response.close();
    }
  }

  #carryOut(decision: Decision, exchange: Exchange): void {
    switch (decision.kind) {
      case 'answer':
        this.#reply(exchange, decision.route, decision.answer);
        return;
      case 'stream':
        this.#openStream(decision.request, exchange);
        return;
      case 'call':
        void this.#call(decision.route, decision.call, exchange);
        return;
      case 'body':
        this.#readBody(decision, exchange);
        return;
      case 'document':
        void this.#document(decision.route, decision.name, exchange);
        return;
    }
  }

  #openStream(request: StreamRequest, exchange: Exchange): void {
    const socket = new UwsStreamSocket(exchange, this.#hooks);
    try {
      socket.attach(this.#door.openStream(request, socket));
    } catch (error) {
      socket.fail(error);
    }
  }

  #readBody(decision: Extract<Decision, { kind: 'body' }>, exchange: Exchange): void {
    const { route, parse } = decision;
    this.#bodies.read(exchange, (outcome) => {
      try {
        this.#withBody(route, parse, outcome, exchange);
      } catch (error) {
        this.#fail(exchange, route, error);
      }
    });
  }

  #withBody(
    route: RouteName,
    parse: Extract<Decision, { kind: 'body' }>['parse'],
    outcome: BodyOutcome,
    exchange: Exchange,
  ): void {
    if (outcome.kind === 'too-large') {
      this.#reply(exchange, route, bodyTooLarge(exchange.context));
      return;
    }
    if (outcome.kind === 'overloaded') {
      const detail = 'Too many request bodies are being read';
      const words = { status: 503, code: 'OVERLOADED', detail, retryAfter: retryAfterOverloadSeconds };
      this.#reply(exchange, route, errorAnswer(words, exchange.context));
      return;
    }
    const parsed = parse(outcome.bytes);
    if (parsed.kind === 'invalid') this.#reply(exchange, route, validationAnswer(parsed.faults));
    else void this.#call(route, parsed.call, exchange);
  }

  async #call(route: RouteName, call: ControlCall, exchange: Exchange): Promise<void> {
    try {
      const answer = await this.#control.call(call);
      this.#reply(exchange, route, controlAnswer(call, answer, exchange.context));
    } catch (error) {
      this.#fail(exchange, route, error);
    }
  }

  async #document(route: RouteName, name: string, exchange: Exchange): Promise<void> {
    try {
      const answer = await this.#documents.answer(name);
      this.#reply(exchange, route, answer ?? errorAnswer(notFound, exchange.context));
    } catch (error) {
      this.#fail(exchange, route, error);
    }
  }

  #reply(exchange: Exchange, route: RouteName | 'none', answer: Answer): void {
    if (exchange.reply(answer)) this.#metrics.answered(route, answer.status);
  }

  #fail(exchange: Exchange, route: RouteName | 'none', error: unknown): void {
    this.#metrics.failed(error, exchange.correlationId);
    try {
      this.#reply(exchange, route, errorAnswer(internalError, exchange.context));
    } catch (second) {
      this.#metrics.failed(second, exchange.correlationId);
      exchange.abort();
    }
  }
}

function readHead(response: HttpResponse, request: HttpRequest, policy: Policy): RequestHead {
  const remoteAddress = addressText(new Uint8Array(response.getRemoteAddress()));
  const proxied = isTrusted(remoteAddress, policy.proxies);
  return {
    method: request.getCaseSensitiveMethod(),
    rawPath: request.getUrl(),
    // The types promise text; without a `?` it is undefined.
    rawQuery: request.getQuery() || '',
    host: request.getHeader('host'),
    origin: request.getHeader('origin'),
    requestMethod: request.getHeader('access-control-request-method'),
    requestId: request.getHeader('x-request-id'),
    correlationId: request.getHeader('x-correlation-id'),
    lastEventId: request.getHeader('last-event-id'),
    contentType: request.getHeader('content-type'),
    contentLength: request.getHeader('content-length'),
    forwardedFor: proxied ? allValues(request, 'x-forwarded-for') : '',
    forwardedProto: proxied ? request.getHeader('x-forwarded-proto') : '',
    remoteAddress,
  };
}

/** A repeated header is one list (RFC 9110 section 5.3): a client's own line must not hide the proxy's. */
function allValues(request: HttpRequest, name: string): string {
  const values: string[] = [];
  request.forEach((key, value) => {
    if (key === name) values.push(value);
  });
  return values.join(',');
}
