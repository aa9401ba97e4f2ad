/**
 * The version gate (specification §5): runs before a command, and before any credential is read
 * (VER-5). With a fresh memory it costs the reading of one small file; the sources are loaded only
 * when they are asked.
 */
import { CliError } from "../../errors.ts";
import type { Runtime } from "../../io/runtime.ts";
import type { Channel } from "../../version.ts";
import type { StateFolder } from "../state/folder.ts";
import { type Memory, recall, remember } from "./cache.ts";
import { OWN_SOURCES, UPGRADE_COMMANDS } from "./names.ts";
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
/** For this time no command waits again for sources that did not answer. */
const RETRY_MS = 10 * 60 * 1000;
const HOUR_MS = 3600 * 1000;
/** So long a version that was current goes on working once a newer one was seen. */
const GRACE_MS = 24 * HOUR_MS;

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
  const memory = asks || known === undefined ? await ask(addresses, known, gate) : known;
  const verdict = judge(memory, gate);
  const watched = watch(memory, verdict, gate);
  const remark = remarkOn(verdict, watched, gate);
  const warned = { kind: verdict.kind, at: gate.runtime.now() };
  const isSaid = remark === undefined || !isNews(watched, verdict, gate);
  const kept: Memory = isSaid ? watched : { ...watched, warned };
  // Who interrupts has learned nothing about the sources.
  const isInterrupted = gate.runtime.stop.aborted && memory.answeredAt !== memory.askedAt;
  if ((asks || !isSaid) && !isInterrupted) await remember(kept, addresses, gate.state);
  if (remark instanceof CliError) throw remark;
  if (!isSaid) gate.runtime.log.warn(remark.code, remark.message);
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

function judge(memory: Memory, { version, channel, runtime: { now } }: Gate): Verdict {
  return decide({
    version,
    own: OWN_SOURCES[channel],
    npm: memory.npm?.version,
    releases: memory.releases?.version,
    ageMs: memory.answeredAt === undefined ? undefined : now() - memory.answeredAt,
  });
}

function isWithin(at: number | undefined, ms: number, gate: Gate): boolean {
  return at !== undefined && gate.runtime.now() - at < ms;
}

/**
 * Earlier answers count on while no source has a new one; once one does, only what was said now
 * counts.
 */
async function ask(addresses: Addresses, known: Memory | undefined, gate: Gate): Promise<Memory> {
  const { askSources } = await gate.sources();
  const before = { npm: known?.npm, releases: known?.releases };
  const answers = await askSources(addresses, before, gate.runtime);
  const askedAt = gate.runtime.now();
  const isAnswered = answers.npm !== undefined || answers.releases !== undefined;
  return isAnswered
    ? { ...known, ...answers, askedAt, answeredAt: askedAt }
    : { ...known, ...before, askedAt, answeredAt: known?.answeredAt };
}

/** Notes by which answers this version was current, and when a newer one was first seen. */
function watch(memory: Memory, { kind }: Verdict, { version, runtime: { now } }: Gate): Memory {
  if (kind === "unchecked") return memory;
  if (kind === "current") return { ...memory, current: version, newerSeenAt: undefined };
  return { ...memory, newerSeenAt: memory.newerSeenAt ?? now() };
}

/** How long this version still works; 0 for one that no answer ever called current. */
function graceOf({ current, newerSeenAt }: Memory, { version, runtime: { now } }: Gate): number {
  if (current !== version || newerSeenAt === undefined) return 0;
  return Math.max(0, newerSeenAt + GRACE_MS - now());
}

/** A warning is said once an hour, and when it changes. */
function isNews({ warned }: Memory, { kind }: Verdict, gate: Gate): boolean {
  return warned?.kind !== kind || !isWithin(warned.at, HOUR_MS, gate);
}

interface Remark {
  readonly code: string;
  readonly message: string;
}

/** What there is to say: nothing, a warning, or the refusal. */
function remarkOn(verdict: Verdict, memory: Memory, gate: Gate): Remark | CliError | undefined {
  const { version, channel } = gate;
  switch (verdict.kind) {
    case "current":
      return undefined;
    case "unchecked":
      return {
        code: "VERSION_UNCHECKED",
        message: "Neither npm nor the releases page says whether there is a newer version.",
      };
    case "ahead":
      return {
        code: "VERSION_AHEAD",
        message: `Only one of two sources publishes ${verdict.latest}; this is ${version}.`,
      };
    case "outdated": {
      const hours = Math.ceil(graceOf(memory, gate) / HOUR_MS);
      if (hours === 0) return outdated(verdict, { version, channel });
      return {
        code: "VERSION_OUTDATED",
        message: `Version ${verdict.latest} is published; this is ${version}, which stops working in ${hours} ${hours === 1 ? "hour" : "hours"}. Ask a person to upgrade.`,
      };
    }
  }
}

/** The refusal of an old version. The program that signs is a person's to replace. */
export function outdated(
  { latest }: Extract<Verdict, { kind: "outdated" }>,
  { version, channel }: Pick<Gate, "version" | "channel">,
): CliError {
  const command = UPGRADE_COMMANDS[channel];
  return new CliError("VERSION_OUTDATED", {
    message: `Version ${latest} is published; this is ${version}.`,
    hint: `Ask a person to upgrade this program with '${command}', then run the command again. Do not upgrade it yourself.`,
    details: { current: version, latest, command },
  });
}
