/**
 * What a guard does between requests: looks for what it did not create, for newer versions, and
 * counts.
 */
import { gateOf } from "../app/gate.ts";
import { createReader } from "../core/api/api.ts";
import { ownRequestsSince } from "../core/reconcile.ts";
import { inspectVersion } from "../core/release/gate.ts";
import type { Session } from "../core/state/session.ts";
import { CliError } from "../errors.ts";
import { type Exact, member, value } from "../io/json.ts";
import type { House } from "./house.ts";
import { type Allowances, LOG_MS } from "./limits.ts";

const MINUTE_MS = 60_000;
const FOREIGN_MS = 10 * MINUTE_MS;
const VERSION_MS = 24 * 60 * MINUTE_MS;
const LOOK_MS = 120_000;
/** How far back a later look begins before the end of the one before. */
const OVERLAP_MS = 10 * MINUTE_MS;

/** The guard's own rounds. */
export class Watch {
  private readonly timers: NodeJS.Timeout[] = [];
  /** Up to here, by the API's clock, everything was looked at. */
  private seenUpTo: number | undefined;

  constructor(
    private readonly house: House,
    private readonly allowances: Allowances,
  ) {}

  /** Begins the rounds. */
  start(): void {
    const rounds: readonly (readonly [everyMs: number, round: () => Promise<void>])[] = [
      [MINUTE_MS, () => this.tellRefusals()],
      [FOREIGN_MS, () => this.lookForForeign()],
      [VERSION_MS, () => this.lookForVersion()],
    ];
    for (const [everyMs, round] of rounds) {
      const safe = (): void => void round().catch(() => undefined);
      this.timers.push(setInterval(safe, everyMs));
      if (everyMs !== MINUTE_MS) safe();
    }
  }

  stop(): void {
    for (const timer of this.timers) clearInterval(timer);
  }

  /** Refusals that had no line of their own. */
  async tellRefusals(): Promise<void> {
    for (const { uid, count } of this.allowances.takeUntold()) {
      const agent = { uid, pid: 0 };
      await this.house.books.note({
        ...{ event: "refusals", command: "guard", agent, data: { count } },
      });
    }
  }

  /** A newer version is told, and refuses nothing. */
  async lookForVersion(): Promise<void> {
    const run = this.house.openRun("guard serve");
    run.deadline.limitTo(LOOK_MS);
    try {
      const verdict = await inspectVersion(gateOf(run));
      if (verdict?.kind !== "ahead" && verdict?.kind !== "outdated") return;
      const { latest } = verdict;
      if (this.house.newer === latest) return;
      this.house.newer = latest;
      run.log.warn("VERSION_OUTDATED", `Version ${latest} is published.`);
      await this.house.books.note({ event: "version", command: run.name, data: { latest } });
    } finally {
      run.deadline.clear();
      await run.log.flush(LOG_MS);
    }
  }

  /** A request by this operator that the journal lacks closes every window. */
  async lookForForeign(): Promise<void> {
    const run = this.house.openRun("guard serve");
    run.deadline.limitTo(LOOK_MS);
    try {
      const reader = createReader(run.access());
      const session = await reader.session();
      const since = this.house.requireAdopted().adoption?.clock ?? 0;
      const from = Math.max(since, (this.seenUpTo ?? since) - OVERLAP_MS);
      const { books, clock } = this.house;
      const found = await ownRequestsSince({ books, reader, session, from });
      if (found === undefined) return;
      for (const request of found.unknown) await this.tellForeign(session, request);
      if (found.isComplete) this.seenUpTo = clock.time();
    } catch (cause) {
      if (!(cause instanceof CliError)) throw cause;
      run.log.warn("GUARD_DID_NOT_LOOK", `${cause.code}: ${cause.facts.message}`);
    } finally {
      run.deadline.clear();
      await run.log.flush(LOG_MS);
    }
  }

  private async tellForeign(session: Session, request: Exact): Promise<void> {
    const [id, type] = ["id", "type"].map((name) => {
      const found = member(request, name);
      return found === undefined ? undefined : String(value(found)).slice(0, 128);
    });
    await this.house.books.alone(async (pages) => {
      const { closures } = pages.journal();
      if (closures.some(({ requestId }) => requestId === id)) return;
      const audited = { event: "foreign", command: "guard serve", session } as const;
      pages.mark(
        "closed",
        { why: "foreign", requestId: id },
        { ...audited, request: { id, type } },
      );
    });
  }
}
