/**
 * Makes Node's fetch behave like the executable's before the program is loaded: HTTPS_PROXY and NO_PROXY are honoured (NET-10) and the
 * system's certificate authorities are trusted beside Node's own. Both are set up at the first https request, because reading the
 * system's store takes some 60 ms. An older Node can be told to use a proxy only when it starts; it is then started once more.
 */
"use strict";

const http = require("node:http");

/** The variables that Node's proxy support may see. Plain http goes only to loopback, so HTTP_PROXY is not among them. */
function proxySettings(env) {
  const first = (...names) =>
    names.map((name) => env[name]?.trim()).find((value) => value !== undefined && value !== "");
  const proxy = first("https_proxy", "HTTPS_PROXY");
  // What is no proxy URL is left to the program, which names the variable (B20); the runtime would only crash.
  if (proxy === undefined || !/^https?:\/\//i.test(proxy) || !URL.canParse(proxy)) return undefined;
  return { https_proxy: proxy, no_proxy: first("no_proxy", "NO_PROXY") ?? "" };
}

function trustSystemAuthorities() {
  const tls = require("node:tls");
  if (tls.setDefaultCACertificates === undefined) return;
  tls.setDefaultCACertificates([...tls.getCACertificates("default"), ...tls.getCACertificates("system")]);
}

function prepareFetch(settings) {
  const plainFetch = globalThis.fetch;
  let isPrepared = false;
  globalThis.fetch = (resource, init) => {
    const { protocol } = new URL(resource instanceof Request ? resource.url : resource);
    if (!isPrepared && protocol === "https:") {
      isPrepared = true;
      trustSystemAuthorities();
      if (settings !== undefined && http.setGlobalProxyFromEnv !== undefined) http.setGlobalProxyFromEnv(settings);
    }
    return plainFetch(resource, init);
  };
}

/** Replaces this process where the system can do that; elsewhere runs a child, which the terminal's Ctrl-C reaches by itself. */
function startAgain(settings) {
  const { HTTP_PROXY, http_proxy, ...others } = process.env;
  const env = { ...others, ...settings, NODE_USE_ENV_PROXY: "1" };
  const args = [...process.execArgv, "--disable-warning=UNDICI-EHPA", ...process.argv.slice(1)];
  if (process.platform !== "win32" && process.execve !== undefined) {
    process.execve(process.execPath, [process.argv0, ...args], env);
  }
  const child = require("node:child_process").spawn(process.execPath, args, { stdio: "inherit", env });
  process.on("SIGINT", () => {});
  process.on("SIGTERM", () => child.kill("SIGTERM"));
  child.on("exit", (code) => {
    process.exitCode = code ?? 1;
  });
}

/** `refuse` prints the one sentence for a Node that cannot do what is configured. */
exports.start = (refuse) => {
  const { env } = process;
  const settings = proxySettings(env);
  const isConfigured = env.NODE_USE_ENV_PROXY === "1";
  const sendsPlainHttp = isConfigured && (env.HTTP_PROXY ?? env.http_proxy) !== undefined;
  const isLate = settings !== undefined && !isConfigured && http.setGlobalProxyFromEnv === undefined;
  if (isLate && !process.allowedNodeEnvironmentFlags.has("--use-env-proxy")) {
    return refuse(`A proxy needs Node.js 22.21, 24.5 or newer; this is ${process.versions.node}.`);
  }
  if (isLate || sendsPlainHttp) return startAgain(settings);
  prepareFetch(settings);
  import("../dist/main.mjs");
};
