/** `requests approve device`: the approval with a Ledger Stax or Flex. */
import { id, required } from "../../cli/argument.ts";
import { command } from "../parts/command.ts";
import { DEVICE_ARGS, PERSON } from "../parts/device.ts";
import { DryRun, Request } from "../parts/schemas.ts";

export const approveDevice = command({
  summary: "Approve a request on the Ledger Stax or Flex that logged in.",
  notes: [
    PERSON,
    "What the device shows is what is approved. Declining there sends nothing: the request stays as it is.",
    "--dryRun does not use the device.",
  ],
  effect: "sign",
  needs: ["api", "deviceApproval"],
  args: { id: required(id("Id of the request.")), ...DEVICE_ARGS },
  output: Request,
  fails: ["WRONG_SESSION_KIND", "REQUEST_CLOSED"],
  fields: "object",
  examples: [
    {
      line: "requests approve device --id REQUEST_ID",
      means: "Read the request on the device and confirm",
    },
  ],
  run: ({ api, deviceApproval }, args) => deviceApproval(api, args),
  dryRun: {
    needs: ["approval", "reader", "draft"],
    output: DryRun,
    run: async ({ approval, reader, draft }, args) => {
      const session = await reader.session();
      approval.requireKind(session, "device");
      const publicKey = session.user?.publicKey ?? "";
      const parameters = { id: args.id, signature: "[not made]", publicKey };
      return { dryRun: true, request: await draft.describe("requests.deviceApprove", parameters) };
    },
  },
});
