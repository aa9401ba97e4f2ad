/** `login …`: one login for each kind of credentials. */
import { group } from "../cli/command.ts";
import { describeSession } from "../core/state/session.ts";
import { command } from "./parts/command.ts";
import { DEVICE_ARGS, PERSON } from "./parts/device.ts";
import { LOGIN_ARGS, SessionResult } from "./parts/login.ts";

export const login = group("Log in to a workspace.", {
  api: command({
    summary: "Log in with API-operator credentials from the environment.",
    notes: [
      "Reads LEDGER_ENTERPRISE_API_KEY_ID and LEDGER_ENTERPRISE_API_KEY_SECRET (or its _FILE or _COMMAND form); secrets are never options.",
      "The new session replaces the old one only when the login succeeded.",
    ],
    effect: "session",
    needs: ["apiLogin"],
    args: LOGIN_ARGS,
    output: SessionResult,
    fields: "object",
    examples: [{ line: "login api", means: "Address, workspace and key from the environment" }],
    run: async ({ apiLogin }, args) => ({
      session: describeSession(await apiLogin(args)),
    }),
  }),
  device: command({
    summary: "Log in with a Ledger Stax or Flex.",
    notes: [
      PERSON,
      "The session remembers the device: 'requests approve device' works with this one only.",
      "The server's side of this login is not publicly documented; it may answer DEVICE_LOGIN_UNSUPPORTED.",
    ],
    effect: "session",
    needs: ["deviceLogin"],
    args: { ...LOGIN_ARGS, ...DEVICE_ARGS },
    output: SessionResult,
    fields: "object",
    examples: [
      {
        line: "login device",
        means: "Address and workspace from the environment; confirm on the device",
      },
    ],
    run: async ({ deviceLogin }, args) => ({
      session: describeSession(await deviceLogin(args)),
    }),
  }),
  reporting: command({
    summary: "Log in with a reporting key, which only reads, on API V1.",
    notes: [
      "Reads LEDGER_ENTERPRISE_REPORTING_API_KEY, or its _FILE or _COMMAND form, now and at each later command; only its fingerprint is stored.",
      "Commands that write or sign answer WRONG_SESSION_KIND in such a session.",
    ],
    effect: "session",
    needs: ["reportingLogin"],
    args: LOGIN_ARGS,
    output: SessionResult,
    fields: "object",
    examples: [
      {
        line: "login reporting --baseUrl https://api.vault.ledger.com",
        means: "Read-only access for reports",
      },
    ],
    run: async ({ reportingLogin }, args) => ({
      session: describeSession(await reportingLogin(args)),
    }),
  }),
});
