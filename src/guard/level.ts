/**
 * Level of protection behind a guard: `enforced` only where every point holds, each with its
 * remedy. The word is computed from what this process sees and the guard reports; it cannot be
 * configured.
 */
import { accessSync, constants, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Stop } from "../core/policy/places.ts";
import type { CliError } from "../errors.ts";

/** What a guard says of itself, and of the client that asks. */
export interface Status {
  readonly version: string;
  /** The guard's user. */
  readonly uid: number;
  /** Whom the kernel named. */
  readonly peer: { readonly uid: number };
  readonly policy: {
    readonly id: string;
    readonly sha256: string;
    /** ISO 8601: when the guard first saw these bytes. */
    readonly since: string;
  } | null;
  /** What is wrong with the policy, where `policy` is null. */
  readonly policyFault: { readonly message: string; readonly details: unknown } | null;
  /** What stops every write and signature; absent from a guard that does not tell it yet. */
  readonly stopped?: Stop | null;
  readonly counts: Readonly<Record<string, number>>;
  /** What others than the guard's user can read or change. */
  readonly exposed: readonly ("secretFiles" | "state")[];
  /** Files and folders that the client must not be able to read, or to write. */
  readonly places: {
    readonly secret: readonly string[];
    readonly policy: readonly string[];
  };
  /** Newer versions that are published; a guard only reports them. */
  readonly newer: string | null;
}

/** One condition of `enforced`. */
export interface Point {
  readonly point: string;
  readonly holds: boolean;
  /** What a person does where it does not hold. */
  readonly fix: string;
}

/** What this process is, as the system tells it. */
export interface Client {
  readonly uid: number | undefined;
  readonly groups: readonly number[];
  /** Variables with credentials. */
  readonly bypasses: readonly string[];
  /** A session that an earlier command of this user left. */
  readonly hasSession: boolean;
}

/** Members of these become root. */
const ROOT_GROUPS: ReadonlySet<string> = new Set([
  ...["root", "docker", "lxd", "lxc", "sudo", "wheel", "admin", "disk", "kmem", "shadow"],
]);

/** Where a service manager reads a guard's secrets; the guard itself sees copies of them. */
const ORIGINALS = "/etc/ledger-enterprise-cli/guard";

/** Every point, in the order in which a person should look at them. */
export function pointsOf(
  client: Client,
  status: Status | CliError,
  originals = ORIGINALS,
): Point[] {
  const points = pointsBy(client, status, originals);
  if ("uid" in status) return points;
  return points.map((one) => (OF_THE_GUARD.has(one.point) ? { ...one, fix: UNKNOWN } : one));
}

/** Points that only an answer of the guard can show. */
const OF_THE_GUARD: ReadonlySet<string> = new Set(["otherUser", "secrets", "state", "policy"]);
const UNKNOWN = "Not known while the guard does not answer: see the point 'reachable'.";

function pointsBy(client: Client, status: Status | CliError, originals: string): Point[] {
  const { uid, bypasses, hasSession } = client;
  const guard = "uid" in status ? status : undefined;
  const seen = (holds: (guard: Status) => boolean): boolean => guard !== undefined && holds(guard);
  const canRead = (paths: readonly string[]) => paths.some((path) => can(path, constants.R_OK));
  const canWrite = (paths: readonly string[]) => paths.some((path) => can(path, constants.W_OK));
  return [
    {
      point: "reachable",
      holds: guard !== undefined,
      fix: "Start the guard and let this user open its socket: error.details of 'guard status' says why it cannot.",
    },
    {
      point: "otherUser",
      holds: seen((one) => one.uid !== uid && one.peer.uid === uid),
      fix: "Run the guard as a user of its own, outside a user namespace that hides who calls.",
    },
    {
      point: "notRoot",
      holds: uid !== undefined && uid !== 0,
      fix: "Run the agent as an ordinary user.",
    },
    {
      point: "noRootGroup",
      holds: namesOf(client.groups).every((name) => !ROOT_GROUPS.has(name)),
      fix: `Take the agent's user out of the groups whose members become root (${[...ROOT_GROUPS].join(", ")}).`,
    },
    {
      point: "noCredentials",
      holds: bypasses.length === 0,
      fix: `Unset ${bypasses.join(", ") || "the credential variables"} where the agent runs; the guard alone holds them.`,
    },
    {
      point: "noSession",
      holds: !hasSession,
      fix: "Run 'logout' as the agent's user: a session of its own is still there.",
    },
    {
      point: "secrets",
      holds: seen(
        ({ exposed, places }) =>
          !exposed.includes("secretFiles") &&
          !canRead(places.secret) &&
          !canRead(within(originals)),
      ),
      fix: `Make the guard's files with keys and secrets its user's alone: chmod 600, and chmod 700 for ${originals}.`,
    },
    {
      point: "state",
      holds: seen(({ exposed }) => !exposed.includes("state")),
      fix: "Make the guard's state folder its user's alone: chmod 700.",
    },
    {
      point: "policy",
      holds: seen(({ policy, places }) => policy !== null && !canWrite(places.policy)),
      fix: "Make the policy file valid, and let only root write it and its folders.",
    },
  ];
}

/** `enforced` when every point holds, else `advisory`. */
export function levelOfPoints(points: readonly Point[]): "enforced" | "advisory" {
  return points.every(({ holds }) => holds) ? "enforced" : "advisory";
}

/** What this process sees in a folder. */
function within(folder: string): string[] {
  try {
    return readdirSync(folder).map((name) => join(folder, name));
  } catch {
    return [];
  }
}

function can(path: string, mode: number): boolean {
  try {
    accessSync(path, mode);
    return true;
  } catch {
    return false;
  }
}

/** Names of the groups with these numbers, as far as the system's file has them. */
function namesOf(numbers: readonly number[]): string[] {
  let text = "";
  try {
    text = readFileSync("/etc/group", "utf8");
  } catch {
    // Without names only the number of root's own group can be judged.
  }
  const named = new Map(
    text.split("\n").map((line) => {
      const [name = "", , number = ""] = line.split(":");
      return [Number(number), name] as const;
    }),
  );
  return numbers.map((number) => (number === 0 ? "root" : (named.get(number) ?? "")));
}
