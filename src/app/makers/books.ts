/** Journal and audit trail: opened, read, explained, and told of what happened. */
import { existsSync } from "node:fs";
import { levelOf, SYSTEM_POLICY } from "../../core/policy/places.ts";
import type { AuditFacts, Level } from "../../core/state/audit.ts";
import type { Books } from "../../core/state/books.ts";
import type { StateFolder } from "../../core/state/folder.ts";
import type { Session } from "../../core/state/session.ts";
import type { AuditReader } from "../../core/state/trail.ts";
import { CliError } from "../../errors.ts";
import { VERSION } from "../../version.ts";
import type { Occasion, Run } from "../occasion.ts";

/** Journal and audit trail of the state folder. */
export async function openBooks(
  { context, config }: Pick<Occasion, "context" | "config">,
  state: StateFolder,
  level: () => Level = () => levelOf(config.plain("POLICY_FILE")),
): Promise<Books> {
  const { Books } = await import("../../core/state/books.ts");
  if (config.auditDetail === "off" && existsSync(SYSTEM_POLICY)) {
    throw new CliError("CONFIG_CONFLICT", {
      message: "A policy of this machine applies, so that the audit trail cannot be switched off.",
      field: "LEDGER_ENTERPRISE_AUDIT",
      hint: "Unset LEDGER_ENTERPRISE_AUDIT, or set it to ids or full.",
    });
  }
  const { uid, pid, now, executable: exe } = context;
  return new Books({
    ...{ state, now, detail: config.auditDetail, version: VERSION, agent: { uid, pid, exe } },
    level,
  });
}

/** Whose journal entries these are: the own user's, or those of a guard's client. */
export function whoseOf({ service, context }: Run): number | undefined {
  return service === undefined ? context.uid : service.agent.uid;
}

/** Writes to the audit trail that a session ended. Never throws. */
export async function noteLogout(run: Run): Promise<void> {
  const books = await run.books().catch(() => undefined);
  await books?.note({ event: "logout", command: run.name });
}

/** Writes a refusal that came before there was an intent. Never throws. */
export async function noteRefusal(
  { name: command, service, books }: Run,
  { code, exit }: CliError,
  about: Pick<AuditFacts, "session" | "request"> = {},
): Promise<void> {
  if (service?.keepsDenial() === false) return;
  const kept = await books().catch(() => undefined);
  const facts = { command, agent: service?.agent, ...about, result: { code, exit } };
  await kept?.note({ event: "denied", ...facts });
}

/** The login, once it is a line of the audit trail; one that cannot be written changes nothing. */
export async function noted(run: Run, login: Promise<Session>): Promise<Session> {
  const session = await login;
  const books = await run.books().catch(() => undefined);
  await books?.note({ event: "login", command: run.name, session });
  return session;
}

/** The audit trail for those who read it. */
export async function trailOf({ books, state, runtime }: Run): Promise<AuditReader> {
  const { Trail } = await import("../../core/state/trail.ts");
  return new Trail(await books(), state().path, runtime);
}

/** What makes the audit trail text. */
export async function exportOf({ redactor }: Run) {
  const { exported } = await import("../../core/state/trail.ts");
  return (trail: Pick<AuditReader, "lines">, form: "ndjson" | "csv") =>
    exported(trail, form, redactor);
}

/** What was sent and signed by this user. */
export async function journalOf(run: Run) {
  const [{ journalRows }, own] = await Promise.all([import("../../core/belts.ts"), run.books()]);
  return { rows: async () => journalRows(own.read(), whoseOf(run)) };
}

/** Finds out what became of what was sent. */
export async function reconciliationOf(run: Run) {
  const { createReader } = await import("../../core/api/api.ts");
  const { now } = run.context;
  const host = { books: await run.books(), reader: createReader(run.access()) };
  return async (key: string | undefined) =>
    (await import("../../core/reconcile.ts")).reconcile(
      { ...host, clock: run.apiClock, uid: whoseOf(run), now },
      key,
    );
}
