/**
 * HTTP on loopback: reading, routing, refusing, answering, and spoiling answers on demand
 * (faults.ts).
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { type Controls, executes, type Fault, type LogEntry, type Switches } from "./faults.ts";
import { encodeJson, type Json, JsonSyntaxError, readJson } from "./json.ts";
import type { Page } from "./page/page.ts";
import { checkBody, type Dialect, findRoute, type Route, readQuery, type World } from "./routes.ts";
import { invalid, Refusal } from "./schema.ts";

const CONTROL = "/_sandbox";
const LARGEST_BODY = 2 * 1024 * 1024;

interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | readonly string[]>>;
  readonly body: Buffer;
}

interface Received {
  readonly method: string;
  readonly path: string;
  readonly query: string;
  readonly headers: IncomingMessage["headers"];
  readonly bytes: Buffer;
}

export interface Listening {
  readonly port: number;
  /** Ends all connections at once. */
  close(): Promise<void>;
}

export interface Served {
  readonly world: World;
  readonly controls: Controls;
  readonly page: Page;
  /**
   * The first whose base fits the path serves it; the last is also asked for its error body where
   * none fits.
   */
  readonly dialects: readonly Dialect[];
}

/** Listens on 127.0.0.1. Rejects with the system's error when the port is taken. */
export async function listen(served: Served, port: number): Promise<Listening> {
  const stop = new AbortController();
  const server = createServer((request, response) => {
    serve(served, request, response, stop.signal).catch(() => request.socket.destroy());
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, "127.0.0.1", resolve);
  });
  return { port: (server.address() as AddressInfo).port, close: () => close(server, stop) };
}

async function close(server: Server, stop: AbortController): Promise<void> {
  stop.abort();
  await new Promise<void>((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}

async function serve(
  served: Served,
  request: IncomingMessage,
  response: ServerResponse,
  stop: AbortSignal,
): Promise<void> {
  const [path = "", ...query] = (request.url ?? "").split("?");
  const { method = "", headers } = request;
  const received: Received = {
    method,
    path,
    query: query.join("?"),
    headers,
    bytes: await readBody(request),
  };
  let isGone = false;
  response.once("close", () => {
    isGone = true;
  });
  if (!isLoopbackName(headers.host)) {
    return send(response, failure(served.dialects, path, new Refusal(403, "Loopback only")));
  }
  if (isForeign(headers)) {
    return send(response, failure(served.dialects, path, new Refusal(403, "Own pages only")));
  }
  if (served.page.serves(path)) {
    const document = (): Json | undefined => readDocument(headers, received.bytes, method);
    return served.page.answer({ method, path, document }, request, response, stop);
  }
  if (path.startsWith(`${CONTROL}/`)) return send(response, control(served, received));
  const dialect = dialectOf(served.dialects, path);
  response.setHeader("date", new Date(served.world.clock()).toUTCString());
  const entry = logEntry(served.world, received);
  served.controls.record(entry);
  const fault = served.controls.takeFault(received.method, [path, path.slice(dialect.base.length)]);
  if (fault?.latencyMs !== undefined) {
    await pause(fault.latencyMs, AbortSignal.any([stop, served.controls.released]));
    if (isGone) return;
  }
  const isExecuted = fault === undefined || executes(fault);
  const answer = isExecuted
    ? respond(served, dialect, received)
    : failure(served.dialects, path, undefined, fault.status, routeOf(dialect, received));
  if (fault === undefined) {
    entry.status = answer.status;
    return send(response, answer);
  }
  await spoil(request, response, answer, { fault, isExecuted, entry, stop });
}

/** The operation that a call is for; undefined where none is. */
function routeOf(dialect: Dialect, { method, path }: Received): Route | undefined {
  try {
    return findRoute(dialect, method, path)?.route;
  } catch {
    return undefined;
  }
}

/** A page in a browser must not reach the sandbox through a name that it lets point here. */
function isLoopbackName(host: string | undefined): boolean {
  return host !== undefined && /^(?:127\.0\.0\.1|localhost|\[::1\])(?::\d+)?$/i.test(host);
}

/** A page of another origin must not steer the sandbox; programs send no `Origin`. */
function isForeign({ origin, host }: IncomingMessage["headers"]): boolean {
  return origin !== undefined && origin !== `http://${host}`;
}

function dialectOf(dialects: readonly Dialect[], path: string): Dialect {
  const found = dialects.find(({ base }) => path.startsWith(`${base}/`)) ?? dialects.at(-1);
  if (found === undefined) throw new Error("No dialect is served.");
  return found;
}

async function readBody(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length <= LARGEST_BODY) chunks.push(chunk);
  }
  return length > LARGEST_BODY ? Buffer.alloc(LARGEST_BODY + 1) : Buffer.concat(chunks);
}

function logEntry({ clock }: World, { method, path, query, headers, bytes }: Received): LogEntry {
  const plain = Object.entries(headers).map(([name, value]) => [
    name,
    Array.isArray(value) ? value.join(", ") : (value ?? ""),
  ]);
  return {
    at: new Date(clock()).toISOString(),
    method,
    path,
    query,
    headers: Object.fromEntries(plain),
    body: bytes.toString(),
  };
}

function control(
  { controls, dialects }: Served,
  { method, path, headers, bytes }: Received,
): Answer {
  try {
    return json(
      200,
      controls.handle(method, path.slice(CONTROL.length), readDocument(headers, bytes, method)),
    );
  } catch (error) {
    return failure(dialects, path, error);
  }
}

function respond(
  { world, controls, dialects }: Served,
  dialect: Dialect,
  received: Received,
): Answer {
  const limit = controls.countCall();
  const { switches } = controls;
  const answer = ((): Answer => {
    if (limit.isOver)
      return failure(
        dialects,
        received.path,
        undefined,
        switches.rateLimit?.status ?? dialect.limitStatus,
      );
    let found: ReturnType<typeof findRoute>;
    try {
      found = findRoute(dialect, received.method, received.path);
      const isHidden = switches.missingOperations.includes(
        `${found?.route.method} ${found?.route.path}`,
      );
      if (isHidden) found = undefined;
      return json(200, dispatch(world, dialect, received, found, switches));
    } catch (error) {
      return failure(dialects, received.path, error, 500, found?.route, switches.bareErrors);
    }
  })();
  return { ...answer, headers: { ...answer.headers, ...limit.headers } };
}

function dispatch(
  world: World,
  dialect: Dialect,
  { method, query, headers, bytes }: Received,
  found: ReturnType<typeof findRoute>,
  switches: Switches,
): unknown {
  if (found === undefined) throw new Refusal(404, "Not found");
  const { route, params } = found;
  const document = readDocument(headers, bytes, method, dialect.bodyFaults);
  world.governance.advance();
  const user = "open" in route ? undefined : dialect.authenticate(world, headers);
  const checkedQuery = readQuery(route, query, switches);
  const body = checkBody(route, document, switches);
  if ("open" in route) return route.open(world, body, headers, params);
  return user && route.handle({ world, user, params, query: checkedQuery, body, switches });
}

/**
 * The JSON body, or undefined when there is none. Throws Refusal 413, and as `faults` says; V2's
 * framework answers 500 for an empty body and a broken one (N9).
 */
function readDocument(
  headers: IncomingMessage["headers"],
  bytes: Buffer,
  method: string,
  faults: Dialect["bodyFaults"] = { type: 400, syntax: 400 },
): Json | undefined {
  if (bytes.length > LARGEST_BODY) throw new Refusal(413, "The body is larger than 2 MiB");
  const type = headers["content-type"];
  const isJson = type !== undefined && /^application\/json(?:\s*;\s*charset=utf-8)?$/i.test(type);
  const isChecked = faults.type === 400 || method === "POST";
  if (isChecked && (type === undefined ? method === "POST" : !isJson)) {
    if (faults.type === 400) throw invalid("Content-Type must be application/json");
    const message = type === undefined ? "Missing content-type header" : "Unsupported content-type";
    throw new Refusal(faults.type, message);
  }
  if (bytes.length === 0 && (method !== "POST" || faults.syntax === 400)) return undefined;
  try {
    return readJson(bytes);
  } catch (error) {
    if (!(error instanceof JsonSyntaxError)) throw error;
    if (faults.syntax === 400 || isLooselyJson(bytes)) throw invalid(error.message);
    throw new Refusal(500, "Internal server error");
  }
}

/** What the runtime's parser takes, such as a name twice, is refused here with its reason. */
function isLooselyJson(bytes: Buffer): boolean {
  try {
    JSON.parse(bytes.toString("utf8"));
    return true;
  } catch {
    return false;
  }
}

const MESSAGES: Readonly<Record<number, string>> = {
  420: "Too many requests",
  429: "Too many requests",
  500: "Internal server error",
};

/**
 * The error answer of the dialect that serves `path`: of a refusal, of a bare status, or of a bug
 * (500).
 */
function failure(
  dialects: readonly Dialect[],
  path: string,
  error: unknown,
  bareStatus = 500,
  route?: Route,
  isBare = false,
): Answer {
  const { errorBody } = dialectOf(dialects, path);
  const [status, message, issues] =
    error instanceof Refusal
      ? [error.status, error.message, error.issues]
      : [bareStatus, MESSAGES[bareStatus] ?? "Answer on demand", []];
  const body = Object.entries(errorBody(status, message, issues, route));
  return json(status, Object.fromEntries(body.filter(([name]) => name !== "data" || !isBare)));
}

function json(status: number, document: unknown): Answer {
  return {
    status,
    headers: { "content-type": "application/json" },
    body: Buffer.from(encodeJson(document)),
  };
}

function head(response: ServerResponse, { status, headers }: Answer, length: number): void {
  const mutable = Object.entries(headers).map(
    ([name, value]) => [name, typeof value === "string" ? value : [...value]] as const,
  );
  response.writeHead(status, { ...Object.fromEntries(mutable), "content-length": `${length}` });
}

function send(response: ServerResponse, answer: Answer): void {
  head(response, answer, answer.body.length);
  response.end(answer.body);
}

async function spoil(
  request: IncomingMessage,
  response: ServerResponse,
  honest: Answer,
  {
    fault,
    isExecuted,
    entry,
    stop,
  }: { fault: Fault; isExecuted: boolean; entry: LogEntry; stop: AbortSignal },
): Promise<void> {
  if (fault.hang === "answer") return;
  if (fault.reset === true) return void request.socket.resetAndDestroy();
  if (fault.raw !== undefined) {
    request.socket.write(Buffer.from(fault.raw, "base64"));
    return void request.socket.end();
  }
  const answer = replaced(honest, fault, isExecuted);
  entry.status = answer.status;
  const { body } = answer;
  if (fault.hang === "body") {
    head(response, answer, body.length + 1);
    return response.flushHeaders();
  }
  if (fault.cutBody === undefined && fault.trickle === undefined) return send(response, answer);
  head(
    response,
    answer,
    fault.cutBody === undefined ? body.length : Math.max(body.length, fault.cutBody + 1),
  );
  const { bytes, everyMs } = fault.trickle ?? { bytes: Number.POSITIVE_INFINITY, everyMs: 0 };
  const sent = body.subarray(0, fault.cutBody ?? body.length);
  for (let at = 0; at < sent.length && !response.destroyed; at += bytes) {
    await new Promise<void>((resolve) =>
      response.write(sent.subarray(at, at + bytes), () => resolve()),
    );
    await pause(everyMs, stop);
  }
  if (fault.cutBody === undefined) response.end();
  else request.socket.destroy();
}

function replaced(honest: Answer, fault: Fault, isExecuted: boolean): Answer {
  const { body, bodyBase64, redirect, contentType } = fault;
  const given =
    bodyBase64 !== undefined
      ? Buffer.from(bodyBase64, "base64")
      : body === undefined
        ? undefined
        : Buffer.from(body);
  const { "content-type": honestType, ...others } = honest.headers;
  const type =
    contentType ?? (redirect !== undefined && given === undefined ? "" : (honestType ?? ""));
  return {
    status: redirect?.status ?? fault.status ?? (isExecuted ? honest.status : 200),
    headers: {
      ...others,
      ...(type === "" ? {} : { "content-type": type }),
      ...(redirect === undefined ? {} : { location: redirect.location }),
      ...fault.headers,
    },
    body: given ?? (redirect === undefined ? honest.body : Buffer.alloc(0)),
  };
}

/** Waits, or returns at once when the sandbox closes. */
function pause(milliseconds: number, stop: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (stop.aborted) return resolve();
    const timer = setTimeout(done, milliseconds);
    function done(): void {
      clearTimeout(timer);
      stop.removeEventListener("abort", done);
      resolve();
    }
    stop.addEventListener("abort", done);
  });
}
