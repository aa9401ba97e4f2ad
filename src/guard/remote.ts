/**
 * Capabilities whose work is done by a guard: the same shapes as in this process, and behind each a
 * request to the socket. Nothing here reads a credential or a policy.
 */
import type { Deed } from "../core/acts.ts";
import type { Reader } from "../core/api/api.ts";
import { requestIdOf } from "../core/api/requestid.ts";
import type { Config } from "../core/auth/config.ts";
import type { JournalRow } from "../core/belts.ts";
import type { CreationOrder, Creations, DryRuns } from "../core/creations.ts";
import type { Verdict } from "../core/reconcile.ts";
import type { Authority, Examination, Order } from "../core/signing/authorise.ts";
import type { Reviews } from "../core/signing/reviews.ts";
import { checkSession, readSession, type Session } from "../core/state/session.ts";
import type { AuditReader } from "../core/state/trail.ts";
import type { Verified } from "../core/state/verify.ts";
import { CliError } from "../errors.ts";
import { type Exact, elements, member, members, value } from "../io/json.ts";
import { ask, type Link } from "./client.ts";
import { type Client, levelOfPoints, type Point, pointsOf, type Status } from "./level.ts";
import type { Asked } from "./request.ts";

type Write = Extract<Asked, { verb: "create" | "approve" | "reject" }>;

const LONGEST_WAIT_SECONDS = 30;
const REPEATS = 2;

/** What a run needs of the guard. */
export interface RemoteHost extends Link {
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
  readonly config: Config;
  /** Gets each write that the guard carried out. */
  readonly deeds: Deed[];
  client(): Promise<Client>;
}

/** The guard as a run sees it. */
export class Remote {
  private session: Promise<Session> | undefined;

  constructor(private readonly host: RemoteHost) {}

  readonly reader: Reader = {
    read: (operation, parameters = {}, document = undefined) => {
      const given = Object.entries(parameters).filter(([, one]) => one !== undefined);
      const named = Object.fromEntries(given) as Record<string, string | number | boolean>;
      return this.patiently({ verb: "read", operation, parameters: named }, document);
    },
    get: (path, query) =>
      this.patiently({ verb: "read", path, query: query.map(([name, one]) => [name, one]) }),
    session: async (needs) => {
      if (needs !== undefined) await this.ask({ verb: "status", session: true, needs });
      this.session ??= this.askSession();
      return this.session;
    },
  };

  readonly creations: Creations = {
    create: (order) => this.create(order, false, true),
  };

  readonly dryRuns: DryRuns = {
    create: ({ noSummary, ...order }) => this.create(order, true, noSummary),
  };

  readonly reviews: Reviews = {
    challenge: (id, noSummary) => this.ask({ verb: "review", id, ask: "challenge", noSummary }),
    review: (id, challenge, noSummary) =>
      this.ask({ verb: "review", id, ask: "review", noSummary }, challenge),
  };

  readonly authority: Authority = { authorise: (order) => this.decide(order, false) };

  readonly examination: Examination = {
    order: async (order) => {
      const report = Object.fromEntries(members(await this.decide(order, true)));
      return { report };
    },
    signing: async () => {
      throw notThroughGuard("requests sign");
    },
  };

  /** Sessions for a draft. */
  readonly sessions = { read: () => this.reader.session() };

  readonly reconciliation = async (key: string | undefined): Promise<Verdict[]> => {
    const asked = key === undefined ? {} : { key };
    return value(await this.ask({ verb: "reconcile", ...asked })) as Verdict[];
  };

  readonly journal = {
    rows: async () => value(await this.ask({ verb: "journal" })) as JournalRow[],
  };

  private async *auditLines(): AsyncGenerator<readonly Exact[], void, void> {
    yield elements(await this.ask({ verb: "audit", ask: "lines" }));
  }

  readonly trail: AuditReader = {
    lines: () => this.auditLines(),
    verify: async ({ files, against }) => {
      if (files.length > 0) throw notThroughGuard("--file");
      const anchor = against === undefined ? {} : { against };
      return value(await this.ask({ verb: "audit", ask: "verify", ...anchor })) as Verified;
    },
    anchor: async () => String(value(await this.ask({ verb: "audit", ask: "anchor" }))),
    restart: async () => {
      throw notThroughGuard("audit restart");
    },
  };

  readonly policies = {
    show: async (file: string | undefined) => {
      if (file !== undefined) throw notThroughGuard("--file");
      return this.ask({ verb: "policy", ask: "show" });
    },
    check: async (given: Judged, file: string | undefined) => {
      if (file !== undefined) throw notThroughGuard("--file");
      const { requestData, challenge } = given;
      const about = challenge === undefined ? "request" : "challenge";
      return this.ask({ verb: "policy", ask: about }, challenge ?? requestData);
    },
  };

  /** What the guard says of itself and of this client. */
  async status(): Promise<Status> {
    return value(await this.ask({ verb: "status", session: false })) as Status;
  }

  /** The points of the level; a guard that cannot be asked is the first that does not hold. */
  async standing(): Promise<Standing> {
    const status = await this.status().catch((cause: unknown) => {
      if (cause instanceof CliError) return cause;
      throw cause;
    });
    const points = pointsOf(await this.host.client(), status);
    return { level: levelOfPoints(points), points, status };
  }

  async ask(asked: Asked, document?: Exact | string): Promise<Exact> {
    return (await ask(this.host, asked, document)).document;
  }

  /** Asks for a write, and keeps that it was carried out. */
  private async write(asked: Write, document: Exact | undefined): Promise<Exact> {
    const reply = await ask(this.host, asked, document);
    const requestId = asked.verb === "create" ? requestIdOf(reply.document) : asked.id;
    if (!asked.dryRun) this.host.deeds.push({ kind: asked.verb, requestId, key: reply.key });
    return reply.document;
  }

  private async askSession(): Promise<Session> {
    const status = await this.ask({ verb: "status", session: true });
    const found = member(status, "session");
    const session = found === undefined ? undefined : readSession(value(found));
    if (session === undefined)
      throw new CliError("NOT_LOGGED_IN", { message: "The guard has no session." });
    checkSession(session, this.host.config);
    const subject = member(status, "subject");
    return subject === undefined ? session : { ...session, subject: String(value(subject)) };
  }

  private create(order: CreationOrder, dryRun: boolean, noSummary: boolean): Promise<Exact> {
    const { requestData, coin, allowUnknown, tag, again } = order;
    if (allowUnknown) throw notThroughGuard("--allowUnknown");
    const named = { ...(coin && { coin }), ...(again && { again }) };
    return this.write({ verb: "create", ...named, tag, dryRun, noSummary }, requestData);
  }

  private decide(order: Order, dryRun: boolean): Promise<Exact> {
    const { id, decision, signature, again, expect, expectPayloadSha256: sha256 } = order;
    if (signature !== undefined) throw notThroughGuard("--signature");
    const verb = decision === "APPROVE" ? "approve" : "reject";
    const named = { ...(sha256 && { sha256 }), ...(again && { again }) };
    return this.write({ verb, id, dryRun, ...named }, expect);
  }

  /** A read waits for its turn as it waits for the API. */
  private async patiently(asked: Asked, document?: Exact): Promise<Exact> {
    for (let attempt = 0; ; attempt += 1) {
      try {
        return await this.ask(asked, document);
      } catch (cause) {
        const seconds = cause instanceof CliError ? cause.facts.retryAfterSeconds : undefined;
        const isTurn = cause instanceof CliError && cause.code === "RATE_LIMITED";
        if (!isTurn || seconds === undefined || seconds > LONGEST_WAIT_SECONDS) throw cause;
        if (attempt === REPEATS || this.host.stop.aborted) throw cause;
        await this.host.sleep(seconds * 1000, this.host.stop).catch(() => {
          throw cause;
        });
      }
    }
  }
}

/** What a policy is asked about: exactly one of both. */
interface Judged {
  readonly requestData: Exact | undefined;
  readonly challenge: string | undefined;
}

/** How well this process is bound. */
export interface Standing {
  readonly level: "enforced" | "advisory";
  readonly points: readonly Point[];
  readonly status: Status | CliError;
}

/** What a guard does not do for a client. */
export function notThroughGuard(what: string): CliError {
  return new CliError("NOT_SUPPORTED", {
    message: `'${what}' is not possible through a guard.`,
    hint: "Have a person run it in a shell without LEDGER_ENTERPRISE_GUARD.",
  });
}
