/**
 * The version gate (SPEC §5): stands before a command, and before any credential is read (VER-5).
 * With a fresh memory it costs the reading of one small file; the sources are loaded only when they
 * are asked.
 */
import { CliError } from "../../errors.ts";
import type { Channel } from "../../version.ts";
import { type Memory, type MemoryHost, recall, remember } from "./cache.ts";
import { UPGRADE_COMMANDS } from "./names.ts";
import type { Addresses, askSources, SourceHost } from "./sources.ts";
import { decide, FRESH_MS, type Verdict } from "./verdict.ts";

export interface FreshnessHost extends MemoryHost, SourceHost {
  readonly version: string;
  readonly channel: Channel;
  /** Throws INVALID_URL, INSECURE_URL for a mirror that cannot be used. */
  addresses(): Addresses;
  /** Loads what asks; throws INVALID_PROXY before anything is sent. */
  sources(): Promise<{ readonly askSources: typeof askSources }>;
}

/** A build that comes from no release is never outdated. */
const DEVELOPMENT = "0.0.0-dev";
/** So long nobody waits again for sources that did not answer. */
const RETRY_MS = 10 * 60 * 1000;

/**
 * Returns when the command may run, perhaps after a warning. Throws VERSION_OUTDATED, and what the
 * host's members throw.
 */
export async function requireCurrent(host: FreshnessHost): Promise<void> {
  if (host.version === DEVELOPMENT) return;
  const addresses = host.addresses();
  const known = await recall(addresses, host);
  const isDue = known === undefined || !isWithin(known.answeredAt, FRESH_MS, host);
  const asks = isDue && !isWithin(known?.askedAt, RETRY_MS, host);
  const memory = asks ? await ask(addresses, known, host) : known;
  // Who interrupts has learned nothing about the sources.
  if (asks && memory !== undefined && (memory.answeredAt === memory.askedAt || !host.stop.aborted))
    await remember(memory, addresses, host);
  const verdict = judge(memory, host);
  if (asks || verdict.kind !== "unchecked") act(verdict, host);
}

/**
 * What the sources say now; keeps nothing. Undefined for a build that comes from no release. Throws
 * what the host's members throw.
 */
export async function inspectVersion(host: FreshnessHost): Promise<Verdict | undefined> {
  if (host.version === DEVELOPMENT) return undefined;
  const addresses = host.addresses();
  return judge(await ask(addresses, await recall(addresses, host), host), host);
}

function judge(memory: Memory | undefined, { version, now }: FreshnessHost): Verdict {
  return decide({
    version,
    npm: memory?.npm?.version,
    releases: memory?.releases?.version,
    ageMs: memory?.answeredAt === undefined ? undefined : now() - memory.answeredAt,
  });
}

function isWithin(at: number | undefined, ms: number, host: FreshnessHost): boolean {
  return at !== undefined && host.now() - at < ms;
}

/**
 * Earlier answers count on while no source gives a new one; once one does, only what was said now
 * counts.
 */
async function ask(
  addresses: Addresses,
  known: Memory | undefined,
  host: FreshnessHost,
): Promise<Memory> {
  const { askSources } = await host.sources();
  const before = { npm: known?.npm, releases: known?.releases };
  const answers = await askSources(addresses, before, host);
  const askedAt = host.now();
  const isAnswered = answers.npm !== undefined || answers.releases !== undefined;
  return isAnswered
    ? { ...answers, askedAt, answeredAt: askedAt }
    : { ...before, askedAt, answeredAt: known?.answeredAt };
}

function act(verdict: Verdict, { version, channel, log }: FreshnessHost): void {
  switch (verdict.kind) {
    case "current":
      return;
    case "unchecked":
      log.warn(
        "VERSION_UNCHECKED",
        "Neither npm nor the releases page says whether there is a newer version.",
      );
      return;
    case "ahead":
      log.warn(
        "VERSION_AHEAD",
        `Only one of two sources publishes ${verdict.latest}; this is ${version}.`,
      );
      return;
    case "outdated":
    case "frozen":
      throw outdated(verdict, { version, channel });
  }
}

/** The refusal of an old version, or of one that has not learned for a week whether it is one. */
export function outdated(
  verdict: Extract<Verdict, { kind: "outdated" | "frozen" }>,
  { version, channel }: Pick<FreshnessHost, "version" | "channel">,
): CliError {
  if (verdict.kind === "frozen") {
    return new CliError("VERSION_OUTDATED", {
      message: "For more than seven days nothing could be learned about newer versions.",
      hint: "Let this machine reach npm or GitHub, or name mirrors with LEDGER_ENTERPRISE_NPM_REGISTRY and LEDGER_ENTERPRISE_RELEASES_URL.",
      details: { current: version },
    });
  }
  const command = UPGRADE_COMMANDS[channel];
  return new CliError("VERSION_OUTDATED", {
    message: `Version ${verdict.latest} is published; this is ${version}.`,
    hint: `Upgrade, then run the command again: ${command}`,
    details: { current: version, latest: verdict.latest, command },
  });
}
