/** `requests approve …`: sending a signature, made before or in the same command. */
import { flag, id, material, required } from "../../cli/argument.ts";
import { group } from "../../cli/command.ts";
import { missingPrivateKey } from "../../core/auth/config.ts";
import type { Expectations } from "../../core/signing/approval.ts";
import { CliError } from "../../errors.ts";
import { command } from "../parts/command.ts";
import { EXPECTATIONS } from "../parts/expectations.ts";
import { DryRun, Request } from "../parts/schemas.ts";
import { approveDevice } from "./device.ts";

interface ApproveArguments extends Expectations {
  readonly id: string;
  readonly signature: string | undefined;
  readonly sign: boolean;
}

/**
 * Exactly one of --signature and --sign. Gives the signature, or undefined when it is to be made.
 */
function givenSignature({ signature, sign }: ApproveArguments): string | undefined {
  if ((signature === undefined) !== sign) {
    throw new CliError("INVALID_ARGUMENT", {
      message: "Give exactly one of --signature and --sign.",
      hint: "Run 'requests review' first, show a person what it decoded, then run this again with --sign.",
      field: "--signature",
    });
  }
  return signature?.trim();
}

const api = command({
  summary: "Approve a request with the API operator's signature.",
  notes: [
    "--signature: one made by 'requests sign'; it must be over the newest challenge received for this request.",
    "--sign: fetch, review, sign and approve at once; refused unless every field of the challenge is verified or --expect… confirms it.",
  ],
  effect: "sign",
  needs: ["approval", "api", "records", "keyring", "publicKey"],
  args: {
    id: required(id("Id of the request.")),
    signature: material("Signature as 'requests sign' printed it."),
    sign: flag("Fetch the challenge, review it and sign it here."),
    ...EXPECTATIONS,
  },
  output: Request,
  fails: [
    ...(["INVALID_CHALLENGE", "CHALLENGE_MISMATCH", "INVALID_SIGNATURE"] as const),
    ...(["KEY_MISMATCH", "WRONG_SESSION_KIND"] as const),
  ],
  fields: "object",
  examples: [
    {
      line: "requests approve api --id REQUEST_ID --signature SIGNATURE",
      means: "Send a signature made before",
    },
    {
      line: "requests approve api --id REQUEST_ID --sign",
      means: "Review, sign and approve in one command",
    },
  ],
  run: async ({ approval, api: connection, records, keyring, publicKey }, args) => {
    const given = givenSignature(args);
    const host = { reader: connection, records };
    const session = await connection.session();
    approval.requireKind(session, "api");
    if (given !== undefined) {
      await approval.checkSignature(host, args.id, given, await publicKey(), args);
      return connection.write("requests.approve", { id: args.id, signature: given });
    }
    approval.requireRegistered(await keyring.publicKey(), session);
    const { challenge } = await approval.examine(host, args.id, args);
    const order = { session, requestId: args.id, content: challenge };
    const signature = await keyring.sign({ purpose: "approve", ...order });
    return connection.write("requests.approve", { id: args.id, signature }, undefined, challenge);
  },
  dryRun: {
    needs: ["approval", "reader", "records", "draft", "publicKey"],
    output: DryRun,
    run: async ({ approval, reader, records, draft, publicKey }, args) => {
      const given = givenSignature(args);
      const session = await reader.session();
      approval.requireKind(session, "api");
      const key = await publicKey();
      if (given !== undefined) {
        await approval.checkSignature({ reader, records }, args.id, given, key, args);
        return {
          dryRun: true,
          request: await draft.describe("requests.approve", { id: args.id, signature: given }),
        };
      }
      if (key === undefined) throw missingPrivateKey();
      approval.requireRegistered(key, session);
      const { challenge, review } = await approval.examine({ reader, records }, args.id, args);
      const request = await draft.describe("requests.approve", {
        id: args.id,
        signature: "[not made]",
      });
      return { dryRun: true, request, review: approval.reviewReport(args.id, challenge, review) };
    },
  },
});

export const approve = group("Approve a request.", { api, device: approveDevice });
