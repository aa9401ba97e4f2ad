/**
 * The sandbox: a Ledger Enterprise workspace on loopback, in memory. It is the strict counterpart of the client and shares no code with
 * it. Everything timed hangs on one clock, everything random on one source.
 */
import { randomBytes } from "node:crypto";
import { Challenges } from "./challenge.ts";
import { type Control, Controls, initialSwitches } from "./faults.ts";
import { defaultSeed } from "./fixtures.ts";
import { Governance } from "./governance.ts";
import { fromPlain, type JsonObject } from "./json.ts";
import type { World } from "./routes.ts";
import { checkSeed, InvalidSeed, type SeedRequest } from "./seed.ts";
import { listen } from "./server.ts";
import { Sessions } from "./sessions.ts";
import { V2 } from "./v2.ts";
import { loadWorkspace, type Random, type Workspace } from "./workspace.ts";

export type { Control, Fault, LogEntry, Switches } from "./faults.ts";
export { defaultSeed } from "./fixtures.ts";
export { InvalidSeed, type Seed } from "./seed.ts";

export interface SandboxOptions {
  /** 0 or absent: a free one. */
  readonly port?: number;
  /** A parsed seed document; absent: fixtures.ts. */
  readonly seed?: unknown;
  /** People approve this long after they were asked. Absent: only when the control path says so. */
  readonly autoApproveSeconds?: number;
  /** Milliseconds since 1970; tokens, expiry and automatic approval hang on it. */
  readonly clock?: () => number;
  /** A deterministic source makes keys, ids, tokens and challenges reproducible. */
  readonly random?: Random;
  /** Each GET of a challenge issues a new one and voids the last. */
  readonly freshChallenges?: boolean;
}

/** What `sandbox start` prints. */
export interface SandboxDescription {
  /** Base URLs by API generation. */
  readonly baseUrls: { readonly v2: string };
  readonly workspace: string;
  readonly operator: {
    readonly userId: string;
    readonly apiKeyId: string;
    readonly apiKeySecret: string;
    /** Hexadecimal of SEC1 PEM text. */
    readonly privateKey: string;
    /** 130 hexadecimal digits. */
    readonly publicKey: string;
  };
  /** Lines for a POSIX shell. */
  readonly environment: readonly string[];
  /** Root of the control path (faults.ts). */
  readonly control: string;
}

export interface Sandbox {
  readonly description: SandboxDescription;
  readonly control: Control;
  /** Ends every connection; nothing is left running. */
  close(): Promise<void>;
}

/** Starts a sandbox on 127.0.0.1. Throws InvalidSeed; rejects with the system's error when the port is taken. */
export async function startSandbox(options: SandboxOptions = {}): Promise<Sandbox> {
  const random = options.random ?? ((bytes) => randomBytes(bytes));
  let ahead = 0;
  const clock = options.clock ?? (() => Date.now() + ahead);
  const seed = options.seed ?? defaultSeed();
  const { workspace, keys } = loadWorkspace(seed, clock(), random);
  const autoApproveMs = options.autoApproveSeconds === undefined ? undefined : options.autoApproveSeconds * 1000;
  const governance = new Governance(workspace, clock, autoApproveMs);
  replay(governance, workspace, checkSeed(seed).requests ?? [], clock());
  const [credential] = workspace.credentials;
  const operator = workspace.users.get(credential?.userId ?? "");
  const pair = keys.get(operator?.id ?? "");
  if (credential === undefined || operator === undefined || pair === undefined) {
    throw new InvalidSeed(["The first credential must be that of an API operator with a private key"]);
  }
  const switches = initialSwitches({ ...operator, apiKeySecret: credential.apiKeySecret });
  switches.freshChallenges = options.freshChallenges ?? false;
  const sessions = new Sessions(workspace, clock, random);
  const world: World = { workspace, governance, sessions, challenges: new Challenges(random, switches), clock };
  const advance = (milliseconds: number) => {
    ahead += milliseconds;
  };
  const controls = new Controls({
    world,
    operatorId: operator.id,
    switches,
    advance: options.clock === undefined ? advance : undefined,
  });
  const { port, close } = await listen({ world, controls, dialects: [V2] }, options.port ?? 0);
  const root = `http://127.0.0.1:${port}`;
  const { apiKeyId, apiKeySecret, userId } = credential;
  const description: SandboxDescription = {
    baseUrls: { v2: `${root}${V2.base}` },
    workspace: workspace.name,
    operator: { userId, apiKeyId, apiKeySecret, ...pair },
    environment: environmentOf({
      API_URL: `${root}${V2.base}`,
      WORKSPACE: workspace.name,
      API_KEY_ID: apiKeyId,
      API_KEY_SECRET: apiKeySecret,
      API_PRIVATE_KEY: pair.privateKey,
    }),
    control: `${root}/_sandbox`,
  };
  return { description, control: controls, close };
}

function environmentOf(values: Readonly<Record<string, string>>): string[] {
  const quote = (value: string) => `'${value.replaceAll("'", "'\\''")}'`;
  return Object.entries(values).map(([name, value]) => `export LEDGER_ENTERPRISE_${name}=${quote(value)}`);
}

/** Requests of the past run through the same engine, with their own times. Throws InvalidSeed naming the one that cannot have been. */
function replay(governance: Governance, workspace: Workspace, requests: readonly SeedRequest[], now: number): void {
  for (const past of [...requests].sort((a, b) => b.ageSeconds - a.ageSeconds)) {
    const at = now - past.ageSeconds * 1000;
    try {
      const creator = workspace.users.get(past.createdBy);
      if (creator === undefined) continue;
      const data = fromPlain(past.data) as JsonObject;
      const note = past.note === undefined ? undefined : (fromPlain(past.note) as JsonObject);
      const request = governance.create(creator, { type: past.type, data, note }, at, past.id);
      const reviews = (past.approvedBy ?? []).map((userId) => [userId, "APPROVE"] as const);
      if (past.rejectedBy !== undefined) reviews.push([past.rejectedBy, "REJECT"] as never);
      for (const [index, [userId, decision]] of reviews.entries())
        governance.decide(request, userId, decision, at + (index + 1) * 60_000);
    } catch (error) {
      throw new InvalidSeed([
        `A ${past.type} request cannot be replayed: ${error instanceof Error ? error.message : "unknown"}`,
      ]);
    }
  }
  governance.advance();
}
