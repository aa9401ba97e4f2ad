/** Values of a policy file: assets, amounts, times; and what is said of one that is not valid. */
import { CliError } from "../../errors.ts";
import { wordOf } from "../../io/word.ts";
import { isSameContract } from "../meaning/asset.ts";
import { networkOf } from "../meaning/network.ts";
import type { AssetRule } from "./load.ts";

/** Currency and contract; whatever the decimals. */
export function isSameAsset(
  one: Pick<AssetRule, "currency" | "contract">,
  other: Pick<AssetRule, "currency" | "contract">,
): boolean {
  if (currencyOf(one.currency) !== currencyOf(other.currency)) return false;
  if (one.contract === undefined || other.contract === undefined)
    return one.contract === other.contract;
  return isSameContract(one.contract, other.contract);
}

/** A currency's name in the spelling of requests. */
export function currencyOf(name: string): string {
  return networkOf(name)?.id ?? name.replaceAll(" ", "_");
}

/**
 * Base units of a rule's digits; without decimals they are base units already. Throws
 * POLICY_INVALID for more places than the decimals.
 */
export function toBase(
  digits: string,
  decimals: number | undefined,
  path = "",
  place = "",
): bigint {
  const [whole = "", fraction = ""] = digits.split(".");
  if (fraction.length > (decimals ?? 0))
    throw invalid(path, place, "The amount has more places than its decimals.");
  return BigInt(whole + fraction.padEnd(decimals ?? 0, "0"));
}

/** `90m`, `24h`, `7d` in milliseconds. */
export function perMs(per: string): number {
  const unit = { m: 60_000, h: 3_600_000, d: 86_400_000 }[per.slice(-1)] ?? 0;
  return Number(per.slice(0, -1)) * unit;
}

/** What is wrong with a file, and where. */
export function invalid(
  path: string,
  place: string,
  reason: string,
  where: { readonly line?: number; readonly column?: number } = {},
): CliError {
  const word = wordOf(path);
  const file = word === undefined ? "The policy file" : `The policy file ${word}`;
  return new CliError("POLICY_INVALID", {
    message: `${file} is not valid: ${reason}`,
    details: { file: path, ...(place === "" ? {} : { path: place }), ...where },
  });
}
