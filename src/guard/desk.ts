/**
 * What a guard does for a client: each verb by the same capabilities as a command, in a run of its
 * own that reads the credentials anew and belongs to the client's user.
 */

import type { Capabilities } from "../app/capabilities.ts";
import { provide } from "../app/capabilities.ts";
import { openConfig, openRun } from "../app/invoke.ts";
import { inForce } from "../app/makers/acts.ts";
import type { Occasion, Run, Service } from "../app/occasion.ts";
import type { Stages } from "../core/acts.ts";
import type { OperationName } from "../core/api/dialect.ts";
import { dialectOf } from "../core/api/dialect.ts";
import type { Parameters } from "../core/api/operation.ts";
import { checkPath } from "../core/api/path.ts";
import { loadPolicies } from "../core/policy/load.ts";
import { requireReadable } from "../core/policy/reads.ts";
import { stopOf } from "../core/policy/stop.ts";
import { subjectOf, withoutTokens } from "../core/state/session.ts";
import { CliError } from "../errors.ts";
import { type Exact, encode } from "../io/json.ts";
import { Log } from "../io/log.ts";
import type { Redactor } from "../io/redact.ts";
import type { House } from "./house.ts";
import type { Status } from "./level.ts";
import { type Allowance, LOG_MS } from "./limits.ts";
import type { Peer } from "./peer.ts";
import type { Request } from "./request.ts";
import { encodeFailure, isWrite, readDocument } from "./wire.ts";

/** The client that asks. */
export interface Caller {
  readonly peer: Peer;
  readonly allowance: Allowance;
  /** Fires when the client is gone and nothing was sent for it yet. */
  readonly gone: AbortSignal;
  /** Tells the client the record's key. Throws when it cannot be told any more. */
  announce(key: string): Promise<void>;
  /** Whether a key was told: from then on a write may have been sent. */
  isSent(): boolean;
}

/** An answer, with every known secret masked. */
export interface Answered {
  readonly ok: boolean;
  readonly text: string;
  readonly warnings: readonly (readonly [code: string, message: string])[];
}

/** How long a guard works for one request. */
const MOST_MS = 120_000;

const NAMES: Readonly<Record<Request["verb"], string>> = {
  status: "guard status",
  read: "read",
  review: "requests review",
  create: "requests create",
  approve: "requests approve api",
  reject: "requests reject api",
  reconcile: "requests reconcile",
  journal: "requests journal",
  policy: "policy show",
  audit: "audit list",
};

/** The verbs of one guard. */
export class Desk {
  private readonly turns = new Map<string, Promise<unknown>>();

  constructor(private readonly house: House) {}

  /** Carries out one request; a failure is an answer, too. */
  async answer(request: Request, document: Uint8Array, caller: Caller): Promise<Answered> {
    const redactor = this.house.secrets.redactor();
    const log = new RelayLog(this.house.logOptions(redactor));
    const run = this.open(request, caller, redactor, log);
    run.deadline.limitTo(MOST_MS);
    try {
      const text = encode(await this.carryOut(request, document, run, caller));
      return { ok: true, text: redactor.cleanJson(text), warnings: log.told(redactor) };
    } catch (cause) {
      const failure = this.shown(cause, log);
      const text = redactor.cleanJson(encodeFailure(failure));
      return { ok: false, text, warnings: log.told(redactor) };
    } finally {
      run.deadline.clear();
      await log.flush(LOG_MS);
    }
  }

  private open(request: Request, caller: Caller, redactor: Redactor, log: Log): Run {
    const { house } = this;
    const context = house.contextFor(caller.allowance);
    const config = openConfig(context, house.secrets.remembering(redactor));
    const occasion: Occasion = {
      ...{ context, name: NAMES[request.verb], redactor, log, config, deeds: [] },
      registry: house.registry,
      interrupt: caller.gone,
      service: this.serviceFor(caller),
    };
    return openRun(occasion);
  }

  private serviceFor({ peer, allowance, announce, gone }: Caller): Service {
    const { house } = this;
    return {
      ...house.service,
      agent: peer,
      around: (stages) => guarded(stages, house, { announce, gone }),
      keepsDenial: () => allowance.mayTell(),
    };
  }

  /** What a client may know of a failure; of a signer or a secret's program only the code. */
  private shown(cause: unknown, log: Log): CliError {
    if (!(cause instanceof CliError)) {
      const trace = cause instanceof Error ? (cause.stack ?? cause.message) : String(cause);
      log.line(`INTERNAL: ${trace}`);
      return new CliError("INTERNAL", { message: "The guard failed in an unforeseen way." });
    }
    if (!/^(SIGNER_|SECRET_COMMAND_)/.test(cause.code)) return cause;
    log.line(`${cause.code}: ${cause.facts.message} ${encode(cause.facts.details ?? {})}`);
    return new CliError(cause.code, {
      message: cause.facts.message,
      hint: "Have a person look at the guard's log.",
    });
  }

  private async carryOut(
    request: Request,
    document: Uint8Array,
    run: Run,
    caller: Caller,
  ): Promise<unknown> {
    if (request.verb === "status") return this.status(request, run, caller);
    const { config, context } = run;
    const policies = inForce(loadPolicies(config.plain("POLICY_FILE"), context.uid), run.service);
    const text = Buffer.from(document).toString("utf8");
    const given = document.length === 0 ? undefined : readDocument;
    switch (request.verb) {
      case "read":
        return this.read(request, given?.(document), run);
      case "review": {
        const { id, noSummary } = request;
        requireReadable(policies, "requests.challenge");
        const { reviews } = await made(["reviews"], run);
        const challenge = document.length === 0 ? undefined : text;
        return this.alone(id, run, () =>
          request.ask === "challenge"
            ? reviews.challenge(id, noSummary)
            : reviews.review(id, challenge, noSummary),
        );
      }
      case "create":
        return this.write(request, caller, () => this.create(request, readDocument(document), run));
      case "approve":
      case "reject":
        return this.write(request, caller, () =>
          this.alone(request.id, run, () => this.decide(request, given?.(document), run)),
        );
      case "reconcile": {
        requireReadable(policies, "requests.list");
        const { reconciliation } = await made(["reconciliation"], run);
        return reconciliation(request.key);
      }
      case "journal": {
        const { journal } = await made(["journal"], run);
        return journal.rows();
      }
      case "policy": {
        const { policies: asked } = await made(["policies"], run);
        if (request.ask === "show") return asked.show(undefined);
        const isChallenge = request.ask === "challenge";
        const requestData = isChallenge ? undefined : readDocument(document);
        const challenge = isChallenge ? text : undefined;
        return asked.check({ requestData, challenge }, undefined);
      }
      case "audit":
        return this.audit(request, run, caller);
    }
  }

  private async read(
    request: Extract<Request, { verb: "read" }>,
    document: Exact | undefined,
    run: Run,
  ): Promise<Exact> {
    const { reader } = await made(["reader"], run);
    if ("path" in request) {
      return reader.get(checkPath(request.path), request.query);
    }
    const { operation } = request;
    // What one API version lacks is the reader's to refuse.
    const found = [dialectOf("v1"), dialectOf("v2")].flatMap(({ operations }) =>
      Object.hasOwn(operations, operation) ? (operations[operation] ?? []) : [],
    );
    const isRead = found.length > 0 && found.every(({ writes }) => writes === undefined);
    if (!isRead || CHALLENGES.has(operation))
      throw new CliError("NOT_SUPPORTED", { message: `'${operation}' is not a read.` });
    return reader.read(operation as OperationName, request.parameters as Parameters, document);
  }

  private async create(
    request: Extract<Request, { verb: "create" }>,
    requestData: Exact,
    run: Run,
  ): Promise<unknown> {
    await run.sessions().recent();
    const { coin, tag, again, noSummary } = request;
    const order = { requestData, coin, tag, again, allowUnknown: false };
    if (request.dryRun) {
      const { dryRuns } = await made(["dryRuns"], run);
      return dryRuns.create({ ...order, noSummary });
    }
    const { creations } = await made(["creations"], run);
    return creations.create(order);
  }

  private async decide(
    request: Extract<Request, { verb: "approve" | "reject" }>,
    expect: Exact | undefined,
    run: Run,
  ): Promise<unknown> {
    const { verb, id, sha256, again } = request;
    const purpose = verb;
    const decision = verb === "approve" ? ("APPROVE" as const) : ("REJECT" as const);
    const confirmed = { expect, expectPayloadSha256: sha256 };
    const order = { id, decision, signature: undefined, again, ...confirmed };
    if (!request.dryRun) {
      const { authority } = await made(["authority"], run);
      return authority.authorise(order);
    }
    const { examination } = await made(["examination"], run);
    const { session, challenge: content, report } = await examination.order(order);
    const acts = await run.acts();
    const about = { command: run.name, session, requestId: id, content, again };
    await acts.decide({ kind: "sign", purpose, ...about });
    return report;
  }

  private async audit(
    request: Extract<Request, { verb: "audit" }>,
    run: Run,
    { peer }: Caller,
  ): Promise<unknown> {
    const { trail } = await made(["trail"], run);
    if (request.ask === "verify") {
      const {
        last: _,
        end: __,
        ...found
      } = await trail.verify({ files: [], against: request.against });
      return found;
    }
    if (request.ask === "anchor") return trail.anchor("audit anchor");
    const own: Exact[] = [];
    const mark = `"agent":{"uid":${peer.uid},`;
    let bytes = 0;
    for await (const lines of trail.lines()) {
      for (const line of lines.filter(({ text }) => text.includes(mark))) {
        own.push(line);
        bytes += line.text.length;
        while (bytes > MOST_TRAIL_BYTES) bytes -= own.shift()?.text.length ?? 0;
      }
    }
    return own;
  }

  private async status(
    { session: isAsked, needs }: Extract<Request, { verb: "status" }>,
    run: Run,
    { peer }: Caller,
  ): Promise<unknown> {
    const stopped = stopOf(() => this.house.policies(run));
    const status: Status = { ...(await this.house.status(run, peer)), stopped };
    if (!isAsked) return status;
    const { reader } = await made(["reader"], run);
    const session = await reader.session(needs as OperationName | undefined);
    const subject = subjectOf(session);
    return {
      ...status,
      session: withoutTokens(session),
      ...(subject === undefined ? {} : { subject }),
    };
  }

  /** A write counts unless nothing was sent of it; a dry run never does. */
  private async write<T>(
    request: Extract<Request, { verb: "create" | "approve" | "reject" }>,
    { allowance, isSent }: Caller,
    work: () => Promise<T>,
  ): Promise<T> {
    if (request.dryRun || !isWrite(request)) return work();
    const giveBack = allowance.write();
    try {
      return await work();
    } finally {
      if (!isSent()) giveBack();
    }
  }

  /** One review, challenge or decision for each request at a time. */
  private async alone<T>(id: string, { runtime }: Run, work: () => Promise<T>): Promise<T> {
    const before = this.turns.get(id);
    const own = (async () => {
      await before?.catch(() => undefined);
      if (runtime.stop.aborted)
        throw new CliError("TIMEOUT", { message: "Another command held the request too long." });
      return work();
    })();
    const kept = own.catch(() => undefined);
    this.turns.set(id, kept);
    try {
      return await own;
    } finally {
      if (this.turns.get(id) === kept) this.turns.delete(id);
    }
  }
}

const MOST_TRAIL_BYTES = 24 * 1024 * 1024;
/** Asked for by `review` alone, which keeps a record. */
const CHALLENGES: ReadonlySet<string> = new Set(["requests.challenge", "requests.rejectChallenge"]);

/** Stages that know the client: nothing is sent for one that is gone, or before its key is told. */
function guarded(
  stages: Stages,
  house: House,
  { announce, gone }: Pick<Caller, "announce" | "gone">,
): Stages {
  return {
    ...stages,
    async decide(intent) {
      house.requireAdopted();
      await stages.decide(intent);
    },
    async open(intent, time) {
      house.requireRoom();
      if (gone.aborted) throw isGone();
      const key = await stages.open(intent, time);
      if (key === undefined || intent.kind === "sign") return key;
      try {
        await announce(key);
      } catch {
        const error = isGone();
        await stages.close(intent, key, { state: "refused", error });
        throw error;
      }
      return key;
    },
  };
}

function isGone(): CliError {
  return new CliError("GUARD_UNREACHABLE", {
    message: "The client was gone before anything was sent for it.",
  });
}

type Need = keyof Capabilities;

async function made<N extends Need>(needs: readonly N[], run: Run): Promise<Pick<Capabilities, N>> {
  return (await provide(needs, run)) as Pick<Capabilities, N>;
}

/** Warnings go to the guard's own log, and to the client. */
class RelayLog extends Log {
  private readonly warnings: (readonly [code: string, message: string])[] = [];

  /** What is to be told, without secrets. */
  told(redactor: Redactor): Answered["warnings"] {
    return this.warnings.map(([code, message]) => [code, redactor.clean(message)] as const);
  }

  override warn(code: string, text: string): void {
    this.warnings.push([code, text]);
    super.warn(code, text);
  }
}
