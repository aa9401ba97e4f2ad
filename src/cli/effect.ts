/** What a command changes, in words; help, skill and README read them here. */

/**
 * What a command changes. Read-only mode, `--dryRun`, the warning on interruption and the skill's
 * safety table follow from it; nothing else decides them.
 */
export type Effect = "read" | "write" | "sign" | "local" | "session";

/** True when a person must agree before such a command runs (specification §8). */
export function changes(effect: Effect): boolean {
  return effect === "write" || effect === "sign";
}

interface Wording {
  /** One word or two, for a table. */
  readonly short: string;
  /** A sentence for a reference. */
  readonly sentence: string;
  /** What help says first; absent where there is nothing to warn of. */
  readonly warning?: string;
}

/** How each effect is worded. */
export const EFFECTS: Readonly<Record<Effect, Wording>> = {
  read: { short: "reads", sentence: "Reads." },
  write: {
    short: "writes",
    sentence: "Writes: needs a person's yes.",
    warning: "Changes the workspace: have a person agree first. --dryRun shows what would be sent.",
  },
  sign: {
    short: "signs",
    sentence: "Signs: needs a person's yes to the decoded content.",
    warning: "Signs: have a person agree to the decoded content first. --dryRun shows it.",
  },
  local: { short: "this machine only", sentence: "Stays on this machine." },
  session: { short: "session", sentence: "Session." },
};
