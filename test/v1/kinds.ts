/**
 * Every kind of transaction that V1 documents, as a request that a user might raise; fields as the
 * guide's table lists them.
 */

const SPEED = { type: "SPEED", data: { speed: "NORMAL" } };

function kind(
  transactionType: string,
  fields: Readonly<Record<string, unknown>>,
  fees: object | null = SPEED,
) {
  const strategy = fees === null ? {} : { fees_strategy: fees };
  return {
    account_id: 7,
    transaction_type: transactionType,
    ...strategy,
    transaction_data: { account_name: "acc", ...fields },
  };
}

const move = (currency: string, recipient: string) => ({
  amount: "1000",
  currency,
  max_fees: "4018",
  recipient,
});
const free = (currency: string) => ({ amount: "1000", currency });
const EVM = move("ethereum", "0xb550388547691a526190d60C30C2f9E2af03fF3D");
const USDC = "0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48";
const MINT = "EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v";

export const KINDS: readonly (readonly [name: string, data: object])[] = [
  [
    "Bitcoin",
    kind(
      "BITCOIN_LIKE_SEND",
      move("bitcoin_testnet", "tb1q5tsjcyz7xmet07yxtumakt739y53hcttmntajq"),
    ),
  ],
  [
    "Bitcoin, own fees",
    kind("BITCOIN_LIKE_SEND", move("bitcoin", "bc1q"), {
      type: "CUSTOM",
      data: { fees_per_byte: "12" },
    }),
  ],
  ["Ethereum", kind("ETHEREUM_LIKE_SEND", EVM)],
  [
    "ERC-20, own fees",
    kind(
      "ETHEREUM_LIKE_SEND",
      { ...EVM, contract_address: USDC },
      {
        type: "CUSTOM",
        data: { gas_limit: "65000", priority_fees: "2000" },
      },
    ),
  ],
  [
    "a contract's function",
    kind("ETHEREUM_LIKE_EXECUTE_CONTRACT", { ...EVM, contract_data: "0xa9059cbb" }),
  ],
  [
    "a new contract",
    kind("ETHEREUM_LIKE_DEPLOY_CONTRACT", {
      currency: "ethereum",
      max_fees: "4018",
      encoded_contract_bytecode: "0x6080",
    }),
  ],
  [
    "Ripple",
    kind("RIPPLE_LIKE_SEND", {
      ...move("ripple", "rPT1Sjq2YGrBMTttX4GZHjKu9dyfzbpAYe"),
      tag: 1001,
    }),
  ],
  [
    "Stellar",
    kind("STELLAR_LIKE_SEND", { ...move("stellar", "GA"), memo: { MEMO_TEXT: "invoice 42" } }),
  ],
  ["Tron", kind("TRON_LIKE_SEND", move("tron", "TJRabPrwbZy45sbavfcjinPJC18kjpRTv8"))],
  ["Tezos", kind("TEZOS_LIKE_SEND", move("tezos", "tz1"))],
  ["Cardano", kind("CARDANO_LIKE_SEND", move("cardano", "addr1"))],
  ["Solana", kind("SOLANA_LIKE_SEND", { ...free("solana"), recipient: "7xKX" }, null)],
  [
    "SPL token",
    kind(
      "SOLANA_LIKE_SEND_SPL_TOKEN_CHECKED",
      { ...free("solana"), recipient: "7xKX", token_mint: MINT },
      null,
    ),
  ],
  [
    "SPL account",
    kind("SOLANA_LIKE_CREATE_SPL_TOKEN_ACCOUNT", { currency: "solana", token_mint: MINT }, null),
  ],
  ["Polkadot", kind("POLKADOT_LIKE_SEND", { ...free("polkadot"), recipient: "15oF" }, null)],
  ["Polkadot bond", kind("POLKADOT_LIKE_BONDEXTRA", free("polkadot"), null)],
  ["Polkadot unbond", kind("POLKADOT_LIKE_UNBOND", free("polkadot"), null)],
  ["Polkadot rebond", kind("POLKADOT_LIKE_REBOND", free("polkadot"), null)],
  [
    "Polkadot payee",
    kind("POLKADOT_LIKE_SETPAYEE", { currency: "polkadot", payee: "Stash" }, null),
  ],
  ["Polkadot withdraw", kind("POLKADOT_LIKE_WITHDRAWUNBONDED", { currency: "polkadot" }, null)],
  ["Polkadot chill", kind("POLKADOT_LIKE_CHILL", { currency: "polkadot" }, null)],
];
