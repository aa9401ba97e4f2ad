/**
 * What a command can be given: one row for each capability, with what it requires of the caller,
 * the codes that its use can end in, and how it is made. Help, schema, skill and the types of the
 * commands come from these rows. A module is loaded when a capability of it is made or used.
 */
import { existsSync } from "node:fs";
import type { GenericSchema } from "valibot";
import type { Facts } from "../cli/manifest.ts";
import type { Acts, Intent } from "../core/acts.ts";
import type { Api, Reader } from "../core/api/api.ts";
import { missingSigner } from "../core/auth/config.ts";
import type { DeviceApproval } from "../core/device/approve.ts";
import type { DeviceLogin } from "../core/device/login.ts";
import type { DeviceHost } from "../core/device/transport.ts";
import type { LoginRequest } from "../core/login/api.ts";
import type { CheckOptions } from "../core/meaning/check.ts";
import { isStopped, levelOf, SYSTEM_POLICY } from "../core/policy/places.ts";
import { inspectVersion } from "../core/release/gate.ts";
import type { ExaminationHost } from "../core/signing/authorise.ts";
import type { KeyHolder, Keyring } from "../core/signing/keyring.ts";
import type { Target } from "../core/skill/targets.ts";
import type { Level } from "../core/state/audit.ts";
import type { Books } from "../core/state/books.ts";
import type { StateFolder } from "../core/state/folder.ts";
import type { Records } from "../core/state/records.ts";
import type { Session } from "../core/state/session.ts";
import type { AuditReader } from "../core/state/trail.ts";
import { CliError, ERRORS, type ErrorCode } from "../errors.ts";
import type { AdoptOptions } from "../guard/adopt.ts";
import type { ServeOptions } from "../guard/serve.ts";
import { writeNewFile } from "../io/files.ts";
import { errnoOf } from "../io/ioerror.ts";
import { Exact } from "../io/json.ts";
import type { StartOptions } from "../mcp/start.ts";
import type { SandboxOptions } from "../sandbox/index.ts";
import { VERSION } from "../version.ts";
import { gateOf, installationOf } from "./gate.ts";
import type { Occasion, Run } from "./invoke.ts";
import { type ActsPlace, loadActs, overseen } from "./oversight.ts";

/** What a caller must have configured, connected or done before, in words. */
const REQUIREMENTS = {
  session: { thing: "a session", how: ": log in first" },
  address: {
    thing: "the API's address and the workspace",
    how: ", in the environment or as options",
  },
  privateKey: {
    thing: "the operator's key",
    how: ", in the environment or behind LEDGER_ENTERPRISE_SIGNER",
  },
  device: { thing: "a Ledger device", how: "" },
};

/** Codes that many commands can answer, in groups; `schema errors` says them once. */
const COMMON_CODES = {
  every: [
    ...(["UNKNOWN_OPTION", "MISSING_OPTION_VALUE", "DUPLICATE_OPTION"] as const),
    ...(["UNEXPECTED_ARGUMENT", "INVALID_ARGUMENT", "OUTPUT_ERROR", "INTERNAL"] as const),
  ],
  version: ["VERSION_OUTDATED"],
  settings: [
    ...(["INVALID_URL", "INSECURE_URL", "INVALID_PROXY"] as const),
    ...(["CONFIG_CONFLICT", "MISSING_CREDENTIALS"] as const),
  ],
  state: [
    ...(["SESSION_CORRUPT", "SESSION_INSECURE", "SESSION_IO"] as const),
    ...(["INVALID_PATH", "LOCK_TIMEOUT"] as const),
  ],
  session: ["NOT_LOGGED_IN", "SESSION_EXPIRED", "SESSION_MISMATCH", "NOT_SUPPORTED"],
  network: [
    ...(["DNS_ERROR", "NETWORK_ERROR", "CONNECTION_RESET", "TIMEOUT", "TLS_ERROR"] as const),
    ...(["PROXY_ERROR", "BAD_REQUEST", "UNAUTHORIZED", "FORBIDDEN", "NOT_FOUND"] as const),
    ...(["CONFLICT", "HTTP_ERROR", "RATE_LIMITED", "SERVER_ERROR", "REDIRECT_BLOCKED"] as const),
    ...(["INVALID_RESPONSE", "RESPONSE_TOO_LARGE", "PAYLOAD_TOO_LARGE"] as const),
  ],
  policy: ["POLICY_DENIED", "POLICY_INVALID", "POLICY_INSECURE"],
  /** Of a command that goes through a guard. */
  guard: [
    ...(["GUARD_BYPASS", "GUARD_UNREACHABLE", "GUARD_INCOMPATIBLE", "GUARD_INSECURE"] as const),
    "GUARD_DENIED",
  ],
  logs: ["AUDIT_UNAVAILABLE", "AUDIT_BROKEN", "LOCK_TIMEOUT", "CONFIG_CONFLICT"],
  /** A secret may come from a program. */
  secret: ["MISSING_CREDENTIALS", "SECRET_COMMAND_FAILED"],
  key: [
    ...(["MISSING_CREDENTIALS", "CONFIG_CONFLICT", "INVALID_PRIVATE_KEY"] as const),
    ...(["UNSUPPORTED_KEY", "ENCRYPTED_PRIVATE_KEY"] as const),
  ],
  signer: [
    ...(["SIGNER_INSECURE", "SIGNER_REFUSED", "SIGNER_INVALID"] as const),
    ...(["SIGNER_TIMEOUT", "SIGNER_UNAVAILABLE", "NOT_SUPPORTED"] as const),
  ],
  device: Object.keys(ERRORS).filter((code): code is ErrorCode => code.startsWith("DEVICE_")),
} satisfies Readonly<Record<string, readonly ErrorCode[]>>;

interface Row {
  /** Absent: nothing. */
  readonly requires?: readonly (keyof typeof REQUIREMENTS)[];
  /** A requirement that a command with this capability can do without. */
  readonly spares?: keyof typeof REQUIREMENTS;
  readonly common?: readonly (keyof typeof COMMON_CODES)[];
  readonly codes?: readonly ErrorCode[];
  make(run: Run): unknown;
}

const CALLS = ["state", "settings", "secret", "session", "network", "guard"] as const;
const LOGIN = ["state", "settings", "secret", "network"] as const;
const LOGIN_CODES = ["SESSION_MISMATCH", "NOT_SUPPORTED"] as const;

const CAPABILITIES = {
  /** GETs (and the fee estimate) with the session's credentials. */
  reader: {
    requires: ["session"],
    common: CALLS,
    make: readerOf,
  },
  /** The same, and operations that change something. */
  api: {
    requires: ["session"],
    common: [...CALLS, "logs", "policy"],
    codes: ["WRONG_SESSION_KIND", "OUTCOME_UNKNOWN"],
    make: async (run) =>
      (await import("../core/api/api.ts")).createApi(run.access(), await run.acts()),
  },
  /** Describes writes without being able to send them. */
  draft: {
    common: ["state", "settings", "session"],
    codes: ["WRONG_SESSION_KIND"],
    make: async ({ access }) => (await import("../core/api/api.ts")).createDraft(access()),
  },
  /** The stored session; a command that looks for it itself can do without. */
  sessions: { common: ["state"], spares: "session", make: ({ sessions }) => sessions() },
  /** Logs in with the operator's API key, or with a reporting key. */
  apiLogin: {
    requires: ["address"],
    common: LOGIN,
    codes: LOGIN_CODES,
    make: (run) => {
      const known = run.access();
      return async (request: LoginRequest) =>
        noted(run, (await import("../core/login/api.ts")).loginWithApiKey(known, request));
    },
  },
  reportingLogin: {
    requires: ["address"],
    common: LOGIN,
    codes: LOGIN_CODES,
    make: (run) => {
      const known = run.access();
      return async (request: LoginRequest) =>
        noted(
          run,
          (await import("../core/login/reporting.ts")).loginWithReportingKey(known, request),
        );
    },
  },
  /** Logs in, and approves, with a Ledger device by USB. */
  deviceLogin: {
    requires: ["address", "device"],
    common: [...LOGIN, "device"],
    codes: LOGIN_CODES,
    make: (run) => {
      const known = run.access();
      return async (request: DeviceLogin) =>
        noted(
          run,
          (await import("../core/device/login.ts")).loginWithDevice(known, deviceOf(run), request),
        );
    },
  },
  deviceApproval: {
    requires: ["device"],
    common: ["device"],
    make: (run) => async (api: Api, request: DeviceApproval) =>
      (await import("../core/device/approve.ts")).approveWithDevice(api, deviceOf(run), request),
  },
  /** The catalogue of request types: the check before something is sent, and its description. */
  catalogue: {
    make: () => ({
      check: checkRequest,
      describe: async (words: readonly string[]) =>
        (await import("../core/meaning/describe.ts")).describeRequests(words),
    }),
  },
  /** Builds the exact request of a payment. */
  payments: { make: () => import("../core/meaning/payment.ts") },
  /** What requests and challenges mean: summaries, readable amounts. */
  meaning: { make: () => import("../core/meaning/meaning.ts") },
  /** What kind of session a decision needs. */
  approval: { make: () => import("../core/signing/approval.ts") },
  /** Challenges, and their review. */
  reviews: {
    requires: ["session"],
    common: CALLS,
    make: async (run) => {
      const { createReviews } = await import("../core/signing/reviews.ts");
      const reader = await readerOf(run);
      const { summaryOfChallenge } = await import("../core/meaning/meaning.ts");
      return createReviews({
        ...{ reader, records: await recordsOf(run), journalled: journalledBy(run) },
        summaryOf: ({ document }) => summaryOfChallenge(document, reader),
      });
    },
  },
  /** Creates requests, and keeps what was sent. */
  creations: {
    requires: ["session"],
    common: [...CALLS, "logs", "policy"],
    codes: ["WRONG_SESSION_KIND", "OUTCOME_UNKNOWN"],
    make: creationsOf,
  },
  /** Shows what would be created; works offline. */
  dryRuns: {
    common: [...CALLS, "logs", "policy"],
    codes: ["WRONG_SESSION_KIND"],
    spares: "session",
    make: dryRunsOf,
  },
  /** Everything up to a signature or a decision, without what could make one. */
  examination: {
    requires: ["session", "privateKey"],
    common: [...CALLS, "key"],
    make: async (run) => {
      const { createExamination } = await import("../core/signing/authorise.ts");
      const { createReader } = await import("../core/api/api.ts");
      return createExamination(await examinedBy(run, createReader(run.access())));
    },
  },
  /** Decides about requests, after that examination. */
  authority: {
    requires: ["session", "privateKey"],
    common: [...CALLS, "logs", "policy", "key", "signer"],
    codes: ["WRONG_SESSION_KIND", "OUTCOME_UNKNOWN"],
    make: async (run) => {
      const { createAuthority } = await import("../core/signing/authorise.ts");
      const { createApi } = await import("../core/api/api.ts");
      const api = createApi(run.access(), await run.acts());
      return createAuthority({
        ...(await examinedBy(run, api)),
        ...{ api, keyring: await keyringOf(run) },
      });
    },
  },
  /** Hands out signatures, after that examination; it cannot send. */
  signing: {
    requires: ["privateKey"],
    common: [...CALLS, "logs", "policy", "key", "signer"],
    make: async (run) => {
      const { createSigning } = await import("../core/signing/authorise.ts");
      const { createReader } = await import("../core/api/api.ts");
      const host = await examinedBy(run, createReader(run.access()));
      return createSigning({ ...host, keyring: await keyringOf(run) });
    },
  },
  /** The configured key's public half (65 bytes), or undefined when none is configured. */
  publicKey: {
    requires: ["privateKey"],
    common: ["key"],
    make: (run) => async () => (await run.key()).publicKey(),
  },
  /** The public half (65 bytes) of what the external signer holds; starts the signer. */
  signerKey: { common: ["key", "signer"], make: (run) => () => askSignerKey(run) },
  /** What was created and received here before. */
  records: {
    common: ["state"],
    make: recordsOf,
  },
  /** Journal and audit trail. */
  books: { common: ["logs"], make: ({ books }) => books() },
  /** The policies of this machine, in words and for one document. */
  policies: {
    make: async ({ config, context }) => {
      const [load, words, { decodeChallenge }] = await Promise.all([
        import("../core/policy/load.ts"),
        import("../core/policy/words.ts"),
        import("../core/signing/challenge.ts"),
      ]);
      return policiesOf(load, words, decodeChallenge, config.plain("POLICY_FILE"), context.uid);
    },
  },
  /** Writes to the audit trail that a session ended. Never throws. */
  noteLogout: {
    make: (run) => async () => {
      const books = await run.books().catch(() => undefined);
      await books?.note({ event: "logout", command: run.name });
    },
  },
  /** The audit trail for those who read it. */
  trail: {
    common: ["logs"],
    make: async ({ books, state, runtime }): Promise<AuditReader> => {
      const { Trail } = await import("../core/state/trail.ts");
      return new Trail(await books(), state().path, runtime);
    },
  },
  /** The audit trail as text. */
  exportTrail: {
    make: async ({ redactor }) => {
      const { exported } = await import("../core/state/trail.ts");
      return (trail: Pick<AuditReader, "lines">, form: "ndjson" | "csv") =>
        exported(trail, form, redactor);
    },
  },
  /** What was sent and signed by this user. */
  journal: {
    common: ["logs"],
    make: async (run) => {
      const [{ journalRows }, own] = await Promise.all([import("../core/belts.ts"), run.books()]);
      return { rows: async () => journalRows(own.read(), whoseOf(run)) };
    },
  },
  /** Finds out what became of what was sent. */
  reconciliation: {
    requires: ["session"],
    common: [...CALLS, "logs"],
    make: async (run) => {
      const { createReader } = await import("../core/api/api.ts");
      const { now } = run.context;
      const host = { books: await run.books(), reader: createReader(run.access()) };
      return async (key: string | undefined) =>
        (await import("../core/reconcile.ts")).reconcile(
          { ...host, clock: run.apiClock, uid: whoseOf(run), now },
          key,
        );
    },
  },
  config: { make: ({ config }) => config },
  /** Whether a webhook notification is genuine. */
  verifyNotification: {
    make: async () => (await import("../core/notifications/signature.ts")).verifyNotification,
  },
  /** Level of protection; `enforced` only behind a guard. */
  level: { make: ({ config }): Level => levelOf(config.plain("POLICY_FILE")) },
  log: { make: ({ log }) => log },
  clock: {
    make: ({ runtime: { now, sleep, stop } }) => ({ now, sleep, stop }),
  },
  files: {
    codes: ["FILE_EXISTS", "INVALID_PATH", "IO_ERROR"],
    make: () => ({ writeNew: writeNewFile }),
  },
  /** Every command of the program, and what is known of what they need. */
  registry: { make: ({ registry }) => registry() },
  facts: { make: (): Facts => FACTS },
  toJsonSchema: {
    make: () => async (schema: GenericSchema) =>
      (await import("../cli/jsonschema.ts")).toJsonSchema(schema),
  },
  completion: { make: async () => (await import("../cli/shells.ts")).SHELLS },
  skills: { make: ({ context }) => skillsOf(context.home) },
  /** How well this process is bound, and by which points. */
  protection: {
    common: ["guard"],
    make: (run) => async () => (await import("./behind.ts")).protectionOf(run),
  },
  /** The guard itself: serves until stopped, or accepts the state that is there. */
  guard: {
    codes: [
      ...(["GUARD_INSECURE", "GUARD_NOT_ADOPTED", "POLICY_INVALID", "POLICY_INSECURE"] as const),
      ...(["NOT_SUPPORTED", "LOCK_TIMEOUT", "AUDIT_BROKEN", "AUDIT_UNAVAILABLE"] as const),
      ...(["IO_ERROR", "CONFIG_CONFLICT"] as const),
    ],
    make: (run) => ({
      serve: async (options: ServeOptions) =>
        (await import("../guard/serve.ts")).serve(options, run),
      adopt: async (options: AdoptOptions) =>
        (await import("../guard/adopt.ts")).adopt(options, run),
    }),
  },
  /** Looks at everything that a command will need. */
  diagnosis: { make: (run) => (scope: Scope) => diagnose(run, scope) },
  /** What settles the assumptions about the API (docs/limits.md); sends reads only. */
  assumptions: { make: (run) => () => assumptionsOf(run) },
  upgrades: {
    codes: ["UPGRADE_FAILED", "INVALID_URL", "INSECURE_URL", "INVALID_PROXY"],
    make: (run) => ({
      check: async () => (await import("../core/release/upgrade.ts")).check(installationOf(run)),
      upgrade: async () =>
        (await import("../core/release/upgrade.ts")).upgrade(installationOf(run)),
    }),
  },
  sandbox: { codes: ["IO_ERROR"], make: () => openSandbox },
  /** The tools of an agent, on standard input and output. */
  mcp: {
    codes: ["CONFIG_CONFLICT"],
    make: (run) => async (options: StartOptions) =>
      (await import("../mcp/start.ts")).start(options, run, loadActs),
  },
} satisfies Readonly<Record<string, Row>>;

type Rows = typeof CAPABILITIES;

/** What a command can be given. It gets exactly what it names in `needs`. */
export type Capabilities = { readonly [K in keyof Rows]: Awaited<ReturnType<Rows[K]["make"]>> };

/** What is known of the capabilities, for what describes commands. */
export const FACTS: Facts = {
  capabilities: CAPABILITIES,
  requirements: REQUIREMENTS,
  errors: COMMON_CODES,
};

/** What a process behind a guard makes for itself, and what the guard does for it. */
const BEHIND_A_GUARD: { readonly [K in keyof Rows]?: "own" | "remote" } = {
  ...{ sessions: "own", noteLogout: "own", catalogue: "own", payments: "own", meaning: "own" },
  ...{ approval: "own", config: "own", verifyNotification: "own", log: "own", clock: "own" },
  ...{ files: "own", registry: "own", facts: "own", toJsonSchema: "own", completion: "own" },
  ...{ skills: "own", upgrades: "own", sandbox: "own", exportTrail: "own", protection: "own" },
  ...{ reader: "remote", draft: "remote", reviews: "remote", creations: "remote" },
  ...{ dryRuns: "remote", examination: "remote", authority: "remote", policies: "remote" },
  ...{ trail: "remote", journal: "remote", reconciliation: "remote", level: "remote" },
  ...{ diagnosis: "remote", assumptions: "remote", mcp: "own" },
};

/** Makes what a command needs, in that order. Throws NOT_SUPPORTED for what a guard never does. */
export async function provide(
  needs: readonly string[],
  run: Run,
): Promise<Readonly<Record<string, unknown>>> {
  const made: Record<string, unknown> = {};
  const rows: Readonly<Record<string, Row>> = CAPABILITIES;
  if (run.guard === undefined) {
    for (const need of needs) made[need] = await rows[need]?.make(run);
    return made;
  }
  const places: Readonly<Record<string, "own" | "remote" | undefined>> = BEHIND_A_GUARD;
  if (needs.some((need) => places[need] === undefined))
    throw (await import("../guard/remote.ts")).notThroughGuard(run.name);
  const remote = needs.some((need) => places[need] === "remote")
    ? await (await import("./behind.ts")).openBehind(run)
    : {};
  for (const need of needs)
    made[need] = places[need] === "own" ? await rows[need]?.make(run) : await remote[need]?.();
  return made;
}

/** Reads, as far as the policies let this process read. */
async function readerOf(run: Run): Promise<Reader> {
  const { createReader } = await import("../core/api/api.ts");
  const reader = createReader(run.access());
  const named = run.config.plain("POLICY_FILE");
  if (levelOf(named) === "none") return reader;
  const { readable } = await import("../core/policy/reads.ts");
  return readable(reader, named, run.context.uid);
}

async function checkRequest(document: Exact, options: CheckOptions) {
  return (await import("../core/meaning/check.ts")).checkRequest(document, options);
}

/** What creating and its dry run share. */
async function creatingOf(run: Run) {
  const { log, config, context } = run;
  const tagsNotes = async (): Promise<boolean> => {
    const named = config.plain("POLICY_FILE");
    if (levelOf(named) === "none") return false;
    const { loadPolicies } = await import("../core/policy/load.ts");
    try {
      return loadPolicies(named, context.uid).some(({ tagNotes }) => tagNotes);
    } catch (cause) {
      // The decision about the act refuses it for the same fault, and keeps the refusal.
      if (cause instanceof CliError) return false;
      throw cause;
    }
  };
  return { books: await run.books(), log, tagsNotes, check: checkRequest };
}

async function creationsOf(run: Run) {
  const { createCreations } = await import("../core/creations.ts");
  const { createApi } = await import("../core/api/api.ts");
  const api = createApi(run.access(), await run.acts());
  const { service } = run;
  const told = service && {
    notAsSent: (session: Session, key: string) => service.notAsSent(session, key),
  };
  const creating = await creatingOf(run);
  return createCreations({ ...creating, api, records: await recordsOf(run), ...told });
}

async function dryRunsOf(run: Run) {
  const { createDryRuns } = await import("../core/creations.ts");
  const { createDraft } = await import("../core/api/api.ts");
  return createDryRuns({
    ...(await creatingOf(run)),
    draft: createDraft(run.access()),
    reader: await readerOf(run),
    sessions: run.sessions(),
    meaning: await import("../core/meaning/meaning.ts"),
    judge: async (intent: Intent) => (await run.acts()).decide(intent),
    now: run.context.now,
  });
}

async function recordsOf({ state, runtime }: Run): Promise<Records> {
  const { Records } = await import("../core/state/records.ts");
  return new Records(state(), runtime);
}

/** What an examination by this reader needs. */
async function examinedBy(run: Run, reader: Reader): Promise<ExaminationHost> {
  const publicKey = async () => (await run.key()).publicKey();
  const records = await recordsOf(run);
  const summaryOf: ExaminationHost["summaryOf"] = async ({ document }, mayRead) => {
    const { summaryOfChallenge } = await import("../core/meaning/meaning.ts");
    return summaryOfChallenge(document, mayRead ? reader : undefined);
  };
  const onlyNarrows = run.service !== undefined;
  const common = { reader, records, journalled: journalledBy(run), summaryOf, onlyNarrows };
  return { ...common, sessions: run.sessions(), log: run.log, publicKey };
}

/** What the journal has of a request that was created here. */
function journalledBy(run: Run): NonNullable<ExaminationHost["journalled"]> {
  return async (scope, id) => {
    const { journalled } = await import("../core/creations.ts");
    const books = await run.books().catch(() => undefined);
    return books && journalled(books, scope, id);
  };
}

async function keyringOf(run: Run): Promise<Keyring> {
  const { Keyring } = await import("../core/signing/keyring.ts");
  return new Keyring(await run.key(), await run.acts());
}

/** What writes and signatures of a run pass; its stages are made with the first of them. */
export async function openActs(
  { name, deeds, context, log, config, oversight, service }: Occasion,
  books: () => Promise<Books>,
  api: ActsPlace,
): Promise<Acts> {
  const { Acts } = await import("../core/acts.ts");
  const stages = async () => {
    const [{ createStages }, { policyWhere }] = await Promise.all([
      import("../core/belts.ts"),
      import("../core/policy/open.ts"),
    ]);
    const { uid, now } = context;
    const own = await books();
    const named = () => config.plain("POLICY_FILE");
    // A guard's clients have rules of their own.
    const applies = () =>
      service !== undefined || config.readOnly || levelOf(named()) !== "none" || isStopped();
    const policy = policyWhere(applies, async () => {
      const [{ createPolicy }, { createReader }, { loadPolicies }] = await Promise.all([
        import("../core/policy/stage.ts"),
        import("../core/api/api.ts"),
        import("../core/policy/load.ts"),
      ]);
      return createPolicy({
        isReadOnly: config.readOnly,
        policies: () => inForce(loadPolicies(named(), uid), service),
        isStopped: () => isStopped(),
        ...{ reader: createReader(api.access()), clock: api.clock, books: own },
      });
    });
    if (service === undefined) return createStages({ books: own, policy, log, uid, now });
    const { agent, keepsDenial } = service;
    const theirs = { uid: agent.uid, agent, keepsDenial: () => keepsDenial() };
    return service.around(createStages({ books: own, policy, log, now, ...theirs }));
  };
  return new Acts({ command: name, deeds, stages, ...overseen(oversight, api) });
}

/** A guard never acts without a policy. Throws POLICY_INVALID. */
export function inForce<P>(policies: readonly P[], service: unknown): readonly P[] {
  if (service === undefined || policies.length > 0) return policies;
  throw new CliError("POLICY_INVALID", {
    message: "No policy file applies, and a guard does nothing without one.",
  });
}

/** Whose journal entries these are: the own user's, or those of a guard's client. */
function whoseOf({ service, context }: Run): number | undefined {
  return service === undefined ? context.uid : service.agent.uid;
}

/** The login, once it is a line of the audit trail; one that cannot be written changes nothing. */
async function noted(run: Run, login: Promise<Session>): Promise<Session> {
  const session = await login;
  const books = await run.books().catch(() => undefined);
  await books?.note({ event: "login", command: run.name, session });
  return session;
}

/** Asks the files in force, or a candidate in their place. */
function policiesOf(
  { loadPolicies, parsePolicy, readPolicyFile }: typeof import("../core/policy/load.ts"),
  { check, inWords }: typeof import("../core/policy/words.ts"),
  decode: (text: string) => { readonly document: Exact | undefined },
  named: string | undefined,
  uid: number | undefined,
) {
  const filesOf = (file: string | undefined) => {
    if (file === undefined) return loadPolicies(named, uid);
    const bytes = readPolicyFile(file, undefined);
    if (bytes !== undefined) return [parsePolicy(bytes, file)];
    throw new CliError("INVALID_PATH", { message: "There is no such file.", field: "--file" });
  };
  return {
    show: (file: string | undefined) => {
      const told = filesOf(file).map((one) => {
        return { id: one.id, sha256: one.sha256, text: inWords(one) };
      });
      const [first, second] = told;
      if (first === undefined) return { id: null, sha256: null, text: ["No policy file applies."] };
      return second === undefined ? first : { ...first, also: second };
    },
    check(
      given: { readonly requestData: Exact | undefined; readonly challenge: string | undefined },
      file: string | undefined,
    ) {
      const isCreate = given.challenge === undefined;
      const document = isCreate ? given.requestData : decode(given.challenge).document;
      const verdicts = filesOf(file).map((one) =>
        check(one, document ?? new Exact("{}"), isCreate ? "create" : "approve"),
      );
      const isDenied = verdicts.some(({ allowed }) => allowed === false);
      const isOpen = verdicts.some(({ allowed }) => allowed === null);
      const rules = verdicts.flatMap((verdict) => verdict.rules);
      return { allowed: isDenied ? false : isOpen ? null : true, rules };
    },
  };
}

/** Journal and audit trail of the state folder. */
export async function openBooks(
  { context, config }: Pick<Occasion, "context" | "config">,
  state: StateFolder,
  level: () => Level = () => levelOf(config.plain("POLICY_FILE")),
): Promise<Books> {
  const { Books } = await import("../core/state/books.ts");
  if (config.auditDetail === "off" && existsSync(SYSTEM_POLICY)) {
    throw new CliError("CONFIG_CONFLICT", {
      message: "A policy of this machine applies, so that the audit trail cannot be switched off.",
      field: "LEDGER_ENTERPRISE_AUDIT",
      hint: "Unset LEDGER_ENTERPRISE_AUDIT, or set it to ids or full.",
    });
  }
  const { uid, pid, now, executable: exe } = context;
  return new Books({
    ...{ state, now, detail: config.auditDetail, version: VERSION, agent: { uid, pid, exe } },
    level,
  });
}

/** What holds the operator's key: the configuration itself, or a program that it names. */
export async function openKey(
  run: Pick<Run, "config" | "program" | "redactor">,
): Promise<KeyHolder> {
  const { config, redactor } = run;
  const { configuredKey } = await import("../core/signing/keyring.ts");
  const program = config.signer();
  if (program === undefined && config.publicKey() === undefined)
    return configuredKey(config, redactor);
  const { externalKey, statedKey } = await import("../core/signing/externalkey.ts");
  return program === undefined
    ? statedKey(config, configuredKey(config, redactor))
    : externalKey(config, program, run.program);
}

/** The public key of what the external signer holds, once the configured one, if any, agrees. */
async function askSignerKey({ config, program }: Run): Promise<Uint8Array> {
  const text = config.signer();
  if (text === undefined) throw missingSigner();
  const { externalKey } = await import("../core/signing/externalkey.ts");
  return externalKey(config, text, program).ask();
}

function deviceOf({ runtime, state }: Run): DeviceHost {
  return {
    runtime,
    usb: async () => (await import("../core/device/addon.ts")).loadUsb(),
    async alone(work) {
      await state().prepare();
      let isHeld = false;
      const held = (): ReturnType<typeof work> => {
        isHeld = true;
        return work();
      };
      return state()
        .lock("device", held, { timeoutMs: 0 })
        .catch((cause: unknown) => {
          if (isHeld || !(cause instanceof CliError) || cause.code !== "LOCK_TIMEOUT") throw cause;
          const { details } = cause.facts;
          throw new CliError("DEVICE_BUSY", {
            message: "Another process of this program uses the device.",
            details,
            cause,
          });
        });
    },
  };
}

/** How far a diagnosis goes. */
interface Scope {
  /** Sends nothing. */
  readonly offline: boolean;
  /** Starts the external signer. */
  readonly signer: boolean;
}

/** Where each setting comes from, and what the checks found. */
async function diagnose(run: Run, { offline, signer }: Scope) {
  const { config, state, sessions, access, context } = run;
  const [{ askSigner, examine }, { inspectKnown }, { bundledSkill }, { inspectDevice }] =
    await Promise.all([
      import("../core/doctor.ts"),
      import("../core/skill/install.ts"),
      import("../core/skill/content.ts"),
      import("../core/device/reach.ts"),
    ]);
  const patient = {
    ...{ config, state, sessions, access },
    versions: () => inspectVersion(gateOf(run)),
    publicKey: async () => (await run.key()).publicKey(),
    signerKey: () => askSignerKey(run),
    skills: () => inspectKnown(bundledSkill(), context.home),
    device: () => inspectDevice(deviceOf(run)),
  };
  const found = await examine(patient, offline);
  const findings = signer ? [...found, ...(await askSigner(patient))] : found;
  return { settings: config.origins(), findings };
}

/** Shapes of what the server answers where the API is assumed. */
async function assumptionsOf({ access, sessions, config }: Run) {
  const { assumptions } = await import("../core/report.ts");
  const session = await sessions().read();
  return assumptions(access(), session, session ?? config.configured().endpoint);
}

/** The bundled skill and its copies; loaded when it is asked for. */
function skillsOf(home: string | undefined) {
  const load = () =>
    Promise.all([import("../core/skill/content.ts"), import("../core/skill/install.ts")]);
  return {
    home,
    bundled: async () => (await load())[0].bundledSkill(),
    async inspect(directory: string) {
      const [{ bundledSkill }, { inspect }] = await load();
      return inspect(bundledSkill(), directory);
    },
    async install(target: Target, force: boolean) {
      const [{ bundledSkill }, { install }] = await load();
      return install(bundledSkill(), target, force);
    },
  };
}

/** Throws INVALID_ARGUMENT with every fault of the seed, IO_ERROR when the port cannot be had. */
async function openSandbox(options: SandboxOptions) {
  const { InvalidSeed, startSandbox } = await import("../sandbox/index.ts");
  try {
    return await startSandbox(options);
  } catch (cause) {
    if (cause instanceof InvalidSeed) {
      const message = "--seed is not a valid workspace document.";
      throw new CliError("INVALID_ARGUMENT", {
        message,
        field: "--seed",
        details: { issues: cause.issues },
        cause,
      });
    }
    const reason = errnoOf(cause);
    if (reason === "") throw cause;
    throw new CliError("IO_ERROR", {
      message: "The sandbox cannot listen on that port.",
      hint: "Choose another --port, or leave it out to get a free one.",
      field: "--port",
      details: { reason },
      cause,
    });
  }
}
