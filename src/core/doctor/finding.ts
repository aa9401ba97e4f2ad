/** What a check looks at, and what it finds. */
import { CliError, type ErrorCode } from "../../errors.ts";
import type { Access } from "../api/access.ts";
import type { Config } from "../auth/config.ts";
import type { DeviceState } from "../device/reach.ts";
import type { Stop } from "../policy/places.ts";
import type { Verdict } from "../release/verdict.ts";
import type { Inspection } from "../skill/install.ts";
import type { StateFolder } from "../state/folder.ts";
import type { Session, SessionStore } from "../state/session.ts";

/** What one check found. */
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

/** One check. What it throws is a finding too. */
type Check = (patient: Patient) => Promise<readonly Finding[]> | readonly Finding[];

/** Checks with their names. */
export type Checks = readonly (readonly [name: string, check: Check])[];

/** Nothing to do. */
export function ok(check: string, message: string, details?: unknown): Finding {
  return { check, status: "ok", message, ...(details === undefined ? {} : { details }) };
}

/** Something that a person should look at; `fix` says how. */
export function warn(check: string, message: string, fix: string, details?: unknown): Finding {
  return { check, status: "warn", message, fix, ...(details === undefined ? {} : { details }) };
}

const STOPPED: Readonly<Record<Stop, readonly [what: string, fix: string]>> = {
  stopFile: [
    "The stop file is there, or cannot be looked for",
    "Only the person who made /etc/ledger-enterprise-cli/stop should remove it.",
  ],
  policy: [
    "The policy has `stopped`",
    "Only the person who wrote the policy should set `stopped` to false.",
  ],
};

/** Everything that writes or signs is stopped. */
export function stopped(stop: Stop): Finding {
  const [what, fix] = STOPPED[stop];
  const message = `${what}: every command that writes or signs is refused with POLICY_DENIED.`;
  const details = { stopped: stop };
  return warn("mode", message, `If this is intended, no action is needed. ${fix}`, details);
}

/** A failure as a finding; anything but a CliError is a defect and is thrown on. */
export function problem(check: string, cause: unknown): Finding {
  if (!(cause instanceof CliError)) throw cause;
  const { message, details } = cause.facts;
  return {
    check,
    status: "problem",
    message,
    fix: cause.hint,
    code: cause.code,
    ...(details === undefined ? {} : { details }),
  };
}

/** The stored session, where it can be read. */
export async function sessionOf(patient: Patient): Promise<Session | undefined> {
  try {
    return await patient.sessions().read();
  } catch {
    return undefined;
  }
}
