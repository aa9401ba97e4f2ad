/**
 * The only reader of the environment (CFG-1). Values are trimmed (CFG-5), checked, and handed to
 * the redactor when they are secret; each has exactly one source (CFG-4). Nothing is read before a
 * command asks for it.
 */
import { type Stats, statSync } from "node:fs";
import { posix, win32 } from "node:path";
import { CliError } from "../../errors.ts";
import { isOpenToOthers } from "../../io/input.ts";
import { decodeUtf8, JsonError } from "../../io/json.ts";
import { bypasses, nameProxy, type ProxyName, parseProxy } from "../../io/proxy.ts";
import type { Runtime } from "../../io/runtime.ts";
import { PROGRAM } from "../../version.ts";
import { type Endpoint, parseEndpoint } from "./endpoint.ts";

/** Environment variables as the process has them. */
export type Environment = Readonly<Record<string, string | undefined>>;

const PREFIX = "LEDGER_ENTERPRISE_";
/**
 * Every documented variable (specification §2), without the prefix and the `_FILE` and `_COMMAND`
 * forms.
 */
const SETTINGS = [
  ...[
    "API_URL",
    "WORKSPACE",
    "API_KEY_ID",
    "API_KEY_SECRET",
    "API_PRIVATE_KEY",
    "REPORTING_API_KEY",
  ],
  ...["WEBHOOK_SECRET", "STATE_DIR", "READ_ONLY", "NPM_REGISTRY", "RELEASES_URL"],
  ...["SIGNER", "API_PUBLIC_KEY"],
  ...["AUDIT", "POLICY_FILE", "GUARD"],
] as const;
/** Far above any secret, so that a wrong file is judged by its content. */
const SECRET_FILE_MAX_BYTES = 2 * 1024 * 1024;
const SECRETS = [
  "API_KEY_SECRET",
  "API_PRIVATE_KEY",
  "REPORTING_API_KEY",
  "WEBHOOK_SECRET",
] as const;
type SecretName = (typeof SECRETS)[number];

/**
 * Starts the program that `text` describes, with the variables of `environment` that it may see,
 * and returns the secret that it prints. `field` is the variable that holds `text`.
 */
export type SecretCommand = (
  text: string,
  field: string,
  environment: Environment,
) => Promise<string>;

type Origin = "environment" | "file" | "command" | "unset";

/** Where a login goes and with what. */
export interface ApiCredentials {
  readonly endpoint: Endpoint;
  readonly workspace: string;
  readonly apiKeyId: string;
  readonly apiKeySecret: string;
}

/** What a login may be told beside the environment, with which it must agree (CFG-4). */
export interface LoginOptions {
  readonly baseUrl: string | undefined;
  readonly workspace: string | undefined;
}

interface Sources {
  readonly env: Environment;
  /** Whose the secret files should be; absent on Windows. */
  readonly uid?: number | undefined;
  readFile(
    path: string,
    maxBytes: number,
    options: { readonly stop?: AbortSignal | undefined; seen(stats: Stats): void },
  ): Promise<Uint8Array>;
  /** Told each secret before anything can print it (SEC-1). */
  learn(secret: string): void;
}

/**
 * Where session and records live (SES-1); always absolute. A relative LEDGER_ENTERPRISE_STATE_DIR
 * is INVALID_PATH; a relative XDG_STATE_HOME is ignored, as its specification asks (B15). Without a
 * usable home: SESSION_IO, never the current directory or `/` (B14). A place whose name is not
 * UTF-8 is INVALID_PATH and names the variable: another folder would be used in its stead.
 */
export function stateDirectory(
  env: Environment,
  home: string | undefined,
  platform: string,
): string {
  const paths = platform === "win32" ? win32 : posix;
  const own = env.LEDGER_ENTERPRISE_STATE_DIR?.trim() ?? "";
  if (own !== "") {
    requireUtf8(own, "LEDGER_ENTERPRISE_STATE_DIR");
    if (paths.isAbsolute(own)) return paths.resolve(own);
    const message = "LEDGER_ENTERPRISE_STATE_DIR must be an absolute path.";
    throw new CliError("INVALID_PATH", { message, field: "LEDGER_ENTERPRISE_STATE_DIR" });
  }
  const given = (platform === "win32" ? env.LOCALAPPDATA : env.XDG_STATE_HOME) ?? "";
  if (paths.isAbsolute(given)) {
    requireUtf8(given, platform === "win32" ? "LOCALAPPDATA" : "XDG_STATE_HOME");
    return paths.join(given, PROGRAM);
  }
  if (home !== undefined && paths.isAbsolute(home) && paths.dirname(home) !== home) {
    requireUtf8(home, platform === "win32" ? "USERPROFILE" : "HOME");
    return paths.join(home, ...(STATE_BELOW_HOME[platform] ?? [".local", "state"]), PROGRAM);
  }
  throw new CliError("SESSION_IO", {
    message: "There is no home folder to keep the session in.",
    hint: "Set LEDGER_ENTERPRISE_STATE_DIR to an absolute path that this user may write to.",
  });
}

/** The runtimes replace bytes that are not UTF-8 by U+FFFD, which is the name of another folder. */
function requireUtf8(path: string, variable: string): void {
  if (isQuoted(path)) throw quoted("INVALID_PATH", variable);
  if (!path.includes("\ufffd")) return;
  throw new CliError("INVALID_PATH", {
    message: `${variable} is not valid UTF-8.`,
    hint: "Set LEDGER_ENTERPRISE_STATE_DIR to an absolute path in UTF-8.",
    field: variable,
  });
}

const STATE_BELOW_HOME: Readonly<Record<string, readonly string[]>> = {
  darwin: ["Library", "Application Support"],
  win32: ["AppData", "Local"],
};

/**
 * The settings of one run. Its methods throw INVALID_ARGUMENT, CONFIG_CONFLICT and the URL codes
 * for what is set wrongly.
 */
export class Config {
  /** Set when the run is open: the end of its time, and where warnings go. */
  runtime: Pick<Runtime, "stop" | "log"> | undefined;
  private readonly warned = new Set<string>();
  /** Set as soon as the run knows how long a program may take. */
  secretCommand: SecretCommand | undefined;
  private readonly printed = new Map<SecretName, Promise<string>>();

  constructor(private readonly sources: Sources) {
    // Known from the start: a secret typed in the wrong place would be quoted back before anything
    // asks for it (SEC-1).
    for (const name of SECRETS) {
      const value = sources.env[`${PREFIX}${name}`]?.trim() ?? "";
      if (value !== "") sources.learn(value);
    }
  }

  /**
   * `LEDGER_ENTERPRISE_READ_ONLY`: any value but empty, `0` or `false` switches writing and signing
   * off.
   */
  get readOnly(): boolean {
    const value = this.plain("READ_ONLY");
    return value !== undefined && !/^(0|false)$/i.test(value);
  }

  /**
   * How much the audit trail says : `ids` leaves out amounts and recipients. Throws
   * INVALID_ARGUMENT.
   */
  get auditDetail(): "off" | "ids" | "full" {
    const detail = this.plain("AUDIT") ?? "ids";
    if (detail === "off" || detail === "ids" || detail === "full") return detail;
    const field = "LEDGER_ENTERPRISE_AUDIT";
    throw new CliError("INVALID_ARGUMENT", { message: `${field} is off, ids or full.`, field });
  }

  /** The configured base URL and workspace, each if set; a session must agree with them (NET-2). */
  configured(): {
    readonly endpoint: Endpoint | undefined;
    readonly workspace: string | undefined;
  } {
    const url = this.plain("API_URL");
    const workspace = this.plain("WORKSPACE");
    return {
      endpoint: url === undefined ? undefined : parseEndpoint(url, `${PREFIX}API_URL`),
      workspace:
        workspace === undefined ? undefined : checkWorkspace(workspace, `${PREFIX}WORKSPACE`),
    };
  }

  /**
   * Everything an API login needs. Throws MISSING_CREDENTIALS naming all that is missing,
   * CONFIG_CONFLICT, SECRET_COMMAND_FAILED, and the URL codes. With `mayStart` false the secret of
   * a program is empty, and the program does not start.
   */
  async apiCredentials(options: LoginOptions, mayStart = true): Promise<ApiCredentials> {
    const [url, workspace] = [
      this.agreed("API_URL", "--baseUrl", options.baseUrl),
      this.workspaceOf(options),
    ];
    const apiKeyId = this.plain("API_KEY_ID");
    const isComplete = url !== undefined && workspace !== undefined && apiKeyId !== undefined;
    // No program starts for a login that cannot happen.
    const apiKeySecret =
      this.isFromCommand("API_KEY_SECRET") && !(isComplete && mayStart)
        ? ""
        : await this.secret("API_KEY_SECRET");
    const found = {
      API_URL: url,
      WORKSPACE: workspace,
      API_KEY_ID: apiKeyId,
      API_KEY_SECRET: apiKeySecret,
    };
    if (
      url === undefined ||
      workspace === undefined ||
      apiKeyId === undefined ||
      apiKeySecret === undefined
    ) {
      throw missing(
        Object.entries(found).flatMap(([name, value]) =>
          value === undefined ? [`${PREFIX}${name}`] : [],
        ),
      );
    }
    return { endpoint: url, workspace, apiKeyId, apiKeySecret };
  }

  /** Base URL and workspace of a login that takes no secret from the environment (device). */
  target(options: LoginOptions): { readonly endpoint: Endpoint; readonly workspace: string } {
    const endpoint = this.agreed("API_URL", "--baseUrl", options.baseUrl);
    const workspace = this.workspaceOf(options);
    if (endpoint !== undefined && workspace !== undefined) return { endpoint, workspace };
    const names = [
      ...(endpoint ? [] : [`${PREFIX}API_URL`]),
      ...(workspace ? [] : [`${PREFIX}WORKSPACE`]),
    ];
    throw missing(names);
  }

  /** The operator's private key as configured, unparsed. Throws MISSING_CREDENTIALS. */
  async privateKey(): Promise<string> {
    const value = await this.optionalPrivateKey();
    if (value === undefined) throw missingPrivateKey();
    return value;
  }

  /** The same, where a command can do without. */
  optionalPrivateKey(): Promise<string | undefined> {
    return this.secret("API_PRIVATE_KEY", true);
  }

  /**
   * `LEDGER_ENTERPRISE_SIGNER` as it is written, or undefined. Throws CONFIG_CONFLICT beside a
   * private key.
   */
  signer(): string | undefined {
    const [variable, key] = [`${PREFIX}SIGNER`, `${PREFIX}API_PRIVATE_KEY`];
    const text = clean(this.sources.env[variable], variable, true);
    const other = [key, `${key}_FILE`].find((name) => this.isSet(name));
    if (text !== undefined && other !== undefined) throw bothSet(variable, other);
    return text;
  }

  /** `LEDGER_ENTERPRISE_API_PUBLIC_KEY` as it is written. */
  publicKey(): string | undefined {
    return clean(this.sources.env[`${PREFIX}API_PUBLIC_KEY`], `${PREFIX}API_PUBLIC_KEY`, true);
  }

  /** How many descriptors a service manager handed over to the process `pid`, from 3 on. */
  handedDescriptors(pid: number): number {
    const { LISTEN_PID, LISTEN_FDS } = this.sources.env;
    return LISTEN_PID === String(pid) ? Number(LISTEN_FDS ?? 0) : 0;
  }

  /** Variables with what a guard alone should hold, in any form. */
  bypasses(): string[] {
    const held = ["API_KEY_SECRET", "API_PRIVATE_KEY", "REPORTING_API_KEY"];
    const forms = held.flatMap((name) => ["", "_FILE", "_COMMAND"].map((form) => `${name}${form}`));
    return [...forms, "SIGNER"]
      .map((name) => `${PREFIX}${name}`)
      .filter((name) => this.isSet(name));
  }

  /** The whole environment, from which a program gets the variables that it may see. */
  get environment(): Environment {
    return this.sources.env;
  }

  /** True inside a signer or secret command, which must not start this program. */
  get isInsideHelper(): boolean {
    return this.isSet(`${PREFIX}HELPER`);
  }

  /**
   * Checks proxy variables before the first request; their credentials are secrets (NET-10). True
   * when one is set. Throws INVALID_PROXY.
   */
  checkProxies(): boolean {
    let isSet = false;
    for (const name of ["HTTPS_PROXY", "https_proxy"]) {
      const value = this.sources.env[name]?.trim();
      if (value === undefined || value === "") continue;
      isSet = true;
      const proxy = parseProxy(value);
      if (proxy === undefined) {
        throw new CliError("INVALID_PROXY", {
          message: `${name} is not a proxy URL.`,
          field: name,
        });
      }
      const { username, password } = new URL(value);
      const decoded = Object.values(proxy.credentials ?? {}).map((bytes) =>
        Buffer.from(bytes, "latin1").toString("utf8"),
      );
      for (const part of new Set([username, password, ...decoded]))
        if (part !== "") this.sources.learn(part);
    }
    return isSet;
  }

  /**
   * The variables and options that a login read, for a refusal that names them; never their values.
   */
  loginSources(
    options: LoginOptions,
    credentials: readonly ("API_KEY_ID" | "API_KEY_SECRET" | "REPORTING_API_KEY")[],
  ): string[] {
    const forms = { environment: "", unset: "", file: "_FILE", command: "_COMMAND" };
    return [
      options.baseUrl === undefined ? `${PREFIX}API_URL` : "--baseUrl",
      options.workspace === undefined ? `${PREFIX}WORKSPACE` : "--workspace",
      ...credentials.map((name) => `${PREFIX}${name}${forms[this.originOf(`${PREFIX}${name}`)]}`),
    ];
  }

  /** The proxy that requests to `url` go through, or undefined (NET-10). */
  proxyOf(url: URL): ProxyName | undefined {
    if (url.protocol !== "https:") return undefined;
    const read = (names: readonly string[]) =>
      names
        .map((name) => [name, this.sources.env[name]?.trim() ?? ""] as const)
        .find(([, value]) => value !== "");
    const [variable, text] = read(["https_proxy", "HTTPS_PROXY"]) ?? [];
    const proxy = text === undefined ? undefined : parseProxy(text);
    if (variable === undefined || proxy === undefined) return undefined;
    if (bypasses(read(["no_proxy", "NO_PROXY"])?.[1] ?? "", url)) return undefined;
    return { variable, host: nameProxy(proxy), isSecure: proxy.protocol === "https:" };
  }

  /** Paths of the files that hold secrets; they are never read as input. */
  secretFiles(): string[] {
    return this.secretFileVariables().map(({ path }) => path);
  }

  /** The variables that name a file with a secret that others can read or change. */
  async openSecretFiles(): Promise<string[]> {
    const open: string[] = [];
    for (const { variable, path } of this.secretFileVariables()) {
      const stats = statsOf(path);
      if (stats !== undefined && isOpenToOthers(stats, this.sources.uid)) open.push(variable);
    }
    return open;
  }

  /** The variables that name a file with a secret, and the files. */
  private secretFileVariables(): { readonly variable: string; readonly path: string }[] {
    return SECRETS.flatMap((name) => {
      const variable = `${PREFIX}${name}_FILE`;
      const path = this.sources.env[variable]?.trim() ?? "";
      return path === "" ? [] : [{ variable, path }];
    });
  }

  /**
   * Where each setting comes from, never what it is: the variable itself, its `_FILE` or `_COMMAND`
   * form, or nowhere.
   */
  origins(): { readonly name: string; readonly source: Origin }[] {
    return SETTINGS.map((setting) => {
      const name = `${PREFIX}${setting}`;
      return { name, source: this.originOf(name) };
    });
  }

  private originOf(name: string): Origin {
    if (this.isSet(name)) return "environment";
    if (this.isSet(`${name}_FILE`)) return "file";
    return this.isSet(`${name}_COMMAND`) ? "command" : "unset";
  }

  private isSet(name: string): boolean {
    return (this.sources.env[name]?.trim() ?? "") !== "";
  }

  /** Named variables of the rest of the program, trimmed; empty counts as unset (B03). */
  plain(
    name:
      | "API_URL"
      | "WORKSPACE"
      | "API_KEY_ID"
      | "READ_ONLY"
      | "NPM_REGISTRY"
      | "RELEASES_URL"
      | "AUDIT"
      | "POLICY_FILE"
      | "GUARD",
  ): string | undefined {
    return clean(this.sources.env[`${PREFIX}${name}`], `${PREFIX}${name}`, false);
  }

  /**
   * A secret from its variable, from the file that its `_FILE` form names, or from the program that
   * its `_COMMAND` form names. Throws CONFIG_CONFLICT when more than one is set.
   */
  async secret(name: SecretName, linesAllowed = false): Promise<string | undefined> {
    const variable = `${PREFIX}${name}`;
    const [fileVariable, commandVariable] = [`${variable}_FILE`, `${variable}_COMMAND`];
    const inline = clean(this.sources.env[variable], variable, linesAllowed);
    const path = clean(this.sources.env[fileVariable], fileVariable, false);
    const isCommand = this.isFromCommand(name);
    const [first, second] = [
      ...(inline === undefined ? [] : [variable]),
      ...(path === undefined ? [] : [fileVariable]),
      ...(isCommand ? [commandVariable] : []),
    ];
    if (first !== undefined && second !== undefined) throw bothSet(first, second);
    if (isCommand) return this.fromCommand(name);
    const value =
      path === undefined ? inline : await this.fromFile(path, fileVariable, linesAllowed);
    if (value !== undefined) this.sources.learn(value);
    return value;
  }

  /** True when a program prints the secret; nothing else may be set then. */
  isFromCommand(name: SecretName): boolean {
    return name !== "API_PRIVATE_KEY" && this.isSet(`${PREFIX}${name}_COMMAND`);
  }

  /** The program runs once, however often the run needs its secret. */
  private fromCommand(name: SecretName): Promise<string> {
    const field = `${PREFIX}${name}_COMMAND`;
    const text = clean(this.sources.env[field], field, true) ?? "";
    const start = this.secretCommand;
    if (start === undefined) throw new Error("a secret command is needed before it can be started");
    const printed = this.printed.get(name) ?? start(text, field, this.sources.env);
    this.printed.set(name, printed);
    return printed.then((secret) => {
      this.sources.learn(secret);
      return secret;
    });
  }

  /** The same, where a command cannot do without. Throws MISSING_CREDENTIALS. */
  async requiredSecret(name: SecretName): Promise<string> {
    const value = await this.secret(name);
    if (value === undefined) throw missing([`${PREFIX}${name}`]);
    return value;
  }

  private async fromFile(
    path: string,
    field: string,
    linesAllowed: boolean,
  ): Promise<string | undefined> {
    try {
      const bytes = await this.sources.readFile(path, SECRET_FILE_MAX_BYTES, {
        stop: this.runtime?.stop,
        seen: (stats) => this.warnIfOpen(stats, field),
      });
      const value = clean(decodeText(bytes, field), field, linesAllowed);
      if (value !== undefined) return value;
    } catch (cause) {
      if (cause instanceof CliError && !FILE_CODES.has(cause.code)) throw cause;
      throw new CliError("MISSING_CREDENTIALS", {
        message: `The file that ${field} names cannot be read.`,
        hint: "Check that the file exists and that this user may read it.",
        field,
        ...reasonOf(cause),
        cause,
      });
    }
    throw new CliError("MISSING_CREDENTIALS", {
      message: `The file that ${field} names is empty.`,
      hint: "Put the secret into the file, or name another file.",
      field,
    });
  }

  /** A warning, once, about a file with a secret that others can read or change. */
  private warnIfOpen(stats: Stats, field: string): void {
    if (this.warned.has(field) || !isOpenToOthers(stats, this.sources.uid)) return;
    this.warned.add(field);
    this.runtime?.log.warn(
      "SECRET_FILE_EXPOSED",
      `Other users can read or change the file that ${field} names: chmod 600.`,
    );
  }

  private agreed(name: "API_URL", option: string, given: string | undefined): Endpoint | undefined {
    const configured = this.configured().endpoint;
    const asked = given === undefined ? undefined : parseEndpoint(given, option);
    if (configured !== undefined && asked !== undefined && !sameEndpoint(configured, asked))
      throw conflict(option, name);
    return asked ?? configured;
  }

  private workspaceOf(options: LoginOptions): string | undefined {
    const { workspace } = this.configured();
    const asked =
      options.workspace === undefined
        ? undefined
        : checkWorkspace(options.workspace, "--workspace");
    if (workspace !== undefined && asked !== undefined && workspace !== asked)
      throw conflict("--workspace", "WORKSPACE");
    return asked ?? workspace;
  }
}

/** Undefined for a file that is not there or cannot be looked at. */
function statsOf(path: string): Stats | undefined {
  try {
    return statSync(path);
  } catch {
    return undefined;
  }
}

/** What reading a file that is not there, or may not be read, ends in. */
const FILE_CODES: ReadonlySet<string> = new Set(["INVALID_PATH", "IO_ERROR", "PAYLOAD_TOO_LARGE"]);

/** The system's word for a failure. The path is not shown: it may be the secret, set by mistake. */
function reasonOf(cause: unknown): { details?: { reason: string } } {
  const details = cause instanceof CliError ? cause.facts.details : undefined;
  const reason = details instanceof Object && "reason" in details ? details.reason : undefined;
  return typeof reason === "string" && reason !== "" ? { details: { reason } } : {};
}

/** Text of a secret's file. Throws MISSING_CREDENTIALS, whose details say when it is in UTF-16. */
function decodeText(bytes: Uint8Array, field: string): string {
  try {
    return decodeUtf8(bytes, { bom: "strip" });
  } catch (cause) {
    if (!(cause instanceof JsonError)) throw cause;
    throw new CliError("MISSING_CREDENTIALS", {
      message: `The file that ${field} names is not UTF-8.`,
      hint: "Save the file as UTF-8.",
      field,
      details: { reason: cause.message },
      cause,
    });
  }
}

/** True for the same origin and base path: what tokens belong to (NET-2). */
export function sameEndpoint(a: Endpoint, b: Endpoint): boolean {
  return a.origin === b.origin && a.basePath === b.basePath;
}

function conflict(option: string, name: string): CliError {
  return new CliError("CONFIG_CONFLICT", {
    message: `${option} and ${PREFIX}${name} name different values.`,
    field: option,
  });
}

function bothSet(one: string, other: string): CliError {
  return new CliError("CONFIG_CONFLICT", {
    message: `Both ${one} and ${other} are set.`,
    field: one,
  });
}

/** MISSING_CREDENTIALS for a signer without the public key that its signatures must verify with. */
export function missingPublicKey(): CliError {
  return missing([`${PREFIX}API_PUBLIC_KEY`]);
}

/** MISSING_CREDENTIALS for a question that only an external signer answers. */
export function missingSigner(): CliError {
  return missing([`${PREFIX}SIGNER`]);
}

/** MISSING_CREDENTIALS for a command that must sign. */
export function missingPrivateKey(): CliError {
  return missing([`${PREFIX}API_PRIVATE_KEY`]);
}

function missing(names: readonly string[]): CliError {
  return new CliError("MISSING_CREDENTIALS", {
    message: `Not set: ${names.join(", ")}.`,
    field: names[0] ?? "",
    details: { missing: names },
  });
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what this refuses
const CONTROL = /[\u0000-\u001f\u007f-\u009f]/;
// biome-ignore lint/suspicious/noControlCharactersInRegex: the same, for values that may have several lines
const CONTROL_BUT_LINES = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f]/;

/** Quotation marks that a shell would have taken away. */
function isQuoted(value: string): boolean {
  return value.length > 1 && /^(["'])[\s\S]*\1$/.test(value);
}

function quoted(code: "INVALID_ARGUMENT" | "INVALID_PATH", field: string): CliError {
  return new CliError(code, {
    message: `${field} has quotation marks around its value.`,
    hint: "Remove the quotation marks: only a shell takes them away, an env file does not.",
    field,
  });
}

/** Trims, and treats an empty value as unset. The value is never quoted back (CFG-5). */
function clean(raw: string | undefined, field: string, linesAllowed: boolean): string | undefined {
  const value = raw?.trim();
  if (value === undefined || value === "") return undefined;
  if ((linesAllowed ? CONTROL_BUT_LINES : CONTROL).test(value)) {
    throw new CliError("INVALID_ARGUMENT", {
      message: `${field} contains a control character.`,
      field,
    });
  }
  if (isQuoted(value)) throw quoted("INVALID_ARGUMENT", field);
  return value;
}

/** 1–128 printable ASCII characters without a space at either end (B10). */
function checkWorkspace(value: string, field: string): string {
  if (/^[\x21-\x7e]([\x20-\x7e]{0,126}[\x21-\x7e])?$/.test(value)) return value;
  throw new CliError("INVALID_ARGUMENT", {
    message: `${field} takes 1 to 128 printable ASCII characters without a space at either end.`,
    field,
  });
}
