/**
 * Failures of a connection → what a person is told, once, here. Whether a request can have been
 * carried out is decided by evidence: whether its body was handed to an open connection (NET-6).
 * The names of errors only choose the words. The runtime's own text never reaches the user (SEC-3).
 */
import type { ErrorCode } from "../../errors.ts";
import type { ProxyName } from "../../io/proxy.ts";

/** What is known of an exchange that failed. */
export interface Evidence {
  /** The head of an answer arrived. */
  readonly answered: boolean;
  /** The body went to an open connection; undefined for a request without one. */
  readonly handedOver: boolean | undefined;
  /** Host of the server that was asked, with its port unless it is the usual one. */
  readonly host: string;
  /** The proxy on the way. */
  readonly proxy: ProxyName | undefined;
}

/** What went wrong on the way, and whether the server can have acted. */
export interface TransportFailure {
  readonly code: ErrorCode;
  readonly message: string;
  readonly hint?: string;
  /** Facts for machines beside the host. */
  readonly facts: Readonly<Record<string, string>>;
  /** True when the server cannot have carried out the request. */
  readonly notSent: boolean;
}

type Words = Omit<TransportFailure, "notSent" | "facts"> & {
  readonly facts?: TransportFailure["facts"];
};
/** What of an error says which failure it is. */
interface Traces {
  /** Code, name and message of the error and of all that caused it. */
  readonly texts: readonly string[];
  readonly codes: readonly string[];
}

/** Explains what `fetch` or the stream of a body threw. */
export function explain(cause: unknown, evidence: Evidence): TransportFailure {
  const found = tracesOf(cause);
  const words = choose(found, evidence);
  const proxy = evidence.proxy === undefined ? {} : { proxy: evidence.proxy.host };
  return {
    ...words,
    facts: { ...proxy, ...words.facts },
    notSent: !evidence.answered && evidence.handedOver === false,
  };
}

function choose(found: Traces, evidence: Evidence): Words {
  const { answered } = evidence;
  const certificate = answered ? undefined : found.codes.find(isCertificateFault);
  if (certificate !== undefined) return certificateWords(certificate, evidence);
  // Once there is an answer, a name that resembles a failed handshake is a broken connection.
  const rows = answered ? AFTER_ANSWER : BEFORE_ANSWER;
  for (const [pattern, say] of rows)
    if (found.texts.some((text) => pattern.test(text))) return say(evidence, found);
  return unreachable(evidence, found);
}

type Row = readonly [pattern: RegExp, say: (evidence: Evidence, found: Traces) => Words];

const BROKEN: Row = [
  /ECONNRESET|EPIPE|Connection(Closed|Reset)|closed|terminated|aborted|ShortRead|hang up|CONTENT_LENGTH_MISMATCH/i,
  () => ({
    code: "CONNECTION_RESET",
    message: "The connection broke before the answer was complete.",
  }),
];

const IMPROPER: Row = [
  /HPE_|HTTPParser|Malformed|InvalidHTTP|InvalidContentLength|HTTPHeaders|TooLarge|ResponseHeaders|UnrequestedUpgrade|ERR_ASSERTION/i,
  (evidence, found) =>
    // Before anything went through the tunnel, only the proxy can have spoken.
    evidence.proxy !== undefined && evidence.handedOver === false
      ? refusedByProxy(evidence, found)
      : { code: "INVALID_RESPONSE", message: "The answer is not proper HTTP." },
];

const LATE: Row = [
  /Timeout|ETIMEDOUT/i,
  ({ handedOver, host, proxy }) => ({
    code: "TIMEOUT",
    message:
      handedOver === true
        ? "The API did not answer in time."
        : `${subject({ host, proxy })} could not be reached in time.`,
  }),
];

/** The first row that fits counts. */
const BEFORE_ANSWER: readonly Row[] = [
  [/ENOTFOUND|EAI_|ENODATA|getaddrinfo|DNS|FailedToResolve/i, unresolved],
  [/ERR_PROXY|CONNECT tunnel|UnsupportedProxy/i, refusedByProxy],
  [/ERR_SSL|EPROTO|SSL_|TLSHandshake|WRONG_VERSION_NUMBER|ERR_TLS/i, withoutTls],
  [/\b(EPERM|EACCES|EAFNOSUPPORT|ENETDOWN)\b/, forbidden],
  LATE,
  [/ECONNREFUSED|E(HOST|NET)UNREACH|EADDRNOTAVAIL|FailedToOpenSocket/i, unreachable],
  IMPROPER,
  BROKEN,
];

const AFTER_ANSWER: readonly Row[] = [
  [/CONTENT_LENGTH_MISMATCH/, BROKEN[1]],
  IMPROPER,
  LATE,
  [/ERR_SSL|EPROTO|SSL_/i, BROKEN[1]],
  BROKEN,
];

function subject({ host, proxy }: Pick<Evidence, "host" | "proxy">): string {
  return proxy === undefined ? `The API (${host})` : `The proxy ${proxy.host} (${proxy.variable})`;
}

/** Which host could not be resolved: with a proxy, only the proxy's name is looked up here. */
function unresolved({ host, proxy }: Evidence): Words {
  const bare = (proxy?.host ?? host).replace(/:\d+$/, "");
  const whose = proxy === undefined ? "of the API" : `of the proxy in ${proxy.variable}`;
  const where = proxy === undefined ? "the base URL" : proxy.variable;
  return {
    code: "DNS_ERROR",
    message: `The host name ${whose}, ${bare}, could not be resolved.`,
    hint: `Check ${where}, the network and the proxy; a sandbox may also forbid name look-ups.`,
    facts: { name: bare },
  };
}

function refusedByProxy({ host, proxy }: Evidence, { texts }: Traces): Words {
  const status = texts.map((text) => /\b([1-5]\d\d)\b/.exec(text)?.[1]).find(Boolean);
  const named = proxy === undefined ? "The proxy" : subject({ host, proxy });
  return {
    code: "PROXY_ERROR",
    message: `${named} did not open a connection to ${host}.`,
    ...(status === "407"
      ? {
          hint: `The proxy requires credentials: put them into ${proxy?.variable ?? "HTTPS_PROXY"}.`,
        }
      : {}),
    ...(status === undefined ? {} : { facts: { proxyStatus: status } }),
  };
}

function unreachable(evidence: Evidence, { codes }: Traces): Words {
  const reason = codes.find((code) => /^E[A-Z0-9]{2,20}$/.test(code));
  const { variable } = evidence.proxy ?? {};
  return {
    code: "NETWORK_ERROR",
    message: `${subject(evidence)} could not be reached.`,
    ...(variable === undefined
      ? {}
      : { hint: `Check that the proxy in ${variable} runs, or unset ${variable}.` }),
    ...(reason === undefined ? {} : { facts: { reason } }),
  };
}

/** The system refused to make the connection. */
function forbidden(evidence: Evidence, found: Traces): Words {
  return {
    ...unreachable(evidence, found),
    message: `This machine does not allow the connection to ${evidence.proxy?.host ?? evidence.host}.`,
    hint: `Nothing was sent. A sandbox or firewall on this machine forbids the connection, or it has no network: allow connections to ${evidence.proxy?.host ?? evidence.host}.`,
  };
}

function withoutTls({ host, proxy }: Evidence): Words {
  return {
    code: "TLS_ERROR",
    message: `No TLS connection to ${tlsPeer({ host, proxy })} could be agreed on.`,
    hint: "The server must speak TLS 1.2 or newer on this port; check the port of the base URL.",
    facts: { fault: "protocol" },
  };
}

/** An https proxy shows a certificate, too, and the runtimes do not say whose failed. */
function tlsPeer({ host, proxy }: Pick<Evidence, "host" | "proxy">): string {
  return proxy?.isSecure === true ? `${host}, or of the proxy ${proxy.host},` : host;
}

/**
 * True for the names that OpenSSL and BoringSSL give to the result of a verification, whichever it
 * is: words in capitals that belong to no other family of codes.
 */
function isCertificateFault(code: string): boolean {
  if (code === "ERR_TLS_CERT_ALTNAME_INVALID" || code === "UNSPECIFIED") return true;
  return /^(?!ERR_|HPE_|UND_ERR_|EAI_|Z_|ABORT_)[A-Z][A-Z0-9]*(_[A-Z0-9]+)+$/.test(code);
}

const AUTHORITY_HINT =
  "For a private authority set NODE_EXTRA_CA_CERTS to the PEM file of its certificate. The server must send the whole chain of its certificate.";
const CLOCK_HINT =
  "Check this machine's clock; if it is right, the server needs a new certificate.";

/** What each kind of fault says of the certificate, and what to do. */
const FAULTS = {
  host: [
    "is for another host name",
    "Check the host in the base URL; it must be in the certificate.",
  ],
  expired: ["has expired", CLOCK_HINT],
  notYetValid: ["is not yet valid", CLOCK_HINT],
  issuer: ["comes from an authority that this machine does not trust", AUTHORITY_HINT],
  constraint: [
    "breaks a rule of its chain",
    "The server's operator must correct the certificate; error.details.reason names the rule.",
  ],
} as const;

function faultOf(code: string): keyof typeof FAULTS {
  if (/ALTNAME|HOSTNAME_MISMATCH|IP_ADDRESS_MISMATCH/.test(code)) return "host";
  if (code === "CERT_HAS_EXPIRED") return "expired";
  if (code === "CERT_NOT_YET_VALID") return "notYetValid";
  return /SELF_SIGNED|UNABLE_TO_(GET_ISSUER|VERIFY)|CERT_UNTRUSTED/.test(code)
    ? "issuer"
    : "constraint";
}

function certificateWords(code: string, evidence: Evidence): Words {
  const fault = faultOf(code);
  const [what, hint] = FAULTS[fault];
  return {
    code: "TLS_ERROR",
    message: `The certificate of ${tlsPeer(evidence)} ${what}.`,
    hint,
    facts: { fault, reason: code },
  };
}

function tracesOf(cause: unknown): Traces {
  const errors = [...causes(cause)];
  const codes = errors.flatMap((error) =>
    "code" in error && typeof error.code === "string" ? [error.code] : [],
  );
  return {
    codes,
    texts: [...codes, ...errors.map(({ name, message }) => `${name} ${message}`)],
  };
}

function* causes(error: unknown, depth = 0): Generator<Error> {
  if (!(error instanceof Error) || depth > 5) return;
  yield error;
  if (error instanceof AggregateError)
    for (const inner of error.errors) yield* causes(inner, depth + 1);
  yield* causes(error.cause, depth + 1);
}
