/** The lines of the audit trail (docs/audit-format.md): what they say, and in which order. */
import { CliError } from "../../errors.ts";
import type { LineDraft } from "./chain.ts";
import type { Debit } from "./journal.ts";
import type { Session } from "./session.ts";
import type { Anchor } from "./verify.ts";

/** `LEDGER_ENTERPRISE_AUDIT`: `ids` leaves out amounts, recipients and accounts. */
export type AuditDetail = "off" | "ids" | "full";

/** Level of protection that a line was written under. */
export type Level = LineDraft["level"];

/** Events of lines, beside those that the chain writes itself. */
export type AuditEvent =
  | "intent"
  | "outcome"
  | "denied"
  | "signed"
  | "login"
  | "logout"
  | "policy"
  | "reconciled"
  | "restarted"
  | "anchored"
  | "adopted"
  | "contended"
  | "foreign"
  | "refusals"
  | "version";

/** Who runs the program. */
export interface Agent {
  readonly uid: number | undefined;
  readonly pid: number;
  readonly exe?: string | undefined;
}

/** A debit as far as a document says it, whether or not it is so. */
export type StatedDebit = { readonly [Name in keyof Debit]?: string | undefined };

/** What a line says. Never a token, a key, a signature or a note. */
export interface AuditFacts {
  readonly event: AuditEvent;
  readonly key?: string | undefined;
  readonly command: string;
  readonly session?: Session | undefined;
  readonly agent?: Agent | undefined;
  readonly request?: { readonly id?: string | undefined; readonly type?: string | undefined };
  readonly digests?: { readonly body?: string | undefined; readonly payload?: string | undefined };
  readonly decision?: {
    readonly rules: readonly string[];
    readonly policySha256: readonly string[];
  };
  readonly result?: {
    readonly code: string;
    readonly exit?: number | undefined;
    readonly status?: number | undefined;
    /** Members of the answer that are not as they were sent. */
    readonly notAsSent?: readonly string[] | undefined;
  };
  /** Only where the detail is `full`. Of a refusal what the document said, as far as it did. */
  readonly debit?: StatedDebit | undefined;
  readonly data?: Readonly<Record<string, unknown>>;
}

export interface AuditHost {
  readonly detail: AuditDetail;
  readonly version: string;
  readonly agent: Agent;
}

const MOST_RULES = 20;
const LONGEST_PATH = 512;

/** The line, its members in the order of format v1. */
export function auditDraft(facts: AuditFacts, host: AuditHost, level: Level): LineDraft {
  const { event, key, command, session, request, digests, decision, result, data } = facts;
  const { uid, pid, exe } = facts.agent ?? host.agent;
  const rules = decision?.rules.slice(0, MOST_RULES);
  return {
    event,
    members: {
      key,
      command,
      origin: session?.origin,
      workspace: session?.workspace,
      user: session?.user?.id,
      agent: { uid, pid, exe: exe?.slice(0, LONGEST_PATH) },
      request,
      digests,
      decision: decision === undefined ? undefined : { rules, policySha256: decision.policySha256 },
      result,
      detail: host.detail === "full" ? facts.debit : undefined,
      data,
      version: host.version,
    },
    level,
  };
}

/** An anchor as text: `<log> <seq> <hash> <time>`; the time is ISO 8601. */
export function anchorText({ log, seq, hash }: Anchor, now: number): string {
  return `${log} ${seq} ${hash} ${new Date(now).toISOString()}`;
}

/** Reads an anchor. Throws INVALID_ARGUMENT. */
export function parseAnchor(text: string): Anchor {
  const form = /^([0-9a-f]{32}) ([1-9]\d{0,14}) ([0-9a-f]{64})(?: \S{1,40})?$/;
  const [, log, seq, hash] = form.exec(text.trim()) ?? [];
  if (log !== undefined && hash !== undefined) return { log, seq: Number(seq), hash };
  throw new CliError("INVALID_ARGUMENT", {
    message: "--against is not an anchor as 'audit anchor' printed it.",
    field: "--against",
  });
}
