/** The server as a child of the test, as a client starts it. */
import { Peer } from "./peer.ts";

/** A server in a process of its own. */
export interface Child extends AsyncDisposable {
  readonly peer: Peer;
  readonly process: Bun.Subprocess<"pipe", "pipe", "pipe">;
  stderr(): Promise<string>;
}

/** Starts it; its input and output are the peer's. */
export function start(command: readonly string[], env: Readonly<Record<string, string>>): Child {
  const child = Bun.spawn([...command], {
    // Else Bun makes a home that is not there, for what it compiled of the source.
    env: { ...env, BUN_RUNTIME_TRANSPILER_CACHE_PATH: "0" },
    stdin: "pipe",
    stdout: "pipe",
    stderr: "pipe",
  });
  const peer = new Peer((text) => {
    child.stdin.write(text);
    child.stdin.flush();
  });
  const read = (async () => {
    const decoder = new TextDecoder();
    for await (const chunk of child.stdout) peer.feed(decoder.decode(chunk, { stream: true }));
  })();
  read.catch(() => undefined);
  return {
    peer,
    process: child,
    stderr: () => new Response(child.stderr).text(),
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      await child.exited;
    },
  };
}
