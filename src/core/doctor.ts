/**
 * Looks at everything that a command will need and says what is wrong with it, without changing
 * anything. Each check is independent: what one of them cannot learn is left to the one that can.
 * No value of a setting appears, only where it comes from.
 */
import { CliError, ERRORS, type ErrorCode } from "../errors.ts";
import { CHANNEL, VERSION } from "../version.ts";
import type { Access } from "./api/access.ts";
import { createReader } from "./api/api.ts";
import { Client } from "./api/client.ts";
import { type ApiVersion, chooseVersion } from "./api/dialect.ts";
import { doubt, remedy, spokenVersion } from "./api/version.ts";
import type { Config } from "./auth/config.ts";
import { fingerprint } from "./auth/key.ts";
import type { DeviceState } from "./device/reach.ts";
import { loadPolicies } from "./policy/load.ts";
import { levelOf } from "./policy/places.ts";
import { outdated } from "./release/gate.ts";
import { UPGRADE_COMMANDS } from "./release/names.ts";
import type { Verdict } from "./release/verdict.ts";
import type { Inspection } from "./skill/install.ts";
import { registeredKeys } from "./state/claims.ts";
import type { StateFolder } from "./state/folder.ts";
import { checkSession, endpointOf, type Session, type SessionStore } from "./state/session.ts";

export interface Finding {
  readonly check: string;
  readonly status: "ok" | "warn" | "problem";
  /** One sentence of ours. */
  readonly message: string;
  /** What to do; always there unless the status is ok. */
  readonly fix?: string;
  /** The code that a command would fail with, or of the warning that it would print. */
  readonly code?: ErrorCode | "API_VERSION_DOUBTFUL";
  readonly details?: unknown;
}

/** What the checks look through. Making any of these may throw, which is a finding. */
export interface Patient {
  readonly config: Config;
  /**
   * What npm and the releases page say of this version; undefined for a build that comes from no
   * release.
   */
  versions(): Promise<Verdict | undefined>;
  state(): StateFolder;
  sessions(): SessionStore;
  access(): Access;
  publicKey(): Promise<Uint8Array | undefined>;
  /** The public key of the external signer, which this starts. */
  signerKey(): Promise<Uint8Array>;
  skills(): Promise<readonly Inspection[]>;
  /**
   * What keeps this program from the open Vault application of a device; throws the DEVICE_
   * codes. Sends nothing to a server.
   */
  device(): Promise<DeviceState>;
}

type Check = (patient: Patient) => Promise<readonly Finding[]> | readonly Finding[];

const OFFLINE: readonly (readonly [name: string, check: Check])[] = [
  ["version", checkVersion],
  ["settings", checkSettings],
  ["mode", checkMode],
  ["protection", checkProtection],
  ["mcp", checkMcp],
  ["state", checkState],
  ["session", checkSessionFile],
  ["credentials", checkCredentials],
  ["secretFiles", checkSecretFiles],
  ["key", checkKey],
  ["proxy", checkProxy],
  ["skill", checkSkill],
  ["device", checkDevice],
];

const ONLINE: readonly (readonly [name: string, check: Check])[] = [
  ["updates", checkNewer],
  ["network", checkNetwork],
];

/** Every finding, in the order of the table; with `offline`, nothing is sent. */
export async function examine(patient: Patient, offline: boolean): Promise<Finding[]> {
  const findings: Finding[] = [];
  for (const [name, check] of offline ? OFFLINE : [...OFFLINE, ...ONLINE]) {
    try {
      findings.push(...(await check(patient)));
    } catch (cause) {
      findings.push(problem(name, cause));
    }
  }
  return findings;
}

function ok(check: string, message: string, details?: unknown): Finding {
  return { check, status: "ok", message, ...(details === undefined ? {} : { details }) };
}

function warn(check: string, message: string, fix: string, details?: unknown): Finding {
  return { check, status: "warn", message, fix, ...(details === undefined ? {} : { details }) };
}

/** A failure as a finding; anything but a CliError is a defect and is thrown on. */
function problem(check: string, cause: unknown): Finding {
  if (!(cause instanceof CliError)) throw cause;
  const { message, hint, details } = cause.facts;
  const fix = hint ?? ERRORS[cause.code].hint;
  return {
    check,
    status: "problem",
    message,
    fix,
    code: cause.code,
    ...(details === undefined ? {} : { details }),
  };
}

function checkVersion(): Finding[] {
  return [
    ok(
      "version",
      `Version ${VERSION}, ${CHANNEL === "source" ? "run from source" : `installed as ${CHANNEL}`}.`,
    ),
  ];
}

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

function checkSettings({ config }: Patient): Finding[] {
  const { endpoint, workspace } = config.configured();
  if (endpoint !== undefined && workspace !== undefined)
    return [
      ok(
        "settings",
        "Address and workspace are set and well formed; only a login shows whether they are right.",
      ),
    ];
  const missing = [...(endpoint ? [] : ["API_URL"]), ...(workspace ? [] : ["WORKSPACE"])].map(
    (name) => `LEDGER_ENTERPRISE_${name}`,
  );
  const fix = `Set ${missing.join(" and ")}, or give --baseUrl and --workspace at login.`;
  return [warn("settings", `Not set: ${missing.join(", ")}.`, fix)];
}

function checkMode({ config }: Patient): Finding[] {
  if (!config.readOnly) return [ok("mode", "Commands that write or sign are allowed.")];
  const message =
    "Read-only mode is on: every command that writes or signs is refused with READ_ONLY.";
  const fix =
    "If this is intended, no action is needed. Only the person who set LEDGER_ENTERPRISE_READ_ONLY should unset it.";
  return [warn("mode", message, fix)];
}

function checkProtection({ config, state }: Patient): Finding[] {
  const named = config.plain("POLICY_FILE");
  if (levelOf(named) === "none")
    return [ok("protection", "Protection level none: no policy file applies.")];
  const policies = loadPolicies(named, state().uid);
  const facts = policies.map(({ id, sha256, path }) => ({ id, sha256, path }));
  const message =
    "Protection level advisory: the policy stops mistakes. It does not stop another program that uses these credentials.";
  return [ok("protection", message, { policies: facts })];
}

/** What an MCP client can be given by its start line, with the settings as they are. */
function checkMcp({ config }: Patient): Finding[] {
  const start = "A client that starts 'mcp' gets tools that read";
  if (config.readOnly)
    return [ok("mcp", `${start}; --allow adds tools, and read-only mode refuses each of them.`)];
  const isInside = config.origins().some(({ name, source }) => {
    return name === "LEDGER_ENTERPRISE_API_PRIVATE_KEY" && source === "environment";
  });
  const signing = isInside
    ? "--allow approve is refused while the private key is in the environment"
    : "--allow approve adds signing";
  const yes =
    "A person types a value before each; with --confirm client only the client's own prompt asks.";
  return [ok("mcp", `${start}. --allow create adds creating requests, ${signing}. ${yes}`)];
}

function checkState(patient: Patient): Finding[] {
  const state = patient.state();
  const exposed = state.exposed("records");
  if (exposed.length === 0)
    return [
      ok("state", "Only this user can read or change the state folder.", { path: state.path }),
    ];
  return exposed.map((path) => ({
    check: "state",
    status: "problem",
    code: "SESSION_INSECURE",
    message: "The state folder must belong to you and be inaccessible to other users.",
    fix: "Run chown and chmod 700 on it, or name another folder with LEDGER_ENTERPRISE_STATE_DIR.",
    details: { path },
  }));
}

/** The stored session, where it can be read. */
async function sessionOf(patient: Patient): Promise<Session | undefined> {
  try {
    return await patient.sessions().read();
  } catch {
    return undefined;
  }
}

async function checkSessionFile({ config, sessions }: Patient): Promise<Finding[]> {
  const session = await sessions().read();
  if (session === undefined)
    return [warn("session", "There is no session.", "Run 'login api' or 'login device'.")];
  checkSession(session, config);
  return [ok("session", `There is a session, made by 'login ${session.kind}'.`)];
}

/** Without a session they are needed now; with one, at the next login. */
async function checkCredentials(patient: Patient): Promise<Finding[]> {
  try {
    await patient.config.apiCredentials({ baseUrl: undefined, workspace: undefined }, false);
    return [
      ok(
        "credentials",
        "Everything that 'login api' needs is set; only a login shows whether it is right.",
      ),
    ];
  } catch (cause) {
    const found = problem("credentials", cause);
    const session = await sessionOf(patient);
    return [
      session === undefined || found.code !== "MISSING_CREDENTIALS"
        ? found
        : { ...found, status: "warn" },
    ];
  }
}

/** A file that holds a key or a secret is for this user alone. */
async function checkSecretFiles({ config }: Patient): Promise<Finding[]> {
  if (config.secretFiles().length === 0) return [];
  const open = await config.openSecretFiles();
  if (open.length === 0)
    return [ok("secretFiles", "Only this user can read the files with keys and secrets.")];
  return open.map((variable) =>
    warn(
      "secretFiles",
      `Other users can read or change the file that ${variable} names.`,
      "Run chmod 600 on it; if others may have read it, have an administrator replace the secret.",
    ),
  );
}

async function checkKey(patient: Patient): Promise<Finding[]> {
  const key = await patient.publicKey();
  if (key === undefined) {
    const fix =
      "To sign, set LEDGER_ENTERPRISE_API_PRIVATE_KEY, its _FILE form, or LEDGER_ENTERPRISE_SIGNER.";
    return [warn("key", "No key is configured: nothing can be signed.", fix)];
  }
  const details = { fingerprint: fingerprint(key) };
  const session = await sessionOf(patient);
  const registered = session === undefined ? [] : registeredKeys(session);
  if (registered.length === 0)
    return [
      ok("key", "The configured key is valid. Log in to check which user it belongs to.", details),
    ];
  if (registered.includes(Buffer.from(key).toString("hex")))
    return [ok("key", "The configured key belongs to the user of the session.", details)];
  const message = "The configured key does not belong to the user of the session.";
  return [
    {
      check: "key",
      status: "problem",
      code: "KEY_MISMATCH",
      message,
      fix: ERRORS.KEY_MISMATCH.hint,
      details,
    },
  ];
}

/**
 * Starts the external signer and compares its public key with the configured one; without a signer
 * there is nothing to ask.
 */
export async function askSigner(patient: Patient): Promise<Finding[]> {
  try {
    const details = { fingerprint: fingerprint(await patient.signerKey()) };
    if (patient.config.publicKey() !== undefined)
      return [ok("signer", "The signer answers, and has the configured key.", details)];
    const fix = "Set LEDGER_ENTERPRISE_API_PUBLIC_KEY to what 'keys public --signer' prints.";
    return [warn("signer", "The signer answers; its public key is not configured.", fix, details)];
  } catch (cause) {
    return [problem("signer", cause)];
  }
}

function checkProxy({ config }: Patient): Finding[] {
  const isSet = config.checkProxies();
  return [
    ok("proxy", isSet ? "HTTPS_PROXY is well formed, and is used." : "No proxy is configured."),
  ];
}

const DRIFT: Readonly<Record<Inspection["status"], string | undefined>> = {
  current: undefined,
  absent: undefined,
  outdated: "Run 'skill install' again with its --agent or --path.",
  newer: "Upgrade the program to the skill's version.",
  modified: "Compare it with 'skill show'; 'skill install --force' replaces it.",
};

async function checkSkill(patient: Patient): Promise<Finding[]> {
  const copies = (await patient.skills()).filter(({ status }) => status !== "absent");
  if (copies.length === 0)
    return [ok("skill", "No copy of the skill is installed in the known folders.")];
  return copies.map(({ path, status, version }) => {
    const details = { path, status, version };
    const fix = DRIFT[status];
    return fix === undefined
      ? ok("skill", "The installed skill is current.", details)
      : warn("skill", `The installed skill is ${status}.`, fix, details);
  });
}

/** Only a session of a device makes an absent device a problem; most machines have none. */
async function checkDevice(patient: Patient): Promise<Finding[]> {
  const session = await sessionOf(patient);
  const isNeeded = session?.kind === "device";
  try {
    const { model, path, app } = await patient.device();
    const details = { model, path, app: app.name, version: app.version };
    if (app.isVault)
      return [ok("device", `A ${model} is connected, and its Vault application is open.`, details)];
    const fix = "Nothing to do now: a device command asks for the application when it needs it.";
    return [
      warn("device", `A ${model} is connected, with another application open.`, fix, details),
    ];
  } catch (cause) {
    const found = problem("device", cause);
    const isAbsent = found.code === "DEVICE_NOT_FOUND" || found.code === "DEVICE_UNSUPPORTED";
    if (!isAbsent) return [{ ...found, status: isNeeded ? "problem" : "warn" }];
    if (isNeeded) return [{ ...found, status: "warn" }];
    return [
      ok(
        "device",
        found.code === "DEVICE_NOT_FOUND"
          ? "No Ledger device is connected."
          : "USB is not available; only device commands need it.",
      ),
    ];
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
