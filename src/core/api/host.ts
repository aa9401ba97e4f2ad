/** What the API's operations need of the world and of the run. */
import type { Config } from "../auth/config.ts";
import type { SessionStore } from "../state/session.ts";
import type { ClientHost } from "./client.ts";

/** What calls with a session need beyond a single exchange. */
export interface ApiHost extends ClientHost {
  readonly config: Config;
  readonly sessions: SessionStore;
}
