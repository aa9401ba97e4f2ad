/** What calls to the API need beyond one exchange. */
import type { Runtime } from "../../io/runtime.ts";
import type { Config } from "../auth/config.ts";
import type { SessionStore } from "../state/session.ts";

/** The settings, the session, and the network that reaches the API. */
export interface Access {
  readonly runtime: Runtime;
  readonly config: Config;
  readonly sessions: SessionStore;
}
