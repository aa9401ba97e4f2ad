/**
 * A counterpart by others: V2 served by trpc-to-openapi, the framework with which the vendor
 * publishes it. Routing, reading of queries and bodies, validation, cutting of answers and error
 * bodies are the framework's; what a workspace holds is our sandbox's, behind it.
 */
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { initTRPC, TRPCError } from "@trpc/server";
import {
  createOpenApiHttpHandler,
  generateOpenApiDocument,
  type OpenApiMeta,
} from "trpc-to-openapi";
import { z } from "zod";
import type { Counterpart } from "../support/play.ts";
import { OF_A_SUMMARY, openSandbox, spelled } from "../support/sandbox.ts";
import { DOCUMENT, type Document, objectOf, outputOf, resolve } from "./schemas.ts";

const BASE = "/v1/rest";
const NOT_SERVED = /registration-challenge/;

interface Context {
  readonly authorization: string | undefined;
}

const t = initTRPC.meta<OpenApiMeta>().context<Context>().create({ isDev: false });

/** tRPC's code for a status of the workspace behind. */
const CODES: Readonly<Record<number, TRPCError["code"]>> = {
  400: "BAD_REQUEST",
  401: "UNAUTHORIZED",
  403: "FORBIDDEN",
  404: "NOT_FOUND",
  413: "PAYLOAD_TOO_LARGE",
  429: "TOO_MANY_REQUESTS",
};

interface Operation {
  readonly method: "GET" | "POST";
  readonly path: string;
  readonly document: Document;
}

const OPERATIONS: readonly Operation[] = Object.entries<Document>(DOCUMENT.paths).flatMap(
  ([path, verbs]) =>
    Object.entries<Document>(verbs).flatMap(([verb, document]) =>
      NOT_SERVED.test(path)
        ? []
        : [{ method: verb === "get" ? ("GET" as const) : ("POST" as const), path, document }],
    ),
);

/** Parameters and the body's members side by side, as the framework wants them. */
function inputOf({ document }: Operation): z.ZodObject {
  const parameters: Document[] = (document.parameters ?? []).map(resolve);
  const body = document.requestBody?.content["application/json"].schema;
  const ofParameters = objectOf({
    properties: Object.fromEntries(parameters.map(({ name, schema }) => [name, schema])),
    required: parameters.filter(({ required }) => required).map(({ name }) => name),
    additionalProperties: false,
  });
  if (body === undefined) return ofParameters;
  const ofBody = objectOf({ additionalProperties: false, ...resolve(body) });
  return z.object({ ...ofParameters.shape, ...ofBody.shape });
}

/** The same call at the workspace behind, with what the framework left of it. */
async function forward(
  upstream: string,
  { method, path }: Operation,
  input: Document,
  { authorization }: Context,
): Promise<unknown> {
  const rest = { ...input };
  const target = path.replace(/\{(\w+)\}/g, (_, name: string) => {
    const value = String(rest[name]);
    delete rest[name];
    return encodeURIComponent(value);
  });
  const query = new URLSearchParams();
  if (method === "GET")
    for (const [name, value] of Object.entries<Document>(rest))
      for (const item of Array.isArray(value) ? value : [value])
        if (item !== undefined && item !== false) query.append(name, String(item));
  const response = await fetch(`${upstream}${target}${query.size > 0 ? `?${query}` : ""}`, {
    method,
    headers: {
      "content-type": "application/json",
      ...(authorization === undefined ? {} : { authorization }),
    },
    ...(method === "POST" ? { body: JSON.stringify(rest) } : {}),
  });
  const answer = (await response.json()) as Document;
  if (response.ok) return answer;
  const code = CODES[response.status] ?? "INTERNAL_SERVER_ERROR";
  // The framework shows issues of causes with this name only.
  const { issues } = answer;
  const cause =
    issues === undefined ? undefined : Object.assign(new Error(), { name: "ZodError", issues });
  throw new TRPCError({ code, message: String(answer.message), cause });
}

/** The router: `accounts.list`, `requests.approve`, …, as the operationIds say. */
function routerOf(upstream: string) {
  const groups: Record<string, Record<string, unknown>> = {};
  for (const operation of OPERATIONS) {
    const { method, path, document } = operation;
    const isPublic = document.security?.length === 0;
    const [group = "", name = ""] = document.operationId.split("-");
    const output = document.responses["200"].content["application/json"].schema;
    const procedure = t.procedure
      .meta({ openapi: { method, path: path as `/${string}` } })
      .use(({ ctx, next }) => {
        if (!isPublic && ctx.authorization === undefined)
          throw new TRPCError({ code: "UNAUTHORIZED", message: "Authorization not provided" });
        return next();
      })
      .input(inputOf(operation))
      .output(outputOf(output));
    const run = ({ input, ctx }: { input: unknown; ctx: Context }) =>
      forward(upstream, operation, input, ctx);
    groups[group] = {
      ...groups[group],
      [name]: method === "GET" ? procedure.query(run) : procedure.mutation(run),
    };
  }
  const routers = Object.entries(groups).map(([name, members]) => [
    name,
    t.router(members as never),
  ]);
  return t.router(Object.fromEntries(routers));
}

/** The document that the framework generates from our schemas. */
export function generatedDocument(): Document {
  const facts = { title: "V2", version: "1", baseUrl: "http://127.0.0.1" };
  return generateOpenApiDocument(routerOf("") as never, facts);
}

/** A counterpart for scripts, with the address of the framework's server. */
export interface Framework extends Counterpart {
  readonly url: string;
}

/** Starts the server over a sandbox of its own. */
export async function openFramework(): Promise<Framework> {
  const sandbox = await openSandbox();
  const upstream = sandbox.environment.LEDGER_ENTERPRISE_API_URL ?? "";
  const handler = createOpenApiHttpHandler({
    router: routerOf(upstream) as never,
    createContext: async ({ req }: { req: IncomingMessage }) => ({
      authorization: headerOf(req),
    }),
  } as never);
  const calls: string[] = [];
  const server = createServer((request, response) => {
    const url = request.url ?? "";
    calls.push(`${request.method} ${url.startsWith(BASE) ? url.slice(BASE.length) : url}`);
    request.url = url.startsWith(BASE) ? url.slice(BASE.length) : `/outside${url}`;
    void handler(request, response);
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    url: `${origin}${BASE}`,
    environment: {
      ...sandbox.environment,
      LEDGER_ENTERPRISE_API_URL: `${origin}${BASE}`,
      ORIGIN: origin,
    },
    async control(verb, rest) {
      if (verb === "forget") calls.length = 0;
      if (verb !== "calls" && verb !== "decisive") return sandbox.control(verb, rest);
      const counted = calls.filter((call) => verb === "calls" || !OF_A_SUMMARY.test(call));
      const found = spelled(counted);
      calls.length = 0;
      if (found !== spelled(rest === "none" ? [] : rest.split("; ")))
        throw new Error(`The server was called otherwise.\nexpected: ${rest}\nfound:    ${found}`);
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await sandbox[Symbol.asyncDispose]();
    },
  };
}

/** The context's request is Node's, or the web's, by the framework's version. */
function headerOf({ headers }: { headers: Document }): string | undefined {
  const found =
    typeof headers.get === "function" ? headers.get("authorization") : headers.authorization;
  return found ?? undefined;
}
