/** Notifications that a workspace sends to a web server (V1): whether one is genuine. Offline. */
import * as v from "valibot";
import { bytes, required, text } from "../cli/argument.ts";
import { group } from "../cli/command.ts";
import { decodeUtf8, type Exact, exact, JsonError } from "../io/json.ts";
import { command } from "./parts/command.ts";

/**
 * The notification, token-exact, for a reader who should not take it from anywhere else; null when
 * it is not JSON.
 */
function payloadOf(body: Uint8Array): Exact | null {
  try {
    return exact(decodeUtf8(body, { bom: "refuse" }), { loneSurrogates: "allow" });
  } catch (cause) {
    if (cause instanceof JsonError) return null;
    throw cause;
  }
}

const verify = command({
  summary: "Check the signature and age of a webhook notification; offline.",
  notes: [
    "The secret that was given at registration comes from LEDGER_ENTERPRISE_WEBHOOK_SECRET, or its _FILE or _COMMAND form.",
    "--body must be the bytes as they were received. Older than five minutes is refused: it may be a replay.",
    "`payload` names an object; fetch that object from the API, since the notification itself proves nothing about it.",
  ],
  effect: "local",
  needs: ["config", "clock", "verifyNotification"],
  args: {
    header: required(text("The X-Ledger-Signature header, t=…,v1=….", "<t=…,v1=…>", 1024)),
    body: required(bytes("The body of the notification.")),
  },
  output: () =>
    v.looseObject({
      verified: v.literal(true),
      signedAt: v.string(),
      ageSeconds: v.number(),
      payload: v.unknown(),
    }),
  fields: "object",
  fails: ["INVALID_SIGNATURE", "MISSING_CREDENTIALS", "CONFIG_CONFLICT"],
  ungated: true,
  examples: [
    {
      line: "notifications verify --header t=1767225600,v1=HEX --body @body.json",
      means: "Is this notification genuine?",
    },
  ],
  run: async ({ config, clock, verifyNotification }, { header, body }) => {
    const secret = await config.requiredSecret("WEBHOOK_SECRET");
    const verified = verifyNotification({ header, body }, secret, clock.now());
    return { verified: true, ...verified, payload: payloadOf(body) };
  },
});

export const notifications = group("Webhook notifications of API V1.", { verify });
