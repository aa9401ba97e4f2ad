/** From what a person wants to a drafted request and what it means. Reads only. */
import { createHash } from "node:crypto";
import { CliError } from "../../errors.ts";
import { type Exact, member } from "../../io/json.ts";
import type { Reader } from "../api/api.ts";
import { walkPages } from "../api/pages.ts";
import { isPlain } from "./amount.ts";
import { type AssetLists, amountOf, coinOf, tokenOf } from "./asset.ts";
import { readContent } from "./content.ts";
import { decide, type Intent, nearMiss, type Payment, requireOne, writeRequest } from "./draft.ts";
import {
  type Account,
  accountOf,
  namesakesOf,
  readWorkspace,
  recipientsOf,
  type Workspace,
} from "./facts.ts";
import { summaryWith, warnedOf } from "./meaning.ts";
import type { Summary } from "./parts.ts";
import { type SimilarRead, similarTo } from "./similar.ts";

/** A drafted request, for a person to say yes to. */
export interface Drafted extends SimilarRead {
  readonly request: Exact;
  /** Lower-case hexadecimal, over the bytes of `request`. */
  readonly requestSha256: string;
  readonly summary: Summary;
}

/** Which account pays: exactly one of its id and its exact name. */
export interface Payer {
  readonly accountId: string | undefined;
  readonly accountName: string | undefined;
}

/** Builds the exact request of a payment. Reads only. Throws what `decide` throws. */
export async function draftPayment(
  reader: Reader,
  intent: Intent & Payer,
  now: number,
): Promise<Drafted> {
  requireOne(["--accountId", intent.accountId], ["--accountName", intent.accountName]);
  const { apiVersion } = await reader.session();
  const workspace = await readWorkspace(reader);
  const account = await payerOf(reader, intent, workspace);
  const sent = await recipientsOf(reader, account);
  const known = { ...workspace, anchors: [...workspace.anchors, ...sent] };
  const decided = decide(intent, account, known);
  const estimate = await estimateOf(reader, decided, apiVersion);
  const payment = { ...decided, feeLimit: decided.feeLimit ?? estimate };
  const request = writeRequest(payment, apiVersion);
  const content = readContent(request);
  const namesakes = namesakesOf(account, known.accounts);
  const facts = { ...known, account, namesakes, ...(estimate === undefined ? {} : { estimate }) };
  const [summary, found] = [
    await summaryWith(content, "draft", facts),
    await similarTo(reader, content, now),
  ];
  const isEstimated = decided.feeLimit === undefined && estimate !== undefined;
  return {
    request,
    requestSha256: createHash("sha256").update(request.text).digest("hex"),
    summary: warnedOf(
      shortOf(isEstimated ? estimated(summary) : summary, payment, known.lists),
      found,
    ),
    ...found,
  };
}

/** Warns of an amount that the account does not have, where its balance is of the paid asset. */
function shortOf(summary: Summary, payment: Payment, lists: AssetLists): Summary {
  const { account, amount } = payment;
  const { balance, contract, currency } = account;
  const isOther = contract === null && (payment.contract ?? payment.mint) !== undefined;
  if (balance === undefined || isOther || BigInt(amount) <= BigInt(balance)) return summary;
  const asset = contract === null ? coinOf(currency, lists) : tokenOf(currency, contract, lists);
  const has = amountOf(balance, asset).text ?? `${balance} base units`;
  const message = `The account has ${has}, which is less than the amount.`;
  const warning = { code: "INSUFFICIENT_BALANCE", grave: false, at: "account", message };
  return { ...summary, warnings: [...summary.warnings, warning] };
}

/** Says that the fee limit was not chosen. */
function estimated(summary: Summary): Summary {
  return { ...summary, text: [...summary.text, "The fee limit is the server's estimate."] };
}

/** The account by its id, or by a name that exactly one account has, byte for byte. */
async function payerOf(
  reader: Reader,
  { accountId, accountName = "" }: Payer,
  { accounts, accountsRead }: Workspace,
): Promise<Account> {
  if (accountId !== undefined) {
    const listed = accounts.find((one) => one.id === accountId);
    return listed ?? accountOf(await reader.read("accounts.get", { id: accountId }));
  }
  const isAll = accountsRead === "all";
  const known = isAll ? accounts : await accountsCalled(reader, accountName);
  const [first, ...others] = known.filter(({ name }) => name === accountName);
  const like = known.find(({ name }) => name.toLowerCase() === accountName.toLowerCase());
  if (first === undefined) {
    throw new CliError("NOT_FOUND", {
      message: `No account is called ${JSON.stringify(accountName)}.`,
      field: "--accountName",
      ...nearMiss(like?.name, "accounts list"),
    });
  }
  if (others.length === 0) return first;
  throw new CliError("AMBIGUOUS_NAME", {
    message: `Several accounts are called ${JSON.stringify(accountName)}.`,
    field: "--accountName",
    hint: "Give --accountId instead, with the id of one of error.details.candidates.",
    details: {
      candidates: [first, ...others].map(({ id, currency, contract, balance, address, status }) => {
        return { id, currency, contract, balance, address, status };
      }),
    },
  });
}

/** Every account that the API lists for a name. Throws what the list throws. */
async function accountsCalled(reader: Reader, name: string): Promise<Account[]> {
  const found: Account[] = [];
  const pages = walkPages(
    (position) => reader.read("accounts.list", { name, pageSize: 30, ...position }),
    "pages",
  );
  for await (const page of pages) found.push(...page.map(accountOf));
  return found;
}

/** The server's estimate; needed only where no limit was given. */
async function estimateOf(
  reader: Reader,
  payment: Payment,
  version: "v1" | "v2",
): Promise<string | undefined> {
  if (payment.feeMember !== "max_fees") return undefined;
  const asked = writeRequest({ ...payment, feeLimit: "0" }, version);
  try {
    const answer = await reader.read(
      "transactions.estimate",
      { accountId: payment.account.id },
      asked,
    );
    const found = member(answer, "max_fees") ?? member(answer, "maxFees");
    const digits = found?.text.replaceAll('"', "") ?? "";
    if (isPlain(digits)) return digits;
    throw new CliError("INVALID_RESPONSE", {
      message: "The estimate has no usable fee limit.",
      field: "maxFees",
      hint: "Give the limit with --maxFees.",
    });
  } catch (cause) {
    if (payment.feeLimit !== undefined && cause instanceof CliError) return undefined;
    throw cause;
  }
}
