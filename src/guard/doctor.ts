/** The findings of `doctor` behind a guard: whether this process is bound, point by point. */
import { type Finding, stopped } from "../core/doctor/finding.ts";
import { CliError } from "../errors.ts";
import { VERSION } from "../version.ts";
import type { Standing } from "./remote.ts";

/**
 * One finding for the guard, one where everything is stopped, one for each point that does not
 * hold, one for the level.
 */
export function examineBehind({ level, points, status }: Standing): Finding[] {
  const broken = points.filter(({ holds }) => !holds);
  return [
    guardFinding(status),
    ...("uid" in status && status.stopped ? [stopped(status.stopped)] : []),
    ...broken.map(({ point, fix }): Finding => {
      return { check: point, status: "warn", message: `The point '${point}' does not hold.`, fix };
    }),
    level === "enforced"
      ? {
          check: "protection",
          status: "ok",
          message:
            "Protection level enforced: each of its points holds, as far as this user and the guard can see.",
          details: { points: points.map(({ point }) => point) },
        }
      : {
          check: "protection",
          status: "warn",
          message: `Protection level advisory: ${broken.length} of ${points.length} points do not hold.`,
          fix: "Do what the findings above say.",
        },
  ];
}

function guardFinding(status: Standing["status"]): Finding {
  if (status instanceof CliError) {
    const { code, hint: fix } = status;
    const { message, details } = status.facts;
    return { check: "guard", status: "problem", message, fix, code, details };
  }
  const { version, policy, policyFault, newer } = status;
  if (policyFault !== null) {
    const fix = "Have a person correct the guard's policy file; reads and writes wait for it.";
    const { message, details } = policyFault;
    return { check: "guard", status: "problem", message, fix, code: "POLICY_INVALID", details };
  }
  if (newer !== null)
    return {
      check: "guard",
      status: "warn",
      message: `The guard answers, in version ${version}; version ${newer} is published.`,
      fix: "Have a person upgrade the guard.",
    };
  const message =
    version === VERSION
      ? "The guard answers."
      : `The guard answers, in version ${version}; this is version ${VERSION}.`;
  return { check: "guard", status: "ok", message, details: { policy } };
}
