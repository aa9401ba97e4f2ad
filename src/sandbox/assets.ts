/**
 * The coins' units and the tokens that the workspace lists, as the two API versions show them. The
 * switch `assetDecimals` makes them wrong, or leaves them out.
 */
import type { Switches } from "./faults.ts";
import { CURRENCIES } from "./transactions.ts";
import type { Workspace } from "./workspace.ts";

interface Token {
  readonly contractAddress: string;
  readonly network: string;
  readonly name: string;
  readonly symbol: string;
  readonly decimals: number;
}

/** Two contracts call themselves USDC: a ticker does not name one. */
const TOKENS: readonly Token[] = [
  {
    contractAddress: "0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48",
    network: "ethereum",
    name: "USD Coin",
    symbol: "USDC",
    decimals: 6,
  },
  {
    contractAddress: "0x52908400098527886E0F7030069857D2E4169EE7",
    network: "ethereum",
    name: "USDC",
    symbol: "USDC",
    decimals: 6,
  },
  {
    contractAddress: "EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v",
    network: "solana",
    name: "USD Coin",
    symbol: "USDC",
    decimals: 6,
  },
];

/** The listed token at a contract; undefined for one that the list does not have. */
export function tokenAt(network: string, contract: string): Token | undefined {
  const isIt = ({ contractAddress }: Token): boolean =>
    contract.startsWith("0x")
      ? contractAddress.toLowerCase() === contract.toLowerCase()
      : contractAddress === contract;
  return TOKENS.find((token) => token.network === network && isIt(token));
}

type AssetSwitches = Pick<Switches, "assetDecimals">;

/** The exponent as the switch wants it. */
function magnitude(decimals: number, { assetDecimals }: AssetSwitches): number {
  return assetDecimals === "wrong" ? decimals - 2 : decimals;
}

/** Units of the Bitcoin family as V1 names them, beside the coin itself. */
const SMALLER = [
  { code: "sat", magnitude: 0 },
  { code: "bit", magnitude: 2 },
  { code: "mBTC", magnitude: 5 },
];

function usedIn({ accounts }: Workspace): [id: string, currency: (typeof CURRENCIES)[string]][] {
  const used = new Set([...accounts.values()].map((account) => account.currency));
  return Object.entries(CURRENCIES).filter(([id]) => used.has(id));
}

/** The listed tokens, and contracts of accounts that the list does not have. */
function tokensIn({
  accounts,
}: Workspace): (Omit<Token, "symbol" | "decimals"> & Partial<Token>)[] {
  const networks = new Set([...accounts.values()].map(({ currency }) => currency));
  const listed = TOKENS.filter(({ network }) => networks.has(network));
  const known = new Set(listed.map((token) => token.contractAddress.toLowerCase()));
  const held = [...accounts.values()].flatMap(({ contractAddress, currency: network, name }) => {
    const isListed = contractAddress === undefined || known.has(contractAddress.toLowerCase());
    return isListed ? [] : [{ contractAddress, network, name }];
  });
  return [...listed, ...held];
}

/** V2: how the real one shows them is not public. */
export function currenciesV2(workspace: Workspace, switches: AssetSwitches): object[] {
  return usedIn(workspace).map(([id, { name, ticker, decimals, family }]) => {
    const shown = { decimals: magnitude(decimals, switches) };
    return { id, name, ticker, ...(switches.assetDecimals === "missing" ? {} : shown), family };
  });
}

export function tokensV2(workspace: Workspace, switches: AssetSwitches): object[] {
  return tokensIn(workspace).map(({ decimals, ...token }) => ({
    ...token,
    ...(decimals === undefined || switches.assetDecimals === "missing"
      ? {}
      : { decimals: magnitude(decimals, switches) }),
  }));
}

export function currenciesV1(
  workspace: Workspace,
  switches: AssetSwitches,
  familyName: (currency: string) => string,
): object[] {
  return usedIn(workspace).map(([name, { ticker, decimals, family }]) => {
    const main = { code: ticker, magnitude: magnitude(decimals, switches) };
    const smaller = family === "BITCOIN_LIKE" ? SMALLER : [];
    const units = switches.assetDecimals === "missing" ? [] : [...smaller, main];
    return { name, family: familyName(name), type: "CRYPTO", num_confirmation_needed: 6, units };
  });
}

export function tokensV1(workspace: Workspace, switches: AssetSwitches): object[] {
  return tokensIn(workspace).map(({ contractAddress, name, network, symbol, decimals }) => {
    const isKnown = symbol !== undefined && decimals !== undefined;
    const units =
      isKnown && switches.assetDecimals !== "missing"
        ? [{ code: symbol, magnitude: magnitude(decimals, switches) }]
        : [];
    return { contract_address: contractAddress, name, parent_currency: network, units };
  });
}
