/** Starts the npm package's program on Node, with a `fetch` that behaves like the executable's. */
"use strict";

const LINGER_MS = 100;

/**
 * Replaces what would load Node's own fetch, which takes as long as Node's start. Plain assignment
 * does not load it; reading does.
 */
function replaceFetch(env) {
  const { HeaderList, makeFetch } = require("./fetch.cjs");
  let made;
  globalThis.fetch = (url, init) => {
    made ??= makeFetch(env);
    return made(url, init);
  };
  globalThis.Headers = HeaderList;
  globalThis.FormData = class FormData {};
}

/**
 * Ends what should have ended by itself. A name that is being looked up keeps Node for as long as
 * the resolver likes, and so does process.exit, which waits for its threads; only another program
 * in this one's place does not, and it has nothing to do but to exit.
 */
function leave() {
  const { exitCode = 0, execPath, platform } = process;
  if (platform !== "win32" && process.execve !== undefined) {
    process.execve(execPath, [execPath, "--eval", `process.exitCode = ${exitCode}`], {});
  }
  process.exit();
}

exports.start = () => {
  const announced = require("./version.cjs").announceVersion(process.argv.slice(2));
  if (announced !== undefined) {
    process.exitCode = announced;
    return;
  }
  // Node's remarks about settings such as NODE_USE_ENV_PROXY; standard error is silent on success.
  process.removeAllListeners("warning");
  replaceFetch(process.env);
  // All output is written when the program is done; the timer itself keeps nothing waiting.
  import("../dist/main.mjs").then(() => setTimeout(leave, LINGER_MS).unref());
};
