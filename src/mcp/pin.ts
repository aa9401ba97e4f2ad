/** The session that a server was started with: server, workspace and user stay the same. */
import type { Session } from "../core/state/session.ts";
import { CliError } from "../errors.ts";

export class Pin {
  private session: Session | undefined;

  /** Accepts the first session, and after that the same one. Throws SESSION_MISMATCH. */
  accept(session: Session): void {
    this.session ??= session;
    if (placeOf(session) === this.place) return;
    throw new CliError("SESSION_MISMATCH", {
      message: "The session is of another server, workspace or user than when this server began.",
      hint: "Restart the client's connection to this server to work with the new session.",
    });
  }

  /** What must stay the same; empty before the first session. */
  get place(): string {
    return this.session === undefined ? "" : placeOf(this.session);
  }

  get workspace(): string | undefined {
    return this.session?.workspace;
  }
}

function placeOf({ origin, basePath, workspace, user }: Session): string {
  return JSON.stringify([origin, basePath, workspace, user?.id ?? user?.name ?? null]);
}
