/** Starts the npm package's program on Node, with a `fetch` that behaves like the executable's. */
import { announce } from "../../src/io/version.ts";
import { VERSION } from "../../src/version.ts";
import type { makeFetch } from "./fetch.ts";
import type { HeaderList } from "./headers.ts";
import { openProgram } from "./program.ts";

const LINGER_MS = 100;

/** What the program reads, which on Node would load what it does not need, or does otherwise. */
interface Replaced {
  fetch: unknown;
  Headers: unknown;
  FormData: unknown;
  performance: unknown;
}

/**
 * Replaces what would load Node's own fetch, which takes as long as Node's start, and the tools for
 * measuring. Plain assignment does not load them; reading does.
 */
function replaceGlobals(load: (entry: string) => unknown): void {
  const { HeaderList } = load("headers") as { readonly HeaderList: HeaderList };
  let made: ReturnType<typeof makeFetch> | undefined;
  const replaced = globalThis as Replaced;
  replaced.fetch = (url: string, init?: Parameters<NonNullable<typeof made>>[1]) => {
    made ??= (load("fetch") as { makeFetch: typeof makeFetch }).makeFetch(process.env);
    return made(url, init);
  };
  replaced.Headers = HeaderList;
  replaced.FormData = class FormData {};
  replaced.performance = { now: () => Number(process.hrtime.bigint()) / 1e6 };
}

/**
 * Ends what should have ended by itself. A name that is being looked up keeps Node for as long as
 * the resolver likes, and so does process.exit, which waits for its threads; only another program
 * in this one's place does not, and it has nothing to do but to exit.
 */
function leave(): void {
  const { exitCode = 0, execPath, platform } = process;
  if (platform !== "win32" && process.execve !== undefined) {
    process.execve(execPath, [execPath, "--eval", `process.exitCode = ${exitCode}`], {});
  }
  process.exit();
}

/** Runs the command line, from the package whose `bin` folder this is. */
export function start(bin: string): void {
  const announced = announce(process.argv.slice(2), VERSION);
  if (announced !== undefined) {
    process.exitCode = announced;
    return;
  }
  // Node's remarks about settings such as NODE_USE_ENV_PROXY; standard error is silent on success.
  process.removeAllListeners("warning");
  const { load, keep } = openProgram(bin);
  replaceGlobals(load);
  const { done } = load("main") as { readonly done: Promise<void> };
  // All output is written when the program is done; the timer itself keeps nothing waiting.
  done.then(() => {
    keep();
    setTimeout(leave, LINGER_MS).unref();
  });
}
