/**
 * Downloads from a releases page. What arrives is believed only after its signature and checksum;
 * here it is bounded in size and silence, and redirects lead only within the page's own host or
 * GitHub's (VER-1).
 */
import { CliError } from "../../errors.ts";
import type { Meter } from "../../io/progress.ts";
import type { Runtime } from "../../io/runtime.ts";
import { explain } from "../api/transport.ts";
import { DOWNLOAD_HOSTS } from "./names.ts";

/** The network, and the end of the command. */
type Line = Pick<Runtime, "fetch" | "userAgent" | "stop">;

const SILENCE_MS = 30_000;
const REDIRECTS = 5;
const MEBIBYTE = 1024 * 1024;

export interface Download {
  readonly url: string;
  readonly maxBytes: number;
  /** Told how many bytes came, and how many there will be where the server says it. */
  readonly meter?: Meter;
  /** Gets the bytes in their order. */
  take(chunk: Uint8Array): void | Promise<void>;
}

/**
 * Throws UPGRADE_FAILED with the kind of failure in `details.reason`; what `take` throws goes on.
 */
export async function download(
  { url, maxBytes, meter, take }: Download,
  line: Line,
): Promise<void> {
  const silence = new Silence();
  const signal = AbortSignal.any([silence.signal, line.stop]);
  let isAnswered = false;
  const step = async <T>(work: Promise<T>): Promise<T> => {
    try {
      return await work;
    } catch (cause) {
      const reason = line.stop.aborted
        ? "INTERRUPTED"
        : silence.signal.aborted
          ? "TIMEOUT"
          : explain(cause, {
              answered: isAnswered,
              handedOver: undefined,
              host: new URL(url).host,
              proxy: undefined,
            }).code;
      throw failed(url, reason, cause);
    } finally {
      silence.touch();
    }
  };
  try {
    const response = await step(open(url, { ...line, stop: signal }));
    isAnswered = true;
    if (!isAsItIs(response)) throw failed(url, "INVALID_RESPONSE");
    const reader = response.body?.getReader();
    const total = lengthOf(response);
    let size = 0;
    for (;;) {
      const { done, value } = (await (reader === undefined ? undefined : step(reader.read()))) ?? {
        done: true,
      };
      if (done || value === undefined) return;
      size += value.length;
      if (size > maxBytes) throw failed(url, "RESPONSE_TOO_LARGE");
      meter?.(size, total);
      await take(value);
    }
  } finally {
    silence.end();
  }
}

function lengthOf({ headers }: Response): number | undefined {
  const text = headers.get("content-length") ?? "";
  return /^[1-9][0-9]{0,11}$/.test(text) ? Number(text) : undefined;
}

/** A small file as a whole. Throws as above. */
export async function downloadSmall(url: string, line: Line): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  await download({ url, maxBytes: MEBIBYTE, take: (chunk) => void chunks.push(chunk) }, line);
  return Buffer.concat(chunks);
}

async function open(url: string, { fetch, userAgent, stop }: Line): Promise<Response> {
  let at = new URL(url);
  for (let hop = 0; hop <= REDIRECTS; hop += 1) {
    const headers = {
      accept: "application/octet-stream",
      "accept-encoding": "identity",
      "user-agent": userAgent,
    };
    const options = { redirect: "manual", decompress: false, signal: stop, headers } as const;
    const response = await fetch(at.href, options);
    if (response.status === 200) return response;
    void response.body?.cancel().catch(() => undefined);
    const next = isRedirect(response)
      ? nextPlace(response.headers.get("location") ?? "", at)
      : undefined;
    if (next === undefined) {
      const reason = isRedirect(response) ? "REDIRECT_BLOCKED" : "HTTP_ERROR";
      throw failed(url, reason, undefined, response.status);
    }
    at = next;
  }
  throw failed(url, "REDIRECT_BLOCKED");
}

/** What is signed is never packed on the way: nothing here unpacks, so nothing can swell. */
function isAsItIs({ headers }: Response): boolean {
  return /^(identity)?$/i.test(headers.get("content-encoding")?.trim() ?? "");
}

function isRedirect({ status }: Response): boolean {
  return [301, 302, 303, 307, 308].includes(status);
}

function nextPlace(location: string, at: URL): URL | undefined {
  if (location === "" || !URL.canParse(location, at)) return undefined;
  const next = new URL(location, at);
  const isGitHub =
    next.protocol === "https:" &&
    [at, next].every(({ hostname }) => DOWNLOAD_HOSTS.includes(hostname));
  return next.origin === at.origin || isGitHub ? next : undefined;
}

function failed(url: string, reason: string, cause?: unknown, httpStatus?: number): CliError {
  if (cause instanceof CliError) return cause;
  return new CliError("UPGRADE_FAILED", {
    message:
      httpStatus === 404
        ? "The release has no such file: it may not be complete, or not made for this platform."
        : "The release could not be downloaded.",
    details: { reason, url },
    ...(httpStatus === undefined ? {} : { httpStatus }),
    cause,
  });
}

/** Fires after thirty seconds without a byte. */
class Silence {
  private readonly controller = new AbortController();
  private timer = this.start();

  get signal(): AbortSignal {
    return this.controller.signal;
  }

  touch(): void {
    clearTimeout(this.timer);
    if (!this.controller.signal.aborted) this.timer = this.start();
  }

  end(): void {
    clearTimeout(this.timer);
    this.controller.abort();
  }

  private start(): NodeJS.Timeout {
    return setTimeout(() => this.controller.abort(), SILENCE_MS);
  }
}
