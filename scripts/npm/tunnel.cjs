/**
 * A fetch for machines with proxy variables (NET-10), made of node:https: CONNECT, and TLS to the
 * API inside. The proxy support of Node's own fetch is not used: that of Node 22 repeats for ever a
 * CONNECT on which the proxy hangs up, whatever becomes of the request; NODE_USE_ENV_PROXY sends
 * plain http to loopback through a proxy too; and its NO_PROXY has other rules than the
 * executable's.
 */
"use strict";

const http = require("node:http");
const https = require("node:https");
const net = require("node:net");
const { pipeline, Readable } = require("node:stream");
const zlib = require("node:zlib");

/** NET-3. */
const CONNECT_MS = 10_000;
const DECODERS = {
  gzip: zlib.createGunzip,
  "x-gzip": zlib.createGunzip,
  br: zlib.createBrotliDecompress,
};
const STATUSES_WITHOUT_BODY = [204, 205, 304];

/** The words by which core/api/failure.ts knows what happened. */
function failure(code, message, cause) {
  return Object.assign(new Error(message, { cause }), { code });
}

/**
 * What went wrong before the tunnel was open; that the proxy was not found or refused the
 * connection stays as it is.
 */
function explain(cause) {
  if (["ENOTFOUND", "EAI_AGAIN", "ECONNREFUSED", "ETIMEDOUT", "ABORT_ERR"].includes(cause.code))
    return cause;
  return failure("ERR_PROXY_TUNNEL", "The proxy broke off.", cause);
}

/**
 * An agent whose connections are tunnels; they are kept for the next request of the same command.
 */
class TunnelAgent extends https.Agent {
  #proxy;

  constructor(proxy) {
    super({ keepAlive: true });
    this.#proxy = proxy;
  }

  createConnection(options, done) {
    const request = this.#connect(options);
    request.on("error", (cause) => done(explain(cause)));
    request.on("timeout", () =>
      request.destroy(failure("ETIMEDOUT", "The proxy does not answer.")),
    );
    request.on("connect", (answer, socket, head) => {
      if (answer.statusCode === 200 && head.length === 0) {
        socket.setTimeout(0);
        return done(null, super.createConnection({ ...options, socket }));
      }
      socket.destroy();
      done(failure("ERR_PROXY_TUNNEL", `The proxy answered ${answer.statusCode}.`));
    });
    request.end();
  }

  #connect({ host, port, stop }) {
    const { protocol, hostname, port: proxyPort, username, password } = this.#proxy;
    const target = `${net.isIPv6(host) ? `[${host}]` : host}:${port}`;
    const credentials = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
    const proof =
      username === ""
        ? {}
        : { "proxy-authorization": `Basic ${Buffer.from(credentials).toString("base64")}` };
    const { request } = protocol === "https:" ? https : http;
    return request({
      method: "CONNECT",
      host: hostname.replace(/^\[|\]$/g, ""),
      port: proxyPort || (protocol === "https:" ? 443 : 80),
      path: target,
      headers: { host: target, connection: "keep-alive", ...proof },
      agent: false,
      timeout: CONNECT_MS,
      signal: stop,
    });
  }
}

/** Throws when the status or a header is none that a Response can hold. */
function toResponse(message) {
  const headers = new Headers();
  for (let at = 0; at < message.rawHeaders.length; at += 2) {
    headers.append(message.rawHeaders[at], message.rawHeaders[at + 1]);
  }
  const { statusCode: status } = message;
  if (STATUSES_WITHOUT_BODY.includes(status)) {
    message.resume();
    return new Response(null, { status, headers });
  }
  const decoder = DECODERS[headers.get("content-encoding")?.trim().toLowerCase() ?? ""];
  // What fails here is told by the stream that is read.
  const body = decoder === undefined ? message : pipeline(message, decoder(), () => {});
  return new Response(Readable.toWeb(body), { status, headers });
}

/**
 * https through `proxy` unless `noProxy` names the host; all else directly. Redirects are answers,
 * as with `redirect: "manual"`.
 */
exports.makeFetch = (proxy, noProxy) => {
  const [plain, direct] = [
    new http.Agent({ keepAlive: true }),
    new https.Agent({ keepAlive: true }),
  ];
  const tunnel = proxy === undefined ? direct : new TunnelAgent(proxy);
  return (resource, { method = "GET", headers, body, signal } = {}) =>
    new Promise((resolve, reject) => {
      const stopped = () => reject(signal.reason);
      if (signal?.aborted) return stopped();
      signal?.addEventListener("abort", stopped, { once: true });
      const url = new URL(resource);
      const isPlain = url.protocol === "http:";
      const agent = isPlain ? plain : bypasses(noProxy, url) ? direct : tunnel;
      const sent = { "accept-encoding": "gzip, br", ...Object.fromEntries(new Headers(headers)) };
      // Node keeps `signal` from the agent, which needs it under another name while the request has
      // no connection yet.
      const request = (isPlain ? http : https).request(url, {
        method,
        headers: sent,
        agent,
        signal,
        stop: signal,
      });
      request.on("error", reject);
      request.on("response", (message) => {
        try {
          resolve(toResponse(message));
        } catch (cause) {
          message.destroy();
          reject(failure("HPE_INVALID_STATUS", "The answer is not proper HTTP.", cause));
        }
      });
      // A body comes as a stream that can be read once; what fails on the way fails the request.
      if (body === undefined || body === null) request.end();
      else pipeline(Readable.from(body), request, () => {});
    });
};

/**
 * NO_PROXY as the executable reads it: names with all below them, addresses and their ranges, each
 * with or without a port; or `*`.
 */
function bypasses(list, url) {
  const host = url.hostname.replace(/^\[|\]$/g, "");
  const port = url.port || "443";
  return list
    .toLowerCase()
    .split(/[\s,]+/)
    .some((entry) => entry === "*" || (entry !== "" && matches(entry, host, port)));
}

function matches(entry, host, port) {
  const [, range, bits] = /^([0-9a-f.:]+)\/(\d{1,3})$/.exec(entry) ?? [];
  if (range !== undefined) return isWithin(host, range, Number(bits));
  const bare = entry.replace(/^\[(.*)\]$/, "$1");
  if (net.isIP(bare) !== 0) return bare === host;
  const [, name, onlyPort = port] = /^\[?(.*?)\]?(?::(\d+))?$/.exec(entry) ?? [];
  const domain = name.replace(/^\*?\./, "").replace(/\.$/, "");
  return (
    onlyPort === port && (host === domain || (net.isIP(host) === 0 && host.endsWith(`.${domain}`)))
  );
}

function isWithin(host, range, bits) {
  const family = net.isIP(host);
  if (family === 0 || family !== net.isIP(range) || bits > (family === 4 ? 32 : 128)) return false;
  const ranges = new net.BlockList();
  ranges.addSubnet(range, bits, `ipv${family}`);
  return ranges.check(host, `ipv${family}`);
}
