/** What a summary is made from, and its parts. */
import type { Amount } from "./amount.ts";
import type { AssetLists } from "./asset.ts";
import type { Content } from "./content.ts";
import type { Call, CallFacts } from "./evm/call.ts";
import type { Message } from "./evm/message.ts";
import type { Anchor, Lookalike } from "./lookalike.ts";
import type { Entry, Listing, TaggedListing, WhitelistsRead } from "./recipient.ts";

/** What a person must know. A grave one stops an approval until a person confirms the digest. */
export interface Warning {
  readonly code: string;
  readonly grave: boolean;
  /** Path in the summary. */
  readonly at: string;
  readonly message: string;
}

/** The account that the request is about, as the workspace describes it. */
export interface AccountFacts {
  readonly id: string;
  readonly name: string;
  readonly currency: string;
  /** Contract or mint of a token account. */
  readonly contract: string | null;
}

/** What is known around a content. Nothing of it is needed; what is missing is said. */
export interface SummaryFacts {
  readonly account: AccountFacts | undefined;
  readonly lists: AssetLists;
  readonly entries: readonly Entry[];
  readonly whitelistsRead: WhitelistsRead;
  readonly anchors: readonly Anchor[];
  /** How many accounts of its network have the name that the content says. */
  readonly namesakes?: number;
  /** How many accounts were looked at for that; absent where the server was not asked. */
  readonly accountsRead?: WhitelistsRead;
  /** The server's estimate of the fee, in base units. */
  readonly estimate?: string;
}

/** Facts without any question to the server. */
export const NO_FACTS: SummaryFacts = {
  account: undefined,
  lists: { currencies: undefined, tokens: undefined },
  entries: [],
  whitelistsRead: "none",
  anchors: [],
};

/** The decoders of calls and messages; only contents that have one need them. */
export interface Evm {
  callOf(content: Content, facts: CallFacts): Call;
  messageOf(content: Content, facts: CallFacts): Message;
}

/** An amount, and the contract of its token. */
export type AmountPart = Amount & { readonly contract: string | null };

/** The most that the fee can be. */
export interface FeePart extends Amount {
  readonly kind: "limit" | "priorityLimit";
  readonly percentOfAmount: string | null;
  readonly percentReason: string | null;
}

/** Where it goes, and what is known of that place. */
export interface RecipientPart {
  readonly address: string;
  readonly checksum: "valid" | "none" | "invalid" | "notChecked";
  readonly form: string | null;
  readonly tag: string | null;
  readonly memo: string | null;
  readonly whitelists: readonly Listing[];
  /** Where no active whitelist vouches: those that have the address with another tag. */
  readonly otherTags?: readonly TaggedListing[];
  readonly whitelistsRead: WhitelistsRead;
  readonly lookalikeOf: readonly Lookalike[];
}

/** The summary, in the order in which a person reads it. */
export interface Summary {
  readonly version: 1;
  readonly of: "draft" | "request" | "challenge";
  /** False when a value of the content has no place in the summary. */
  readonly complete: boolean;
  /** `SEND`, `EXECUTE_CONTRACT`, `MESSAGE_SIGNING`, …; null for an unknown shape. */
  readonly action: string | null;
  /** Sentences for a person; words of others are JSON strings inside them. */
  readonly text: readonly string[];
  readonly account: {
    readonly name: string | null;
    readonly id: string | null;
    readonly nameSource: string;
  } | null;
  readonly network: {
    readonly id: string;
    readonly testnet: boolean | null;
    readonly chainId: number | null;
  } | null;
  readonly amount: AmountPart | null;
  readonly fee: FeePart | null;
  readonly recipient: RecipientPart | null;
  readonly call: Call | null;
  readonly message: Message["content"];
  /** Values that no other part shows: speed, note, payee, names. */
  readonly others: readonly { readonly name: string; readonly value: string }[];
  readonly warnings: readonly Warning[];
  /** Paths of values without a place; absent when the summary is complete. */
  readonly notExplained?: readonly string[];
}
