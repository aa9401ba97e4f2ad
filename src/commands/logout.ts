/** `logout`: removes the local session. */
import * as v from "valibot";
import { command } from "./parts/command.ts";

export const logout = command({
  summary: "Remove the local session.",
  notes: ["Works offline and without a session; sends nothing."],
  effect: "session",
  needs: ["sessions", "noteLogout"],
  args: {},
  output: () => v.looseObject({ loggedOut: v.literal(true), hadSession: v.boolean() }),
  ungated: true,
  examples: [{ line: "logout", means: "End the session on this machine" }],
  run: async ({ sessions, noteLogout }) => {
    const hadSession = await sessions.remove();
    if (hadSession) await noteLogout();
    return { loggedOut: true, hadSession };
  },
});
