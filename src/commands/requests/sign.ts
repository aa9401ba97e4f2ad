/** `requests sign`: the only command whose result is a signature. */
import * as v from "valibot";
import { id, material, required } from "../../cli/argument.ts";
import { missingPrivateKey } from "../../core/auth/config.ts";
import type { Expectations } from "../../core/signing/approval.ts";
import type { Challenge } from "../../core/signing/challenge.ts";
import { CliError } from "../../errors.ts";
import { type Capabilities, command } from "../parts/command.ts";
import { EXPECTATIONS } from "../parts/expectations.ts";

type Host = Pick<Capabilities, "approval" | "reader" | "records" | "sessions" | "log">;

interface SignArguments extends Expectations {
  readonly challenge: string;
  readonly id: string | undefined;
}

interface Reviewed {
  readonly challenge: Challenge;
  readonly review: "matched" | "none";
  readonly unverified: readonly string[];
}

/** Everything that must hold before a signature exists. Throws the challenge and review codes. */
async function examine(host: Host, args: SignArguments): Promise<Reviewed> {
  const { approval } = host;
  const challenge = approval.decodeChallenge(args.challenge);
  approval.requireExpected(challenge, args);
  approval.requireKind(await host.sessions.read(), "api");
  if (args.id !== undefined) await requireOwnChallenge(host, args.id, challenge);
  const isKnown = approval.isKnownShape(challenge.shape);
  const review =
    args.id === undefined
      ? await approval.reviewOffline(host.records, challenge)
      : await approval.reviewOnline(host, args.id, challenge);
  const isConfirmed = args.expect !== undefined || args.expectPayloadSha256 !== undefined;
  const check = isKnown && !isConfirmed ? approval.requireMatch : approval.requireNoDifference;
  if (review !== undefined) check(args.id ?? null, challenge, review);
  if (!isKnown)
    host.log.warn(
      "UNKNOWN_CHALLENGE",
      "The challenge has an unknown shape: nothing in it was compared with a request.",
    );
  if (challenge.document !== undefined && approval.looksLikeToken(challenge.document)) {
    host.log.warn(
      "TOKEN_LIKE",
      "The payload looks like the claims of an access token; a signature over it could pass as one.",
    );
  }
  const matched = isKnown && review?.match === true;
  if (matched && review.unverified.length > 0) {
    host.log.warn(
      "UNVERIFIED_FIELDS",
      "Part of the challenge, or of the request, had nothing to be compared with; see 'unverified'.",
    );
  }
  return {
    challenge,
    review: matched ? "matched" : "none",
    unverified: matched ? review.unverified : [],
  };
}

/** A challenge that was received for another request is not signed for this one. */
async function requireOwnChallenge(
  { reader, records }: Host,
  requestId: string,
  challenge: Challenge,
): Promise<void> {
  const owner = await records.ownerOf(challenge.payloadSha256);
  if (owner === undefined || owner.isFor(await reader.session(), requestId)) return;
  throw new CliError("CHALLENGE_MISMATCH", {
    message: "The challenge was received for another request; nothing was signed.",
    details: { requestId, receivedFor: owner.id, payloadSha256: challenge.payloadSha256 },
    hint: "Fetch this request's own challenge with 'requests getChallenge', and review that one.",
  });
}

function facts(
  { challenge, review, unverified }: Reviewed,
  publicKey: Uint8Array,
): Record<string, unknown> {
  return {
    decoded: challenge.document ?? null,
    payloadSha256: challenge.payloadSha256,
    publicKey: Buffer.from(publicKey).toString("hex"),
    review,
    ...(unverified.length === 0 ? {} : { unverified }),
  };
}

const Signed = () => ({
  decoded: v.nullable(v.looseObject({})),
  payloadSha256: v.string(),
  publicKey: v.string(),
  review: v.picklist(["matched", "none"]),
  unverified: v.optional(v.array(v.string())),
});

export const sign = command({
  summary: "Sign a challenge with the configured key; sends nothing.",
  notes: [
    "Offline, and without a session, unless --id is given. With --id, or when the challenge was fetched here for a request created here, it is reviewed first.",
    "`review` says whether that happened: matched, or none. The key comes from LEDGER_ENTERPRISE_API_PRIVATE_KEY, or a program signs: LEDGER_ENTERPRISE_SIGNER.",
  ],
  effect: "sign",
  needs: ["approval", "reader", "records", "sessions", "log", "keyring"],
  args: {
    challenge: required(material("The challenge as 'requests getChallenge' printed it.")),
    id: id("Request to review the challenge against; reads the request, asks for no challenge."),
    ...EXPECTATIONS,
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
      means: "Sign only if these values stand in it",
    },
  ],
  run: async (host, args) => {
    const reviewed = await examine(host, args);
    const publicKey = await host.keyring.publicKey();
    const session = await host.sessions.read();
    host.approval.requireRegistered(publicKey, session);
    const order = { purpose: "unknown" as const, session, requestId: args.id };
    const signature = await host.keyring.sign({ ...order, content: reviewed.challenge });
    return { signature, ...facts(reviewed, publicKey) };
  },
  dryRun: {
    needs: ["approval", "reader", "records", "sessions", "log", "publicKey"],
    output: () => v.looseObject({ dryRun: v.literal(true), wouldSign: v.looseObject(Signed()) }),
    run: async (host, args) => {
      const reviewed = await examine(host, args);
      const publicKey = await host.publicKey();
      if (publicKey === undefined) throw missingPrivateKey();
      host.approval.requireRegistered(publicKey, await host.sessions.read());
      return { dryRun: true, wouldSign: facts(reviewed, publicKey) };
    },
  },
});
