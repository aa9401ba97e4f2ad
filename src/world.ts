/**
 * The outside world as a value, and what a command can be given of it. A test passes another
 * Context; nothing is patched. How each capability is made stands in providers.ts.
 */
import type { GenericSchema } from "valibot";
import type { Group } from "./cli/command.ts";
import type { SHELLS } from "./cli/completion/shells.ts";
import type { Deed } from "./core/acts.ts";
import type { Api, Draft, Reader } from "./core/api/api.ts";
import type { ApiHost } from "./core/api/host.ts";
import type { Config, Environment } from "./core/auth/config.ts";
import type { loginWithReportingKey } from "./core/auth/reporting.ts";
import type { DeviceApproval } from "./core/device/approve.ts";
import type { DeviceLogin } from "./core/device/login.ts";
import type { askSigner, DoctorHost, examine } from "./core/doctor.ts";
import type { loginWithApiKey } from "./core/login/api.ts";
import type * as Notifications from "./core/notifications/signature.ts";
import type { check, UpgradeHost, upgrade } from "./core/release/upgrade.ts";
import type * as Approval from "./core/signing/approval.ts";
import type { Keyring } from "./core/signing/keyring.ts";
import type { Skill } from "./core/skill/content.ts";
import type { Inspection, Installed } from "./core/skill/install.ts";
import type { Target } from "./core/skill/targets.ts";
import type { Records } from "./core/state/records.ts";
import type { Session, SessionStore } from "./core/state/session.ts";
import type { Exact } from "./io/json.ts";
import type { Log } from "./io/log.ts";
import type { Redactor } from "./io/redact.ts";
import type { Sink } from "./io/stdout.ts";
import type { SandboxDescription, SandboxOptions } from "./sandbox/index.ts";

/** Everything outside the program. main.ts builds the real one. */
export interface Context {
  readonly env: Environment;
  readonly stdout: Sink;
  readonly stderr: Sink;
  readonly stdin: NodeJS.ReadableStream & { readonly isTTY?: boolean; destroy?(): unknown };
  readonly stdoutIsTerminal: boolean;
  readonly stderrIsTerminal: boolean;
  readonly fetch: typeof globalThis.fetch;
  readonly platform: string;
  readonly home: string | undefined;
  readonly uid: number | undefined;
  readonly pid: number;
  /** The file that runs: the standalone executable, or the runtime. */
  readonly executable: string;
  readonly hostname: string;
  now(): number;
  /** Waits; rejects with the signal's reason when it fires first. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
  /** Fires on SIGINT and SIGTERM. */
  readonly interrupt: AbortSignal;
  isAlive(pid: number): boolean;
}

/** What a command can be given. It gets exactly what it names in `needs`. */
export interface Capabilities {
  /** GETs (and the fee estimate) with the session's credentials. */
  readonly reader: Reader;
  /** The same, and operations that change something. */
  readonly api: Api;
  /** Describes writes without being able to send them. */
  readonly draft: Draft;
  /** Login and logout. */
  readonly sessions: SessionStore;
  readonly host: ApiHost;
  readonly config: Config;
  /** Exchanging credentials for a session. */
  readonly logins: {
    readonly loginWithApiKey: typeof loginWithApiKey;
    readonly loginWithReportingKey: typeof loginWithReportingKey;
  };
  /** Challenges, and their review. */
  readonly approval: typeof Approval;
  readonly notifications: typeof Notifications;
  readonly records: Records;
  /** Signs with the operator's key; what holds it is loaded when a signature is wanted. */
  readonly keyring: Keyring;
  /** The configured key's public half (65 bytes), or undefined when none is configured. */
  readonly publicKey: () => Promise<Uint8Array | undefined>;
  /** The public half (65 bytes) of what the configured external signer holds; starts the signer. */
  readonly signerKey: () => Promise<Uint8Array>;
  /** A Ledger device by USB; what that needs is loaded when it is asked for. */
  readonly device: () => Promise<Device>;
  readonly log: Log;
  readonly clock: Pick<Context, "now" | "sleep"> & { readonly stop: AbortSignal };
  readonly files: { writeNew(path: string, bytes: Uint8Array, mode: number): Promise<void> };
  /** Every command of the program, for what describes it. */
  readonly registry: Group;
  readonly jsonSchema: () => Promise<(schema: GenericSchema) => object>;
  readonly completion: () => Promise<typeof SHELLS>;
  readonly skills: Skills;
  readonly diagnosis: () => Promise<{
    host: DoctorHost;
    examine: typeof examine;
    askSigner: typeof askSigner;
  }>;
  readonly upgrades: () => Promise<{
    host: UpgradeHost;
    check: typeof check;
    upgrade: typeof upgrade;
  }>;
  readonly sandbox: (
    options: SandboxOptions,
  ) => Promise<{ description: SandboxDescription; close(): Promise<void> }>;
}

/** The bundled skill and its copies; loaded when it is asked for. */
export interface Skills {
  readonly home: string | undefined;
  bundled(): Promise<Skill>;
  inspect(directory: string): Promise<Inspection>;
  install(target: Target, force: boolean): Promise<Installed>;
}

/**
 * What can be done with a Ledger device; each finds it, uses it and lets go of it. Throws the
 * DEVICE_ codes.
 */
export interface Device {
  login(host: ApiHost, request: DeviceLogin): Promise<Session>;
  approve(api: Api, request: DeviceApproval): Promise<Exact>;
}

/** What one run adds to the context. */
export interface RunParts {
  readonly redactor: Redactor;
  readonly log: Log;
  /** The command in words, such as `requests create`. */
  readonly command: string;
  /** Gets each write that is carried out. */
  readonly deeds: Deed[];
  registry(): Promise<Group>;
  /** Interrupt, and the end of the command's time. */
  readonly stop: AbortSignal;
  /** Runs what waits for a person; the command's time stands still meanwhile. */
  patiently<T>(work: () => Promise<T>): Promise<T>;
}

/** How each capability is made; nothing is made before a command that needs it runs. */
export type Providers = {
  readonly [K in keyof Capabilities]: () => Capabilities[K] | Promise<Capabilities[K]>;
};
