/** What cannot serve as a guard at all. */
import type { Run } from "../app/occasion.ts";
import { CliError } from "../errors.ts";
import { CHANNEL } from "../version.ts";

/** Throws NOT_SUPPORTED elsewhere than in an executable on Linux, GUARD_INSECURE for root. */
export function requirePlatform({ context }: Pick<Run, "context">): void {
  if (context.platform === "linux" && CHANNEL !== "npm" && context.uid !== undefined) {
    if (context.uid !== 0) return;
    throw new CliError("GUARD_INSECURE", {
      message: "A guard does not run as root: it would hold more than it needs.",
      hint: "Run it as a user of its own (docs/guard.md).",
    });
  }
  throw cannotSee();
}

/** Of a process that cannot see who calls. */
export function cannotSee(): CliError {
  return new CliError("NOT_SUPPORTED", {
    message: "Only the executable for Linux serves as a guard: it must see who calls.",
    hint: "Run the executable on Linux; clients work everywhere.",
  });
}

/** A guard holds the lock of its state folder as long as it lives: what a second one is told. */
export function servedBy(cause: unknown): unknown {
  if (!(cause instanceof CliError) || cause.code !== "LOCK_TIMEOUT") return cause;
  return new CliError("LOCK_TIMEOUT", {
    ...cause.facts,
    message: "A guard serves this state folder.",
    hint: "Stop it first: with systemd its socket and its service. Or name another state folder.",
    cause,
  });
}
