/** What all requests to one guard share: books, clock, session, secrets to mask, and who it is. */
import { statfsSync } from "node:fs";
import { openConfig, openRun } from "../app/invoke.ts";
import { inForce } from "../app/makers/acts.ts";
import { openBooks } from "../app/makers/books.ts";
import type { Occasion, Run, Service } from "../app/occasion.ts";
import { ApiClock } from "../core/api/clock.ts";
import type { ApiVersion } from "../core/api/dialect.ts";
import { placeOf } from "../core/belts.ts";
import { loginWithApiKey } from "../core/login/api.ts";
import { loadPolicies, type Policy } from "../core/policy/load.ts";
import type { Books } from "../core/state/books.ts";
import type { Journal } from "../core/state/journal.ts";
import type { Session } from "../core/state/session.ts";
import { CliError } from "../errors.ts";
import { Log, type LogOptions } from "../io/log.ts";
import { Redactor } from "../io/redact.ts";
import { VERSION } from "../version.ts";
import type { Context } from "../world.ts";
import type { Status } from "./level.ts";
import { type Allowance, LOG_MS } from "./limits.ts";
import type { Peer } from "./peer.ts";
import { KnownSecrets } from "./secrets.ts";
import { Keeper, OwnSessions } from "./session.ts";

/** So much of the disk stays free, so that what was sent can still be written down. */
const RESERVED_BYTES = 64 * 1024 * 1024;
const LOGIN_MS = 30_000;

/** One guard. */
export class House {
  readonly secrets = new KnownSecrets();
  readonly keeper: Keeper;
  readonly clock: ApiClock;
  /** When each policy was first seen, by its digest. */
  private readonly since = new Map<string, string>();
  /** A newer version that is published. */
  newer: string | null = null;

  private constructor(
    readonly context: Context,
    readonly books: Books,
    readonly registry: Occasion["registry"],
    /** Of the state folder. */
    readonly path: string,
    readonly elapsed: () => number,
    private readonly apiVersion: ApiVersion | undefined,
  ) {
    this.clock = new ApiClock(context.now, elapsed);
    this.keeper = new Keeper({
      elapsed,
      login: () => this.login(),
      contended: () => this.books.note({ event: "contended", command: "guard serve" }),
    });
  }

  /** Opens it for the process of `run`; `stop` ends work that is under way. */
  static async open(
    run: Run,
    stop: AbortSignal,
    elapsed: () => number,
    apiVersion: ApiVersion | undefined,
  ): Promise<House> {
    const context: Context = Object.create(run.context, { interrupt: { value: stop } });
    const redactor = new Redactor();
    const log = new Log(optionsOf(context, redactor));
    const config = openConfig(context, redactor);
    const { registry } = run;
    const own = openRun({ context, config, redactor, log, name: run.name, deeds: [], registry });
    const books = await openBooks({ context, config }, own.state(), () => "enforced");
    return new House(context, books, registry, own.state().path, elapsed, apiVersion);
  }

  /** A run of the guard's own, as its own user. The caller clears its deadline. */
  openRun(name: string): Run {
    const redactor = this.secrets.redactor();
    const log = new Log(this.logOptions(redactor));
    const { context, registry } = this;
    const config = openConfig(context, this.secrets.remembering(redactor));
    const agent = { uid: context.uid, pid: context.pid };
    const service: Service = {
      ...this.service,
      agent,
      around: (stages) => stages,
      keepsDenial: () => true,
    };
    return openRun({ context, config, redactor, log, name, deeds: [], registry, service });
  }

  /** What every run of this guard shares. */
  get service(): Pick<Service, "clock" | "books" | "sessions" | "notAsSent"> {
    return {
      clock: this.clock,
      books: this.books,
      sessions: (access, state) => new OwnSessions(state, access, this.keeper),
      notAsSent: (_, key) => this.closeAssetsOf(key),
    };
  }

  logOptions(redactor: Redactor): LogOptions {
    return optionsOf(this.context, redactor);
  }

  /**
   * Reads key and secret once, so that no answer can repeat them, from any client. Throws what a
   * login or a signature would throw for files that cannot be read.
   */
  async learnSecrets(): Promise<void> {
    const run = this.openRun("guard serve");
    try {
      const { config } = run;
      if (!config.isFromCommand("API_KEY_SECRET")) await config.secret("API_KEY_SECRET");
      if (config.signer() === undefined) await config.optionalPrivateKey();
    } finally {
      run.deadline.clear();
      await run.log.flush(LOG_MS);
    }
  }

  /** The outside world for one client's run: at most four calls to the API at once. */
  contextFor(allowance: Allowance): Context {
    const { fetch } = this.context;
    const limited = (url: string, init?: RequestInit): Promise<Response> =>
      allowance.upstream(() => fetch(url, init), init?.signal ?? undefined);
    return Object.create(this.context, {
      fetch: { value: Object.assign(limited, { preconnect: fetch.preconnect }) },
    });
  }

  /** Throws GUARD_NOT_ADOPTED until a person accepts this state folder. */
  requireAdopted(): Journal {
    const journal = this.books.read();
    if (journal.adoption !== undefined) return journal;
    throw new CliError("GUARD_NOT_ADOPTED", {
      message: "This state folder was not accepted as this guard's; nothing was sent.",
    });
  }

  /** Throws AUDIT_UNAVAILABLE where too little of the disk is free. */
  requireRoom(): void {
    const { bavail, bsize } = statfsSync(this.path);
    if (bavail * bsize >= RESERVED_BYTES) return;
    throw new CliError("AUDIT_UNAVAILABLE", {
      message: "Less than 64 MiB of the guard's disk are free; nothing was sent.",
      hint: "Have a person make room on the disk of the guard's state folder.",
    });
  }

  /** The policies in force. Throws POLICY_INVALID, POLICY_INSECURE. */
  policies(run: Run): readonly Policy[] {
    const named = run.config.plain("POLICY_FILE");
    return inForce(loadPolicies(named, this.context.uid), this);
  }

  /** What the guard says of itself to this client. */
  async status(run: Run, peer: Peer): Promise<Status> {
    const { config } = run;
    const open = await config.openSecretFiles();
    const isExposed = run.state().exposed("records", "journal", "audit", "bodies").length > 0;
    const { policy, policyFault, paths } = this.policyFacts(run);
    return {
      version: VERSION,
      uid: this.context.uid ?? -1,
      peer: { uid: peer.uid },
      ...{ policy, policyFault },
      counts: this.countsOf(peer),
      exposed: [
        ...(open.length > 0 ? (["secretFiles"] as const) : []),
        ...(isExposed ? (["state"] as const) : []),
      ],
      places: { secret: config.secretFiles(), policy: paths },
      newer: this.newer,
    };
  }

  private policyFacts(run: Run): Pick<Status, "policy" | "policyFault"> & {
    readonly paths: readonly string[];
  } {
    try {
      const policies = this.policies(run);
      const told = policies.map(({ id, sha256 }) => ({ id, sha256, since: this.sinceOf(sha256) }));
      const [policy = null] = told;
      return { policy, policyFault: null, paths: policies.map(({ path }) => path) };
    } catch (cause) {
      if (!(cause instanceof CliError)) throw cause;
      const { message, details = null } = cause.facts;
      return { policy: null, policyFault: { message, details }, paths: [] };
    }
  }

  private sinceOf(sha256: string): string {
    const known = this.since.get(sha256) ?? new Date(this.context.now()).toISOString();
    this.since.set(sha256, known);
    return known;
  }

  private countsOf({ uid }: Peer): Record<string, number> {
    const counts = { open: 0, done: 0, refused: 0, absent: 0 };
    try {
      for (const entry of this.books.read().all()) if (entry.uid === uid) counts[entry.state] += 1;
    } catch (cause) {
      // A broken journal is what the next write says.
      if (!(cause instanceof CliError)) throw cause;
    }
    return counts;
  }

  /** The guard's own login, with the credentials as they are now. */
  private async login(): Promise<Session> {
    const run = this.openRun("login api");
    run.deadline.limitTo(LOGIN_MS);
    try {
      const { apiVersion } = this;
      const asked = { baseUrl: undefined, workspace: undefined, apiVersion };
      const session = await loginWithApiKey(run.access(), asked);
      await this.books.note({ event: "login", command: run.name, session });
      this.requireOwn(session);
      return session;
    } finally {
      run.deadline.clear();
      await run.log.flush(LOG_MS);
    }
  }

  /** The session must be for what was adopted. Throws GUARD_NOT_ADOPTED. */
  requireOwn(session: Session): void {
    const { scope } = this.books.read();
    if (scope === undefined) return;
    const place = placeOf(session);
    const names = ["origin", "basePath", "workspace", "user"] as const;
    const other = names.find((name) => scope[name] !== "" && scope[name] !== place[name]);
    if (other === undefined) return;
    throw new CliError("GUARD_NOT_ADOPTED", {
      message: `The guard's journal is for another ${other} than its settings; nothing was sent.`,
      details: { differs: other },
    });
  }

  private async closeAssetsOf(key: string): Promise<void> {
    await this.books.alone(async (pages) => {
      const entry = pages.journal().get(key);
      const { currency, contract } = entry?.debit ?? {};
      const assets =
        currency === undefined
          ? undefined
          : [{ currency }, ...(contract === undefined ? [] : [{ currency, contract }])];
      pages.mark("closed", { why: "notAsSent", requestId: entry?.requestId, assets });
    }, "closing");
  }
}

function optionsOf(context: Context, redactor: Redactor): LogOptions {
  return { sink: context.stderr, redactor, debug: false, timestamps: true, clock: context.now };
}
