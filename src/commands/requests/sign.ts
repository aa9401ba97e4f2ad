/** `requests sign`: the only command whose result is a signature. */
import * as v from "valibot";
import { id, material, required } from "../../cli/argument.ts";
import type { Examinable } from "../../core/signing/authorise.ts";
import { command } from "../parts/command.ts";
import { EXPECTATIONS } from "../parts/expectations.ts";
import { NO_SUMMARY } from "../parts/meaning.ts";
import { Summary } from "../parts/schemas.ts";

function facts({ challenge, publicKey, verdict, unverified }: Examinable): Record<string, unknown> {
  return {
    decoded: challenge.document ?? null,
    payloadSha256: challenge.payloadSha256,
    publicKey: Buffer.from(publicKey).toString("hex"),
    review: verdict,
    ...(unverified.length === 0 ? {} : { unverified }),
  };
}

const Signed = () => ({
  decoded: v.nullable(v.looseObject({})),
  payloadSha256: v.string(),
  publicKey: v.string(),
  review: v.picklist(["matched", "partial", "none"]),
  unverified: v.optional(v.array(v.string())),
});

export const sign = command({
  summary: "Sign a challenge with the configured key; sends nothing.",
  notes: [
    "Offline, and without a session, unless --id is given. With --id, or when the challenge was fetched here for a request created here, it is reviewed first.",
    "`review` is the result: matched (everything was compared), partial (`unverified` lists the rest) or none.",
    "A challenge whose review was refused here is signed with --expectPayloadSha256 only, and 'requests approve' refuses it all the same.",
  ],
  effect: "sign",
  needs: ["signing"],
  args: {
    challenge: required(material("The challenge as 'requests getChallenge' printed it.")),
    id: id("Request to review the challenge against; reads the request, asks for no challenge."),
    ...EXPECTATIONS,
    noSummary: NO_SUMMARY,
  },
  output: () => v.looseObject({ signature: v.string(), ...Signed() }),
  fields: "object",
  fails: ["INVALID_CHALLENGE", "CHALLENGE_MISMATCH", "KEY_MISMATCH", "WRONG_SESSION_KIND"],
  examples: [
    {
      line: "requests sign --id REQUEST_ID --challenge CHALLENGE",
      means: "Review against the request, then sign",
    },
    {
      line: "requests sign --challenge @challenge.txt --expect @intent.json",
      means: "Sign only if it contains these values",
    },
  ],
  run: async ({ signing }, { noSummary: _, ...args }) => {
    const signed = await signing.sign(args);
    return { signature: signed.signature, ...facts(signed) };
  },
  dryRun: {
    needs: ["examination"],
    output: () =>
      v.looseObject({
        ...{ dryRun: v.literal(true), summary: v.optional(Summary()) },
        wouldSign: v.looseObject(Signed()),
      }),
    run: async ({ examination }, args) => {
      const examined = await examination.signing(args);
      return { dryRun: true, summary: examined.summary, wouldSign: facts(examined) };
    },
  },
});
