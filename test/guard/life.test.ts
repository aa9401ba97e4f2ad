/** How a guard starts, works on and ends; and what its level says. */
import { expect } from "bun:test";
import { chmod, chown, readFile, rm, writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { dirname, join } from "node:path";
import { ROOT } from "../../scripts/build.ts";
import { atRest, until } from "../support/waiting.ts";
import { talk } from "./socket.ts";
import { LONG_MS, withTwoUsers } from "./testing.ts";
import {
  AGENT_UID,
  asUser,
  GUARD_UID,
  type Json,
  openTwoUsers,
  POLICY,
  payment,
  SOURCE_COMMAND,
} from "./twousers.ts";

const life = withTwoUsers("the guard's life");

const STATUS = ["guard", "status"];
type Two = Awaited<ReturnType<typeof openTwoUsers>>;
const create = (two: Two, amount: string) =>
  two.agent("requests", "create", "--requestData", payment(amount));

life(
  "SIGTERM: no new work, a write under way is awaited, exit 0",
  async () => {
    await using two = await openTwoUsers();
    expect((await two.agent("accounts", "list")).exit).toBe(0);
    two.sandbox.control.addFault({ match: { path: "/requests", method: "POST" }, latencyMs: 1e9 });
    const writing = create(two, "1000");
    await until(() => two.writes().length > 0);
    const ending = two.guard.stop();
    await atRest(two.guard.pid);
    expect((await two.agent("accounts", "list")).error.code).toBe("GUARD_UNREACHABLE");
    two.sandbox.control.clearFaults();
    const written = await writing;
    expect([written.exit, written.document]).toMatchObject([0, { key: expect.any(String) }]);
    expect(await ending).toMatchObject({ exit: 0 });
    expect((await two.agent("accounts", "list")).error.code).toBe("GUARD_UNREACHABLE");
    expect((await two.trail()).at(-1)).toMatchObject({ event: "outcome", result: { code: "OK" } });
  },
  LONG_MS,
);

life(
  "SIGTERM: who was not allowed is on record, even where the record has to wait",
  async () => {
    await using two = await openTwoUsers();
    const lock = join(two.state, "journal.lock");
    // Another process is at the journal.
    const who = { pid: process.pid, host: hostname(), token: "other", startedAt: Date.now() };
    await writeFile(lock, `${JSON.stringify({ ...who, aliveAt: Date.now() })}\n`);
    expect(await talk(0, two.socket, "")).toContain('"code":"GUARD_DENIED"');
    const ending = two.guard.stop();
    await atRest(two.guard.pid);
    await rm(lock);
    expect(await ending).toMatchObject({ exit: 0 });
    expect((await two.trail()).at(-1)).toMatchObject({ event: "denied", agent: { uid: 0 } });
  },
  LONG_MS,
);

life(
  "a guard that is killed in a write: OUTCOME_UNKNOWN with its key, and reconcile knows later",
  async () => {
    await using two = await openTwoUsers();
    expect((await two.agent("accounts", "list")).exit).toBe(0);
    two.sandbox.control.addFault({ match: { path: "/requests", method: "POST" }, latencyMs: 1e9 });
    const writing = create(two, "1000");
    // The key went out before that.
    await until(() => two.writes().length > 0);
    two.guard.kill("SIGKILL");
    const { exit, error } = await writing;
    expect([exit, error.code, error.details.key]).toEqual([
      1,
      "OUTCOME_UNKNOWN",
      expect.any(String),
    ]);
    await two.guard.stop();
    await two.guard.start();
    const journal = await two.agent("requests", "journal");
    expect(journal.document.results).toMatchObject([{ key: error.details.key, state: "open" }]);
    const again = await create(two, "1000");
    expect(again.error).toMatchObject({
      code: "DUPLICATE_SUSPECTED",
      details: { key: error.details.key },
    });
    const { document } = await two.agent("requests", "reconcile");
    expect(document.results).toMatchObject([{ key: error.details.key, verdict: "undetermined" }]);
  },
  LONG_MS,
);

life(
  "it starts without a network, and logs in when there is one",
  async () => {
    await using two = await openTwoUsers({
      start: false,
      adopt: undefined,
      guardEnv: { LEDGER_ENTERPRISE_API_URL: "http://127.0.0.1:9/v1/rest" },
    });
    const adopted = await two.asGuard("guard", "adopt", "--reason", "no network");
    expect([adopted.exit, adopted.document.adopted]).toMatchObject([
      0,
      { windows: "closed", user: "" },
    ]);
    await two.guard.start();
    const status = await two.agent("guard", "status");
    expect([status.exit, status.document.level]).toEqual([0, "enforced"]);
    expect((await two.agent("accounts", "list")).error.code).toBe("NETWORK_ERROR");
  },
  LONG_MS,
);

life(
  "windows are closed after an adoption that could not look, and open with --fromZero",
  async () => {
    await using two = await openTwoUsers({ start: false, adopt: ["--fromZero"] });
    await two.guard.start();
    expect((await create(two, "1000")).exit).toBe(0);
    await two.guard.stop();
    const offline = { ...two.guardEnv };
    two.guardEnv.LEDGER_ENTERPRISE_API_URL = "http://127.0.0.1:9/v1/rest";
    expect(
      (await two.asGuard("guard", "adopt", "--reason", "offline")).document.adopted,
    ).toMatchObject({
      windows: "closed",
    });
    two.guardEnv.LEDGER_ENTERPRISE_API_URL = offline.LEDGER_ENTERPRISE_API_URL ?? "";
    expect(await two.guard.start().catch((cause: Error) => cause.message)).toContain(
      "GUARD_NOT_ADOPTED",
    );
  },
  LONG_MS,
);

life(
  "it does not start as root, without a policy, an adoption or an allowed user",
  async () => {
    await using two = await openTwoUsers({ start: false, adopt: undefined });
    const serve = (...more: string[]) =>
      two.asGuard("guard", "serve", "--socket", two.socket, ...more);
    const uid = ["--allowUid", `${AGENT_UID}`];
    const cases: readonly (readonly [argv: string[], code: string])[] = [
      [uid, "GUARD_NOT_ADOPTED"],
      [[], "MISSING_OPTION"],
      [["--allowUid", "0"], "INVALID_ARGUMENT"],
      [["--allowUid", `${GUARD_UID}`], "INVALID_ARGUMENT"],
      [["--allowUid", "65534"], "INVALID_ARGUMENT"],
    ];
    for (const [argv, code] of cases) {
      const { exit, error } = await serve(...argv);
      expect([argv, exit, error.code]).toEqual([argv, 2, code]);
    }
    const noSocket = await two.asGuard("guard", "serve", ...uid);
    expect(noSocket.error.code).toBe("MISSING_OPTION");
    const root = Bun.spawnSync(
      [...two.agentCommand, "guard", "serve", "--socket", two.socket, ...uid],
      {
        env: two.guardEnv,
      },
    );
    expect(root.stdout.toString()).toContain("GUARD_INSECURE");
    expect((await two.asGuard("guard", "adopt", "--reason", "x")).exit).toBe(0);
    for (const policy of ["{", JSON.stringify({ ...POLICY, extra: 1 })]) {
      await two.setPolicy(policy);
      expect((await serve(...uid)).error.code).toBe("POLICY_INVALID");
    }
    await two.setPolicy(POLICY);
    await chmod(two.policyPath, 0o666);
    expect((await serve(...uid)).error.code).toBe("POLICY_INSECURE");
    await chmod(two.policyPath, 0o644);
    two.guardEnv.LEDGER_ENTERPRISE_WORKSPACE = "another";
    expect((await serve(...uid)).error).toMatchObject({
      code: "GUARD_NOT_ADOPTED",
      details: { differs: "workspace" },
    });
  },
  LONG_MS,
);

life(
  "a policy that breaks meanwhile stops reads and writes; guard status names the fault",
  async () => {
    await using two = await openTwoUsers();
    await two.setPolicy({ ...POLICY, windows: [] });
    for (const argv of [
      ["accounts", "list"],
      ["requests", "create", "--requestData", payment("1")],
    ]) {
      const { exit, error } = await two.agent(...argv);
      expect([argv[0], exit, error.code]).toEqual([argv[0], 2, "POLICY_INVALID"]);
    }
    const { document } = await two.agent("guard", "status");
    expect(document).toMatchObject({
      level: "advisory",
      policyFault: { details: { file: two.policyPath, path: "windows" } },
    });
    await two.setPolicy(POLICY);
    expect((await two.agent("accounts", "list")).exit).toBe(0);
  },
  LONG_MS,
);

/** Runs a command on a machine whose /etc has the stop file, and nothing else. */
const STOPPED_MACHINE = [
  ...["unshare", "--mount", "sh", "-ec"],
  'mount -t tmpfs none /etc; mkdir -p /etc/ledger-enterprise-cli; : >/etc/ledger-enterprise-cli/stop; exec "$@"',
  "sh",
];

life(
  "guard status and doctor tell that everything is stopped, by the policy or by the stop file",
  async () => {
    await using two = await openTwoUsers();
    const told = async () => {
      const status = await two.agent("guard", "status", "--fields", "level,stopped");
      const { exit, document } = await two.agent("doctor");
      const mode = (document.findings as Json[]).find(({ check }) => check === "mode");
      return [status.document, exit, mode];
    };
    expect(await told()).toEqual([{ level: "enforced", stopped: null }, 0, undefined]);
    await two.setPolicy({ ...POLICY, stopped: true });
    expect(await told()).toMatchObject([
      { level: "enforced", stopped: "policy" },
      ...[0, { status: "warn", details: { stopped: "policy" } }],
    ]);
    await two.guard.stop();
    const serve = ["guard", "serve", "--socket", two.socket, "--allowUid", `${AGENT_UID}`];
    const guard = Bun.spawn(
      [...STOPPED_MACHINE, ...asUser(GUARD_UID, [...SOURCE_COMMAND, ...serve])],
      { cwd: "/", env: two.guardEnv, stdin: "ignore", stdout: "pipe", stderr: "ignore" },
    );
    const started = await guard.stdout.getReader().read();
    expect(new TextDecoder().decode(started.value)).toContain('"guard"');
    expect(await told()).toMatchObject([
      { level: "enforced", stopped: "stopFile" },
      ...[0, { status: "warn", fix: expect.stringContaining("/etc/ledger-enterprise-cli/stop") }],
    ]);
    const refused = await create(two, "1000");
    expect([refused.error.code, refused.error.details.field]).toEqual(["POLICY_DENIED", "stopped"]);
    const check = await two.agent("policy", "check", "--requestData", payment("1000"));
    expect(check.document).toMatchObject({ allowed: false, rules: [{ field: "stopped" }, {}] });
    const { document } = await two.agent("policy", "show");
    expect(String((document.text as Json)[0])).toStartWith("The stop file is there");
    guard.kill("SIGTERM");
    expect(await guard.exited).toBe(0);
  },
  LONG_MS,
);

/** Where the Debian package's unit listens. */
const unit = await readFile(join(ROOT, "packaging/deb/ledger-enterprise-guard@.socket"), "utf8");
const PACKAGED = /^ListenStream=(.*)$/m.exec(unit)?.[1]?.replace("%i", "payments") ?? "";

/** Runs a command on a machine that has a guard. */
const GUARDED_MACHINE = [
  ...["unshare", "--mount", "sh", "-ec"],
  `mount -t tmpfs none /run; mkdir -p ${dirname(PACKAGED)}; : >${PACKAGED}; exec "$@"`,
  "sh",
];

life("doctor names the guard of this machine to a process that goes past it", () => {
  const doctor = [...GUARDED_MACHINE, ...SOURCE_COMMAND, "doctor", "--offline"];
  const { stdout } = Bun.spawnSync(doctor, { env: { HOME: "/nonexistent" } });
  const { findings } = JSON.parse(stdout.toString()).error.details;
  expect(findings.find(({ check }: Json) => check === "guard")).toMatchObject({
    ...{ status: "warn", fix: expect.stringContaining(PACKAGED), details: { socket: PACKAGED } },
  });
});

life(
  "secret and key are read anew at each use",
  async () => {
    await using two = await openTwoUsers();
    const { document } = await create(two, "1000");
    const key = join(two.folder, "private-key");
    const kept = await readFile(key, "utf8");
    const approve = () =>
      two.agent("requests", "approve", "api", "--id", String(document.id), "--sign");
    await writeFile(key, "00");
    expect((await approve()).error.code).toBe("INVALID_PRIVATE_KEY");
    await writeFile(key, kept);
    expect((await approve()).exit).toBe(0);
  },
  LONG_MS,
);

life(
  "a refused login is repeated at most once a minute",
  async () => {
    await using two = await openTwoUsers({ start: false });
    await writeFile(join(two.folder, "api-key-secret"), "another-secret");
    await writeFile(join(two.state, "session.json"), "{}");
    two.sandbox.control.clearLog();
    await two.guard.start();
    for (let times = 0; times < 3; times += 1)
      expect((await two.agent("accounts", "list")).error.code).toBe("UNAUTHORIZED");
    const logins = two.sandbox.control.log.filter(({ path }) => path.endsWith("/auth/token"));
    expect(logins.length).toBe(1);
  },
  LONG_MS,
);

life(
  "something else with the same credentials: the guard pauses, and the trail says contended",
  async () => {
    await using two = await openTwoUsers();
    const codes: string[] = [];
    for (let times = 0; times < 8; times += 1) {
      two.sandbox.control.addFault({
        match: { path: "/accounts", times: 1 },
        revokeSessions: true,
      });
      codes.push((await two.agent("accounts", "list")).error?.code ?? "OK");
    }
    expect(codes).toContain("RATE_LIMITED");
    await two.guard.stop();
    expect((await two.trail()).map(({ event }) => event)).toContain("contended");
  },
  LONG_MS,
);

life(
  "NOT_AS_SENT closes the windows of the asset until a person adopts",
  async () => {
    await using two = await openTwoUsers();
    two.sandbox.control.set({ dropUnknown: true, unknownNames: ["note"] });
    const noted = JSON.stringify({
      ...JSON.parse(payment("1000")),
      note: { title: "invoice 7", content: "May" },
    });
    const first = await two.agent("requests", "create", "--requestData", noted);
    expect([first.exit, first.error, first.stderr]).toEqual([
      0,
      undefined as never,
      expect.stringContaining("NOT_AS_SENT"),
    ]);
    two.sandbox.control.set({ dropUnknown: false, unknownNames: [] });
    const second = await create(two, "1001");
    expect([second.error.code, second.error.details.field]).toEqual(["POLICY_DENIED", "notAsSent"]);
    const approved = await two.agent(
      "requests",
      "approve",
      "api",
      "--id",
      String(first.document.id),
      "--sign",
    );
    expect([approved.error.code, approved.error.details.field]).toEqual([
      "POLICY_DENIED",
      "notAsSent",
    ]);
    await two.guard.stop();
    expect((await two.asGuard("guard", "adopt", "--reason", "looked at it")).exit).toBe(0);
    await two.guard.start();
    expect((await create(two, "1001")).exit).toBe(0);
  },
  LONG_MS,
);

life(
  "NOT_AS_SENT of a token closes the windows of the token and of its coin, and no others",
  async () => {
    const [rule] = POLICY.allow;
    const [window] = POLICY.windows;
    const currency = "ethereum";
    await using two = await openTwoUsers();
    const list = await two.agent("accounts", "list", "--all");
    const accounts = (list.document.results as Json[]).filter((one) => one.currency === currency);
    const token = accounts.find((one) => one.contractAddress != null);
    const coin = accounts.find((one) => one.contractAddress == null);
    const contract = token?.contractAddress;
    const assets = [{ currency, contract }, { currency }];
    const kind = { transactionTypes: ["ETHEREUM_LIKE_SEND"], accounts: "any", destinations: "any" };
    const fees = { strategies: ["SPEED"], max: "1000" };
    await two.setPolicy({
      ...POLICY,
      allow: [
        rule,
        ...assets.map((asset, at) => {
          return { ...rule, ...kind, id: `eth-${at}`, asset, perRequest: "1000", fees };
        }),
      ],
      windows: [
        window,
        ...assets.map((asset, at) => ({ ...window, id: `day-${at}`, asset, amount: "100000" })),
      ],
    });
    const send = (account: Json | undefined, amount: string, more: object = {}) => {
      const recipient = "0xb550388547691a526190d60C30C2f9E2af03fF3D";
      const common = { accountName: account?.name, amount, currency, maxFees: "1", recipient };
      const data = {
        ...{ accountId: account?.id, transactionType: "ETHEREUM_LIKE_SEND" },
        transactionData: { ...common, ...more },
        feesStrategy: { type: "SPEED", data: { speed: "NORMAL" } },
      };
      const document = JSON.stringify({ type: "CREATE_TRANSACTION", data, ...NOTE });
      return two.agent("requests", "create", "--requestData", document);
    };
    const NOTE = { note: { title: "invoice 7", content: "May" } };
    expect((await send(coin, "1")).error).toBeUndefined();
    two.sandbox.control.set({ dropUnknown: true, unknownNames: ["note"] });
    const lost = await send(token, "2", { contractAddress: contract });
    expect([lost.exit, lost.stderr]).toEqual([0, expect.stringContaining("NOT_AS_SENT")]);
    two.sandbox.control.set({ dropUnknown: false, unknownNames: [] });
    for (const { error } of [
      await send(token, "3", { contractAddress: contract }),
      await send(coin, "4"),
    ])
      expect([error.code, error.details.field]).toEqual(["POLICY_DENIED", "notAsSent"]);
    expect((await create(two, "1001")).exit).toBe(0);
  },
  LONG_MS,
);

life(
  "A14 expectations narrow and never lift: what is unverified is refused with the digest, too",
  async () => {
    await using two = await openTwoUsers();
    const { document } = await create(two, "1000");
    const id = String(document.id);
    const approve = (...more: string[]) =>
      two.agent("requests", "approve", "api", "--id", id, "--sign", ...more);
    const wrong = await approve("--expectPayloadSha256", "0".repeat(64));
    expect([wrong.exit, wrong.error.code]).toEqual([2, "CHALLENGE_MISMATCH"]);
    const other = await approve("--expect", '{"data":{"transaction_data":{"amount":"1001"}}}');
    expect([other.exit, other.error.code]).toEqual([2, "CHALLENGE_MISMATCH"]);
    // A challenge with a member that nothing vouches for.
    two.sandbox.control.set({ alterChallenge: { "data.transaction_data.extra": "x" } });
    const { document: challenge } = await two.agent("requests", "getChallenge", "--id", id);
    const digest = String(challenge.payloadSha256);
    for (const more of [
      [],
      ["--expectPayloadSha256", digest],
      ["--expect", '{"data":{"transaction_data":{"extra":"x"}}}'],
    ]) {
      const { exit, error } = await approve(...more);
      expect([more, exit, error.code]).toEqual([more, 2, "CHALLENGE_MISMATCH"]);
    }
    expect(two.writes().filter((path) => path.endsWith("/approve"))).toEqual([]);
    // A request of somebody else.
    two.sandbox.control.set({ alterChallenge: null });
    expect((await approve()).exit).toBe(0);
  },
  LONG_MS,
);

life(
  "A19 enforced only if every point holds; each broken point alone leads to advisory and its remedy",
  async () => {
    await using two = await openTwoUsers();
    const standing = async (
      run: () => Promise<{ document: Json }> = () => two.agent("guard", "status"),
    ) => {
      const { document } = await run();
      const points = document.points as { point: string; holds: boolean; fix?: string }[];
      const broken = points.filter(({ holds }) => !holds);
      for (const { fix } of broken) expect(fix?.length ?? 0).toBeGreaterThan(20);
      return [document.level, ...broken.map(({ point }) => point)];
    };
    expect(await standing()).toEqual(["enforced"]);
    const env = { LEDGER_ENTERPRISE_API_PRIVATE_KEY_FILE: "/x" };
    expect(await standing(() => two.agentWith(env, "guard", "status"))).toEqual([
      "advisory",
      "noCredentials",
    ]);
    const inGroup = async (name: string) => {
      const line = (await readFile("/etc/group", "utf8"))
        .split("\n")
        .find((one) => one.startsWith(`${name}:`));
      const gid = Number(line?.split(":")[2]);
      const { stdout } = Bun.spawnSync(
        asUser(AGENT_UID, [...two.agentCommand, "guard", "status"], [gid]),
        {
          ...{ cwd: "/", env: two.agentEnv },
        },
      );
      return { document: JSON.parse(stdout.toString()) as Json };
    };
    for (const name of ["sudo", "disk"])
      expect(await standing(() => inGroup(name))).toEqual(["advisory", "noRootGroup"]);
    const inNamespace = async (mapped: number) => {
      const child = Bun.spawn(
        asUser(AGENT_UID, [
          "unshare",
          "--user",
          `--map-user=${mapped}`,
          ...two.agentCommand,
          ...STATUS,
        ]),
        { cwd: "/", env: two.agentEnv, stdin: "ignore", stdout: "pipe" },
      );
      return { document: JSON.parse(await new Response(child.stdout).text()) as Json };
    };
    // A user namespace hides who calls; in it the agent may also be root by name.
    expect(await standing(() => inNamespace(4_711))).toEqual(["advisory", "otherUser"]);
    expect(await standing(() => inNamespace(0))).toEqual(["advisory", "otherUser", "notRoot"]);
    const broken = async (path: string, mode: number, before: number, point: string) => {
      await chmod(path, mode);
      expect(await standing()).toEqual(["advisory", point]);
      await chmod(path, before);
    };
    await broken(join(two.folder, "private-key"), 0o644, 0o600, "secrets");
    await chmod(join(two.state, "journal"), 0o755);
    expect(await standing()).toEqual(["advisory", "state"]);
    await chmod(join(two.state, "journal"), 0o700);
    await chown(two.policyPath, AGENT_UID, AGENT_UID);
    expect(await standing()).toEqual(["advisory", "policy"]);
    await chown(two.policyPath, 0, 0);
    const session = join(two.home, ".local/state/ledger-enterprise-cli");
    Bun.spawnSync(
      asUser(AGENT_UID, [
        "sh",
        "-c",
        `mkdir -p ${session} && chmod 700 ${session} && echo {} > ${session}/session.json && chmod 600 ${session}/session.json`,
      ]),
    );
    expect(await standing()).toEqual(["advisory", "noSession"]);
    expect((await two.agent("logout")).document).toMatchObject({ hadSession: true });
    expect(await standing()).toEqual(["enforced"]);
    const doctor = await two.agent("doctor");
    expect([doctor.exit, doctor.error]).toEqual([0, undefined as never]);
    expect(doctor.document.findings).toMatchObject([
      { check: "guard" },
      { check: "protection", status: "ok" },
    ]);
    await two.guard.stop();
    const gone = await two.agent("doctor");
    expect([gone.exit, gone.error.code]).toEqual([1, "DOCTOR_PROBLEMS"]);
  },
  LONG_MS,
);

life(
  "one approval for each request at a time; a fifth call waits, and does not fail",
  async () => {
    await using two = await openTwoUsers();
    const { document } = await create(two, "1000");
    const id = String(document.id);
    const many = Array.from({ length: 3 }, () =>
      two.agent("requests", "approve", "api", "--id", id, "--sign"),
    );
    const ended = await Promise.all(many);
    expect(ended.filter(({ exit }) => exit === 0).length).toBe(1);
    expect(two.writes().filter((path) => path.endsWith("/approve")).length).toBeLessThanOrEqual(3);
    const reads = await Promise.all(Array.from({ length: 7 }, () => two.agent("accounts", "list")));
    expect(reads.map(({ exit }) => exit)).toEqual([0, 0, 0, 0, 0, 0, 0]);
  },
  LONG_MS,
);

life(
  "journal and trail show a peer its own lines alone",
  async () => {
    await using two = await openTwoUsers();
    await create(two, "1000");
    const own = await two.agent("audit", "list");
    const lines = own.document.results as Json[];
    expect(lines.length).toBeGreaterThan(0);
    for (const { agent } of lines) expect((agent as Json).uid).toBe(AGENT_UID);
    expect((await two.agent("audit", "verify")).document).toMatchObject({ valid: true });
    const status = '{"v":1,"verb":"journal","length":0}\n';
    expect(await talk(AGENT_UID, two.socket, status)).toContain('"state":"done"');
  },
  LONG_MS,
);
