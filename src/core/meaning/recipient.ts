/** Who a recipient is: the whitelists that name it. Pure. */
import { type Exact, type Node, tree } from "../../io/json.ts";
import { beginsAsBech32 } from "./bech32.ts";
import { membersOf, named, textOf } from "./content.ts";
import type { Anchor } from "./lookalike.ts";
import { networkOf } from "./network.ts";
import { quote } from "./words.ts";

/** One address of one whitelist. */
export interface Entry {
  readonly whitelistId: string;
  readonly whitelist: string;
  readonly status: string;
  readonly entry: string;
  readonly currency: string;
  readonly address: string;
  /** Tags that the entry is limited to; none when it lists none. */
  readonly tags: readonly string[];
}

/** How many of the whitelists were read. */
export type WhitelistsRead = "all" | "some" | "none";

/**
 * A whitelist that holds the recipient; `status` only when it is not ACTIVE and vouches for
 * nothing.
 */
export interface Listing {
  readonly id: string;
  readonly name: string;
  readonly entry: string;
  readonly status?: string;
}

/** A whitelist that holds the recipient's address, for these tags only. */
export interface TaggedListing extends Listing {
  readonly tags: readonly string[];
}

function textsOf(members: ReturnType<typeof membersOf>, name: string): string[] {
  return named(members, name).flatMap(([, node]) => {
    if (node.kind === "array") return node.items.flatMap((item) => textOf(item) ?? []);
    return textOf(node) ?? [];
  });
}

function textIn(members: ReturnType<typeof membersOf>, name: string): string {
  return textsOf(members, name)[0] ?? "";
}

/** The addresses of a whitelist, of either API version. */
export function entriesOf(whitelist: Exact): Entry[] {
  const members = membersOf(tree(whitelist));
  const [list] = named(members, "addresses");
  const items: readonly Node[] = list?.[1].kind === "array" ? list[1].items : [];
  return items.map((item) => {
    const own = membersOf(item);
    return {
      whitelistId: textIn(members, "id"),
      whitelist: textIn(members, "name"),
      status: textIn(members, "status"),
      entry: textIn(own, "name"),
      currency: textIn(own, "currency"),
      address: textIn(own, "address"),
      tags: [...textsOf(own, "destination_tags"), ...textsOf(own, "destination_tag")],
    };
  });
}

/**
 * The entries that name this recipient: same network, same address, and the tag where they list
 * tags.
 */
export function listingsOf(
  entries: readonly Entry[],
  network: string,
  address: string,
  tag: string | null,
): Listing[] {
  return entries.filter((one) => isOf(one, network, address) && hasTag(one, tag)).map(listingOf);
}

/** The entries that name this address with other tags than this one: they do not vouch for it. */
export function otherTagsOf(
  entries: readonly Entry[],
  network: string,
  address: string,
  tag: string | null,
): TaggedListing[] {
  return entries
    .filter((one) => isOf(one, network, address) && !hasTag(one, tag))
    .map((one) => ({ ...listingOf(one), tags: one.tags }));
}

function isOf({ currency, address: own }: Entry, network: string, address: string): boolean {
  return isSameNetwork(currency, network) && isSameAddress(own, address);
}

function hasTag({ tags }: Entry, tag: string | null): boolean {
  return tags.length === 0 || (tag !== null && tags.includes(tag));
}

function listingOf({ whitelistId: id, whitelist: name, entry, status }: Entry): Listing {
  return { id, name, entry, ...(status === "ACTIVE" ? {} : { status }) };
}

/** A challenge spells `bitcoin_testnet` with a space. */
export function isSameNetwork(one: string, other: string): boolean {
  return one.replaceAll(" ", "_") === other.replaceAll(" ", "_");
}

/** Hexadecimal and bech32 addresses are equal whatever their case; anything else exactly. */
export function isSameAddress(one: string, other: string): boolean {
  if (one === other) return true;
  const isFolded = (text: string): boolean => /^0x/i.test(text) || beginsAsBech32(text);
  return isFolded(one) && isFolded(other) && one.toLowerCase() === other.toLowerCase();
}

/** The addresses that ACTIVE whitelists vouch for. */
export function anchorsOf(entries: readonly Entry[]): Anchor[] {
  return entries.flatMap(({ status, currency, address, whitelist, entry }) => {
    const family = networkOf(currency)?.family;
    if (status !== "ACTIVE" || family === undefined) return [];
    return [{ address, family, of: `whitelist ${quote(whitelist)}, entry ${quote(entry)}` }];
  });
}
