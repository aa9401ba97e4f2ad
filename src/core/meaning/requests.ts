/**
 * The catalogue of request types: which data each has, how each API version spells them, which are
 * required, and what kind each is. Source: V1's document, version 1.35.0, components
 * `*CreationData` and `*RequestData`; CREATE_ACCOUNT from V1's tutorial for administrators. V2's
 * names are the camelCase spelling of V1's.
 *
 * How to use it:
 * - `shapeOf(type, transactionType)` returns the members of a request of that type, or undefined
 *   when the catalogue does not have it.
 * - `spell(name, version)` returns a member's name as an API version spells it.
 * - `kind` of a member says what its value means, whatever its name. An amount is what moves, a fee
 *   is a ceiling that is paid beside it, an address receives.
 * - content.ts reads a document or a challenge with this table and returns its values by kind.
 */
import type { ApiVersion } from "../api/dialect.ts";
import type { Family } from "./network.ts";

/** What the value of a member means. */
export type Kind =
  /** Id of an account: V1 a whole number, V2 text. */
  | "accountId"
  /** Name of the account; must be the account's own. */
  | "accountName"
  /** Name of the network, see network.ts. */
  | "currency"
  /** What moves: whole digits of the base unit. */
  | "amount"
  /** Like an amount, but may be negative (pledges). */
  | "signedAmount"
  /** Ceiling of a fee in the base unit of the network's coin. */
  | "fee"
  /** Price of one unit of gas in the base unit of the network's coin. */
  | "gasPrice"
  /** Number of units of gas. */
  | "gas"
  /** Fee for one byte in the base unit; may have decimals. */
  | "feeRate"
  /** Address of the recipient. */
  | "address"
  /** Contract of the token that moves. */
  | "contract"
  /** Mint of the token that moves (Solana). */
  | "mint"
  /** Number that a recipient asks for (XRP). */
  | "tag"
  /** One of the four memos of Stellar. */
  | "memo"
  /** Bytes in hexadecimal. */
  | "hex"
  /** What a contract is asked to do: hexadecimal calldata, or `{abi, function_name, …}`. */
  | "call"
  /** Text that is signed as it is. */
  | "message"
  /** One of `values`. */
  | "choice"
  /** A number or text that names an object. */
  | "id"
  | "text"
  /** Any JSON value. */
  | "any"
  /** An object with `members`. */
  | "object";

/** One member of a request. */
export interface Member {
  /** V1's name, in snake_case. */
  readonly name: string;
  readonly kind: Kind;
  /** Whether V1's document requires it. */
  readonly isRequired: boolean;
  /** Whether our V2 document marks it as required. */
  readonly isRequiredOnV2: boolean;
  /** What it is, in a few words. */
  readonly means: string;
  /** The values of a choice, or those that a currency may have. */
  readonly values?: readonly string[];
  /** Members of an object. */
  readonly members?: readonly Member[];
  /** An object has the members of exactly one of these, beside `members`. */
  readonly either?: readonly (readonly Member[])[];
}

/** The data of one request type, or of one transaction type. */
export interface Shape {
  readonly type: string;
  /** Only of CREATE_TRANSACTION. */
  readonly transactionType?: string;
  /** What it does, in a few words. */
  readonly means: string;
  /** Undefined where the request is not about one family. */
  readonly family?: Family;
  /** Members of `data`. */
  readonly data: readonly Member[];
  /** Whether the request may have a note. */
  readonly hasNote: boolean;
  /** True where the source does not list every member: others pass unchecked. */
  readonly isOpen?: boolean;
}

/** V2's spelling of a V1 name: `max_fees` → `maxFees`; capitals stay (`MEMO_TEXT`). */
export function camelCase(name: string): string {
  return /^[A-Z_]+$/.test(name)
    ? name
    : name.replace(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
}

/** A member's name as an API version spells it. */
export function spell(name: string, version: ApiVersion): string {
  return version === "v1" ? name : camelCase(name);
}

function member(name: string, kind: Kind, means: string, more: Partial<Member> = {}): Member {
  return { name, kind, means, isRequired: true, isRequiredOnV2: false, ...more };
}

function optional(one: Member): Member {
  return { ...one, isRequired: false, isRequiredOnV2: false };
}

/** Required on V2, too. */
function always(one: Member): Member {
  return { ...one, isRequired: true, isRequiredOnV2: true };
}

const ACCOUNT_ID = member("account_id", "accountId", "account that pays or signs");
const ACCOUNT_NAME = member("account_name", "accountName", "that account's own name");
const AMOUNT = member("amount", "amount", "base units that move, digits only");
const CURRENCY = member("currency", "currency", "network of the account");
const MAX_FEES = member("max_fees", "fee", "fee limit, base units of the network's coin");
const RECIPIENT = member("recipient", "address", "address that receives");
const PRIORITY_FEE = optional(member("max_priority_fee", "fee", "priority fee limit in lamports"));
const MINT = member("token_mint", "mint", "mint of the SPL token");
const SEND = [ACCOUNT_NAME, AMOUNT, CURRENCY, MAX_FEES, RECIPIENT];

function choice(name: string, means: string, ...values: string[]): Member {
  return member(name, "choice", means, { values });
}

function object(name: string, means: string, more: Partial<Member>): Member {
  return member(name, "object", means, more);
}

function strategy(type: string, data: Partial<Member>): readonly Member[] {
  const kind = choice("type", "kind of fee strategy", type);
  return [always(kind), always(object("data", "its values", data))];
}

const SPEED = strategy("SPEED", {
  members: [always(choice("speed", "how fast", "SLOW", "NORMAL", "FAST"))],
});
const GAS_LIMIT = member("gas_limit", "gas", "most units of gas");
const CUSTOM_BITCOIN = strategy("CUSTOM", {
  members: [member("fees_per_byte", "feeRate", "satoshi a byte")],
});
const CUSTOM_EVM = strategy("CUSTOM", {
  either: [
    [GAS_LIMIT, member("gas_price", "gasPrice", "wei for one unit of gas")],
    [GAS_LIMIT, member("priority_fees", "gasPrice", "most wei of tip for one unit of gas")],
  ],
});

const MEMO = optional(
  member("memo", "memo", "memo that the recipient asks for", {
    either: [
      [member("MEMO_TEXT", "text", "at most 28 bytes")],
      [member("MEMO_ID", "id", "unsigned 64-bit number")],
      [member("MEMO_HASH", "hex", "32 bytes as 64 hexadecimal digits")],
      [member("MEMO_RETURN", "hex", "32 bytes as 64 hexadecimal digits")],
    ],
  }),
);
const TAG = optional(member("tag", "tag", "destination tag that the recipient asks for"));
const CONTRACT = optional(member("contract_address", "contract", "ERC-20 contract of a token"));
const CALL = optional(
  member("contract_data", "call", "calldata as hexadecimal, or abi, function and arguments", {
    members: [
      optional(member("abi", "any", "ABI of the contract as JSON")),
      optional(member("function_name", "text", "function to call")),
      optional(member("function_arguments", "any", "arguments by name")),
    ],
  }),
);
const OLD_CALL = optional(
  member("encoded_contract_data", "hex", "calldata; deprecated, use contract_data"),
);
const BYTECODE = member("encoded_contract_bytecode", "hex", "bytecode of the new contract");
const PAYEE = choice("payee", "who gets staking rewards", "Staked", "Stash");

interface TransactionRow {
  readonly family: Family;
  readonly means: string;
  readonly members: readonly Member[];
  /** Custom fee strategies; undefined where the type has no fee strategy at all. */
  readonly strategies?: readonly (readonly Member[])[];
}

const NO_CUSTOM: readonly (readonly Member[])[] = [SPEED];
const EVM_FEES = [SPEED, CUSTOM_EVM];
const STAKING = [ACCOUNT_NAME, AMOUNT, CURRENCY];

/** Transaction types in the order of V1's document. */
const TRANSACTIONS: Readonly<Record<string, TransactionRow>> = {
  BITCOIN_LIKE_SEND: {
    family: "bitcoin",
    means: "send a coin of the Bitcoin family",
    members: SEND,
    strategies: [SPEED, CUSTOM_BITCOIN],
  },
  ETHEREUM_LIKE_SEND: {
    family: "evm",
    means: "send an EVM coin or an ERC-20 token",
    members: [...SEND, CONTRACT],
    strategies: EVM_FEES,
  },
  ETHEREUM_LIKE_EXECUTE_CONTRACT: {
    family: "evm",
    means: "call a contract",
    members: [...SEND, CALL, OLD_CALL],
    strategies: EVM_FEES,
  },
  ETHEREUM_LIKE_DEPLOY_CONTRACT: {
    family: "evm",
    means: "deploy a contract",
    members: [ACCOUNT_NAME, optional(AMOUNT), CURRENCY, MAX_FEES, BYTECODE],
    strategies: EVM_FEES,
  },
  RIPPLE_LIKE_SEND: {
    family: "ripple",
    means: "send XRP",
    members: [...SEND, TAG],
    strategies: NO_CUSTOM,
  },
  STELLAR_LIKE_SEND: {
    family: "stellar",
    means: "send XLM",
    members: [...SEND, MEMO],
    strategies: NO_CUSTOM,
  },
  TRON_LIKE_SEND: { family: "tron", means: "send TRX", members: SEND, strategies: NO_CUSTOM },
  TEZOS_LIKE_SEND: { family: "tezos", means: "send XTZ", members: SEND, strategies: NO_CUSTOM },
  CARDANO_LIKE_SEND: { family: "cardano", means: "send ADA", members: SEND, strategies: NO_CUSTOM },
  SOLANA_LIKE_CREATE_SPL_TOKEN_ACCOUNT: {
    family: "solana",
    means: "create an account for an SPL token",
    members: [ACCOUNT_NAME, CURRENCY, MINT, PRIORITY_FEE],
  },
  SOLANA_LIKE_SEND_SPL_TOKEN_CHECKED: {
    family: "solana",
    means: "send an SPL token",
    members: [ACCOUNT_NAME, AMOUNT, CURRENCY, RECIPIENT, MINT, PRIORITY_FEE],
  },
  SOLANA_LIKE_SEND: {
    family: "solana",
    means: "send SOL",
    members: [ACCOUNT_NAME, AMOUNT, CURRENCY, RECIPIENT, PRIORITY_FEE],
  },
  POLKADOT_LIKE_SEND: {
    family: "polkadot",
    means: "send DOT",
    members: [ACCOUNT_NAME, AMOUNT, CURRENCY, RECIPIENT],
  },
  POLKADOT_LIKE_BONDEXTRA: { family: "polkadot", means: "bond more for staking", members: STAKING },
  POLKADOT_LIKE_UNBOND: { family: "polkadot", means: "unbond from staking", members: STAKING },
  POLKADOT_LIKE_REBOND: { family: "polkadot", means: "rebond what was unbonded", members: STAKING },
  POLKADOT_LIKE_SETPAYEE: {
    family: "polkadot",
    means: "choose who gets staking rewards",
    members: [ACCOUNT_NAME, CURRENCY, PAYEE],
  },
  POLKADOT_LIKE_WITHDRAWUNBONDED: {
    family: "polkadot",
    means: "withdraw what was unbonded",
    members: [ACCOUNT_NAME, CURRENCY],
  },
  POLKADOT_LIKE_CHILL: {
    family: "polkadot",
    means: "stop staking",
    members: [ACCOUNT_NAME, CURRENCY],
  },
};

function transaction(transactionType: string, row: TransactionRow): Shape {
  const { family, means, members, strategies } = row;
  const fees = strategies && [
    member("fees_strategy", "object", "how the fee is chosen", { either: strategies }),
  ];
  return {
    type: "CREATE_TRANSACTION",
    transactionType,
    means,
    family,
    data: [
      ACCOUNT_ID,
      always(choice("transaction_type", "what is done", transactionType)),
      ...(fees ?? []),
      always(object("transaction_data", "what moves", { members })),
    ],
    hasNote: true,
  };
}

const PLEDGE_ACCOUNT = member("pledge_subaccount_id", "id", "account of the pledge");
const EXCHANGE = member("exchange_name", "text", "exchange that holds the pledge");

const OTHERS: readonly Shape[] = [
  {
    type: "CREATE_MESSAGE_SIGNING",
    means: "sign a message",
    family: "evm",
    data: [
      ACCOUNT_ID,
      choice("message_type", "standard of the message", "EIP-191"),
      object("message_data", "what is signed", {
        members: [
          ACCOUNT_NAME,
          member("raw_message", "message", "text to sign, not hexadecimal"),
          optional(member("address", "text", "address of the account that signs")),
        ],
      }),
    ],
    hasNote: true,
  },
  {
    type: "CREATE_PLEDGE_INCREMENT",
    means: "pledge more, or less with a negative amount, to an exchange",
    data: [
      PLEDGE_ACCOUNT,
      object("pledge_data", "what is pledged", {
        members: [
          ACCOUNT_NAME,
          member("amount", "signedAmount", "base units; negative takes back"),
          CURRENCY,
          EXCHANGE,
          optional(member("contract_address", "contract", "contract of a token")),
        ],
      }),
    ],
    hasNote: false,
  },
  {
    type: "CREATE_FORCED_UNPLEDGE",
    means: "take back a pledge without the exchange",
    data: [
      PLEDGE_ACCOUNT,
      object("forced_unpledge_data", "which pledge", {
        members: [ACCOUNT_NAME, CURRENCY, EXCHANGE],
      }),
    ],
    hasNote: false,
  },
  {
    type: "CREATE_ACCOUNT",
    means: "create an account",
    data: [
      member("account_type", "text", "type of account, such as TRC20_LIKE"),
      object("account_data", "the account", {
        members: [
          member("name", "text", "at most 19 characters, no special ones"),
          CURRENCY,
          optional(member("index", "id", "index of the derivation")),
          optional(member("policy_name", "text", "policy that governs it")),
          optional(member("parent_id", "id", "account of the network's coin, for a token")),
          optional(member("contract_address", "contract", "contract of a token")),
        ],
      }),
    ],
    hasNote: true,
    isOpen: true,
  },
];

/** Every shape that the catalogue has: 19 transaction types, then the other request types. */
export const SHAPES: readonly Shape[] = [
  ...Object.entries(TRANSACTIONS).map(([name, row]) => transaction(name, row)),
  ...OTHERS,
];

/**
 * Request types that V1's document names, whose data no public source describes. The API and not
 * the catalogue decides about them.
 */
export const UNDOCUMENTED: readonly string[] = [
  ...["CREATE_ADMIN", "CREATE_ADMIN_GROUP", "CREATE_API_USER", "CREATE_API_USER_ACCESS"],
  ...["CREATE_DAPPS_CONFIG", "CREATE_ENTITY", "CREATE_GROUP", "CREATE_OPERATOR", "CREATE_POLICY"],
  ...["CREATE_REPLEDGE", "CREATE_TRADELINK", "CREATE_TRADELINK_ASSET_MANAGER"],
  ...["CREATE_TRADELINK_EXCHANGE", "CREATE_WHITELIST"],
  ...["EDIT_ACCOUNT", "EDIT_ADMIN_GROUP", "EDIT_DAPPS_CONFIG", "EDIT_ENTITY", "EDIT_GROUP"],
  ...["EDIT_POLICY", "EDIT_WHITELIST", "MESSAGE_SIGNING", "MIGRATE_ACCOUNT", "MIGRATE_ADMIN"],
  ...["MIGRATE_GROUP", "MIGRATE_OPERATOR", "MIGRATE_WHITELIST", "REVOKE_ENTITY", "REVOKE_GROUP"],
  ...["REVOKE_USER", "SIGN_DIGESTS", "UPDATE_QUORUM", "ACTIVATE"],
];

/** The members of `note`. */
export const NOTE: Member = optional(
  object("note", "words for the people who approve", {
    members: [
      always(member("title", "text", "title")),
      always(member("content", "text", "at most 256 characters with the title")),
    ],
  }),
);

/**
 * The shape of a request, or undefined when the catalogue does not have it. CREATE_TRANSACTION
 * needs the transaction type. A challenge's `APPROVE_…`, `REJECT_…` and `ABORT_…` count as
 * `CREATE_…`.
 */
export function shapeOf(type: string, transactionType?: string): Shape | undefined {
  const created = type.replace(/^(APPROVE|REJECT|ABORT)_/, "CREATE_");
  return SHAPES.find(
    (shape) => shape.type === created && shape.transactionType === transactionType,
  );
}
