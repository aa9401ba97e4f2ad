/**
 * `guard adopt`: a person accepts what is there as this guard's: a first start, another workspace
 * or user, a restored folder, requests that it did not create. One line of the audit trail says so.
 */

import { openBooks } from "../app/makers/books.ts";
import type { Run } from "../app/occasion.ts";
import { createReader, type Reader } from "../core/api/api.ts";
import type { ApiVersion } from "../core/api/dialect.ts";
import { placeOf } from "../core/belts.ts";
import { loginWithApiKey } from "../core/login/api.ts";
import { readAccount } from "../core/meaning/facts.ts";
import { debitOf } from "../core/policy/decide.ts";
import { loadPolicies } from "../core/policy/load.ts";
import { readPayment } from "../core/policy/read.ts";
import { perMs } from "../core/policy/values.ts";
import { ownRequestsSince } from "../core/reconcile.ts";
import type { Books } from "../core/state/books.ts";
import { type Adoption, type IntentFacts, newKey, type Scope } from "../core/state/journal.ts";
import type { Session } from "../core/state/session.ts";
import { CliError } from "../errors.ts";
import { Exact, encode, member, value } from "../io/json.ts";
import { servedBy } from "./platform.ts";

export interface AdoptOptions {
  /** For those who read the audit trail. */
  readonly reason: string;
  /** Windows begin at nothing, whatever the server shows. */
  readonly fromZero: boolean;
  /** Found from the URL when undefined. */
  readonly apiVersion: ApiVersion | undefined;
}

/** What was accepted. */
export interface Adopted extends Scope {
  readonly windows: Adoption["windows"];
  /** Requests of the server that count from now on. */
  readonly requests: number;
}

/**
 * Accepts the present state, while the guard is stopped. Throws LOCK_TIMEOUT while one serves,
 * POLICY_INVALID, POLICY_INSECURE, MISSING_CREDENTIALS, UNAUTHORIZED and the codes of the logs.
 */
export async function adopt(options: AdoptOptions, run: Run): Promise<Adopted> {
  const { context, config } = run;
  if (context.uid === 0)
    throw new CliError("GUARD_INSECURE", {
      message: "A guard does not run as root: run this as the guard's user.",
      hint: "Use 'sudo -u' or 'runuser -u' with the guard's user and its environment.",
    });
  const state = run.state();
  await state.prepare();
  const books = await openBooks({ context, config }, state, () => "enforced");
  const policies = loadPolicies(config.plain("POLICY_FILE"), context.uid);
  const longestMs = Math.max(
    0,
    ...policies.flatMap(({ windows }) => windows.map(({ per }) => perMs(per))),
  );
  try {
    return await state.lock("guard", () => accept(options, run, books, longestMs), {
      timeoutMs: 0,
    });
  } catch (cause) {
    throw servedBy(cause);
  }
}

async function accept(
  { reason, fromZero, apiVersion }: AdoptOptions,
  run: Run,
  books: Books,
  longestMs: number,
): Promise<Adopted> {
  const session = await loggedIn(run, apiVersion);
  const scope = session === undefined ? configuredScope(run) : placeOf(session);
  const clock = run.apiClock.time() ?? run.context.now();
  const isSummed = !fromZero && session?.apiVersion === "v2";
  const found = isSummed ? await requestsSince(run, books, session, clock - longestMs) : undefined;
  const windows = fromZero ? "zero" : found === undefined ? "closed" : "sum";
  const requests = found ?? [];
  const command = run.name;
  await books.alone(async (pages) => {
    pages.enter(requests);
    const data = { reason, windows, requests: requests.length };
    const audited = { event: "adopted", command, session, data } as const;
    pages.mark("adopted", { ...scope, windows, clock }, audited);
  });
  return { ...scope, windows, requests: requests.length };
}

/** A session by the credentials as they are; undefined without a network. */
async function loggedIn(
  run: Run,
  apiVersion: ApiVersion | undefined,
): Promise<Session | undefined> {
  const asked = { baseUrl: undefined, workspace: undefined, apiVersion };
  try {
    return await loginWithApiKey(run.access(), asked);
  } catch (cause) {
    if (!(cause instanceof CliError) || !OFFLINE.has(cause.code)) throw cause;
    const until =
      "The user is not known, and windows stay closed for their time. Adopt again when the server answers.";
    run.log.warn("GUARD_NOT_LOGGED_IN", `${cause.code}: ${cause.facts.message} ${until}`);
    return undefined;
  }
}

const OFFLINE: ReadonlySet<string> = new Set([
  ...["DNS_ERROR", "NETWORK_ERROR", "CONNECTION_RESET", "TIMEOUT", "SERVER_ERROR"],
]);

/** Where the settings say that it works; who it is shows at the first login. */
function configuredScope({ config }: Run): Scope {
  const { endpoint, workspace } = config.target({ baseUrl: undefined, workspace: undefined });
  return { ...endpoint, workspace, user: "" };
}

/** Entries for the server's requests that the journal lacks; undefined when not all were seen. */
async function requestsSince(
  run: Run,
  books: Books,
  session: Session,
  from: number,
): Promise<IntentFacts[] | undefined> {
  const reader = createReader(run.access());
  const found = await ownRequestsSince({ books, reader, session, from });
  if (found?.isComplete !== true) return undefined;
  const entries: IntentFacts[] = [];
  for (const request of found.unknown) entries.push(await entryOf(reader, session, request, run));
  return entries;
}

async function entryOf(
  reader: Reader,
  session: Session,
  request: Exact,
  { context, name }: Run,
): Promise<IntentFacts> {
  const text = (key: string): string => String(value(member(request, key) ?? new Exact('""')));
  const createdAt = Date.parse(text("createdAt"));
  const now = context.now();
  return {
    ...{ key: newKey(now), kind: "create", command: name, ...placeOf(session), uid: undefined },
    ...{ requestId: text("id"), type: text("type") },
    debit: await debitFor(reader, request),
    clock: Number.isNaN(createdAt) ? now : createdAt,
  };
}

/** What a payment takes out of windows; undefined for anything else. */
async function debitFor(reader: Reader, request: Exact): Promise<IntentFacts["debit"]> {
  const [type, data] = [member(request, "type"), member(request, "data")];
  if (type === undefined || data === undefined) return undefined;
  const payment = readPayment(new Exact(encode({ type, data })));
  if ("unreadable" in payment || payment.accountId === undefined) return undefined;
  const account = await readAccount(reader, payment.accountId);
  return account && debitOf({ decision: "create", payment, account });
}
