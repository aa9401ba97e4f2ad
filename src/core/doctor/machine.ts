/** Checks that send nothing: settings, state folder, session, key, device. */
import { ERRORS } from "../../errors.ts";
import { CHANNEL, VERSION } from "../../version.ts";
import { fingerprint } from "../auth/key.ts";
import { loadPolicies, type Policy } from "../policy/load.ts";
import { guardSockets, levelOf } from "../policy/places.ts";
import { stopOf } from "../policy/stop.ts";
import type { Inspection } from "../skill/install.ts";
import { checkSession, registeredKeys } from "../state/session.ts";
import {
  type Checks,
  type Finding,
  ok,
  type Patient,
  problem,
  sessionOf,
  stopped,
  warn,
} from "./finding.ts";

/** In the order in which they are shown. */
export const MACHINE_CHECKS: Checks = [
  ["version", checkVersion],
  ["settings", checkSettings],
  ["mode", checkMode],
  ["protection", checkProtection],
  ["guard", checkGuard],
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

function checkVersion(): Finding[] {
  return [
    ok(
      "version",
      `Version ${VERSION}, ${CHANNEL === "source" ? "run from source" : `installed as ${CHANNEL}`}.`,
    ),
  ];
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

function checkMode(patient: Patient): Finding[] {
  if (!patient.config.readOnly) {
    const stop = stopOf(() => policiesOf(patient));
    return [stop === null ? ok("mode", "Commands that write or sign are allowed.") : stopped(stop)];
  }
  const message =
    "Read-only mode is on: every command that writes or signs is refused with READ_ONLY.";
  const fix =
    "If this is intended, no action is needed. Only the person who set LEDGER_ENTERPRISE_READ_ONLY should unset it.";
  return [warn("mode", message, fix)];
}

/** The policies of this machine. Throws POLICY_INVALID, POLICY_INSECURE. */
function policiesOf({ config, state }: Patient): readonly Policy[] {
  const named = config.plain("POLICY_FILE");
  return levelOf(named) === "none" ? [] : loadPolicies(named, state().uid);
}

function checkProtection(patient: Patient): Finding[] {
  const policies = policiesOf(patient);
  if (policies.length === 0)
    return [ok("protection", "Protection level none: no policy file applies.")];
  const facts = policies.map(({ id, sha256, path }) => ({ id, sha256, path }));
  const message =
    "Protection level advisory: the policy stops mistakes. It does not stop another program that uses these credentials.";
  return [ok("protection", message, { policies: facts })];
}

/** A guard of the Debian package that this process goes past. */
function checkGuard(): Finding[] {
  const [socket] = guardSockets();
  if (socket === undefined) return [];
  const message =
    "This machine has a guard, and LEDGER_ENTERPRISE_GUARD is not set: commands go past it, with credentials of their own.";
  const fix = `An agent needs no credentials here: set LEDGER_ENTERPRISE_GUARD to ${socket}.`;
  return [warn("guard", message, fix, { socket })];
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
    "A person confirms each of them by typing the amount. With --confirm client this program asks nothing, and only the client's own prompt does.";
  return [ok("mcp", `${start}. --allow create adds creating requests, ${signing}. ${yes}`)];
}

function checkState(patient: Patient): Finding[] {
  const state = patient.state();
  const exposed = state.exposed("records");
  if (exposed.length === 0 && !state.isWritable())
    return [
      {
        check: "state",
        status: "problem",
        code: "AUDIT_UNAVAILABLE",
        message: "This user cannot write to the state folder: no login, write or signature works.",
        fix: "Give yourself write access to it, or name another folder with LEDGER_ENTERPRISE_STATE_DIR.",
        details: { path: state.path },
      },
    ];
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
    if (session?.kind === "reporting" && found.code === "MISSING_CREDENTIALS")
      return [ok("credentials", "A reporting session needs no API key.")];
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
    if ((await sessionOf(patient))?.kind === "reporting")
      return [ok("key", "A reporting session only reads: it needs no key.")];
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
