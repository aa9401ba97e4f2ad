/** `guard …`: a second process, of another user, that holds the credentials and decides. */
import * as v from "valibot";
import { flag, integer, many, path, required, text } from "../cli/argument.ts";
import { group } from "../cli/command.ts";
import { STOPS } from "../core/policy/places.ts";
import { CliError } from "../errors.ts";
import { VERSION } from "../version.ts";
import { command } from "./parts/command.ts";
import { LOGIN_ARGS } from "./parts/login.ts";

const LEVEL = v.picklist(["none", "advisory", "enforced"]);

const { apiVersion } = LOGIN_ARGS;

const serve = command({
  summary:
    "Hold the credentials and serve an agent of another user until stopped (Linux executable).",
  notes: [
    "Run it as a user of its own, by the service manager. It needs a policy, and a state folder that 'guard adopt' accepted.",
    "Clients set LEDGER_ENTERPRISE_GUARD to the socket's path; their commands stay the same.",
    "Without --socket it takes the socket that the service manager opened.",
    "It ends with exit 0 on SIGTERM, after at most 30 seconds for writes under way.",
  ],
  effect: "local",
  needs: ["guard"],
  args: {
    socket: path("Socket to listen on; its folder must exist."),
    allowUid: many(integer("User that it serves, by number.", 0, 4_294_967_295)),
    apiVersion,
  },
  output: () =>
    v.looseObject({
      version: v.string(),
      guard: v.looseObject({
        socket: v.nullable(v.string()),
        uid: v.number(),
        allowUid: v.array(v.number()),
      }),
    }),
  ungated: true,
  serves: true,
  examples: [
    {
      line: "guard serve --socket guard/payments.sock --allowUid 1000",
      means: "Serve the user 1000",
    },
  ],
  run: ({ guard }, args) => guard.serve(args),
});

/** The first point, where no guard is named at all. */
const NO_GUARD = {
  point: "reachable",
  holds: false,
  fix: "Set LEDGER_ENTERPRISE_GUARD to the guard's socket where the agent runs; without it no command goes through a guard.",
};

const status = command({
  summary: "Show the level of protection, the policy, and each point that the level depends on.",
  notes: [
    "`level` is `enforced` only if every point holds; `fix` says what a person does about one that does not.",
    "`stopped` is `stopFile` or `policy` while that refuses every write and signature.",
    "Fails when the guard that LEDGER_ENTERPRISE_GUARD names cannot be asked.",
  ],
  effect: "local",
  needs: ["protection"],
  args: {},
  output: () =>
    v.looseObject({
      version: v.string(),
      level: LEVEL,
      policy: v.nullable(v.looseObject({ id: v.string(), sha256: v.string(), since: v.string() })),
      stopped: v.optional(v.nullable(v.picklist(STOPS))),
      peer: v.nullable(v.looseObject({ uid: v.number() })),
      counts: v.looseObject({}),
      points: v.array(
        v.looseObject({ point: v.string(), holds: v.boolean(), fix: v.optional(v.string()) }),
      ),
    }),
  fields: "object",
  ungated: true,
  examples: [{ line: "guard status", means: "Is the policy enforced?" }],
  run: async ({ protection }) => {
    const standing = await protection();
    if (!("points" in standing))
      return {
        ...{ version: VERSION, level: standing.level, policy: null, stopped: standing.stopped },
        ...{ peer: null, counts: {}, points: [NO_GUARD] },
      };
    const { level, status: found } = standing;
    if (found instanceof CliError) throw found;
    const { version, policy, policyFault, stopped, peer, counts, newer } = found;
    const points = standing.points.map(({ point, holds, fix }) =>
      holds ? { point, holds } : { point, holds, fix },
    );
    const fault = policyFault === null ? {} : { policyFault };
    return { version, level, policy, ...fault, stopped, peer, counts, newer, points };
  },
});

const adopt = command({
  summary: "Accept the present state as this guard's; a person decides.",
  notes: [
    "Run as the guard's user, with its environment, while the guard is stopped.",
    "Needed for a first start, another workspace or user, a restored state folder, and requests that the guard did not create.",
    "Windows then begin at the sum that the server shows on V2; elsewhere they stay closed for their time, unless --fromZero is given.",
  ],
  effect: "local",
  needs: ["guard"],
  args: {
    reason: required(text("Why, for those who read the audit trail.", "<text>", 500)),
    fromZero: flag("Begin every window at nothing, whatever the server shows."),
    apiVersion,
  },
  output: () =>
    v.looseObject({
      adopted: v.looseObject({
        origin: v.string(),
        basePath: v.string(),
        workspace: v.string(),
        user: v.string(),
        windows: v.picklist(["sum", "zero", "closed"]),
        requests: v.number(),
      }),
    }),
  ungated: true,
  needsConfirmation: true,
  examples: [{ line: 'guard adopt --reason "first start"', means: "Before a guard's first start" }],
  run: async ({ guard }, args) => ({ adopted: await guard.adopt(args) }),
});

export const guard = group("A process of another user that holds the credentials and decides.", {
  serve,
  status,
  adopt,
});
