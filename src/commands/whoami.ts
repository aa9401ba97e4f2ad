/** `whoami`: the session, and the user behind it. */
import * as v from "valibot";
import { describeSession } from "../core/state/session.ts";
import { command } from "./parts/command.ts";
import { Session } from "./parts/login.ts";
import { User } from "./users.ts";

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
