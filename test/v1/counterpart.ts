/**
 * Prism (@stoplight/prism-cli), a mock server that others made: it validates each request against
 * the vendor's document and answers from it. In front of it is a recorder that hands everything on
 * unchanged, but for answers that a test sets because a mock cannot know them.
 */
import { existsSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ROOT } from "../../scripts/build.ts";
import { linesOf } from "../support/lines.ts";
import type { Document, Parameter } from "./document.ts";

const PRISM = join(ROOT, "dist/prism/node_modules/@stoplight/prism-cli/dist/index.js");
const NODE = join(ROOT, "node_modules/node26/bin/node");

/** Why Prism cannot run here, or undefined. */
export function whatIsMissing(document: Document | undefined): string | undefined {
  if (document === undefined) return "V1_DOCUMENT names no file";
  if (!existsSync(NODE)) return "Node 26 (an optional dependency) is not installed";
  return existsSync(PRISM)
    ? undefined
    : "Prism is not installed; .ci/run installs it into dist/prism";
}

export interface Recorded {
  readonly method: string;
  /** Path, and the query behind it. */
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  /** What Prism answered: 200, or an error when the request is not what the document says. */
  readonly status: number;
  /** Prism's own words. */
  readonly answer: string;
}

export interface Counterpart extends AsyncDisposable {
  readonly url: string;
  readonly requests: Recorded[];
  /** Bodies that replace those of the mock's successes, by method and path. */
  readonly replies: Map<string, string>;
}

/**
 * The document as Prism can check it. Its `security` is left out: it names the headers of the older
 * self-hosted set-up, not those of the tutorials. So is `nullable`, since Prism silently checks
 * nothing of a query or body in whose schema it appears without a type: what the client sends is
 * never null. The document only gets stricter by this.
 */
export function prepare(document: Document): Document {
  const text = JSON.stringify(document, (name, value) => (name === "nullable" ? undefined : value));
  const { security: _, ...copy } = JSON.parse(text) as Document;
  for (const item of Object.values(copy.paths as Document["paths"])) {
    for (const { parameters = [] } of Object.values(item))
      for (const parameter of parameters) withoutNull(parameter);
  }
  return copy as Document;
}

function withoutNull({ schema }: Parameter): void {
  const open = schema as { default?: unknown; enum?: (string | null)[] };
  if (open.default === null) delete open.default;
  if (open.enum !== undefined) open.enum = open.enum.filter((value) => value !== null);
}

export async function startCounterpart(document: Document): Promise<Counterpart> {
  const folder = await mkdtemp(join(tmpdir(), "prism-"));
  const file = join(folder, "v1.json");
  await writeFile(file, JSON.stringify(prepare(document)));
  const prism = Bun.spawn([NODE, PRISM, "mock", "--host", "127.0.0.1", "--port", "0", file], {
    env: { HOME: folder, PATH: "/usr/bin:/bin" },
    stdio: ["ignore", "pipe", "ignore"],
  });
  const { host, origin } = await listening(prism.stdout);
  const requests: Recorded[] = [];
  const replies = new Map<string, string>();
  const recorder = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    async fetch(request) {
      const { pathname, search } = new URL(request.url);
      const body = await request.text();
      const headers = Object.fromEntries(request.headers);
      const sent = { method: request.method, headers: { ...headers, host } };
      const answer = await fetch(
        `${origin}${pathname}${search}`,
        body === "" ? sent : { ...sent, body },
      );
      const text = await answer.text();
      requests.push({
        method: request.method,
        url: pathname + search,
        headers,
        body,
        status: answer.status,
        answer: text,
      });
      const reply = answer.ok ? replies.get(`${request.method} ${pathname}`) : undefined;
      const type = { "content-type": answer.headers.get("content-type") ?? "" };
      return new Response(reply ?? text, { status: answer.status, headers: type });
    },
  });
  return {
    url: `http://127.0.0.1:${recorder.port}`,
    requests,
    replies,
    async [Symbol.asyncDispose]() {
      await recorder.stop(true);
      prism.kill();
      await prism.exited;
      await rm(folder, { recursive: true });
    },
  };
}

/** Where it listens: the system chose the port. */
async function listening(stdout: ReadableStream<Uint8Array>): Promise<URL> {
  const lines = linesOf(stdout);
  const said: string[] = [];
  for (;;) {
    const { value, done } = await lines.next();
    if (done) throw new Error(`Prism ended before it listened: ${said.join("\n").slice(-500)}`);
    said.push(value);
    const [, address] = /is listening on (http:\/\/127\.0\.0\.1:\d+)/.exec(value) ?? [];
    if (address === undefined) continue;
    // Whatever else it says is read and dropped, so that its pipe never fills.
    void (async () => {
      while (!(await lines.next()).done);
    })();
    return new URL(address);
  }
}
