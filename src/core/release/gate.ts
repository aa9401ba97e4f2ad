/**
 * The version gate (SPEC §5): stands before a command, and before any credential is read (VER-5).
 * With a fresh memory it costs the reading of one small file; the sources are loaded only when they
 * are asked.
 */
import { CliError } from "../../errors.ts";
import type { Runtime } from "../../io/runtime.ts";
import type { Channel } from "../../version.ts";
import type { StateFolder } from "../state/folder.ts";
import { type Memory, recall, remember } from "./cache.ts";
import { UPGRADE_COMMANDS } from "./names.ts";
import type { Addresses, askSources } from "./sources.ts";
import { decide, FRESH_MS, type Verdict } from "./verdict.ts";

/** What the gate looks at: this program, and how newer ones are found. */
export interface Gate {
  readonly version: string;
  readonly channel: Channel;
  /** Throws INVALID_URL, INSECURE_URL for a mirror that cannot be used. */
  addresses(): Addresses;
  /** Loads what asks; throws INVALID_PROXY before anything is sent. */
  sources(): Promise<{ readonly askSources: typeof askSources }>;
  /** Throws where there is no state folder. */
  state(): StateFolder;
  readonly runtime: Runtime;
}

/** A build that comes from no release is never outdated. */
const DEVELOPMENT = "0.0.0-dev";
/** So long nobody waits again for sources that did not answer. */
const RETRY_MS = 10 * 60 * 1000;

/**
 * Returns when the command may run, perhaps after a warning. Throws VERSION_OUTDATED, and what the
 * gate's members throw.
 */
export async function requireCurrent(gate: Gate): Promise<void> {
  if (gate.version === DEVELOPMENT) return;
  const addresses = gate.addresses();
  const known = await recall(addresses, gate.state, gate.runtime.now());
  const isDue = known === undefined || !isWithin(known.answeredAt, FRESH_MS, gate);
  const asks = isDue && !isWithin(known?.askedAt, RETRY_MS, gate);
  const memory = asks ? await ask(addresses, known, gate) : known;
  // Who interrupts has learned nothing about the sources.
  if (
    asks &&
    memory !== undefined &&
    (memory.answeredAt === memory.askedAt || !gate.runtime.stop.aborted)
  )
    await remember(memory, addresses, gate.state);
  const verdict = judge(memory, gate);
  if (asks || verdict.kind !== "unchecked") act(verdict, gate);
}

/**
 * What the sources say now; keeps nothing. Undefined for a build that comes from no release. Throws
 * what the gate's members throw.
 */
export async function inspectVersion(gate: Gate): Promise<Verdict | undefined> {
  if (gate.version === DEVELOPMENT) return undefined;
  const addresses = gate.addresses();
  return judge(
    await ask(addresses, await recall(addresses, gate.state, gate.runtime.now()), gate),
    gate,
  );
}

function judge(memory: Memory | undefined, { version, runtime }: Gate): Verdict {
  return decide({
    version,
    npm: memory?.npm?.version,
    releases: memory?.releases?.version,
    ageMs: memory?.answeredAt === undefined ? undefined : runtime.now() - memory.answeredAt,
  });
}

function isWithin(at: number | undefined, ms: number, gate: Gate): boolean {
  return at !== undefined && gate.runtime.now() - at < ms;
}

/**
 * Earlier answers count on while no source gives a new one; once one does, only what was said now
 * counts.
 */
async function ask(addresses: Addresses, known: Memory | undefined, gate: Gate): Promise<Memory> {
  const { askSources } = await gate.sources();
  const before = { npm: known?.npm, releases: known?.releases };
  const answers = await askSources(addresses, before, gate.runtime);
  const askedAt = gate.runtime.now();
  const isAnswered = answers.npm !== undefined || answers.releases !== undefined;
  return isAnswered
    ? { ...answers, askedAt, answeredAt: askedAt }
    : { ...before, askedAt, answeredAt: known?.answeredAt };
}

function act(verdict: Verdict, { version, channel, runtime: { log } }: Gate): void {
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
  { version, channel }: Pick<Gate, "version" | "channel">,
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
