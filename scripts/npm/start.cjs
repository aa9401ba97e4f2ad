/**
 * Makes Node's fetch behave like the executable's before the program is loaded: HTTPS_PROXY and
 * NO_PROXY are honoured (NET-10) and the system's certificate authorities are trusted beside Node's
 * own. Both are set up when they are needed; reading the system's store takes some 60 ms.
 */
"use strict";

const LINGER_MS = 100;

/** The first of these variables that is not blank. */
function first(env, ...names) {
  return names
    .map((name) => env[name]?.trim())
    .find((value) => value !== undefined && value !== "");
}

/** What is no proxy URL is left to the program, which names the variable (B20). */
function readProxy(env) {
  const proxy = first(env, "https_proxy", "HTTPS_PROXY");
  return proxy !== undefined && /^https?:\/\//i.test(proxy) && URL.canParse(proxy)
    ? new URL(proxy)
    : undefined;
}

function trustSystemAuthorities() {
  const tls = require("node:tls");
  if (tls.setDefaultCACertificates === undefined) return;
  tls.setDefaultCACertificates([
    ...tls.getCACertificates("default"),
    ...tls.getCACertificates("system"),
  ]);
}

function prepareFetch(env) {
  const isProxied =
    first(env, "https_proxy", "HTTPS_PROXY", "http_proxy", "HTTP_PROXY") !== undefined;
  const noProxy = first(env, "no_proxy", "NO_PROXY") ?? "";
  let made = isProxied ? undefined : globalThis.fetch;
  let isTrusting = false;
  globalThis.fetch = (resource, init) => {
    const url = resource instanceof Request ? resource.url : resource;
    if (!isTrusting && new URL(url).protocol === "https:") {
      isTrusting = true;
      trustSystemAuthorities();
    }
    made ??= require("./tunnel.cjs").makeFetch(readProxy(env), noProxy);
    return made(resource, init);
  };
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
  prepareFetch(process.env);
  // All output is written when the program is done; the timer itself keeps nothing waiting.
  import("../dist/main.mjs").then(() => setTimeout(leave, LINGER_MS).unref());
};
