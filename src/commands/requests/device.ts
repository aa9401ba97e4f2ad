/** `requests approve device`: the approval with a Ledger Stax or Flex. */
import * as v from "valibot";
import { command } from "../parts/command.ts";
import { AGAIN, ONCE } from "../parts/decision.ts";
import { DEVICE_ARGS, PERSON } from "../parts/device.ts";
import { NO_SUMMARY } from "../parts/meaning.ts";
import { DryRun, Request, Summary } from "../parts/schemas.ts";
import { REQUEST_ID } from "./id.ts";

export const approveDevice = command({
  summary: "Approve a request on the Ledger Stax or Flex that logged in.",
  notes: [
    PERSON,
    "What the device shows is what is approved. Declining there sends nothing: the request stays as it is.",
    "--dryRun does not use the device; its `summary` is of the request, the device shows the challenge.",
    ONCE,
  ],
  effect: "sign",
  needs: ["api", "deviceApproval"],
  args: {
    id: REQUEST_ID,
    ...DEVICE_ARGS,
    noSummary: NO_SUMMARY,
    again: AGAIN,
  },
  output: Request,
  fails: ["WRONG_SESSION_KIND", "REQUEST_CLOSED", "DUPLICATE_SUSPECTED"],
  fields: "object",
  agent: "tool",
  examples: [
    {
      line: "requests approve device --id REQUEST_ID",
      means: "Read the request on the device and confirm",
    },
  ],
  run: ({ api, deviceApproval }, args) => deviceApproval(api, args),
  dryRun: {
    needs: ["approval", "reader", "draft", "meaning"],
    output: () => v.looseObject({ ...DryRun().entries, summary: v.optional(Summary()) }),
    run: async ({ approval, reader, draft, meaning }, args) => {
      const session = await reader.session();
      approval.requireKind(session, "device");
      const publicKey = session.user?.publicKey ?? "";
      const parameters = { id: args.id, signature: "[not made]", publicKey };
      const request = await draft.describe("requests.deviceApprove", parameters);
      if (args.noSummary) return { dryRun: true, request };
      const asked = await approval.requestOf(reader, args.id);
      return { dryRun: true, request, summary: await meaning.summaryOf(asked, "request", reader) };
    },
  },
});
