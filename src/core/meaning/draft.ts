/**
 * From what a person wants to the exact request. Whatever could be meant in two ways is refused.
 * Pure, but for the fee estimate that the caller hands in.
 */
import { CliError } from "../../errors.ts";
import { Exact, encode, escapeUnsafe } from "../../io/json.ts";
import type { ApiVersion } from "../api/dialect.ts";
import { type AddressCheck, checkAddress } from "./address.ts";
import { parseAmount, parseBase } from "./amount.ts";
import { type Asset, coinOf, isSameContract, tokenOf, tokensCalled } from "./asset.ts";
import type { Account, Workspace } from "./facts.ts";
import { characterOf, lookalikesOf } from "./lookalike.ts";
import { type Family, type Network, networkOf } from "./network.ts";
import { type Entry, isSameNetwork } from "./recipient.ts";
import { shapeOf, spell } from "./requests.ts";

/** What a person wants, as the options say it. */
export interface Intent {
  readonly amount: string | undefined;
  readonly amountBase: string | undefined;
  readonly token: string | undefined;
  readonly to: string | undefined;
  readonly toEntry: string | undefined;
  readonly whitelist: string | undefined;
  readonly tag: string | undefined;
  readonly memo: string | undefined;
  readonly speed: string | undefined;
  readonly maxFees: string | undefined;
  readonly maxFeesBase: string | undefined;
  readonly noteTitle: string | undefined;
  readonly note: string | undefined;
}

/** A payment whose every value is decided; only the fee limit may be missing. */
export interface Payment {
  readonly transactionType: string;
  readonly account: Account;
  readonly amount: string;
  readonly recipient: string;
  readonly contract: string | undefined;
  readonly mint: string | undefined;
  readonly tag: string | undefined;
  readonly memo: { readonly [kind: string]: Exact | string } | undefined;
  readonly speed: string | undefined;
  /** Base units of the network's coin; undefined where none was given. */
  readonly feeLimit: string | undefined;
  readonly feeMember: "max_fees" | "max_priority_fee" | undefined;
  readonly note: { readonly title: string; readonly content: string } | undefined;
}

const SENDS: Readonly<Partial<Record<Family, string>>> = {
  bitcoin: "BITCOIN_LIKE_SEND",
  evm: "ETHEREUM_LIKE_SEND",
  solana: "SOLANA_LIKE_SEND",
  tron: "TRON_LIKE_SEND",
  ripple: "RIPPLE_LIKE_SEND",
  stellar: "STELLAR_LIKE_SEND",
  tezos: "TEZOS_LIKE_SEND",
  cardano: "CARDANO_LIKE_SEND",
  polkadot: "POLKADOT_LIKE_SEND",
};

const SPL_SEND = "SOLANA_LIKE_SEND_SPL_TOKEN_CHECKED";

/** Exactly one of two options. Throws INVALID_ARGUMENT. */
export function requireOne(first: [string, unknown], second: [string, unknown]): void {
  if ((first[1] === undefined) !== (second[1] === undefined)) return;
  throw new CliError("INVALID_ARGUMENT", {
    message: `Give exactly one of ${first[0]} and ${second[0]}.`,
    field: first[0],
  });
}

/**
 * Decides every value of a payment. Throws INVALID_ARGUMENT, INVALID_AMOUNT, UNKNOWN_UNIT,
 * AMBIGUOUS_ASSET, DECIMALS_CONFLICT, INVALID_ADDRESS, LOOKALIKE_ADDRESS, AMBIGUOUS_NAME,
 * NOT_FOUND, NOT_SUPPORTED.
 */
export function decide(intent: Intent, account: Account, workspace: Workspace): Payment {
  requireOne(["--amount", intent.amount], ["--amountBase", intent.amountBase]);
  requireOne(["--to", intent.to], ["--toEntry", intent.toEntry]);
  requireActive(account);
  const network = networkOf(account.currency);
  const send = network === undefined ? undefined : SENDS[network.family];
  if (network === undefined || send === undefined) throw notSupported(account.currency);
  const asset = assetOf(intent, account, network, workspace);
  const isMint = network.family === "solana" && asset.contract !== null;
  const recipient = recipientOf(intent, network, workspace);
  const transactionType = isMint ? SPL_SEND : send;
  return {
    transactionType,
    account,
    amount: amountOf(intent, account, asset, workspace),
    recipient: recipient.address,
    contract: network.family === "evm" ? (asset.contract ?? undefined) : undefined,
    mint: isMint ? (asset.contract ?? undefined) : undefined,
    tag: tagOf(intent, network, recipient),
    memo: memoOf(intent, network, recipient),
    ...feesOf(intent, transactionType, coinOf(account.currency, workspace.lists)),
    note: noteOf(intent),
  };
}

function requireActive({ id, status }: Account): void {
  if (status === "" || status === "ACTIVE") return;
  throw new CliError("INVALID_ARGUMENT", {
    message: `The account ${JSON.stringify(id)} is ${status}, not ACTIVE: nothing can be sent from it.`,
    field: "--accountId",
  });
}

function notSupported(currency: string): CliError {
  return new CliError("NOT_SUPPORTED", {
    message: `The program cannot draft a payment on ${JSON.stringify(currency)}.`,
    hint: "Write the request with the help of 'schema requestData'.",
  });
}

/** The coin of the account, its own token, or the token that --token names. */
function assetOf(
  { token }: Intent,
  { currency, contract }: Account,
  network: Network,
  { lists }: Workspace,
): Asset {
  if (token !== undefined && contract !== null && !isSameContract(token, contract))
    throw wrongToken(`The account is for the token ${contract}, not for ${token}.`);
  if (token !== undefined && !["evm", "solana"].includes(network.family) && contract === null) {
    const name = JSON.stringify(currency);
    throw wrongToken(`A request on ${name} names no token: its own account decides.`);
  }
  if (token !== undefined && contract === null) {
    const { checksum, reason } = checkAddress(token, network);
    if (checksum === "invalid")
      throw wrongToken(`${JSON.stringify(token)} is not valid: ${reason}.`);
  }
  const named = contract ?? token;
  const coin = coinOf(currency, lists);
  const asset = named === undefined ? coin : tokenOf(currency, named, lists);
  // A token's decimals have no second source: a server wrong about the coin is not believed.
  const conflict = asset.conflict ?? coin.conflict;
  if (conflict === undefined) return asset;
  throw new CliError("DECIMALS_CONFLICT", { message: conflict, field: "--amount" });
}

function wrongToken(message: string): CliError {
  return new CliError("INVALID_ARGUMENT", { message, field: "--token" });
}

function amountOf(
  { amount, amountBase }: Intent,
  { currency }: Account,
  asset: Asset,
  { lists }: Workspace,
): string {
  if (amountBase !== undefined) return parseBase(amountBase, "--amountBase");
  const text = amount ?? "";
  if (asset.decimals === undefined && /^[0-9.]+ \S+$/.test(text) && asset.units.length === 0) {
    throw new CliError("UNKNOWN_UNIT", {
      message: "The decimals of this asset are not known, so that its units have no meaning.",
      field: "--amount",
      hint: "Ask a person for the amount in base units, and pass it as --amountBase.",
      details: { units: [] },
    });
  }
  try {
    return parseAmount(text, asset.units, "--amount").base;
  } catch (cause) {
    if (!(cause instanceof CliError) || cause.code !== "UNKNOWN_UNIT") throw cause;
    const code = text.slice(text.indexOf(" ") + 1);
    const candidates = tokensCalled(code, currency, lists);
    if (candidates.length === 0) throw cause;
    throw new CliError("AMBIGUOUS_ASSET", {
      message: `${JSON.stringify(code)} is not a unit of this account's asset; a ticker does not choose a contract.`,
      field: "--amount",
      details: { candidates },
    });
  }
}

interface Recipient {
  readonly address: string;
  /** Tag or memo id that the address contains. */
  readonly own: string | undefined;
  /** Tags that the whitelist's entry is limited to. */
  readonly tags: readonly string[];
}

/** The address as the API takes it. Refuses an invalid one and a look-alike. */
function recipientOf(intent: Intent, network: Network, workspace: Workspace): Recipient {
  const entry = intent.toEntry === undefined ? undefined : entryOf(intent, network, workspace);
  const given = entry?.address ?? intent.to ?? "";
  const field = entry === undefined ? "--to" : "--toEntry";
  const check: AddressCheck = checkAddress(given, network);
  if (check.checksum === "invalid") {
    const other = networkWith(given);
    const of = other === undefined ? "" : ` It has the form of an address of ${other}.`;
    throw new CliError("INVALID_ADDRESS", {
      message: `${JSON.stringify(given.slice(0, 100))} is not an address of ${network.id}: ${check.reason}.${of}`,
      field,
    });
  }
  const address = check.plain ?? given;
  const resembles = lookalikesOf(address, network.family, workspace.anchors);
  const [known] = resembles;
  if (known !== undefined) {
    throw new CliError("LOOKALIKE_ADDRESS", {
      message: `The address begins and ends like one that the workspace knows, but its ${characterOf(known)} is another.`,
      field,
      details: { address, resembles },
    });
  }
  return { address, own: check.tag, tags: entry?.tags ?? [] };
}

/** One network of each form of address. */
const FORMS = [
  ...["bitcoin", "bitcoin_testnet", "ethereum", "solana", "tron", "ripple", "stellar", "tezos"],
  ...["cardano", "polkadot"],
];

/** A network on which an address is valid with its checksum. */
function networkWith(address: string): string | undefined {
  return FORMS.find((name) => {
    const network = networkOf(name);
    return network !== undefined && checkAddress(address, network).checksum === "valid";
  });
}

/** The only active entry with exactly this name on this network. */
function entryOf(
  { toEntry, whitelist }: Intent,
  { id }: Network,
  { entries, whitelistsRead }: Workspace,
): Entry {
  const fitting = entries.filter(
    (one) =>
      one.entry === toEntry &&
      one.status === "ACTIVE" &&
      isSameNetwork(one.currency, id) &&
      (whitelist === undefined || one.whitelistId === whitelist || one.whitelist === whitelist),
  );
  const distinct = new Map(fitting.map((one) => [JSON.stringify([one.address, one.tags]), one]));
  const [first, ...others] = distinct.values();
  if (first !== undefined && others.length === 0 && whitelistsRead === "all") return first;
  if (distinct.size > 1) {
    throw new CliError("AMBIGUOUS_NAME", {
      message: `Several entries of this network are called ${JSON.stringify(toEntry)}.`,
      field: "--toEntry",
      details: {
        candidates: fitting.map((one) => {
          const { whitelistId: id, whitelist, address, tags } = one;
          return { id, whitelist, address, ...(tags.length === 0 ? {} : { tags }) };
        }),
      },
      hint: "Name the whitelist with --whitelist, or the address with --to.",
    });
  }
  const like = entries.find(
    ({ entry, status, currency }) =>
      entry.toLowerCase() === toEntry?.toLowerCase() &&
      status === "ACTIVE" &&
      isSameNetwork(currency, id),
  );
  const message =
    whitelistsRead === "all"
      ? `No active whitelist has an entry ${JSON.stringify(toEntry)} on ${id}.`
      : "Not all whitelists could be read, so that a name may mean several entries.";
  throw new CliError("NOT_FOUND", {
    message,
    field: "--toEntry",
    ...nearMiss(like?.entry, "whitelists list --fields name,addresses"),
  });
}

/** What to do about a name that nothing has; `like` is one that differs only in case. */
export function nearMiss(like: string | undefined, list: string) {
  const hint = `See '${list}'; names compare exactly.`;
  if (like === undefined) return { hint };
  return {
    hint: `error.details.nearest differs only in case. ${hint}`,
    details: { nearest: like },
  };
}

const MOST_TAG = 2n ** 32n - 1n;

/** XRP only: the option, the address's own tag, or the only one of the entry; they must agree. */
function tagOf({ tag }: Intent, { family }: Network, { own, tags }: Recipient): string | undefined {
  if (family !== "ripple") {
    if (tag === undefined) return undefined;
    throw misplaced("--tag", "Only XRP has destination tags.");
  }
  if (tag !== undefined && (!/^(?:0|[1-9][0-9]*)$/.test(tag) || BigInt(tag) > MOST_TAG))
    throw misplaced("--tag", "A tag is a whole number up to 4294967295.");
  if (tag !== undefined && own !== undefined && tag !== own)
    throw misplaced("--tag", `The address itself has the tag ${own}.`);
  const found = tag ?? own ?? (tags.length === 1 ? tags[0] : undefined);
  if (tags.length > 0 && (found === undefined || !tags.includes(found)))
    throw misplaced("--tag", `The entry is limited to the tags ${tags.join(", ")}.`);
  return found;
}

const MOST_MEMO_ID = 2n ** 64n - 1n;

/** Stellar only: `TEXT:…`, `ID:…`, `HASH:…`, `RETURN:…`, or the id of a muxed account. */
function memoOf({ memo }: Intent, { family }: Network, { own }: Recipient): Payment["memo"] {
  if (family !== "stellar") {
    if (memo === undefined) return undefined;
    throw misplaced("--memo", "Only Stellar has memos.");
  }
  if (memo !== undefined && own !== undefined && memo !== `ID:${own}`)
    throw misplaced("--memo", `The address itself has the memo ID:${own}.`);
  const given = memo ?? (own === undefined ? undefined : `ID:${own}`);
  if (given === undefined) return undefined;
  const [, kind = "", content = ""] = /^(TEXT|ID|HASH|RETURN):(.*)$/s.exec(given) ?? [];
  const isFitting =
    (kind === "TEXT" && Buffer.byteLength(content) <= 28 && content !== "") ||
    (kind === "ID" && /^(?:0|[1-9][0-9]*)$/.test(content) && BigInt(content) <= MOST_MEMO_ID) ||
    ((kind === "HASH" || kind === "RETURN") && /^[0-9a-fA-F]{64}$/.test(content));
  if (!isFitting) {
    const forms = "TEXT: and at most 28 bytes, ID: and a number, HASH: or RETURN: and 64 digits";
    throw misplaced("--memo", `A memo is ${forms}.`);
  }
  return { [`MEMO_${kind}`]: kind === "ID" ? new Exact(content) : content };
}

function misplaced(field: string, message: string): CliError {
  return new CliError("INVALID_ARGUMENT", { message, field });
}

type Fees = Pick<Payment, "speed" | "feeLimit" | "feeMember">;

function feesOf({ speed, maxFees, maxFeesBase }: Intent, type: string, coin: Asset): Fees {
  if (maxFees !== undefined && maxFeesBase !== undefined)
    requireOne(["--maxFees", maxFees], ["--maxFeesBase", maxFeesBase]);
  const names = membersOfTransaction(type);
  const feeMember = (["max_fees", "max_priority_fee"] as const).find((name) => names.has(name));
  const hasSpeed = names.has("fees_strategy");
  if (speed !== undefined && !hasSpeed) throw misplaced("--speed", `${type} has no fee strategy.`);
  const isGiven = maxFees !== undefined || maxFeesBase !== undefined;
  if (isGiven && feeMember === undefined)
    throw misplaced("--maxFees", `${type} has no limit for its fee.`);
  const feeLimit =
    maxFees === undefined
      ? maxFeesBase && parseBase(maxFeesBase, "--maxFeesBase")
      : parseAmount(maxFees, coin.units, "--maxFees").base;
  return { speed: hasSpeed ? (speed ?? "NORMAL") : undefined, feeLimit, feeMember };
}

function membersOfTransaction(type: string): Set<string> {
  const data = shapeOf("CREATE_TRANSACTION", type)?.data ?? [];
  return new Set(
    data.flatMap(({ name, members = [] }) => [name, ...members.map((one) => one.name)]),
  );
}

function noteOf({ noteTitle, note }: Intent): Payment["note"] {
  if (noteTitle === undefined && note === undefined) return undefined;
  return { title: noteTitle ?? "", content: note ?? "" };
}

/**
 * The request, its members always in the same order, in the spelling of an API version. Characters
 * that cannot be printed are escaped, so that the bytes are the printed ones.
 */
export function writeRequest(payment: Payment, version: ApiVersion): Exact {
  const { account, amount, recipient, contract, mint, tag, memo, speed, note } = payment;
  const fee = payment.feeMember === undefined ? {} : { [payment.feeMember]: payment.feeLimit };
  const members = spelled({
    account_id: version === "v1" ? new Exact(account.id) : account.id,
    transaction_type: payment.transactionType,
    fees_strategy: speed === undefined ? undefined : { type: "SPEED", data: { speed } },
    transaction_data: spelled({
      account_name: account.name,
      amount,
      currency: account.currency,
      max_fees: undefined,
      recipient,
      contract_address: contract,
      token_mint: mint,
      tag: tag === undefined ? undefined : new Exact(tag),
      memo,
      ...fee,
    }),
  });
  const request = { type: "CREATE_TRANSACTION", data: members, note };
  return new Exact(escapeUnsafe(encode(request)));

  function spelled(object: Readonly<Record<string, unknown>>): Record<string, unknown> {
    const named = Object.entries(object).filter(([, value]) => value !== undefined);
    return Object.fromEntries(named.map(([name, value]) => [spell(name, version), value]));
  }
}
