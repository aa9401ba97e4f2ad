/**
 * HTTP in front of the server's standard input and output, for the conformance suite, which speaks
 * nothing else: a POST is a line, and its answer is the line with the same id.
 */
import { Peer } from "./peer.ts";

export interface Bridge extends AsyncDisposable {
  readonly url: string;
}

const STATUS: Readonly<Record<string, number>> = { "-32601": 404 };

/** Starts `command` and serves it. */
export function startBridge(
  command: readonly string[],
  env: Readonly<Record<string, string>>,
): Bridge {
  const child = Bun.spawn([...command], {
    // Else Bun makes a home that is not there, for what it compiled of the source.
    env: { ...env, BUN_RUNTIME_TRANSPILER_CACHE_PATH: "0" },
    stdin: "pipe",
    stdout: "pipe",
    stderr: "ignore",
  });
  const peer = new Peer((text) => {
    child.stdin.write(text);
    child.stdin.flush();
  });
  void (async () => {
    const decoder = new TextDecoder();
    for await (const chunk of child.stdout) peer.feed(decoder.decode(chunk, { stream: true }));
  })();
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    async fetch(request) {
      if (request.method !== "POST") return new Response("", { status: 405 });
      const message = (await request.json()) as { id?: unknown; method?: string };
      if (message.id === undefined || message.method === undefined) {
        peer.write(`${JSON.stringify(message)}\n`);
        return new Response("", { status: 202 });
      }
      const id = `bridge-${peer.nextId()}`;
      peer.write(`${JSON.stringify({ ...message, id })}\n`);
      const answer = await peer.find((one) => one.id === id && one.method === undefined);
      const status = answer.error === undefined ? 200 : (STATUS[String(answer.error.code)] ?? 400);
      return Response.json({ ...answer, id: message.id }, { status });
    },
  });
  return {
    url: `http://127.0.0.1:${server.port}/mcp`,
    async [Symbol.asyncDispose]() {
      await server.stop(true);
      child.kill();
      await child.exited;
    },
  };
}
