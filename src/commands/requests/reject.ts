/**
 * `requests reject …`: a rejection is signed like an approval, over a challenge of its own that
 * says so.
 */
import { id, required } from "../../cli/argument.ts";
import { group } from "../../cli/command.ts";
import { missingFrom } from "../../core/api/dialect.ts";
import { missingPrivateKey } from "../../core/auth/config.ts";
import { command } from "../parts/command.ts";
import { EXPECTATIONS } from "../parts/expectations.ts";
import { DryRun, Request } from "../parts/schemas.ts";

const api = command({
  summary: "Reject a request with the API operator's signature on API V1.",
  notes: [
    "Fetches the challenge of the rejection, reviews it, signs it and rejects; refused unless every field is verified or --expect… confirms it.",
    "A challenge that would approve is never signed here.",
    ...missingFrom("requests.reject"),
  ],
  effect: "sign",
  needs: ["approval", "api", "records", "keyring"],
  args: { id: required(id("Id of the request.")), ...EXPECTATIONS },
  output: Request,
  fails: ["INVALID_CHALLENGE", "CHALLENGE_MISMATCH", "KEY_MISMATCH", "WRONG_SESSION_KIND"],
  fields: "object",
  examples: [
    {
      line: "requests reject api --id REQUEST_ID",
      means: "Review, sign and reject in one command",
    },
  ],
  run: async ({ approval, api: connection, records, keyring }, args) => {
    const session = await connection.session("requests.reject");
    approval.requireKind(session, "api");
    approval.requireRegistered(await keyring.publicKey(), session);
    const { challenge } = await approval.examine(
      { reader: connection, records },
      args.id,
      args,
      "REJECT",
    );
    const order = { session, requestId: args.id, content: challenge };
    const signature = await keyring.sign({ purpose: "reject", ...order });
    return connection.write("requests.reject", { id: args.id, signature }, undefined, challenge);
  },
  dryRun: {
    needs: ["approval", "reader", "records", "draft", "publicKey"],
    output: DryRun,
    run: async ({ approval, reader, records, draft, publicKey }, args) => {
      const session = await reader.session("requests.reject");
      approval.requireKind(session, "api");
      const request = await draft.describe("requests.reject", {
        id: args.id,
        signature: "[not made]",
      });
      const key = await publicKey();
      if (key === undefined) throw missingPrivateKey();
      approval.requireRegistered(key, session);
      const { challenge, review } = await approval.examine(
        { reader, records },
        args.id,
        args,
        "REJECT",
      );
      return { dryRun: true, request, review: approval.reviewReport(args.id, challenge, review) };
    },
  },
});

export const reject = group("Reject a request.", { api });
