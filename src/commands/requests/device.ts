/** Login and approval with a Ledger Stax or Flex. */
import { id, required, seconds, text, withDefault } from "../../cli/argument.ts";
import { describeSession } from "../../core/state/session.ts";
import { command } from "../parts/command.ts";
import { LOGIN_ARGS, SessionResult } from "../parts/login.ts";
import { DryRun, Request } from "../parts/schemas.ts";

const DEVICE_ARGS = {
  device: text(
    "Path of the device, needed when several are connected; 'doctor' lists them.",
    "<path>",
    1024,
  ),
  deviceTimeout: withDefault(
    seconds("Seconds for a person to act on the device, each time.", 1, 3600),
    300,
  ),
};

const PERSON = "A person must unlock the device and confirm on it; a line on stderr says when.";

export const loginDevice = command({
  summary: "Log in with a Ledger Stax or Flex.",
  notes: [
    PERSON,
    "The session remembers the device: 'requests approve device' works with this one only.",
    "The server's side of this login is not publicly documented; it may answer DEVICE_LOGIN_UNSUPPORTED.",
  ],
  effect: "session",
  needs: ["host", "device"],
  args: { ...LOGIN_ARGS, ...DEVICE_ARGS },
  output: SessionResult,
  examples: [
    {
      line: "login device",
      means: "Address and workspace from the environment; confirm on the device",
    },
  ],
  run: async ({ host, device }, args) => ({
    session: describeSession(await (await device()).login(host, args)),
  }),
});

export const approveDevice = command({
  summary: "Approve a request on the Ledger Stax or Flex that logged in.",
  notes: [
    PERSON,
    "What the device shows is what is approved. Declining there sends nothing: the request stays as it is.",
    "--dryRun does not use the device.",
  ],
  effect: "sign",
  needs: ["api", "device"],
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
  run: async ({ api, device }, args) => (await device()).approve(api, args),
  rehearsal: {
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
