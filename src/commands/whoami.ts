/** `whoami`: the session, and the user behind it. */
import * as v from "valibot";
import { describeSession, subjectOf } from "../core/state/session.ts";
import { command } from "./parts/command.ts";
import { Session } from "./parts/login.ts";
import { User } from "./users.ts";

export const whoami = command({
  summary: "The session, and the user behind it.",
  notes: [
    "V1 has no current user: `user` is null, and `subject` is the holder of the token, not an id of the API; 'users list' shows each user's `pub_key`.",
  ],
  effect: "read",
  needs: ["reader", "level"],
  args: {},
  output: () =>
    v.looseObject({
      session: Session(),
      user: v.nullable(User()),
      level: v.picklist(["none", "advisory", "enforced"]),
      subject: v.optional(v.string()),
    }),
  fields: "object",
  agent: "tool",
  examples: [{ line: "whoami", means: "Is there a session, whose, and until when?" }],
  run: async ({ reader, level }) => {
    const before = await reader.session();
    const canAsk = before.apiVersion === "v2" && before.kind !== "reporting";
    const user = canAsk ? await reader.read("users.get", { id: "me" }) : null;
    const session = await reader.session();
    return { session: describeSession(session), user, level, subject: subjectOf(session) };
  },
});
