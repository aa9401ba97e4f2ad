/**
 * What the workspace says around a request: units, whitelists, accounts. Reads only. A read that
 * fails costs its own part; the summary then says that it is missing.
 */
import { CliError } from "../../errors.ts";
import { type Exact, tree } from "../../io/json.ts";
import type { Reader } from "../api/api.ts";
import type { OperationName } from "../api/dialect.ts";
import type { Parameters } from "../api/operation.ts";
import { walkPages } from "../api/pages.ts";
import { isPlain } from "./amount.ts";
import { type AssetLists, resultsOf } from "./asset.ts";
import { type Content, membersOf, named, onlyValue, textOf } from "./content.ts";
import type { Anchor } from "./lookalike.ts";
import { networkOf } from "./network.ts";
import type { AccountFacts, SummaryFacts } from "./parts.ts";
import { anchorsOf, entriesOf, isSameNetwork, type WhitelistsRead } from "./recipient.ts";
import type { Kind } from "./requests.ts";
import { quote } from "./words.ts";

/** An account as far as a summary or a draft needs it. */
export interface Account extends AccountFacts {
  readonly status: string;
  /** What can be spent, in base units, where the account's answer has it in digits. */
  readonly balance?: string | undefined;
  readonly address: string | null;
}

const PAGE_SIZE = 30;
/** Ten pages of a list; what is beyond was not read, and the summary says so. */
const MOST_RESULTS = 10 * PAGE_SIZE;

interface Read {
  readonly items: readonly Exact[];
  readonly state: WhitelistsRead;
}

/** The first ten pages of a list. */
async function readList(
  reader: Reader,
  name: OperationName,
  filter: Parameters = {},
): Promise<Read> {
  const items: Exact[] = [];
  try {
    const pages = walkPages(
      (position, companion) =>
        reader.read(name, { ...filter, pageSize: PAGE_SIZE, ...position }, undefined, companion),
      "pages",
      { limit: MOST_RESULTS, isEager: true },
    );
    for (;;) {
      const { done, value } = await pages.next();
      if (done === true) return { items, state: value.complete === true ? "all" : "some" };
      items.push(...value);
    }
  } catch (cause) {
    if (!(cause instanceof CliError)) throw cause;
    return { items, state: items.length > 0 ? "some" : "none" };
  }
}

/** The results of an answer that has no pages; undefined when it could not be read. */
async function readAll(reader: Reader, name: OperationName): Promise<readonly Exact[] | undefined> {
  try {
    return resultsOf(await reader.read(name));
  } catch (cause) {
    if (cause instanceof CliError) return undefined;
    throw cause;
  }
}

/** Everything that is read for any request. */
export interface Workspace extends Omit<SummaryFacts, "account" | "estimate"> {
  readonly accounts: readonly Account[];
  readonly accountsRead: WhitelistsRead;
}

/** The coins of the workspace, and its tokens where something can be one. */
export async function readLists(reader: Reader, hasTokens: boolean): Promise<AssetLists> {
  const [currencies, tokens] = await Promise.all([
    readAll(reader, "assets.currencies"),
    hasTokens ? readAll(reader, "assets.tokens") : undefined,
  ]);
  return { currencies, tokens };
}

/** The lists that are worth reading. */
interface Wanted {
  readonly currencies: boolean;
  readonly tokens: boolean;
  readonly whitelists: boolean;
  readonly accounts: boolean;
}

const EVERYTHING: Wanted = { currencies: true, tokens: true, whitelists: true, accounts: true };
const UNREAD: Read = { items: [], state: "none" };

/** Reads the wanted lists at once. */
export async function readWorkspace(reader: Reader, wanted = EVERYTHING): Promise<Workspace> {
  const [currencies, tokens, whitelists, accounts] = await Promise.all([
    wanted.currencies ? readAll(reader, "assets.currencies") : undefined,
    wanted.tokens ? readAll(reader, "assets.tokens") : undefined,
    wanted.whitelists ? readList(reader, "whitelists.list") : UNREAD,
    wanted.accounts ? readList(reader, "accounts.list") : UNREAD,
  ]);
  const entries = whitelists.items.flatMap(entriesOf);
  const known = accounts.items.map(accountOf);
  return {
    lists: { currencies, tokens },
    entries,
    whitelistsRead: whitelists.state,
    accounts: known,
    accountsRead: accounts.state,
    anchors: [...anchorsOf(entries), ...known.flatMap(anchorOf)],
  };
}

/** An account of a list, of either API version. */
export function accountOf(account: Exact): Account {
  const members = membersOf(tree(account));
  const asset = named(members, "asset")[0]?.[1];
  const text = (name: string, among = members): string | null =>
    textOf(named(among, name)[0]?.[1]) ?? null;
  return {
    id: text("id") ?? "",
    name: text("name") ?? "",
    currency: text("currency") ?? text("network") ?? "",
    contract: text("contract_address"),
    status: text("status") ?? "",
    balance: balanceOf(members),
    address: text("address") ?? text("address", membersOf(asset)),
  };
}

/** V1 names what is available; V2's balance is an object with a total. */
function balanceOf(members: ReturnType<typeof membersOf>): string | undefined {
  const one = (name: string, among = members) => named(among, name)[0]?.[1];
  const found =
    textOf(one("available_balance")) ??
    textOf(one("balance")) ??
    textOf(one("total", membersOf(one("balance"))));
  return found !== undefined && isPlain(found) ? found : undefined;
}

function anchorOf({ address, currency, name }: Account): Anchor[] {
  const family = networkOf(currency)?.family;
  return address === null || family === undefined
    ? []
    : [{ address, family, of: `own account ${quote(name)}` }];
}

/** Networks whose requests can name a token. */
const WITH_TOKENS: ReadonlySet<string | undefined> = new Set(["evm", "solana", "tron"]);

/** Whether requests on this network can be about a token. */
function hasTokens(currency: string | undefined): boolean {
  return WITH_TOKENS.has(currency === undefined ? undefined : networkOf(currency)?.family);
}

/**
 * What a summary of the content can say more of: units where something is measured; whitelists, and
 * the addresses that are known, where there is a recipient; accounts by name where no id says which
 * one is meant.
 */
function wantedFor(content: Content): Wanted {
  const has = (kind: Kind): boolean => onlyValue(content, kind)?.text !== undefined;
  const hasRecipient = has("address");
  const hasAmount = has("amount") || has("signedAmount");
  return {
    currencies: hasAmount || has("fee"),
    tokens: hasTokens(onlyValue(content, "currency")?.text),
    whitelists: hasRecipient,
    accounts: hasRecipient || (has("accountName") && !has("accountId")),
  };
}

/**
 * What is known around a content: everything that a summary of it may say beside its own values.
 */
export async function factsFor(reader: Reader, content: Content): Promise<SummaryFacts> {
  const currency = onlyValue(content, "currency")?.text;
  const wanted = wantedFor(content);
  const workspace = await withNamesakes(reader, content, await readWorkspace(reader, wanted));
  const account = await accountFor(reader, content, workspace);
  const hasAnchors = account !== undefined && wanted.whitelists;
  const sent = hasAnchors ? await recipientsOf(reader, account) : [];
  const { lists, entries, whitelistsRead, accountsRead, anchors } = workspace;
  const name = onlyValue(content, "accountName")?.text;
  const namesakes = namesakesOf({ name, currency }, workspace.accounts);
  const read = { lists, entries, whitelistsRead, accountsRead };
  return { account, namesakes, ...read, anchors: [...anchors, ...sent] };
}

/** How many of the accounts have a name on a network; on any, where none is said. */
export function namesakesOf(
  { name, currency }: { readonly name: string | undefined; readonly currency?: string | undefined },
  accounts: readonly Account[],
): number {
  return accounts.filter(
    (one) => one.name === name && (currency === undefined || isSameNetwork(one.currency, currency)),
  ).length;
}

/**
 * The accounts of the content's name among those beyond the pages that were read: the server looks
 * for them. A content that says the account by its id needs none.
 */
async function withNamesakes(
  reader: Reader,
  content: Content,
  workspace: Workspace,
): Promise<Workspace> {
  const name = onlyValue(content, "accountName")?.text;
  const isNamed = name !== undefined && onlyValue(content, "accountId") === undefined;
  if (workspace.accountsRead !== "some" || !isNamed) return workspace;
  const found = await readList(reader, "accounts.list", { name });
  const known = new Map(workspace.accounts.map((one) => [one.id, one]));
  for (const one of found.items.map(accountOf)) known.set(one.id, one);
  // A server that does not know the filter lists them all, and again not to the end.
  const accountsRead = found.state === "all" ? "all" : "some";
  return { ...workspace, accounts: [...known.values()], accountsRead };
}

/** The account that a content names, by its id, else by a name that only one account has. */
async function accountFor(
  reader: Reader,
  content: Content,
  { accounts, accountsRead }: Workspace,
): Promise<Account | undefined> {
  const id = onlyValue(content, "accountId")?.text;
  const name = onlyValue(content, "accountName")?.text;
  if (id !== undefined)
    return accounts.find((one) => one.id === id) ?? (await readAccount(reader, id));
  const [first, ...others] = accounts.filter((one) => one.name === name);
  return accountsRead === "all" && others.length === 0 ? first : undefined;
}

/** One account; undefined when it cannot be read. */
export async function readAccount(reader: Reader, id: string): Promise<Account | undefined> {
  try {
    return accountOf(await reader.read("accounts.get", { id }));
  } catch (cause) {
    if (cause instanceof CliError) return undefined;
    throw cause;
  }
}

/** Pages of own transactions that are looked through for former recipients. */
const MOST_TRANSACTION_PAGES = 3;

/**
 * Recipients of own outgoing confirmed transactions, on V1. Incoming ones never count: an
 * attacker who plants a look-alike sends a little from it first.
 */
export async function recipientsOf(
  reader: Reader,
  { id, currency, name }: Account,
): Promise<Anchor[]> {
  const family = networkOf(currency)?.family;
  if (family === undefined || (await reader.session()).apiVersion !== "v1") return [];
  const found: Anchor[] = [];
  let cursor: string | undefined;
  try {
    for (let page = 0; page < MOST_TRANSACTION_PAGES; page += 1) {
      const answer = await reader.read("transactions.list", {
        accountId: id,
        ...(cursor === undefined ? {} : { cursor }),
      });
      for (const transaction of resultsOf(answer)) {
        const address = confirmedRecipient(transaction);
        const of = `a recipient of account ${quote(name)}`;
        if (address !== undefined) found.push({ address, family, of });
      }
      cursor = textOf(named(membersOf(tree(answer)), "next")[0]?.[1]);
      if (cursor === undefined) break;
    }
  } catch (cause) {
    if (!(cause instanceof CliError)) throw cause;
  }
  return found;
}

function confirmedRecipient(transaction: Exact): string | undefined {
  const members = membersOf(tree(transaction));
  const text = (name: string): string | undefined => textOf(named(members, name)[0]?.[1]);
  return text("type") === "SEND" && text("status") === "CONFIRMED" ? text("recipient") : undefined;
}
