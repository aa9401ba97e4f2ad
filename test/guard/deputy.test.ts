/** An agent that wants the guard to open, read, write or believe something that the agent chose. */
import { expect } from "bun:test";
import { chmod, chown, readFile, stat, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { talk } from "./socket.ts";
import { LONG_MS, withTwoUsers } from "./testing.ts";
import {
  AGENT_UID,
  asUser,
  type Json,
  openTwoUsers,
  POLICY,
  payment,
  SOURCE_COMMAND,
} from "./twousers.ts";

const attack = withTwoUsers("a guard as a deputy");

type Two = Awaited<ReturnType<typeof openTwoUsers>>;

function frame(header: Json, document = ""): string {
  const length = Buffer.byteLength(document);
  return `${JSON.stringify({ v: 1, ...header, length })}\n${document}`;
}

const CREATE = { verb: "create", tag: false, dryRun: false, noSummary: true };
const DECIDE = { dryRun: false };

/** Every member of every verb that takes text, with `path` in it; and documents that name it. */
function naming(path: string): string[] {
  const found = { verb: "read", operation: "accounts.get" };
  return [
    frame({ verb: "read", operation: path, parameters: {} }),
    frame({ ...found, parameters: { id: path } }),
    frame({ ...found, parameters: { id: `../../..${path}` } }),
    frame({ verb: "read", path, query: [] }),
    frame({ verb: "read", path: "/accounts", query: [["file", `@${path}`]] }),
    frame({ verb: "status", session: true, needs: path }),
    ...["challenge", "review"].flatMap((ask) =>
      [path, `../../../..${path}`, `file://${path}`].map((id) =>
        frame({ verb: "review", ask, id, noSummary: false }),
      ),
    ),
    frame({ verb: "review", ask: "review", id: "x", noSummary: true }, `@${path}`),
    frame(CREATE, `@${path}`),
    frame(CREATE, `"@${path}"`),
    frame(CREATE, payment("1", { accountName: `@${path}` })),
    frame(CREATE, payment("1", { recipient: path })),
    frame({ ...CREATE, again: path }, payment("1")),
    ...["approve", "reject"].flatMap((verb) => [
      frame({ verb, id: path, ...DECIDE }),
      frame({ verb, id: `../../../..${path}`, ...DECIDE }),
      frame({ verb, id: "x", sha256: path, ...DECIDE }),
      frame({ verb, id: "x", ...DECIDE }, `@${path}`),
    ]),
    frame({ verb: "reconcile", key: path }),
    frame({ verb: "policy", ask: "request" }, `@${path}`),
    frame({ verb: "policy", ask: "challenge" }, `@${path}`),
    frame({ verb: "audit", ask: "verify", against: path }),
  ];
}

attack(
  "A15 a path in any member of any verb: the guard opens nothing of it",
  async () => {
    await using two = await openTwoUsers();
    const canary = join(two.home, "canary.json");
    await writeFile(canary, payment("1"));
    await chmod(two.home, 0o755);
    const trace = join(two.folder, "trace");
    const tracer = Bun.spawn(
      ["strace", "-f", "-e", "trace=%file", "-p", `${two.guard.pid}`, "-o", trace],
      { stdin: "ignore", stdout: "ignore", stderr: "pipe" },
    );
    const told = tracer.stderr.getReader();
    expect(Buffer.from((await told.read()).value ?? []).toString()).toContain("attached");
    for (const bytes of naming(canary)) {
      const answer = await talk(AGENT_UID, two.socket, bytes);
      expect({ bytes, answer }).toEqual({ bytes, answer: expect.stringContaining('"v":1') });
      expect(answer).not.toContain("RATE_LIMITED");
      expect(answer).not.toContain(JSON.stringify(payment("1")).slice(1, -1));
    }
    tracer.kill();
    await tracer.exited;
    const calls = await readFile(trace, "utf8");
    // It does read its policy for each decision.
    expect(calls).toContain(two.policyPath);
    expect(calls.split("\n").filter((call) => call.includes("canary"))).toEqual([]);
    expect(two.writes()).toEqual([]);
  },
  LONG_MS,
);

attack(
  "A15 files to be written, and links: the client writes with the agent's rights alone",
  async () => {
    await using two = await openTwoUsers();
    const key = join(two.folder, "private-key");
    const before = await readFile(key, "utf8");
    await symlink(key, join(two.home, "link"));
    await symlink(join(two.sockets, "new"), join(two.home, "dangling"));
    for (const path of [
      key,
      join(two.state, "new"),
      join(two.sockets, "new"),
      join(two.home, "link"),
      join(two.home, "dangling"),
      two.policyPath,
      two.socket,
    ]) {
      const drafted = await two.agent(
        ...["requests", "draft", "--accountName", "ClientA COL TBTC 1", "--amount", "0.007 BTC"],
        ...["--toEntry", "Hosting", "--out", path],
      );
      expect({ path, code: drafted.error?.code }).toEqual({
        path,
        code: expect.stringMatching(/^(IO_ERROR|FILE_EXISTS|INVALID_PATH)$/) as unknown as string,
      });
      const given = await two.agent("requests", "create", "--requestData", `@${path}`);
      expect([path, given.exit === 0]).toEqual([path, false]);
      for (const text of [given.stdout, given.stderr]) expect(text).not.toContain(before);
    }
    expect(await readFile(key, "utf8")).toBe(before);
    expect(await stat(join(two.sockets, "new")).catch(({ code }) => code)).toBe("ENOENT");
    expect(two.writes()).toEqual([]);
  },
  LONG_MS,
);

attack(
  "A15 settings, folder and files of the agent's process bind nobody but itself",
  async () => {
    await using two = await openTwoUsers();
    const wide = join(two.home, "wide.json");
    const [rule] = POLICY.allow;
    await writeFile(wide, JSON.stringify({ ...POLICY, allow: [{ ...rule, perRequest: "1" }] }));
    await writeFile(join(two.home, ".env"), `LEDGER_ENTERPRISE_POLICY_FILE=${wide}\n`);
    const env = {
      LEDGER_ENTERPRISE_POLICY_FILE: wide,
      LEDGER_ENTERPRISE_STATE_DIR: join(two.home, "state"),
      LEDGER_ENTERPRISE_READ_ONLY: "",
      LEDGER_ENTERPRISE_AUDIT: "off",
      HTTP_PROXY: "http://127.0.0.1:9",
      HTTPS_PROXY: "http://127.0.0.1:9",
      HOME: two.home,
    };
    const child = Bun.spawn(
      asUser(AGENT_UID, [
        ...["sh", "-c", 'cd "$HOME" && exec "$@"', "sh", ...SOURCE_COMMAND],
        ...["requests", "create", "--requestData", payment("3000001")],
      ]),
      { cwd: "/", env: { ...two.agentEnv, ...env }, stdin: "ignore", stdout: "pipe" },
    );
    const above = JSON.parse(await new Response(child.stdout).text()) as Json;
    expect(above).toMatchObject({ error: { code: "POLICY_DENIED", details: { field: "amount" } } });
    const within = await two.agentWith(env, "requests", "create", "--requestData", payment("1000"));
    expect([within.exit, within.document.key]).toEqual([0, expect.any(String)]);
    expect(two.writes().length).toBe(1);
    await two.guard.stop();
    const events = (await two.trail()).map(({ event }) => event);
    for (const event of ["denied", "intent", "outcome"]) expect(events).toContain(event);
  },
  LONG_MS,
);

/** A shell of the agent that has forgotten that there is a guard. */
async function without(two: Two, env: Record<string, string>, ...argv: string[]): Promise<Json> {
  const { LEDGER_ENTERPRISE_GUARD: _, ...own } = two.agentEnv;
  const child = Bun.spawn(asUser(AGENT_UID, [...two.agentCommand, ...argv]), {
    ...{ cwd: "/", env: { ...own, ...env }, stdin: "ignore", stdout: "pipe", stderr: "ignore" },
  });
  const timer = setTimeout(() => child.kill(), 20_000);
  const text = await new Response(child.stdout).text();
  clearTimeout(timer);
  return JSON.parse(text === "" ? "{}" : text) as Json;
}

attack(
  "A15 a guard of the agent's own: neither the guard's state, socket nor credentials",
  async () => {
    await using two = await openTwoUsers();
    const { LEDGER_ENTERPRISE_STATE_DIR: _, HOME: __, ...settings } = two.guardEnv;
    const own = join(two.home, "own");
    const policy = join(two.home, "policy.json");
    await writeFile(policy, JSON.stringify(POLICY), { mode: 0o600 });
    await chown(policy, AGENT_UID, AGENT_UID);
    const serve = (socket: string) => ["guard", "serve", "--socket", socket, "--allowUid", "1"];
    const tries: readonly (readonly [env: Record<string, string>, argv: string[], code: RegExp])[] =
      [
        // The guard's state.
        [
          { ...settings, LEDGER_ENTERPRISE_STATE_DIR: two.state },
          serve(join(two.home, "a.sock")),
          /^(SESSION_(IO|INSECURE)|AUDIT_\w+|JOURNAL_\w+|MISSING_CREDENTIALS|POLICY_\w+)$/,
        ],
        // A state of its own, and the guard's credentials.
        [
          { ...settings, LEDGER_ENTERPRISE_STATE_DIR: own },
          ["guard", "adopt", "--reason", "mine"],
          /^MISSING_CREDENTIALS$/,
        ],
        [
          { ...settings, LEDGER_ENTERPRISE_STATE_DIR: own },
          ["login", "api"],
          /^MISSING_CREDENTIALS$/,
        ],
        // Credentials that are none, a policy of its own, and the guard's socket.
        [
          {
            ...settings,
            LEDGER_ENTERPRISE_POLICY_FILE: policy,
            LEDGER_ENTERPRISE_STATE_DIR: own,
            LEDGER_ENTERPRISE_API_KEY_SECRET_FILE: policy,
            LEDGER_ENTERPRISE_API_PRIVATE_KEY_FILE: "",
          },
          serve(two.socket),
          /^(GUARD_NOT_ADOPTED|IO_ERROR)$/,
        ],
      ];
    const before = two.sandbox.control.log.length;
    for (const [env, argv, code] of tries) {
      const { error } = await without(two, env, ...argv);
      expect({ argv, code: (error as Json | undefined)?.code }).toEqual({
        argv,
        code: expect.stringMatching(code),
      });
    }
    const calls = two.sandbox.control.log.slice(before);
    expect(calls.filter(({ path }) => !path.includes("/requests")).map(({ path }) => path)).toEqual(
      [],
    );
    expect((await two.agent("guard", "status")).document.level).toBe("enforced");
    expect(two.writes()).toEqual([]);
  },
  LONG_MS,
);
