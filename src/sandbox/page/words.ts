/** What a request does, in words for the page. It reads what was sent, and trusts no name in it. */
import { tokenAt } from "../assets.ts";
import { type Json, memberAt, textAt } from "../json.ts";
import { CURRENCIES } from "../transactions.ts";
import type { Account, VaultRequest, Workspace } from "../workspace.ts";

/** Longer texts of a request are cut: the page shows what it is about. */
const LONGEST = 200;

/** What a request does, in a few words. */
export function titleOf(request: VaultRequest): string {
  const { type, plan, data } = request;
  if (plan === undefined)
    return type === "CREATE_MESSAGE_SIGNING" ? "Sign a message" : sentence(type);
  if (plan.operation === "SEND") return `Send ${amountText(plan.amount, plan.account)}`;
  if (plan.operation === "EXECUTE_CONTRACT") return callOf(request)?.title ?? "Call a contract";
  const mint = textAt(data, "transactionData", "tokenMint");
  const token = mint === undefined ? undefined : tokenAt(plan.account.currency, mint);
  return `${sentence(plan.operation)}${token === undefined ? "" : ` ${token.symbol}`}`;
}

function sentence(name: string): string {
  const words = name.toLowerCase().replaceAll("_", " ");
  return `${words.charAt(0).toUpperCase()}${words.slice(1)}`;
}

type Fact = readonly [name: string, value: string];

/** What a reviewer reads below the title; `creator` is the name of who asked for it. */
export function factsOf(request: VaultRequest, workspace: Workspace, creator: string): Fact[] {
  const { plan, note, data } = request;
  const call = plan?.operation === "EXECUTE_CONTRACT" ? callOf(request) : undefined;
  const facts: (readonly [string, string | undefined])[] = [
    ["From", plan?.account.name ?? textAt(data, "messageData", "accountName")],
    [call === undefined ? "To" : "Contract", named(plan?.recipient ?? undefined, workspace)],
    ...(call?.facts ?? []).map(([name, value]) => [name, named(value, workspace)] as const),
    ["Amount", call === undefined || plan?.amount === 0n ? undefined : amountIn(request)],
    ["Fee", plan?.maxFees == null ? undefined : `at most ${amountText(plan.maxFees, plan.payer)}`],
    ["Name", textAt(data, "name") ?? textAt(data, "accountData", "name")],
    ["Currency", currencyName(textAt(data, "accountData", "currency"))],
    ["Message", textAt(data, "messageData", "rawMessage")],
    ["Note", note === undefined ? undefined : textAt(note, "title")],
    ["By", creator],
    ["Request", request.id],
  ];
  return facts.flatMap(([name, value]): Fact[] =>
    value === undefined || value === "" ? [] : [[name, cut(value)]],
  );
}

function amountIn({ plan }: VaultRequest): string | undefined {
  return plan === undefined ? undefined : amountText(plan.amount, plan.account);
}

function cut(text: string): string {
  return text.length > LONGEST ? `${text.slice(0, LONGEST)}…` : text;
}

/** The address, after the name that an active whitelist or a token has for it. */
function named(address: string | undefined, { whitelists }: Workspace): string | undefined {
  if (address === undefined) return undefined;
  const isIt = (other: string): boolean =>
    address.startsWith("0x") ? other.toLowerCase() === address.toLowerCase() : other === address;
  const entry = [...whitelists.values()]
    .filter(({ status }) => status === "ACTIVE")
    .flatMap(({ addresses }) => addresses)
    .find((one) => isIt(one.address));
  const name = entry?.name ?? tokenAt("ethereum", address)?.symbol;
  return name === undefined ? address : `${name}, ${address}`;
}

/** The sandbox's name of a currency, else what was given. */
export function currencyName(currency: string | undefined): string | undefined {
  return currency === undefined ? undefined : (CURRENCIES[currency]?.name ?? currency);
}

interface Call {
  readonly title: string;
  readonly facts: readonly Fact[];
}

/** Functions of tokens that the page can read, by the first bytes of their calls. */
const FUNCTIONS: Readonly<Record<string, { readonly verb: string; readonly who: string }>> = {
  a9059cbb: { verb: "Transfer", who: "Recipient" },
  "095ea7b3": { verb: "Allow spending of", who: "Spender" },
};
/** `approve` of this much or more has no limit. */
const UNLIMITED = 2n ** 255n;

/** What a contract call does: a function of a token in words, any other by its name. */
function callOf({ plan, data }: VaultRequest): Call | undefined {
  const given: Json | undefined = memberAt(data, "transactionData", "contractData");
  const name = textAt(given, "functionName");
  if (name !== undefined) return { title: `Call ${cut(name)}`, facts: [] };
  const calldata = textAt(data, "transactionData", "contractData");
  if (calldata === undefined || calldata === "0x") return undefined;
  const size: Fact = ["Data", `${(calldata.length - 2) / 2} bytes`];
  const match = /^0x([0-9a-f]{8})0{24}([0-9a-f]{40})([0-9a-f]{64})$/i.exec(calldata);
  const [, selector = "", who = "", units = ""] = match ?? [];
  const known = FUNCTIONS[selector.toLowerCase()];
  const contract = plan?.recipient ?? "";
  if (known === undefined || plan === undefined)
    return { title: `Call function ${calldata.slice(0, 10)}`, facts: [size] };
  const amount = BigInt(`0x${units}`);
  const token = { currency: plan.account.currency, contractAddress: contract };
  const symbol = tokenAt(token.currency, contract)?.symbol ?? "a token";
  const text = amount >= UNLIMITED ? `any amount of ${symbol}` : amountText(amount, token);
  return { title: `${known.verb} ${text}`, facts: [[known.who, `0x${who}`], size] };
}

/**
 * Base units as a person reads them; a token whose decimals the sandbox does not know stays in
 * them.
 */
export function amountText(
  units: bigint,
  { currency, contractAddress }: Pick<Account, "currency" | "contractAddress">,
): string {
  const coin = CURRENCIES[currency];
  const token = contractAddress === undefined ? undefined : tokenAt(currency, contractAddress);
  if (contractAddress !== undefined)
    return token === undefined ? `${units} base units` : spell(units, token.decimals, token.symbol);
  return coin === undefined ? `${units} base units` : spell(units, coin.decimals, coin.ticker);
}

function spell(units: bigint, decimals: number, unit: string): string {
  const digits = `${units}`.padStart(decimals + 1, "0");
  const whole = digits.slice(0, digits.length - decimals);
  const fraction = digits.slice(digits.length - decimals).replace(/0+$/, "");
  return `${whole}${fraction === "" ? "" : `.${fraction}`} ${unit}`;
}
