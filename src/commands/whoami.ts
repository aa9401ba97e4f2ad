/** `whoami`: the session, and the user behind it. */
import * as v from "valibot";
import type { Reader } from "../core/api/api.ts";
import { describeSession, subjectOf } from "../core/state/session.ts";
import { CliError } from "../errors.ts";
import type { Exact } from "../io/json.ts";
import type { Log } from "../io/log.ts";
import { command } from "./parts/command.ts";
import { Session } from "./parts/login.ts";
import { User } from "./users.ts";

/** What the API says by which it will not name the user; anything else fails. */
const REFUSED: ReadonlySet<string> = new Set(["FORBIDDEN", "NOT_FOUND", "NOT_SUPPORTED"]);

async function named(reader: Reader, log: Pick<Log, "warn">): Promise<Exact | null> {
  try {
    return await reader.read("users.get", { id: "me" });
  } catch (cause) {
    if (!(cause instanceof CliError) || !REFUSED.has(cause.code)) throw cause;
    log.warn("USER_UNKNOWN", `The API did not name the user of this session (${cause.code}).`);
    return null;
  }
}

export const whoami = command({
  summary: "The session, and the user behind it.",
  notes: [
    "`level` is the level of protection: none, advisory (this user can go round the policy) or enforced (a guard decides).",
    "`user` is null, with a warning, where the API refuses to name the user.",
    "V1 has no current user: `user` is null, and `subject` is the holder of the token, not an id of the API; 'users list' shows each user's `pub_key`.",
  ],
  effect: "read",
  needs: ["reader", "level", "log"],
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
  run: async ({ reader, level, log }) => {
    const before = await reader.session();
    const canAsk = before.apiVersion === "v2" && before.kind !== "reporting";
    const user = canAsk ? await named(reader, log) : null;
    const session = await reader.session();
    return { session: describeSession(session), user, level, subject: subjectOf(session) };
  },
});
