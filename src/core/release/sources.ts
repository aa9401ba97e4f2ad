/**
 * The two places that know the newest version (VER-1): npm's dist-tags and the releases page. They
 * are asked side by side, once, within three seconds in all, and told nothing about the user. From
 * each answer one version is taken; nothing else is kept or shown (VER-2).
 */
import { decodeUtf8 } from "../../io/json.ts";
import type { Log } from "../../io/log.ts";
import type { Runtime } from "../../io/runtime.ts";
import { ACCEPTED_ENCODINGS, readAtMost, tooLarge, unpack } from "../../io/unpack.ts";
import { PACKAGE } from "./names.ts";
import { parseVersion, stableVersion } from "./verdict.ts";

export interface Addresses {
  /** Registry root and releases page, without a final slash. */
  readonly registry: string;
  readonly releases: string;
}

/** What a source says: its stable version, or null when it publishes none. */
export interface Published {
  readonly version: string | null;
  /** To be sent back as `If-None-Match`. */
  readonly etag: string | undefined;
}

/** Undefined: no answer, or none that makes sense. */
export interface Answers {
  readonly npm: Published | undefined;
  readonly releases: Published | undefined;
}

/** The network, and the end of the asking. */
type Asking = Pick<Runtime, "fetch" | "userAgent" | "stop">;

const BUDGET_MS = 3000;
/** Of the registry's answer, packed and unpacked; it has some hundred bytes. */
const ANSWER_MAX_BYTES = 64 * 1024;
const ETAG = /^(W\/)?"[\x21\x23-\x7e]{0,128}"$/;

/** Asks both; `known` are earlier answers, which a source may confirm. Never throws. */
export async function askSources(
  addresses: Addresses,
  known: Answers,
  runtime: Asking & Pick<Runtime, "log">,
): Promise<Answers> {
  const budget = new AbortController();
  const timer = setTimeout(() => budget.abort(), BUDGET_MS);
  const signal = AbortSignal.any([budget.signal, runtime.stop]);
  try {
    const [npm, releases] = await Promise.all([
      guarded(
        "npm",
        askRegistry(addresses.registry, known.npm, { ...runtime, stop: signal }),
        signal,
        runtime.log,
      ),
      guarded(
        "releases",
        askReleases(addresses.releases, { ...runtime, stop: signal }),
        signal,
        runtime.log,
      ),
    ]);
    return { npm, releases };
  } finally {
    clearTimeout(timer);
    // Bodies that are no longer needed.
    budget.abort();
  }
}

/** A source that fails, or does not even notice that its time is over, has said nothing. */
async function guarded(
  name: string,
  asking: Promise<Published | undefined>,
  signal: AbortSignal,
  log: Log,
): Promise<Published | undefined> {
  const over = new Promise<undefined>((resolve) => {
    if (signal.aborted) resolve(undefined);
    signal.addEventListener("abort", () => resolve(undefined), { once: true });
  });
  const answer = await Promise.race([asking.catch(() => undefined), over]);
  log.debug("asked for the newest version", { source: name, answered: answer !== undefined });
  return answer;
}

/** What every request to a source says: nothing is followed, and nothing unpacked on the way. */
const AS_IT_COMES = { redirect: "manual", decompress: false } as const;

async function askRegistry(
  registry: string,
  known: Published | undefined,
  { fetch, userAgent, stop }: Asking,
): Promise<Published | undefined> {
  const response = await fetch(`${registry}/-/package/${PACKAGE}/dist-tags`, {
    ...AS_IT_COMES,
    signal: stop,
    headers: {
      accept: "application/json",
      "accept-encoding": ACCEPTED_ENCODINGS,
      "user-agent": userAgent,
      ...(known?.etag === undefined ? {} : { "if-none-match": known.etag }),
    },
  });
  if (response.status !== 200) drop(response);
  if (response.status === 304) return known;
  if (response.status === 404) return { version: null, etag: undefined };
  if (response.status !== 200) return undefined;
  const tags: unknown = JSON.parse(await readText(response));
  const isObject = typeof tags === "object" && tags !== null && Object.hasOwn(tags, "latest");
  const latest = isObject ? (tags as { latest: unknown }).latest : undefined;
  const etag = response.headers.get("etag") ?? "";
  return typeof latest === "string"
    ? toPublished(latest, ETAG.test(etag) ? etag : undefined)
    : undefined;
}

/** Leaves the rest of an answer on the way. */
function drop(response: Response): void {
  void response.body?.cancel().catch(() => undefined);
}

/**
 * The redirect of `releases/latest`, which is not rate-limited as the API is; it is read, not
 * followed, and its body is not read at all.
 */
async function askReleases(
  releases: string,
  { fetch, userAgent, stop }: Asking,
): Promise<Published | undefined> {
  const url = `${releases}/latest`;
  const headers = { accept: "*/*", "accept-encoding": "identity", "user-agent": userAgent };
  const response = await fetch(url, { ...AS_IT_COMES, signal: stop, headers });
  drop(response);
  if (response.status === 404) return { version: null, etag: undefined };
  const location = response.headers.get("location") ?? "";
  const isRedirect = [301, 302, 303, 307, 308].includes(response.status);
  if (!isRedirect || !URL.canParse(location, url)) return undefined;
  return releaseAt(new URL(location, url), new URL(releases));
}

/**
 * What the target of the redirect names: only one on the asked origin and below the releases page
 * counts. GitHub sends a repository without releases back to the page itself.
 */
function releaseAt(target: URL, page: URL): Published | undefined {
  if (target.origin !== page.origin) return undefined;
  const path = page.pathname.replace(/\/$/, "");
  if (target.pathname.replace(/\/$/, "") === path) return { version: null, etag: undefined };
  const below = `${path}/tag/`;
  if (!target.pathname.startsWith(below)) return undefined;
  const tag = /^v?([^/]{1,128})$/.exec(target.pathname.slice(below.length))?.[1];
  return tag === undefined ? undefined : toPublished(decodeURIComponent(tag), undefined);
}

/**
 * A pre-release counts as "nothing stable here"; a text that is not a version counts as "no
 * answer".
 */
function toPublished(text: string, etag: string | undefined): Published | undefined {
  return parseVersion(text) === undefined
    ? undefined
    : { version: stableVersion(text) ?? null, etag };
}

/** Throws above 64 KiB, before and after unpacking (NET-4). */
async function readText(response: Response): Promise<string> {
  const bytes = await readAtMost(response, ANSWER_MAX_BYTES);
  if (bytes === undefined) throw tooLarge(ANSWER_MAX_BYTES);
  const encoding = response.headers.get("content-encoding");
  return decodeUtf8(await unpack(bytes, encoding, ANSWER_MAX_BYTES), { bom: "strip" });
}
