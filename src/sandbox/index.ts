/**
 * The sandbox: a Ledger Enterprise workspace on loopback, in memory. It is the strict counterpart
 * of the client and shares no code with it. Everything timed hangs on one clock, everything random
 * on one source.
 */
import { randomBytes } from "node:crypto";
import { Challenges } from "./challenge.ts";
import { Devices } from "./device.ts";
import { type Control, Controls, initialSwitches } from "./faults.ts";
import { defaultSeed } from "./fixtures.ts";
import { Governance } from "./governance.ts";
import { fromPlain, type JsonObject } from "./json.ts";
import { Page } from "./page/page.ts";
import type { World } from "./routes.ts";
import { checkSeed, InvalidSeed, type Seed } from "./seed.ts";
import { listen } from "./server.ts";
import { Sessions } from "./sessions.ts";
import { operatorSettings } from "./settings.ts";
import { V1 } from "./v1.ts";
import { V2 } from "./v2.ts";
import { type Random, Workspace } from "./workspace.ts";

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
  /** Absolute path; the lines for a shell name it, so that no other session is touched. */
  readonly stateFolder?: string;
  /** Each GET of a challenge issues a new one and voids the last. */
  readonly freshChallenges?: boolean;
}

/** What `sandbox start` prints. */
export interface SandboxDescription {
  /** Base URLs by API version. */
  readonly baseUrls: { readonly v1: string; readonly v2: string };
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
  /** Reads on V1; absent when the seed has no read-only credential. */
  readonly reportingKey?: string;
  /** Lines for a POSIX shell. */
  readonly environment: readonly string[];
  /** Root of the control path (faults.ts). */
  readonly control: string;
  /** Address of the page for people; everyone who has it may decide for the reviewers. */
  readonly page: string;
}

export interface Sandbox {
  readonly description: SandboxDescription;
  readonly control: Control;
  /** Ends every connection; nothing is left running. */
  close(): Promise<void>;
}

/**
 * Starts a sandbox on 127.0.0.1. Throws InvalidSeed; rejects with the system's error when the port
 * is taken.
 */
export async function startSandbox(options: SandboxOptions = {}): Promise<Sandbox> {
  const random = options.random ?? ((bytes) => randomBytes(bytes));
  let ahead = 0;
  const clock = options.clock ?? (() => Date.now() + ahead);
  const seed = checkSeed(options.seed ?? defaultSeed());
  // With randomness from outside, each start has the same numbers.
  const start = options.random === undefined ? randomBytes(2).readUInt16BE() : 0;
  const workspace = new Workspace(seed, clock(), random, start);
  const autoApproveMs =
    options.autoApproveSeconds === undefined ? undefined : options.autoApproveSeconds * 1000;
  const governance = new Governance(workspace, clock, autoApproveMs);
  replay(governance, seed, clock());
  const [credential] = workspace.credentials;
  const operator = workspace.users.get(credential?.userId ?? "");
  const pair = workspace.keys.get(operator?.id ?? "");
  if (credential === undefined || operator === undefined || pair === undefined) {
    throw new InvalidSeed([
      "The first credential must be that of an API operator whose private key is known",
    ]);
  }
  const switches = initialSwitches(
    { ...operator, apiKeySecret: credential.apiKeySecret },
    options.freshChallenges ?? false,
  );
  const sessions = new Sessions(workspace, clock, random);
  const [challenges, devices] = [new Challenges(random, switches), new Devices(random, clock)];
  const world: World = {
    ...{ workspace, governance, sessions, challenges, devices, clock },
    switches,
  };
  const advance = (milliseconds: number) => {
    ahead += milliseconds;
  };
  const controls = new Controls(
    world,
    operator.id,
    switches,
    options.clock === undefined ? advance : undefined,
  );
  const page = new Page(world, controls);
  const { port, close } = await listen(
    { world, controls, page, dialects: [V1, V2] },
    options.port ?? 0,
  );
  const root = `http://127.0.0.1:${port}`;
  const { apiKeyId, apiKeySecret, userId } = credential;
  const reporting = workspace.credentials.find(
    (one) => workspace.users.get(one.userId)?.role === "READ_ONLY_API_KEY",
  );
  const described = {
    baseUrls: { v1: `${root}${V1.base}`, v2: `${root}${V2.base}` },
    workspace: workspace.name,
    operator: { userId, apiKeyId, apiKeySecret, ...pair },
  };
  const description: SandboxDescription = {
    ...described,
    ...(reporting === undefined ? {} : { reportingKey: reporting.apiKeySecret }),
    environment: linesOf({
      ...operatorSettings(described),
      ...(options.stateFolder && { LEDGER_ENTERPRISE_STATE_DIR: options.stateFolder }),
    }),
    control: `${root}/_sandbox`,
    page: `${root}${page.path}`,
  };
  return { description, control: controls, close };
}

function linesOf(settings: Readonly<Record<string, string>>): string[] {
  const quote = (value: string) => `'${value.replaceAll("'", "'\\''")}'`;
  return Object.entries(settings).map(([name, value]) => `export ${name}=${quote(value)}`);
}

/**
 * Requests of the past run through the same engine, with their own times. Throws InvalidSeed naming
 * the one that cannot have been.
 */
function replay(governance: Governance, { requests = [] }: Seed, now: number): void {
  for (const past of [...requests].sort((a, b) => b.ageSeconds - a.ageSeconds)) {
    const { type, createdBy, approvedBy = [], rejectedBy } = past;
    const at = now - past.ageSeconds * 1000;
    const creator = governance.workspace.users.get(createdBy);
    if (creator === undefined) continue;
    try {
      const note = past.note && (fromPlain(past.note) as JsonObject);
      const request = governance.create(
        creator,
        { type, data: fromPlain(past.data) as JsonObject, note },
        at,
        past.id,
      );
      for (const [n, userId] of approvedBy.entries())
        governance.decide(request, userId, "APPROVE", at + (n + 1) * MINUTE_MS);
      if (rejectedBy)
        governance.decide(request, rejectedBy, "REJECT", at + (approvedBy.length + 1) * MINUTE_MS);
    } catch (error) {
      throw new InvalidSeed([
        `A ${type} request cannot be replayed: ${error instanceof Error ? error.message : "unknown"}`,
      ]);
    }
  }
  governance.advance();
}

const MINUTE_MS = 60_000;
