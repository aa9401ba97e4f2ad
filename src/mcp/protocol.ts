/**
 * Methods and results of the revisions that are served: 2026-07-28, chosen by each request's
 * `_meta`, and 2025-11-25 and 2025-06-18 after `initialize`. Nothing here knows what a tool does.
 */
import { type Exact, encode, member } from "../io/json.ts";
import { PROGRAM, VERSION } from "../version.ts";
import { textOf } from "./frames.ts";

/** The stateless revision. */
export const MODERN = "2026-07-28";
const LEGACY = ["2025-11-25", "2025-06-18"] as const;
const SUPPORTED = [MODERN, ...LEGACY];
const META = "io.modelcontextprotocol";

/** An answer with an error instead of a result. */
export class RpcError extends Error {
  constructor(
    readonly code: number,
    message: string,
    readonly data?: unknown,
  ) {
    super(message);
  }
}

/** How a request is served. */
export interface Era {
  readonly isModern: boolean;
  /** Whether the client can show a form to a person. */
  readonly hasForms: boolean;
}

/** The line of an error. Without an id where none could be read. */
export function errorLine(id: Exact | undefined, { code, message, data }: RpcError): string {
  return `${encode({ jsonrpc: "2.0", id, error: { code, message, data } })}\n`;
}

/** The line of a request or notification of ours. */
export function messageLine(message: object): string {
  return `${encode({ jsonrpc: "2.0", ...message })}\n`;
}

/** The line of a result; `kind` is what 2026-07-28 calls it. */
export function resultLine(
  id: Exact,
  { isModern }: Pick<Era, "isModern">,
  result: object,
  kind: "complete" | "input_required" = "complete",
): string {
  const own = isModern
    ? { ...result, resultType: kind, _meta: { [`${META}/serverInfo`]: SERVER } }
    : result;
  return `${encode({ jsonrpc: "2.0", id, result: own })}\n`;
}

const SERVER = { name: PROGRAM, version: VERSION };
const CAPABILITIES = { tools: {} };

/** What lists say about how long and for whom they hold: they depend on the start line alone. */
function cacheable(isModern: boolean, list: object): object {
  return isModern ? { ...list, ttlMs: 3_600_000, cacheScope: "private" } : list;
}

/** The versions of one connection. */
export class Protocol {
  private legacy: Era | undefined;

  constructor(
    private readonly host: {
      instructions(): Promise<string>;
      tools(): Promise<readonly object[]>;
    },
  ) {}

  /** How a request is served. Throws RpcError −32602 and −32022. */
  eraOf(method: string, params: Exact | undefined): Era {
    const meta = params && member(params, "_meta");
    const version = meta && member(meta, `${META}/protocolVersion`);
    const capabilities = meta && member(meta, `${META}/clientCapabilities`);
    if (version === undefined && capabilities === undefined) {
      if (this.legacy !== undefined && method !== "server/discover") return this.legacy;
      if (method === "initialize" || method === "ping") return { isModern: false, hasForms: false };
      throw new RpcError(-32602, `_meta needs ${META}/protocolVersion and clientCapabilities.`);
    }
    const asked = textOf(version);
    if (asked === undefined || capabilities?.text.startsWith("{") !== true)
      throw new RpcError(-32602, `_meta needs ${META}/protocolVersion and clientCapabilities.`);
    if (asked !== MODERN) {
      const requested = asked.slice(0, 64);
      throw new RpcError(-32022, "This version is not served.", {
        supported: SUPPORTED,
        requested,
      });
    }
    return { isModern: true, hasForms: canShowForms(capabilities) };
  }

  /** The result of every method but tools/call. Throws RpcError −32601 and −32602. */
  async answer(method: string, params: Exact | undefined, { isModern }: Era): Promise<object> {
    switch (isModern ? method : (OLD_NAMES[method] ?? "")) {
      case "server/discover":
        return cacheable(isModern, {
          supportedVersions: SUPPORTED,
          capabilities: CAPABILITIES,
          instructions: await this.host.instructions(),
        });
      case "tools/list":
        if (params !== undefined && member(params, "cursor") !== undefined)
          throw new RpcError(-32602, "There is one page; it has no cursor.");
        return cacheable(isModern, { tools: await this.host.tools() });
      case "old/initialize":
        return this.initialize(params);
      case "old/ping":
        return {};
      default:
        throw new RpcError(-32601, "There is no such method.");
    }
  }

  private async initialize(params: Exact | undefined): Promise<object> {
    const asked = textOf(params && member(params, "protocolVersion"));
    if (asked === undefined) throw new RpcError(-32602, "initialize needs a protocolVersion.");
    const protocolVersion = LEGACY.find((one) => one === asked) ?? LEGACY[0];
    const capabilities = params && member(params, "capabilities");
    this.legacy = { isModern: false, hasForms: canShowForms(capabilities) };
    const instructions = await this.host.instructions();
    return { protocolVersion, capabilities: CAPABILITIES, serverInfo: SERVER, instructions };
  }
}

/** Methods of the older revisions. */
const OLD_NAMES: Readonly<Record<string, string>> = {
  "tools/list": "tools/list",
  initialize: "old/initialize",
  ping: "old/ping",
};

/** `elicitation` alone means forms; with members, `form` must be one of them. */
function canShowForms(capabilities: Exact | undefined): boolean {
  const own = capabilities && member(capabilities, "elicitation");
  if (own?.text.startsWith("{") !== true) return false;
  return own.text === "{}" || member(own, "form")?.text.startsWith("{") === true;
}
