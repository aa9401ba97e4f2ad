/**
 * What the sources said, kept for an hour in the state folder (VER-4), and when they were last
 * asked, so that a machine without a way out waits for them once and not at every command. A file
 * that cannot be read, written or believed is as good as none (N11).
 */
import { CliError } from "../../errors.ts";
import type { StateFolder } from "../state/folder.ts";
import type { Addresses, Answers, Published } from "./sources.ts";
import { stableVersion } from "./verdict.ts";

export interface Memory extends Answers {
  /** Both in milliseconds since 1970. */
  readonly askedAt: number;
  /** Undefined when neither source ever answered. */
  readonly answeredAt: number | undefined;
  /** The version that the latest good answer called current. */
  readonly current?: string | undefined;
  /** When a version above that one was first seen (ms since 1970). */
  readonly newerSeenAt?: number | undefined;
  /** The last warning, and when it was said. */
  readonly warned?: { readonly kind: string; readonly at: number } | undefined;
}

const FILE = "versions.json";
const FORMAT = 1;
const MAX_BYTES = 8 * 1024;

/**
 * What is remembered of these very addresses; undefined when nothing is, or its times lie in the
 * future. `state` may throw where there is no folder.
 */
export async function recall(
  addresses: Addresses,
  state: () => StateFolder,
  now: number,
): Promise<Memory | undefined> {
  try {
    const bytes = await state().read(FILE, MAX_BYTES);
    if (bytes === undefined) return undefined;
    const found: unknown = JSON.parse(Buffer.from(bytes).toString("utf8"));
    return isRecord(found) ? readMemory(found, addresses, now) : undefined;
  } catch (cause) {
    if (cause instanceof CliError || cause instanceof SyntaxError) return undefined;
    throw cause;
  }
}

function readMemory(
  found: Readonly<Record<string, unknown>>,
  addresses: Addresses,
  now: number,
): Memory | undefined {
  const { format, registry, releasesUrl, askedAt, answeredAt, current, newerSeenAt } = found;
  if (format !== FORMAT || registry !== addresses.registry || releasesUrl !== addresses.releases)
    return undefined;
  const isPast = (at: unknown): at is number => typeof at === "number" && at > 0 && at <= now;
  if (!isPast(askedAt) || (answeredAt !== undefined && !isPast(answeredAt))) return undefined;
  if (newerSeenAt !== undefined && !isPast(newerSeenAt)) return undefined;
  return {
    askedAt,
    answeredAt,
    npm: readPublished(found.npm),
    releases: readPublished(found.releases),
    current: typeof current === "string" ? current : undefined,
    newerSeenAt,
    warned: readWarned(found.warned, now),
  };
}

function readWarned(found: unknown, now: number): Memory["warned"] {
  if (!isRecord(found)) return undefined;
  const { kind, at } = found;
  const isSaid = typeof kind === "string" && typeof at === "number" && at <= now;
  return isSaid ? { kind, at } : undefined;
}

function readPublished(found: unknown): Published | undefined {
  if (!isRecord(found)) return undefined;
  const { version, etag } = found;
  if (version !== null && (typeof version !== "string" || stableVersion(version) !== version))
    return undefined;
  return { version, etag: typeof etag === "string" ? etag : undefined };
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null;
}

/** Keeps it where that is possible. */
export async function remember(
  memory: Memory,
  addresses: Addresses,
  state: () => StateFolder,
): Promise<void> {
  const { registry, releases: releasesUrl } = addresses;
  const text = JSON.stringify({ format: FORMAT, registry, releasesUrl, ...memory });
  try {
    const folder = state();
    await folder.prepare();
    await folder.write(FILE, new TextEncoder().encode(`${text}\n`));
  } catch (cause) {
    if (!(cause instanceof CliError)) throw cause;
  }
}
