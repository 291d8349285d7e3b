import { createServer as createHttpServer, IncomingMessage, ServerResponse, type RequestListener, type Server, type ServerOptions } from 'node:http';
import { createServer as createHttpsServer, type Server as SecureServer, type ServerOptions as SecureServerOptions } from 'node:https';
import { DynamoTracingError } from '../errors/index.js';
import { invalidOption } from '../internal/index.js';

/** An Express application holds the prototypes of its requests and responses. */
interface Prototypes {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
}

type MessageClasses = Pick<ServerOptions, 'IncomingMessage' | 'ServerResponse'>;

/**
 * Express sets the prototype of every request and response. In V8 before version 13 (Node 20 and 22) each of them has a hidden class of its
 * own from then on, and every access to a property of it is slow. An object that has this prototype from the start stays fast.
 */
const IS_PROTOTYPE_CHANGE_SLOW = Number.parseInt(process.versions.v8, 10) < 13;

/**
 * The HTTP server that `app.listen` of Express makes, but at about half the CPU on Node 20 and 22: requests and responses have the application's prototypes
 * from the start. On Node 24 and later, and for any other handler, it is that of `http.createServer`. Listeners of the server that run before
 * the application see these prototypes too, so they cannot assign what is a getter in Express, e.g. `req.ip`.
 * @param options those of `http.createServer`; an `IncomingMessage` or `ServerResponse` given here is used as it is
 * @throws ERR_OPTION_INVALID for an app that is no function, for options of TLS, and where HTTP/2 is asked for
 */
export function createServer(app: RequestListener, options: ServerOptions = {}): Server {
  const express = checked('createServer', app, options);
  const tls = ['key', 'cert', 'pfx', 'secureContext', 'SNICallback'].find((name) => name in options);
  if (tls !== undefined) throw new DynamoTracingError('ERR_OPTION_INVALID', `createServer.${tls} is an option of TLS: use createSecureServer`, { path: `createServer.${tls}` });
  return express === undefined ? createHttpServer(options, app) : emittingNodes(createHttpServer({ ...messageClasses(express), ...options }, app), express);
}

/**
 * {@link createServer} for HTTPS.
 * @param options those of `https.createServer`
 * @throws ERR_OPTION_INVALID for an app that is no function, and where HTTP/2 is asked for
 */
export function createSecureServer(app: RequestListener, options: SecureServerOptions): SecureServer {
  const express = checked('createSecureServer', app, options);
  return express === undefined ? createHttpsServer(options, app) : emittingNodes(createHttpsServer({ ...messageClasses(express), ...options }, app), express);
}

/** The application, where requests and responses with its prototypes make the server fast. */
function checked(owner: string, app: RequestListener, options: SecureServerOptions & { readonly http2?: unknown; readonly allowHTTP1?: unknown }): Prototypes | undefined {
  if (typeof app !== 'function') throw invalidOption(`${owner}.app`, 'a function that takes request and response, such as an Express application', app);
  if (typeof options !== 'object' || (options as unknown) === null) throw invalidOption(`${owner}.options`, 'an object', options);
  const isHttp2Protocol = (protocol: unknown): boolean => protocol === 'h2';
  const http2 = options.http2 === true ? 'http2' : options.allowHTTP1 !== undefined ? 'allowHTTP1'
    : Array.isArray(options.ALPNProtocols) && options.ALPNProtocols.some(isHttp2Protocol) ? 'ALPNProtocols' : undefined;
  if (http2 !== undefined) throw new DynamoTracingError('ERR_OPTION_INVALID', `${owner}.${http2} asks for HTTP/2, which Express cannot serve; Fastify can`, { path: `${owner}.${http2}` });
  return IS_PROTOTYPE_CHANGE_SLOW && isExpress(app) ? app : undefined;
}

function isExpress(app: object): app is Prototypes {
  const { request, response } = app as Partial<Prototypes>;
  return request instanceof IncomingMessage && response instanceof ServerResponse;
}

/**
 * Node's own classes are functions: called on an object that has the prototype already, they fill it. `Reflect.construct`, or a class that
 * extends them, would undo the gain. They inherit from Node's so that V8 knows how many properties to leave room for. A getter that the
 * application has put in the way of a property of Node's makes them fail: then it gets Node's own object, as from any other server.
 */
function messageClasses({ request, response }: Prototypes): MessageClasses {
  function Request(this: IncomingMessage, socket: IncomingMessage['socket']): unknown {
    try {
      (IncomingMessage as unknown as typeof Request).call(this, socket);
      return this;
    } catch {
      return new IncomingMessage(socket);
    }
  }
  function Response(this: ServerResponse, req: IncomingMessage, options: unknown): unknown {
    try {
      (ServerResponse as unknown as typeof Response).call(this, req, options);
      return this;
    } catch {
      return new (ServerResponse as unknown as new (req: IncomingMessage, options: unknown) => ServerResponse)(req, options);
    }
  }
  Object.setPrototypeOf(Request, IncomingMessage);
  Object.setPrototypeOf(Response, ServerResponse);
  Request.prototype = request;
  Response.prototype = response;
  return { IncomingMessage: Request, ServerResponse: Response } as unknown as MessageClasses;
}

/** Requests that never reach the application, because their connection becomes another protocol's or is dropped. */
const NOT_FOR_THE_APP: ReadonlySet<unknown> = new Set(['upgrade', 'connect', 'dropRequest']);

/** Their listeners get them as they come from Node, without Express's getters, which would refuse to be assigned (`req.query`). */
function emittingNodes<T extends Server>(server: T, { request }: Prototypes): T {
  const base = Object.getPrototypeOf(server) as { emit(...args: unknown[]): boolean }; // not its `emit` of now: instrumentations replace it later
  const emit = function (this: T, ...args: unknown[]): boolean {
    const [name, req] = args;
    if (NOT_FOR_THE_APP.has(name) && Object.getPrototypeOf(req) === request) Object.setPrototypeOf(req, IncomingMessage.prototype);
    return base.emit.apply(this, args);
  };
  Object.defineProperty(server, 'emit', { value: emit, configurable: true, writable: true });
  return server;
}
