/** Coins and transaction kinds that the sandbox knows. Kinds and their fields are those of V1, in V2's camelCase. */
import { type Check, type Checks, choice, nullable, number, object, record, text } from "./schema.ts";

export type Speed = "SLOW" | "NORMAL" | "FAST";

export interface Family {
  /** What an address looks like; no checksum is verified, the sandbox has no chain. */
  readonly address: RegExp;
  /** Field names of a CUSTOM fee strategy; no entry: SPEED only. `none`: the family takes no fee strategy and no maxFees. */
  readonly strategy: "none" | readonly (readonly string[])[];
  /** The fee in base unit that a transaction costs, and how it is explained. */
  fee(
    speed: Speed,
    isHeavy: boolean,
  ): { readonly fee: bigint; readonly coinFields: Readonly<Record<string, string | number>> };
}

export interface Currency {
  readonly name: string;
  readonly ticker: string;
  readonly decimals: number;
  readonly family: string;
}

const SPEED_FACTOR: Readonly<Record<Speed, bigint>> = { SLOW: 1n, NORMAL: 2n, FAST: 4n };
const GWEI = 1_000_000_000n;

function flat(fee: bigint, coinFields: Readonly<Record<string, string | number>> = {}): Family["fee"] {
  return (speed) => ({ fee: (fee * SPEED_FACTOR[speed]) / 2n, coinFields });
}

export const FAMILIES: Readonly<Record<string, Family>> = {
  BITCOIN_LIKE: {
    address: /^(?:tb1|bc1|[13mn2])[0-9a-zA-Z]{20,87}$/,
    strategy: [["feesPerByte"]],
    fee: (speed) => {
      const perByte = 7n * SPEED_FACTOR[speed];
      return { fee: perByte * 287n, coinFields: { feesPerByte: Number(perByte), utxoLimit: 100 } };
    },
  },
  ETHEREUM_LIKE: {
    address: /^0x[0-9a-fA-F]{40}$/,
    strategy: [
      ["gasLimit", "gasPrice"],
      ["gasLimit", "priorityFees"],
    ],
    fee: (speed, isHeavy) => {
      const gasLimit = isHeavy ? 65_000n : 21_000n;
      const gasPrice = 10n * GWEI * SPEED_FACTOR[speed];
      return { fee: gasLimit * gasPrice, coinFields: { gasLimit: `${gasLimit}`, gasPrice: `${gasPrice}` } };
    },
  },
  RIPPLE_LIKE: { address: /^r[1-9A-HJ-NP-Za-km-z]{24,34}$/, strategy: [], fee: flat(20n) },
  STELLAR_LIKE: { address: /^G[A-Z2-7]{55}$/, strategy: [], fee: flat(200n) },
  TRON_LIKE: { address: /^T[1-9A-HJ-NP-Za-km-z]{33}$/, strategy: [], fee: flat(1_100_000n) },
  TEZOS_LIKE: {
    address: /^(?:tz[1-4]|KT1)[1-9A-HJ-NP-Za-km-z]{33}$/,
    strategy: [],
    fee: flat(1_420n, { gasLimit: "1520", storageLimit: "277" }),
  },
  CARDANO_LIKE: { address: /^addr(?:_test)?1[0-9a-z]{50,110}$/, strategy: [], fee: flat(170_000n) },
  SOLANA_LIKE: {
    address: /^[1-9A-HJ-NP-Za-km-z]{32,44}$/,
    strategy: "none",
    fee: () => ({ fee: 5_000n, coinFields: {} }),
  },
  POLKADOT_LIKE: {
    address: /^[1-9A-HJ-NP-Za-km-z]{46,48}$/,
    strategy: "none",
    fee: () => ({ fee: 159_000_000n, coinFields: {} }),
  },
};

export const CURRENCIES: Readonly<Record<string, Currency>> = {
  bitcoin: { name: "Bitcoin", ticker: "BTC", decimals: 8, family: "BITCOIN_LIKE" },
  bitcoin_testnet: { name: "Bitcoin Testnet", ticker: "BTC", decimals: 8, family: "BITCOIN_LIKE" },
  ethereum: { name: "Ethereum", ticker: "ETH", decimals: 18, family: "ETHEREUM_LIKE" },
  ethereum_sepolia: { name: "Ethereum Sepolia", ticker: "ETH", decimals: 18, family: "ETHEREUM_LIKE" },
  ripple: { name: "XRP", ticker: "XRP", decimals: 6, family: "RIPPLE_LIKE" },
  stellar: { name: "Stellar", ticker: "XLM", decimals: 7, family: "STELLAR_LIKE" },
  tron: { name: "Tron", ticker: "TRX", decimals: 6, family: "TRON_LIKE" },
  tezos: { name: "Tezos", ticker: "XTZ", decimals: 6, family: "TEZOS_LIKE" },
  cardano: { name: "Cardano", ticker: "ADA", decimals: 6, family: "CARDANO_LIKE" },
  solana: { name: "Solana", ticker: "SOL", decimals: 9, family: "SOLANA_LIKE" },
  polkadot: { name: "Polkadot", ticker: "DOT", decimals: 10, family: "POLKADOT_LIKE" },
};

export interface TransactionKind {
  readonly family: string;
  /** What a policy's rule governs. */
  readonly operation: string;
  /** Fields of transactionData beyond accountName and currency. */
  readonly required: Checks;
  readonly optional: Checks;
  /** True where moving nothing is a mistake. */
  readonly movesAmount: boolean;
}

const integer = text(/^(0|[1-9]\d*)$/, "an integer of the base unit in digits");
const recipient = text();
const hash = text(/^[0-9a-f]{64}$/i, "64 hexadecimal digits");
const memo: Check = (value, at) => {
  const fields = {
    MEMO_TEXT: text(/^.{0,28}$/s, "at most 28 characters"),
    MEMO_ID: number(0, 2 ** 64),
    MEMO_HASH: hash,
    MEMO_RETURN: hash,
  };
  const issues = record({}, fields)(value, at);
  return issues.length === 0 && value instanceof Map && value.size !== 1
    ? [`Invalid input at ${at}: expected exactly one memo`]
    : issues;
};

function kind(family: string, operation: string, required: Checks, optional: Checks = {}): TransactionKind {
  const paysFees = FAMILIES[family]?.strategy !== "none";
  return {
    family,
    operation,
    required: { ...required, ...(paysFees ? { maxFees: integer } : {}) },
    optional: Object.fromEntries(Object.entries(optional).map(([name, check]) => [name, nullable(check)])),
    movesAmount: Object.hasOwn(required, "amount") && !operation.endsWith("CONTRACT"),
  };
}

const transfer = { amount: integer, recipient };

export const TRANSACTION_KINDS: Readonly<Record<string, TransactionKind>> = {
  BITCOIN_LIKE_SEND: kind("BITCOIN_LIKE", "SEND", transfer),
  ETHEREUM_LIKE_SEND: kind("ETHEREUM_LIKE", "SEND", transfer, { contractAddress: text() }),
  ETHEREUM_LIKE_EXECUTE_CONTRACT: kind("ETHEREUM_LIKE", "EXECUTE_CONTRACT", transfer, { encodedContractData: text() }),
  ETHEREUM_LIKE_DEPLOY_CONTRACT: kind(
    "ETHEREUM_LIKE",
    "DEPLOY_CONTRACT",
    { encodedContractBytecode: text() },
    { amount: integer },
  ),
  RIPPLE_LIKE_SEND: kind("RIPPLE_LIKE", "SEND", transfer, { tag: number(0, 2 ** 32 - 1) }),
  STELLAR_LIKE_SEND: kind("STELLAR_LIKE", "SEND", transfer, { memo }),
  TRON_LIKE_SEND: kind("TRON_LIKE", "SEND", transfer),
  TEZOS_LIKE_SEND: kind("TEZOS_LIKE", "SEND", transfer),
  CARDANO_LIKE_SEND: kind("CARDANO_LIKE", "SEND", transfer),
  SOLANA_LIKE_SEND: kind("SOLANA_LIKE", "SEND", transfer, { maxPriorityFee: integer }),
  SOLANA_LIKE_SEND_SPL_TOKEN_CHECKED: kind(
    "SOLANA_LIKE",
    "SEND",
    { ...transfer, tokenMint: text() },
    { maxPriorityFee: integer },
  ),
  SOLANA_LIKE_CREATE_SPL_TOKEN_ACCOUNT: kind(
    "SOLANA_LIKE",
    "ACTIVATE_TOKEN",
    { tokenMint: text() },
    { maxPriorityFee: integer },
  ),
  POLKADOT_LIKE_SEND: kind("POLKADOT_LIKE", "SEND", transfer),
  POLKADOT_LIKE_BONDEXTRA: kind("POLKADOT_LIKE", "STAKE", { amount: integer }),
  POLKADOT_LIKE_UNBOND: kind("POLKADOT_LIKE", "STAKE", { amount: integer }),
  POLKADOT_LIKE_REBOND: kind("POLKADOT_LIKE", "STAKE", { amount: integer }),
  POLKADOT_LIKE_SETPAYEE: kind("POLKADOT_LIKE", "STAKE", { payee: choice("Staked", "Stash") }),
  POLKADOT_LIKE_WITHDRAWUNBONDED: kind("POLKADOT_LIKE", "STAKE", {}),
  POLKADOT_LIKE_CHILL: kind("POLKADOT_LIKE", "STAKE", {}),
};

/** The fee strategy of a family, or undefined where it takes none. */
export function strategyCheck(family: Family): Check | undefined {
  const { strategy } = family;
  if (strategy === "none") return undefined;
  const speed = record({ type: choice("SPEED"), data: record({ speed: choice("SLOW", "NORMAL", "FAST") }) });
  const customs = strategy.map((names) =>
    record({ type: choice("CUSTOM"), data: record(Object.fromEntries(names.map((name) => [name, integer]))) }),
  );
  return (value, at) => {
    const wrong = object(value, at);
    if (wrong.length > 0) return wrong;
    const isCustom = value instanceof Map && value.get("type") === "CUSTOM";
    const candidates = isCustom && customs.length > 0 ? customs : [speed];
    const results = candidates.map((check) => check(value, at));
    return results.find((issues) => issues.length === 0) ?? results[0] ?? [];
  };
}
