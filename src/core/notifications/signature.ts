/**
 * The signature of a webhook (Notifications of the V1 document): `X-Ledger-Signature: t=<unix
 * time>,v1=<hex>`, HMAC-SHA256 with the shared secret over `<t>.<body>`, at most five minutes old.
 */
import { createHmac, timingSafeEqual } from "node:crypto";
import { CliError } from "../../errors.ts";

const LONGEST_AGE_SECONDS = 5 * 60;

export interface Notification {
  /** Value of the header; its name may precede it. */
  readonly header: string;
  /** The body as it was received, byte for byte. */
  readonly body: Uint8Array;
}

export interface Verified {
  /** ISO 8601. */
  readonly signedAt: string;
  readonly ageSeconds: number;
}

/**
 * Says when a genuine notification was signed. Throws INVALID_SIGNATURE for everything else: a
 * stale one may be a replay.
 */
export function verifyNotification(
  { header, body }: Notification,
  secret: string,
  nowMs: number,
): Verified {
  const { time, signature } = readHeader(header);
  const expected = createHmac("sha256", secret).update(`${time}.`).update(body).digest();
  if (!timingSafeEqual(expected, signature))
    throw refused("The signature does not belong to this body and secret.");
  const ageSeconds = Math.floor(nowMs / 1000) - Number(time);
  const details = { ageSeconds };
  if (ageSeconds > LONGEST_AGE_SECONDS)
    throw refused("The notification is older than five minutes: it may be a replay.", details);
  if (ageSeconds < -LONGEST_AGE_SECONDS)
    throw refused(
      "The notification is more than five minutes from the future: check this machine's clock.",
      details,
    );
  return { signedAt: new Date(Number(time) * 1000).toISOString(), ageSeconds };
}

/** `t` and `v1` once each, in any order; other schemes beside them are ignored. */
function readHeader(header: string): { readonly time: string; readonly signature: Uint8Array } {
  const found = new Map<string, string>();
  for (const part of header.replace(/^\s*x-ledger-signature\s*:/i, "").split(",")) {
    const [, name = "", content = ""] = /^\s*(\w+)=([^=]*?)\s*$/.exec(part) ?? [];
    if (name === "" || found.has(name)) throw refused(MALFORMED);
    found.set(name, content);
  }
  const [time = "", signature = ""] = [found.get("t"), found.get("v1")];
  if (!/^(0|[1-9]\d{0,11})$/.test(time) || !/^[0-9a-f]{64}$/i.test(signature))
    throw refused(MALFORMED);
  return { time, signature: Buffer.from(signature, "hex") };
}

const MALFORMED = "The header is not of the form t=<unix time>,v1=<64 hexadecimal digits>.";

function refused(message: string, details?: unknown): CliError {
  return new CliError("INVALID_SIGNATURE", {
    message,
    hint: "Do not act on this notification.",
    ...(details === undefined ? {} : { details }),
  });
}
