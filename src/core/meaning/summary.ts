/**
 * What a request or a challenge means, for the person who decides. Pure: content and facts in,
 * summary out.
 *
 * What flows where: a document or a decoded challenge is read with the catalogue (content.ts) into
 * values with a kind. The workspace's answers become facts (facts.ts): units, whitelists, accounts.
 * Each part of the summary is made of values and facts, and notes which values it has shown. A
 * value that nothing has shown makes the summary incomplete. Of a challenge only the challenge's
 * own values are shown; facts add names and units, and never replace a value.
 */
import { checkAddress } from "./address.ts";
import { type Amount, isPlain, isTenthOrMore, percentOf } from "./amount.ts";
import { type Asset, amountOf, coinOf, isSameContract, tokenOf } from "./asset.ts";
import { type Content, leavesOf, membersOf, onlyValue, textOf, type Value } from "./content.ts";
import { callWarnings, listingsIn, messageWarnings, taggedText } from "./dangers.ts";
import type { Call, CallFacts } from "./evm/call.ts";
import type { Message } from "./evm/message.ts";
import { characterOf, type Lookalike, lookalikesOf } from "./lookalike.ts";
import { type Network, networkOf } from "./network.ts";
import type {
  AmountPart,
  Evm,
  FeePart,
  RecipientPart,
  Summary,
  SummaryFacts,
  Warning,
} from "./parts.ts";
import { type Listing, listingsOf, otherTagsOf, type TaggedListing } from "./recipient.ts";
import type { Kind } from "./requests.ts";
import { type Parts, textOfParts } from "./sentences.ts";
import { conflictsOf, whyUnbounded } from "./strategy.ts";
import { isPlainAscii, plain, quote } from "./words.ts";

/** Makes a summary. `evm` is needed where `needsEvm` says so. */
export function summarize(
  content: Content,
  of: Summary["of"],
  facts: SummaryFacts,
  evm: Evm | undefined,
): Summary {
  return new Making(content, of, facts, evm).summary();
}

/** Whether the content has a call or a message, so that the decoders must be loaded. */
export function needsEvm({ shape, values }: Content): boolean {
  const isCall = shape?.transactionType === "ETHEREUM_LIKE_EXECUTE_CONTRACT";
  return isCall || values.some(({ kind }) => kind === "call" || kind === "message");
}

/** Kinds that `others` lists one by one. */
const LISTED: ReadonlySet<Kind> = new Set(["text", "choice", "id", "gas", "gasPrice", "feeRate"]);

/** Members that carry a meaning of their own, wherever they are. */
const HIDDEN: readonly (readonly [name: RegExp, code: string, what: string])[] = [
  [/contract_?(data|bytecode)|call_?data|function_?arguments/i, "CALL_NOT_DECODED", "A call"],
  [/raw_?message|typed_?data|message_?data/i, "MESSAGE_NOT_DECODED", "A message"],
  [/digest/i, "ONLY_A_HASH", "The content behind a digest"],
];

class Making {
  private readonly shown = new Set<Value>();
  private readonly warnings: Warning[] = [];
  private readonly text: string[] = [];
  private readonly network: Network | undefined;
  private readonly currency: string | undefined;
  private readonly contract: string | null;

  constructor(
    private readonly content: Content,
    private readonly of: Summary["of"],
    private readonly facts: SummaryFacts,
    private readonly evm: Evm | undefined,
  ) {
    this.currency = this.take("currency")?.text;
    this.network = this.currency === undefined ? undefined : networkOf(this.currency);
    const named = this.take("contract")?.text ?? this.take("mint")?.text ?? null;
    const own = facts.account?.contract ?? null;
    this.contract = named ?? own;
    if (named !== null && own !== null && !isSameContract(named, own)) {
      const message = `The account is for the token ${plain(own)}, not for ${plain(named)}.`;
      this.warn("ASSET_CONFLICT", true, "amount", message);
    }
    this.checkNetwork();
  }

  /** The account that pays is on another network than the content names. */
  private isOfOtherNetwork(): boolean {
    const { currency, network, facts } = this;
    const own = facts.account === undefined ? undefined : networkOf(facts.account.currency);
    return currency !== undefined && own !== undefined && own.id !== network?.id;
  }

  private checkNetwork(): void {
    const { currency = "", content, facts, network } = this;
    if (this.isOfOtherNetwork()) {
      const own = networkOf(facts.account?.currency ?? "")?.id ?? "";
      const message = `The account is on ${own}, not on ${network?.id ?? plain(currency)}.`;
      this.warn("ASSET_CONFLICT", true, "network", message);
    }
    const { family, transactionType = "" } = content.shape ?? {};
    if (family !== undefined && network !== undefined && family !== network.family) {
      const message = `${transactionType} is not a transaction of ${network.id}.`;
      this.warn("ASSET_CONFLICT", true, "network", message);
    }
  }

  summary(): Summary {
    const { shape, type, transactionType } = this.content;
    const account = this.account();
    const amount = this.amount();
    const fee = this.fee(amount);
    const recipient = this.recipient();
    const call = this.call();
    const message = this.message();
    this.misplaced();
    this.testnet();
    const others = this.others();
    const notExplained = this.leftOver();
    this.say({
      account,
      isAccountUnique: this.isAccountUnique(),
      amount,
      fee,
      recipient,
      call,
      message: message.content,
      others,
    });
    const isComplete = notExplained.length === 0 && shape !== undefined;
    return {
      version: 1,
      of: this.of,
      complete: isComplete,
      action: shape === undefined ? null : actionOf(type ?? "", transactionType),
      text: this.text,
      account,
      network: this.networkPart(),
      ...{ amount, fee, recipient, call },
      message: message.content,
      others,
      warnings: this.warnings,
      ...(isComplete ? {} : { notExplained }),
    };
  }

  /** The only value of a kind, which counts as shown from now on. */
  private take(kind: Kind): Value | undefined {
    const value = onlyValue(this.content, kind);
    if (value !== undefined) this.shown.add(value);
    return value;
  }

  private warn(code: string, grave: boolean, at: string, message: string): void {
    this.warnings.push({ code, grave, at, message });
  }

  private checkName(name: string, at: string): void {
    if (isPlainAscii(name)) return;
    const message = `The name ${quote(name)} has a character outside printable ASCII: it may look like another.`;
    this.warn("NAME_NOT_ASCII", false, at, message);
  }

  private account(): Summary["account"] {
    const name = this.take("accountName")?.text ?? null;
    const given = this.take("accountId")?.text ?? null;
    const known = this.facts.account;
    const isKnown = known !== undefined && (name === null || known.name === name);
    if (name !== null) this.checkName(name, "account.name");
    const { namesakes = 0, accountsRead = "all" } = this.facts;
    const isByName = this.of === "challenge" && given === null && name !== null;
    if (isByName && namesakes <= 1 && accountsRead !== "all") {
      const message = `Not all accounts could be read: another one may be called ${quote(name)}, too.`;
      this.warn("ACCOUNTS_UNREADABLE", false, "account", message);
    }
    if (isByName && namesakes > 1) {
      const message = `${namesakes} accounts of this network are called ${quote(name)}: the challenge does not say which one pays.`;
      this.warn("AMBIGUOUS_ACCOUNT", true, "account", message);
    }
    if (name === null && given === null && known === undefined) return null;
    const nameSource = isKnown ? "account" : this.of === "challenge" ? "challenge" : "request";
    return { name: name ?? known?.name ?? null, id: given ?? known?.id ?? null, nameSource };
  }

  /** Whether no other account of the network can have the name. */
  private isAccountUnique(): boolean {
    const { namesakes = 0, accountsRead = "all" } = this.facts;
    return namesakes <= 1 && accountsRead === "all";
  }

  private networkPart(): Summary["network"] {
    if (this.currency === undefined) return null;
    const { id, isTestnet = null, chainId = null } = this.network ?? {};
    return { id: id ?? this.currency, testnet: isTestnet, chainId };
  }

  private testnet(): void {
    if (this.network?.isTestnet === true && !this.isOfOtherNetwork())
      this.warn("TESTNET", false, "network", "This is a testnet: its coins are worth nothing.");
  }

  private coin(): Asset | undefined {
    return this.currency === undefined ? undefined : coinOf(this.currency, this.facts.lists);
  }

  private amount(): AmountPart | null {
    const value = this.take("amount") ?? this.take("signedAmount");
    if (value?.text === undefined) return null;
    const isToken = this.contract !== null && this.content.shape?.family !== undefined;
    const asset =
      this.contract === null
        ? this.coin()
        : tokenOf(this.currency ?? "", this.contract, this.facts.lists);
    // A contract call sends the network's coin, whatever token the account is for.
    const paid = isToken && this.isCall() ? this.coin() : asset;
    return this.measure(value, paid, "amount");
  }

  private isCall(): boolean {
    return needsEvm(this.content);
  }

  private measure(value: Value, asset: Asset | undefined, at: string): AmountPart {
    const base = value.text ?? "";
    if (!isPlain(base.replace(/^-/, value.kind === "signedAmount" ? "" : "-")))
      this.shown.delete(value);
    if (asset?.conflict !== undefined) this.warn("DECIMALS_CONFLICT", true, at, asset.conflict);
    else if (asset?.decimals === undefined) {
      const message = "The decimals of this asset are not known: the amount is in base units only.";
      this.warn("DECIMALS_UNKNOWN", false, at, message);
    }
    const nothing = { decimal: null, unit: null, text: null, decimals: null, decimalsSource: null };
    return asset === undefined ? { base, ...nothing, contract: null } : amountOf(base, asset);
  }

  private fee(amount: AmountPart | null): FeePart | null {
    const unbounded = whyUnbounded(this.content);
    if (unbounded !== undefined) {
      // What the request calls its limit is not shown as one: it stays unexplained.
      this.warn("FEE_UNBOUNDED", true, "fee", `The fee has no upper bound: ${unbounded}.`);
      return null;
    }
    const value = this.take("fee");
    if (value?.text === undefined) return null;
    const kind = value.name === "max_fees" ? "limit" : "priorityLimit";
    const { contract: _, ...measured } = this.measure(value, this.coin(), "fee");
    this.checkEstimate(measured.base);
    for (const message of conflictsOf(this.content, measured.base))
      this.warn("FEE_CONFLICT", true, "fee", message);
    const why = this.whyNoPercent(measured, amount);
    const percent = why === null ? percentOf(measured.base, amount?.base ?? "0") : undefined;
    if (why === null && isTenthOrMore(measured.base, amount?.base ?? "0")) {
      const message = `The fee may be ${percent} % of the amount.`;
      this.warn("HIGH_FEE", false, "fee", message);
    }
    return { kind, ...measured, percentOfAmount: percent ?? null, percentReason: why };
  }

  private checkEstimate(limit: string): void {
    const { estimate } = this.facts;
    if (estimate === undefined || !isPlain(estimate) || !isPlain(limit)) return;
    if (BigInt(limit) > 2n * BigInt(estimate))
      this.warn(
        "FEE_ABOVE_ESTIMATE",
        false,
        "fee",
        "The fee limit is more than twice the estimate.",
      );
  }

  private whyNoPercent(fee: Amount, amount: AmountPart | null): string | null {
    if (amount === null) return "nothing else moves";
    if (amount.contract !== null) return "fee and amount are different assets";
    if (!isPlain(fee.base) || !isPlain(amount.base)) return "the digits are not plain";
    return amount.base === "0" ? "the amount is zero" : null;
  }

  private recipient(): RecipientPart | null {
    const value = this.take("address");
    if (value?.text === undefined) return null;
    const address = value.text;
    const { checksum, form, reason, tag: own } = checkAddress(address, this.network);
    const tag = this.take("tag")?.text ?? own ?? null;
    const memo = memoOf(this.take("memo")?.node);
    if (checksum === "invalid")
      this.warn("INVALID_ADDRESS", true, "recipient", `The address is not valid: ${reason}.`);
    if (checksum === "notChecked") {
      const message = "Addresses of this network cannot be checked offline.";
      this.warn("ADDRESS_NOT_CHECKED", false, "recipient", message);
    }
    const { entries, whitelistsRead, anchors } = this.facts;
    const whitelists = listingsOf(entries, this.currency ?? "", address, tag);
    const isVouchedFor = whitelists.some(({ status }) => status === undefined);
    const others = isVouchedFor ? [] : otherTagsOf(entries, this.currency ?? "", address, tag);
    const otherTags = others.length === 0 ? {} : { otherTags: others };
    const family = this.network?.family;
    const lookalikeOf = family === undefined ? [] : lookalikesOf(address, family, anchors);
    this.checkRecipient([...whitelists, ...others], lookalikeOf);
    if (!isVouchedFor) this.unlisted(others);
    const known = { whitelists, ...otherTags, whitelistsRead };
    return { address, checksum, form, tag, memo, ...known, lookalikeOf };
  }

  private checkRecipient(listings: readonly Listing[], lookalikes: readonly Lookalike[]): void {
    for (const one of lookalikes) {
      const message = `The address looks like ${one.address} (${one.of}) but differs from ${characterOf(one)} on.`;
      this.warn("LOOKALIKE_ADDRESS", true, "recipient.lookalikeOf", message);
    }
    for (const { name, entry } of listings) {
      this.checkName(name, "recipient.whitelists");
      this.checkName(entry, "recipient.whitelists");
    }
  }

  /** No active whitelist vouches for the recipient; one may have its address with another tag. */
  private unlisted(others: readonly TaggedListing[]): void {
    const [code, message, also] = (
      {
        all: ["NOT_WHITELISTED", "The address is not on any active whitelist that you can read."],
        some: [
          "WHITELISTS_UNREADABLE",
          "Not all whitelists could be read; none of those read has the address.",
          " Not all whitelists could be read.",
        ],
        none: ["WHITELISTS_UNREADABLE", "The whitelists could not be read."],
      } as const
    )[this.facts.whitelistsRead];
    const listed = `The address is listed with another tag only: ${taggedText(others)}.${also ?? ""}`;
    this.warn(code, false, "recipient.whitelists", others.length > 0 ? listed : message);
  }

  private callFacts(): CallFacts {
    const token = (address: string): Asset | undefined => {
      const found = tokenOf(this.currency ?? "", address, this.facts.lists);
      return found.source === undefined ? undefined : found;
    };
    return {
      tokenAt: (address) => token(address),
      listingsOf: (address) => listingsOf(this.facts.entries, this.currency ?? "", address, null),
      readable: (base, { unit, decimals }) => {
        const asset = { network: "", contract: null, name: undefined, unit, decimals };
        return (
          amountOf(base, { ...asset, units: [], source: undefined, conflict: undefined }).text ??
          undefined
        );
      },
    };
  }

  /** A call, a message or a digest in a place where the catalogue does not expect one. */
  private misplaced(): void {
    for (const path of this.content.unexplained) {
      const found = HIDDEN.find(([name]) => name.test(path));
      if (found === undefined) continue;
      const [, code, what] = found;
      this.warn(code, true, "notExplained", `${what} cannot be read: ${plain(path)}.`);
      return;
    }
  }

  private call(): Call | null {
    if (this.content.shape?.transactionType !== "ETHEREUM_LIKE_EXECUTE_CONTRACT") return null;
    if (this.evm === undefined) return null;
    for (const value of this.content.values)
      if (value.kind === "call" || value.name === "encoded_contract_data") this.shown.add(value);
    const call = this.evm.callOf(this.content, this.callFacts());
    this.warnings.push(...callWarnings(call, "call"));
    for (const { name, entry } of listingsIn(call)) {
      this.checkName(name, "call");
      this.checkName(entry, "call");
    }
    return call;
  }

  private message(): Message | { readonly content: null } {
    const isMessage = this.content.shape?.type === "CREATE_MESSAGE_SIGNING";
    if (!isMessage || this.evm === undefined) return { content: null };
    this.take("message");
    const message = this.evm.messageOf(this.content, this.callFacts());
    this.warnings.push(...messageWarnings(message));
    return message;
  }

  /** Values of plain kinds that no other part has shown, and the bytecode of a deployment. */
  private others(): Summary["others"] {
    const found: { name: string; value: string }[] = [];
    for (const value of this.content.values) {
      if (this.shown.has(value) || value.text === undefined) continue;
      const isBytecode = value.name === "encoded_contract_bytecode";
      if (!LISTED.has(value.kind) && !isBytecode) continue;
      this.shown.add(value);
      // Said by the action, and by the members that each fee strategy has.
      if (value.name === "transaction_type" || value.name === "type") continue;
      if (isBytecode) this.bytecode();
      const isOfNote = value.path.startsWith("note.");
      found.push({ name: isOfNote ? `note_${value.name}` : value.name, value: value.text });
    }
    return found;
  }

  private bytecode(): void {
    const message = "The code of a new contract cannot be read here.";
    this.warn("CALL_NOT_DECODED", true, "others", message);
  }

  private leftOver(): string[] {
    const values = this.content.values.filter((value) => !this.shown.has(value));
    return [
      ...values.flatMap(({ node, path }) => leavesOf(node, path)),
      ...this.content.unexplained,
    ];
  }

  private say(parts: Omit<Parts, "text" | "means" | "ticker">): void {
    const { shape } = this.content;
    const grave = this.warnings
      .filter((one) => one.grave)
      .map(({ message }) => `WARNING: ${message}`);
    this.text.push(
      ...grave,
      ...textOfParts({ ...parts, means: shape?.means, ticker: this.network?.ticker }),
      ...this.networkLine(),
    );
    if (shape === undefined) this.text.push(this.unknown());
  }

  private unknown(): string {
    const { type, transactionType } = this.content;
    const name = transactionType ?? type;
    const of = name === undefined ? "of this form" : `of type ${quote(name)}`;
    const where = this.of === "challenge" ? "`decoded`" : "the request";
    return `The program does not know the data of requests ${of}: read ${where} itself.`;
  }

  private networkLine(): string[] {
    if (this.currency === undefined) return [];
    const { id, isTestnet, chainId } = this.network ?? { id: plain(this.currency) };
    const chain = chainId == null ? "" : ` (chain ${chainId})`;
    return [`Network ${id}${chain}${isTestnet === true ? ": TESTNET" : ""}`];
  }
}

/** `SEND` of `BITCOIN_LIKE_SEND`, else the type without what it decides. */
function actionOf(type: string, transactionType: string | undefined): string {
  const bare = type.replace(/^(CREATE|APPROVE|REJECT|ABORT)_/, "");
  return transactionType === undefined ? bare : transactionType.replace(/^[A-Z]+_LIKE_/, "");
}

/** `TEXT:invoice 42`, as `--memo` takes it. */
function memoOf(node: Value["node"] | undefined): string | null {
  const [first, ...others] = membersOf(node);
  const text = first === undefined ? undefined : textOf(first[1]);
  if (first === undefined || text === undefined) return null;
  return others.length > 0 ? null : `${first[0].replace(/^MEMO_/, "")}:${text}`;
}
