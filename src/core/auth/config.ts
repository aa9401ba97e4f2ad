/**
 * The only reader of the environment (CFG-1). Values are trimmed (CFG-5), checked, and handed to
 * the redactor when they are secret; each has exactly one source (CFG-4). Nothing is read before a
 * command asks for it.
 */
import type { Stats } from "node:fs";
import { CliError } from "../../errors.ts";
import { isOpenToOthers } from "../../io/input.ts";
import { bypasses, nameProxy, type ProxyName, parseProxy } from "../../io/proxy.ts";
import type { Runtime } from "../../io/runtime.ts";
import { type Endpoint, parseEndpoint, sameEndpoint } from "./endpoint.ts";
import { bothSet, conflict, missing, missingPrivateKey, PREFIX } from "./faults.ts";
import { readSecretFile, statsOf } from "./secretfile.ts";
import { checkWorkspace, clean, type Environment, HELPER_MARKER } from "./values.ts";

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
   * How much the audit trail says: `ids` leaves out amounts and recipients. Throws
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
    return this.isSet(HELPER_MARKER);
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

  private fromFile(path: string, field: string, linesAllowed: boolean): Promise<string> {
    const options = {
      stop: this.runtime?.stop,
      seen: (stats: Stats) => this.warnIfOpen(stats, field),
    };
    const read = (maxBytes: number) => this.sources.readFile(path, maxBytes, options);
    return readSecretFile(read, field, linesAllowed);
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
