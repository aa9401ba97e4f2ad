/**
 * What a command can be given: one row for each capability, with what it requires of the caller,
 * the codes that its use can end in, and how it is made (`makers/`). Help, schema, skill and the
 * types of the commands come from these rows. A module is loaded when a capability of it is made or
 * used.
 */
import { resolve } from "node:path";
import type { GenericSchema } from "valibot";
import type { Facts } from "../cli/manifest.ts";
import { levelOf } from "../core/policy/places.ts";
import type { Level } from "../core/state/audit.ts";
import type { ErrorCode } from "../errors.ts";
import type { AdoptOptions } from "../guard/adopt.ts";
import type { ServeOptions } from "../guard/serve.ts";
import { writeNewFile } from "../io/files.ts";
import type { StartOptions } from "../mcp/start.ts";
import { installationOf } from "./gate.ts";
import { exportOf, journalOf, noteLogout, reconciliationOf, trailOf } from "./makers/books.ts";
import { assumptionsOf, diagnose, type Scope } from "./makers/diagnosis.ts";
import { apiLoginOf, deviceApprovalOf, deviceLoginOf, reportingLoginOf } from "./makers/logins.ts";
import { policiesOf } from "./makers/policies.ts";
import { readerOf, recordsOf } from "./makers/reads.ts";
import { checkRequest, creationsOf, dryRunsOf } from "./makers/requests.ts";
import { openSandbox } from "./makers/sandbox.ts";
import {
  askSignerKey,
  authorityOf,
  examinationOf,
  reviewsOf,
  signingOf,
} from "./makers/signing.ts";
import { skillsOf } from "./makers/skills.ts";
import type { Run } from "./occasion.ts";
import { loadActs } from "./oversight.ts";
import { COMMON_CODES, REQUIREMENTS } from "./requirements.ts";

interface Row {
  /** Absent: nothing. */
  readonly requires?: readonly (keyof typeof REQUIREMENTS)[];
  /** A requirement that a command with this capability can do without. */
  readonly spares?: keyof typeof REQUIREMENTS;
  readonly common?: readonly (keyof typeof COMMON_CODES)[];
  readonly codes?: readonly ErrorCode[];
  /** Who makes it behind a guard: this process, or the guard. Absent: it is refused there. */
  readonly behind?: "own" | "remote";
  make(run: Run): unknown;
}

const CALLS = ["state", "settings", "secret", "session", "network", "guard"] as const;
const LOGIN = ["state", "settings", "secret", "network"] as const;
const LOGIN_CODES = ["SESSION_MISMATCH", "NOT_SUPPORTED"] as const;

const CAPABILITIES = {
  /** GETs (and the fee estimate) with the session's credentials. */
  reader: {
    behind: "remote",
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
    behind: "remote",
    common: ["state", "settings", "session"],
    codes: ["WRONG_SESSION_KIND"],
    make: async ({ access }) => (await import("../core/api/draft.ts")).createDraft(access()),
  },
  /** The stored session; a command that looks for it itself can do without. */
  sessions: {
    behind: "own",
    common: ["state"],
    spares: "session",
    make: ({ sessions }) => sessions(),
  },
  /** Logs in with the operator's API key, or with a reporting key. */
  apiLogin: {
    requires: ["address"],
    common: LOGIN,
    codes: LOGIN_CODES,
    make: apiLoginOf,
  },
  reportingLogin: {
    requires: ["address"],
    common: LOGIN,
    codes: LOGIN_CODES,
    make: reportingLoginOf,
  },
  /** Logs in, and approves, with a Ledger device by USB. */
  deviceLogin: {
    requires: ["address", "device"],
    common: [...LOGIN, "device"],
    codes: LOGIN_CODES,
    make: deviceLoginOf,
  },
  deviceApproval: {
    requires: ["device"],
    common: ["device"],
    make: deviceApprovalOf,
  },
  /** The catalogue of request types: the check before something is sent, and its description. */
  catalogue: {
    behind: "own",
    make: () => ({
      check: checkRequest,
      describe: async (words: readonly string[]) =>
        (await import("../core/meaning/describe.ts")).describeRequests(words),
    }),
  },
  /** Builds the exact request of a payment. */
  payments: { behind: "own", make: () => import("../core/meaning/payment.ts") },
  /** What requests and challenges mean: summaries, readable amounts. */
  meaning: { behind: "own", make: () => import("../core/meaning/meaning.ts") },
  /** What kind of session a decision needs. */
  approval: { make: () => import("../core/signing/approval.ts") },
  /** Challenges, and their review. */
  reviews: {
    behind: "remote",
    requires: ["session"],
    common: CALLS,
    make: reviewsOf,
  },
  /** Creates requests, and keeps what was sent. */
  creations: {
    behind: "remote",
    requires: ["session"],
    common: [...CALLS, "logs", "policy"],
    codes: ["WRONG_SESSION_KIND", "OUTCOME_UNKNOWN"],
    make: creationsOf,
  },
  /** Shows what would be created; works offline. */
  dryRuns: {
    behind: "remote",
    common: [...CALLS, "logs", "policy"],
    codes: ["WRONG_SESSION_KIND"],
    spares: "session",
    make: dryRunsOf,
  },
  /** Everything up to a signature or a decision, without what could make one. */
  examination: {
    behind: "remote",
    requires: ["session", "privateKey"],
    common: [...CALLS, "key"],
    make: examinationOf,
  },
  /** Decides about requests, after that examination. */
  authority: {
    behind: "remote",
    requires: ["session", "privateKey"],
    common: [...CALLS, "logs", "policy", "key", "signer"],
    codes: ["WRONG_SESSION_KIND", "OUTCOME_UNKNOWN"],
    make: authorityOf,
  },
  /** Hands out signatures, after that examination; it cannot send. */
  signing: {
    requires: ["privateKey"],
    common: [...CALLS, "logs", "policy", "key", "signer"],
    make: signingOf,
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
  policies: { behind: "remote", make: policiesOf },
  /** Writes to the audit trail that a session ended. Never throws. */
  noteLogout: { behind: "own", make: (run) => () => noteLogout(run) },
  /** The audit trail for those who read it. */
  trail: {
    behind: "remote",
    common: ["logs"],
    make: trailOf,
  },
  /** The audit trail as text. */
  exportTrail: { behind: "own", make: exportOf },
  /** What was sent and signed by this user. */
  journal: {
    behind: "remote",
    common: ["logs"],
    make: journalOf,
  },
  /** Finds out what became of what was sent. */
  reconciliation: {
    behind: "remote",
    requires: ["session"],
    common: [...CALLS, "logs"],
    make: reconciliationOf,
  },
  config: { behind: "own", make: ({ config }) => config },
  /** Whether a webhook notification is genuine. */
  verifyNotification: {
    behind: "own",
    make: async () => (await import("../core/notifications/signature.ts")).verifyNotification,
  },
  /** Level of protection; `enforced` only behind a guard. */
  level: { behind: "remote", make: ({ config }): Level => levelOf(config.plain("POLICY_FILE")) },
  log: { behind: "own", make: ({ log }) => log },
  clock: {
    behind: "own",
    make: ({ runtime: { now, sleep, stop } }) => ({ now, sleep, stop }),
  },
  files: {
    behind: "own",
    codes: ["FILE_EXISTS", "INVALID_PATH", "IO_ERROR"],
    make: () => ({ writeNew: writeNewFile, absolute: (path: string) => resolve(path) }),
  },
  /** Every command of the program, and what is known of what they need. */
  registry: { behind: "own", make: ({ registry }) => registry() },
  facts: { behind: "own", make: (): Facts => FACTS },
  toJsonSchema: {
    behind: "own",
    make: () => async (schema: GenericSchema) =>
      (await import("../cli/jsonschema.ts")).toJsonSchema(schema),
  },
  completion: { behind: "own", make: async () => (await import("../cli/shells.ts")).SHELLS },
  skills: { behind: "own", make: ({ context }) => skillsOf(context.home) },
  /** How well this process is bound, and by which points. */
  protection: {
    behind: "own",
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
  diagnosis: { behind: "remote", make: (run) => (scope: Scope) => diagnose(run, scope) },
  /** What settles the assumptions about the API (docs/limits.md); sends reads only. */
  assumptions: { behind: "remote", make: (run) => () => assumptionsOf(run) },
  upgrades: {
    codes: ["UPGRADE_FAILED", "INVALID_URL", "INSECURE_URL", "INVALID_PROXY", "NOT_SUPPORTED"],
    make: (run) => ({
      check: async () => (await import("../core/release/upgrade.ts")).check(installationOf(run)),
      upgrade: async () =>
        (await import("../core/release/upgrade.ts")).upgrade(installationOf(run)),
    }),
  },
  sandbox: { behind: "own", codes: ["IO_ERROR"], make: () => openSandbox },
  /** The tools of an agent, on standard input and output. */
  mcp: {
    behind: "own",
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

const ALL: Readonly<Record<string, Row>> = CAPABILITIES;

/** Names of those that there are behind a guard. */
export const BEHIND_A_GUARD = Object.keys(ALL).filter((name) => ALL[name]?.behind !== undefined);

/** Makes what a command needs, in that order. Throws NOT_SUPPORTED for what a guard never does. */
export async function provide(
  needs: readonly string[],
  run: Run,
): Promise<Readonly<Record<string, unknown>>> {
  const made: Record<string, unknown> = {};
  const rows = ALL;
  if (run.guard === undefined) {
    for (const need of needs) made[need] = await rows[need]?.make(run);
    return made;
  }
  if (needs.some((need) => rows[need]?.behind === undefined))
    throw (await import("../guard/remote.ts")).notThroughGuard(run.name);
  const remote = needs.some((need) => rows[need]?.behind === "remote")
    ? await (await import("./behind.ts")).openBehind(run)
    : {};
  for (const need of needs)
    made[need] = rows[need]?.behind === "own" ? await rows[need].make(run) : await remote[need]?.();
  return made;
}
