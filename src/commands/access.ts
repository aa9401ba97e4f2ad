/** Logging in and out, and who is logged in. */
import * as v from "valibot";
import { group } from "../cli/command.ts";
import { describeSession } from "../core/state/session.ts";
import { command } from "./parts/command.ts";
import { LOGIN_ARGS, Session, SessionResult } from "./parts/login.ts";
import { User } from "./parts/schemas.ts";
import { loginDevice } from "./requests/device.ts";

export const login = group("Log in to a workspace.", {
  api: command({
    summary: "Log in with API-operator credentials from the environment.",
    notes: [
      "Reads LEDGER_ENTERPRISE_API_KEY_ID and LEDGER_ENTERPRISE_API_KEY_SECRET (or its _FILE form); secrets are never options.",
      "The new session replaces the old one only when the login succeeded.",
    ],
    effect: "session",
    needs: ["host", "logins"],
    args: LOGIN_ARGS,
    output: SessionResult,
    fields: "object",
    examples: [{ line: "login api", means: "Address, workspace and key from the environment" }],
    run: async ({ host, logins }, args) => ({
      session: describeSession(await logins.loginWithApiKey(host, args)),
    }),
  }),
  device: loginDevice,
  reporting: command({
    summary: "Log in with a reporting key, which only reads, on API V1.",
    notes: [
      "Reads LEDGER_ENTERPRISE_REPORTING_API_KEY or its _FILE form, now and at each later command; only its fingerprint is stored.",
      "Commands that write or sign answer WRONG_SESSION_KIND in such a session.",
    ],
    effect: "session",
    needs: ["host", "logins"],
    args: LOGIN_ARGS,
    output: SessionResult,
    fields: "object",
    examples: [
      {
        line: "login reporting --baseUrl https://api.vault.ledger.com",
        means: "Read-only access for reports",
      },
    ],
    run: async ({ host, logins }, args) => ({
      session: describeSession(await logins.loginWithReportingKey(host, args)),
    }),
  }),
});

export const logout = command({
  summary: "Remove the local session.",
  notes: ["Works offline and without a session; sends nothing."],
  effect: "session",
  needs: ["sessions"],
  args: {},
  output: () => v.looseObject({ loggedOut: v.literal(true), hadSession: v.boolean() }),
  ungated: true,
  examples: [{ line: "logout", means: "End the session on this machine" }],
  run: async ({ sessions }) => ({ loggedOut: true, hadSession: await sessions.remove() }),
});

export const whoami = command({
  summary: "The session, and the user behind it.",
  effect: "read",
  needs: ["reader"],
  args: {},
  output: () => v.looseObject({ session: Session(), user: v.nullable(User()) }),
  fields: "object",
  examples: [{ line: "whoami", means: "Is there a session, whose, and until when?" }],
  run: async ({ reader }) => {
    const before = await reader.session();
    const canAsk = before.apiVersion === "v2" && before.kind !== "reporting";
    const user = canAsk ? await reader.read("users.get", { id: "me" }) : null;
    return { session: describeSession(await reader.session()), user };
  },
});
