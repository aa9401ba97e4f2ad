/** Checks that ask a server: newer versions, the API, its clock, the session. */
import { CliError, type ErrorCode } from "../../errors.ts";
import { CHANNEL, VERSION } from "../../version.ts";
import type { Access } from "../api/access.ts";
import { createReader } from "../api/api.ts";
import { Client } from "../api/client.ts";
import { type ApiVersion, chooseVersion } from "../api/dialect.ts";
import { doubt, remedy, spokenVersion } from "../api/version.ts";
import { outdated } from "../release/gate.ts";
import { UPGRADE_COMMANDS } from "../release/names.ts";
import { endpointOf, type Session } from "../state/session.ts";
import {
  type Checks,
  type Finding,
  ok,
  type Patient,
  problem,
  sessionOf,
  warn,
} from "./finding.ts";

/** In the order in which they are shown. */
export const NETWORK_CHECKS: Checks = [
  ["updates", checkNewer],
  ["network", checkNetwork],
];

/** Whether a newer version is published. */
async function checkNewer(patient: Patient): Promise<Finding[]> {
  const verdict = await patient.versions();
  if (verdict === undefined) return [];
  switch (verdict.kind) {
    case "current":
      return [ok("updates", "No newer version is published.")];
    case "unchecked":
      return [
        warn(
          "updates",
          "Neither npm nor the releases page says whether there is a newer version.",
          "Let this machine reach npm or GitHub, or name mirrors with LEDGER_ENTERPRISE_NPM_REGISTRY and LEDGER_ENTERPRISE_RELEASES_URL.",
        ),
      ];
    case "ahead":
      return [
        warn(
          "updates",
          `One of two sources publishes ${verdict.latest}; commands are refused once both do.`,
          `Upgrade soon: ${UPGRADE_COMMANDS[CHANNEL]}`,
        ),
      ];
    default:
      return [problem("updates", outdated(verdict, { version: VERSION, channel: CHANNEL }))];
  }
}

/** How far the clocks may differ before times of sessions and certificates stop making sense. */
const SKEW_MS = 60_000;

/** Which check a network failure belongs to. */
const LAYER: Readonly<Partial<Record<ErrorCode, string>>> = {
  DNS_ERROR: "dns",
  TLS_ERROR: "tls",
  PROXY_ERROR: "proxy",
};

/** One request without credentials, then one with the session: what failed tells the layer. */
async function checkNetwork(patient: Patient): Promise<Finding[]> {
  const session = await sessionOf(patient);
  const endpoint =
    session === undefined ? patient.config.configured().endpoint : endpointOf(session);
  if (endpoint === undefined) return [];
  const access = patient.access();
  let answer: Awaited<ReturnType<Client["probe"]>>;
  try {
    answer = await new Client(endpoint, access.runtime).probe("/users");
  } catch (cause) {
    const layer = cause instanceof CliError ? LAYER[cause.code] : undefined;
    return [problem(layer ?? "network", cause)];
  }
  const secured = endpoint.origin.startsWith("https:")
    ? [ok("tls", "The server's certificate is accepted.")]
    : [];
  return [
    ...secured,
    reached(answer.status),
    ...(await versionSpoken(new Client(endpoint, access.runtime), session?.apiVersion)),
    ...clockOf(answer.date, access.runtime.now()),
    ...(await authorised(session, access)),
  ];
}

/**
 * A server that refuses a call without credentials is there; anything else is not what the API
 * does.
 */
function reached(status: number): Finding {
  if (status === 401 || status === 403) return ok("network", "The API answers.");
  const code: ErrorCode =
    status >= 500
      ? "SERVER_ERROR"
      : status >= 300 && status < 400
        ? "REDIRECT_BLOCKED"
        : "INVALID_RESPONSE";
  const message = `The server answers with status ${status} where the API asks for credentials.`;
  return {
    check: "network",
    status: "problem",
    code,
    message,
    fix: "Check the base URL, and whether a proxy or a login page answers in its place.",
  };
}

/** Which API version the server's own 404 speaks of; nothing when it tells neither. */
async function versionSpoken(
  client: Client,
  ofSession: ApiVersion | undefined,
): Promise<Finding[]> {
  const spoken = await spokenVersion(client).catch(() => undefined);
  if (spoken === undefined) return [];
  const chosen = ofSession ?? chooseVersion(client.endpoint, undefined);
  if (spoken === chosen)
    return [ok("apiVersion", `The server answers like API ${spoken.toUpperCase()}, as chosen.`)];
  const found = warn("apiVersion", doubt(chosen, spoken), remedy(spoken), { chosen, spoken });
  return [{ ...found, code: "API_VERSION_DOUBTFUL" }];
}

function clockOf(date: string | null, now: number): Finding[] {
  const there = date === null ? Number.NaN : Date.parse(date);
  if (Number.isNaN(there))
    return [
      warn(
        "clock",
        "The server's answer does not contain the time.",
        "Check this machine's clock by hand.",
      ),
    ];
  const seconds = Math.round((now - there) / 1000);
  if (Math.abs(now - there) <= SKEW_MS)
    return [
      ok("clock", "This machine's clock agrees with the server's.", { secondsAhead: seconds }),
    ];
  const message = "This machine's clock and the server's are more than a minute apart.";
  return [
    {
      check: "clock",
      status: "problem",
      message,
      fix: "Set this machine's clock, or synchronise it over the network.",
      details: { secondsAhead: seconds },
    },
  ];
}

async function authorised(session: Session | undefined, access: Access): Promise<Finding[]> {
  if (session === undefined) return [];
  const isV1 = session.apiVersion === "v1";
  try {
    const reader = createReader(access);
    await (isV1
      ? reader.read("accounts.list", { pageSize: 1 })
      : reader.read("users.get", { id: "me" }));
    return [ok("authorisation", "The API accepts the session.")];
  } catch (cause) {
    return [problem("authorisation", cause)];
  }
}
