/**
 * The networks that V1's document names (version 1.35.0), with what a reader must know of each.
 * Chain ids: EIP-155. Decimals and tickers of native coins: the coins' own documentation.
 */

/** Coins whose addresses and amounts follow the same rules. */
export type Family =
  | "bitcoin"
  | "cardano"
  | "cosmos"
  | "evm"
  | "fiat"
  | "filecoin"
  | "near"
  | "polkadot"
  | "ripple"
  | "solana"
  | "stellar"
  | "tezos"
  | "tron";

/** One network. */
export interface Network {
  /** The currency name of the API, such as `bitcoin_testnet`. */
  readonly id: string;
  readonly family: Family;
  readonly isTestnet: boolean;
  /** EIP-155; null outside EVM. */
  readonly chainId: number | null;
  /** Ticker of the native coin. */
  readonly ticker: string;
  /** Decimals of the native coin; undefined where the table has no second source for them. */
  readonly decimals: number | undefined;
}

type Row = readonly [ticker: string, ids: string];

/** Native coins with 18 decimals. `name=chainId`; a testnet's chain id begins with `~`. */
const EVM: readonly Row[] = [
  [
    "ETH",
    "ethereum=1 ethereum_goerli=~5 ethereum_holesky=~17000 ethereum_hoodi=~560048 ethereum_ropsten=~3 ethereum_sepolia=~11155111",
  ],
  ["ETH", "arbitrum=42161 arbitrum_goerli=~421613 arbitrum_sepolia=~421614"],
  ["ETH", "base=8453 base_goerli=~84531 base_sepolia=~84532 blast=81457 blast_sepolia=~168587773"],
  ["ETH", "linea=59144 optimism=10 optimism_goerli=~420 optimism_sepolia=~11155420"],
  ["ETH", "polygon_zk_evm=1101 polygon_zk_evm_testnet=~1442 scroll=534352 scroll_sepolia=~534351"],
  ["ETC", "ethereum_classic=61"],
  ["ETHW", "ethereum_pow=10001"],
  ["AVAX", "avalanche_c_chain=43114 avalanche_c_chain_fuji=~43113"],
  ["BNB", "bsc=56"],
  ["CELO", "celo=42220 celo_alfajores=~44787"],
  ["CRO", "cronos=25 cronos_testnet=~338"],
  ["XTZ", "etherlink=42793"],
  ["FTM", "fantom=250 fantom_testnet=~4002"],
  ["FLR", "flare=14"],
  ["CFLR", "flare_coston=~16"],
  ["KAVA", "kava_evm=2222 kava_evm_testnet=~2221"],
  ["KLAY", "klaytn=8217 klaytn_baobab=~1001"],
  ["MNT", "mantle=5000 mantle_sepolia=~5003"],
  ["NEON", "neon_evm=245022934"],
  ["POL", "polygon=137 polygon_amoy=~80002 polygon_mumbai=~80001"],
  ["PLS", "pulsechain=369 pulsechain_testnet=~943"],
  ["S", "sonic=146"],
  ["VIC", "tomo=88 tomo_testnet=~89"],
];

type OtherRow = readonly [
  id: string,
  family: Family,
  ticker: string,
  decimals: number | undefined,
  testnet?: "testnet",
];

const OTHERS: readonly OtherRow[] = [
  ["Dollar", "fiat", "USD", undefined],
  ["Euro", "fiat", "EUR", undefined],
  ["bitcoin", "bitcoin", "BTC", 8],
  ["bitcoin_cash", "bitcoin", "BCH", 8],
  ["bitcoin_gold", "bitcoin", "BTG", 8],
  ["bitcoin_testnet", "bitcoin", "BTC", 8, "testnet"],
  ["cardano", "cardano", "ADA", 6],
  ["cosmos", "cosmos", "ATOM", 6],
  ["dash", "bitcoin", "DASH", 8],
  ["digibyte", "bitcoin", "DGB", 8],
  ["dogecoin", "bitcoin", "DOGE", 8],
  ["filecoin", "filecoin", "FIL", 18],
  ["filecoin_calibration", "filecoin", "FIL", 18, "testnet"],
  ["komodo", "bitcoin", "KMD", 8],
  ["litecoin", "bitcoin", "LTC", 8],
  ["near", "near", "NEAR", 24],
  ["pivx", "bitcoin", "PIVX", undefined],
  ["polkadot", "polkadot", "DOT", 10],
  ["ripple", "ripple", "XRP", 6],
  ["solana", "solana", "SOL", 9],
  ["solana_devnet", "solana", "SOL", 9, "testnet"],
  ["solana_testnet", "solana", "SOL", 9, "testnet"],
  ["stellar", "stellar", "XLM", 7],
  ["tezos", "tezos", "XTZ", 6],
  ["tron", "tron", "TRX", 6],
  ["vertcoin", "bitcoin", "VTC", undefined],
  ["viacoin", "bitcoin", "VIA", undefined],
  ["westend", "polkadot", "WND", 12, "testnet"],
];

function evmNetworks(): Network[] {
  return EVM.flatMap(([ticker, ids]) =>
    ids.split(" ").map((entry): Network => {
      const [id = "", chain = ""] = entry.split("=");
      const isTestnet = chain.startsWith("~");
      const chainId = Number(chain.replace("~", ""));
      return { id, family: "evm", isTestnet, chainId, ticker, decimals: 18 };
    }),
  );
}

function otherNetworks(): Network[] {
  return OTHERS.map(([id, family, ticker, decimals, testnet]) => {
    return { id, family, isTestnet: testnet !== undefined, chainId: null, ticker, decimals };
  });
}

/** Every network of V1's document, by its currency name. */
export const NETWORKS: ReadonlyMap<string, Network> = new Map(
  [...evmNetworks(), ...otherNetworks()].map((network) => [network.id, network]),
);

/**
 * The network of a currency name, in the spelling of a request (`bitcoin_testnet`) or of a
 * challenge (`bitcoin testnet`); undefined when the table does not have it.
 */
export function networkOf(currency: string): Network | undefined {
  return NETWORKS.get(currency.replaceAll(" ", "_"));
}

/** The currency names of one family, in alphabetical order. */
export function currenciesOf(family: Family): string[] {
  return [...NETWORKS.values()]
    .filter((network) => network.family === family)
    .map(({ id }) => id)
    .sort();
}
