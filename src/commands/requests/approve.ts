/** `requests approve …`: sending a signature, made before or in the same command. */
import { flag, material } from "../../cli/argument.ts";
import { group } from "../../cli/command.ts";
import { CliError } from "../../errors.ts";
import { AGAIN, decision } from "../parts/decision.ts";
import { EXPECTATIONS } from "../parts/expectations.ts";
import { approveDevice } from "./device.ts";
import { REQUEST_ID } from "./id.ts";

const api = decision({
  summary: "Approve a request with the API operator's signature.",
  notes: [
    "--signature: one made by 'requests sign'; it must be over the newest challenge received for this request, which is reviewed again.",
    "--sign: fetch, review, sign and approve at once.",
    "Both are refused unless every field of the challenge is verified or confirmed: --expect confirms the fields that it names, --expectPayloadSha256 all of them, and grave warnings. What was confirmed to the 'requests sign' that made the signature counts.",
    "A difference always refuses, whether this review finds it or an earlier one found it.",
  ],
  operation: "requests.approve",
  args: {
    id: REQUEST_ID,
    signature: material("Signature as 'requests sign' printed it."),
    sign: flag("Fetch the challenge, review it and sign it here."),
    ...EXPECTATIONS,
    again: AGAIN,
  },
  examples: [
    {
      line: "requests approve api --id REQUEST_ID --signature SIGNATURE",
      means: "Review and send a signature made before",
    },
    {
      line: "requests approve api --id REQUEST_ID --sign",
      means: "Review, sign and approve in one command",
    },
  ],
  orderOf: ({ sign, signature, ...order }) => {
    if ((signature === undefined) === sign)
      return { ...order, decision: "APPROVE", signature: signature?.trim() };
    throw new CliError("INVALID_ARGUMENT", {
      message: "Give exactly one of --signature and --sign.",
      hint: "Run 'requests review' first, show a person what it decoded, then run this again with --sign.",
      field: "--signature",
    });
  },
});

export const approve = group("Approve a request.", { api, device: approveDevice });
