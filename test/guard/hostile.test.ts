/** What an agent of another user tries against a guard; the API sees nothing outside the policy. */
import { expect, test } from "bun:test";
import { chmod, chown, cp, mkdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { lacks } from "../support/programs.ts";
import { talk } from "./socket.ts";
import { LONG_MS, withTwoUsers } from "./testing.ts";
import {
  AGENT_UID,
  asUser,
  type Json,
  OBSTACLE,
  OTHER_UID,
  openTwoUsers,
  payment,
} from "./twousers.ts";

const attack = withTwoUsers("the guard's attacks");

type Two = Awaited<ReturnType<typeof openTwoUsers>>;

/** A shell command as the agent. */
async function shell(two: Two, script: string, env: Record<string, string> = {}): Promise<string> {
  const child = Bun.spawn(asUser(AGENT_UID, ["sh", "-c", script]), {
    ...{ cwd: "/", env: { ...two.agentEnv, ...env }, stdin: "ignore", stdout: "pipe" },
    stderr: "pipe",
  });
  const texts = [new Response(child.stdout).text(), new Response(child.stderr).text()];
  const text = (await Promise.all(texts)).join("");
  await child.exited;
  return `${text}exit ${child.exitCode}`;
}

function frame(header: Json, document = ""): string {
  const length = Buffer.byteLength(document);
  return `${JSON.stringify({ v: 1, ...header, length })}\n${document}`;
}

const CREATE = { verb: "create", tag: false, dryRun: false, noSummary: true };
const STATUS = frame({ verb: "status", session: false });

async function requireAlive(two: Two): Promise<void> {
  let said = await talk(AGENT_UID, two.socket, STATUS);
  // A guard that was held up may not have seen yet that others have left.
  for (let more = 10; more > 0 && said.includes("connections at once"); more -= 1) {
    await Bun.sleep(200);
    said = await talk(AGENT_UID, two.socket, STATUS);
  }
  expect(said).toContain('"ok":true');
}

/** Everything secret that there is, as text. */
async function secretsOf(two: Two): Promise<string[]> {
  const session = JSON.parse(await readFile(join(two.state, "session.json"), "utf8")) as Json;
  const { access, refresh } = session.tokens as Record<string, string>;
  const { apiKeySecret, privateKey } = two.operator;
  return [access ?? "", refresh ?? "", apiKeySecret, privateKey].filter((one) => one !== "");
}

attack(
  "A16 junk, unknown verbs, members and versions are refused; the guard lives",
  async () => {
    await using two = await openTwoUsers();
    const refused: readonly (readonly [bytes: string | Uint8Array, code: string])[] = [
      ["\n", "GUARD_INCOMPATIBLE"],
      ["{}\n", "GUARD_INCOMPATIBLE"],
      [new Uint8Array([0xff, 0xfe, 0x00, 0x0a]), "GUARD_INCOMPATIBLE"],
      ["GET / HTTP/1.1\r\n\r\n", "GUARD_INCOMPATIBLE"],
      [frame({ verb: "sign", payload: "00" }), "GUARD_INCOMPATIBLE"],
      [frame({ v: 2, verb: "status", session: false }), "GUARD_INCOMPATIBLE"],
      [frame({ verb: "status", session: false, files: ["/etc/shadow"] }), "GUARD_INCOMPATIBLE"],
      [frame({ ...CREATE, allowUnknown: true }, payment("1")), "GUARD_INCOMPATIBLE"],
      [
        frame({ verb: "approve", id: "x", dryRun: false, signature: "a.b.c" }),
        "GUARD_INCOMPATIBLE",
      ],
      ['{"v":1,"verb":"status","session":false,"length":0,"length":0}\n', "GUARD_INCOMPATIBLE"],
      [`${STATUS}more`, "GUARD_INCOMPATIBLE"],
      ["x".repeat(70_000), "GUARD_INCOMPATIBLE"],
      [`{"v":1,"verb":"journal","length":${1024 * 1024 + 1}}\n`, "PAYLOAD_TOO_LARGE"],
      [frame(CREATE, "not json"), "INVALID_JSON"],
      [frame(CREATE, "[".repeat(1024 * 1024)), "INVALID_JSON"],
      [`{"v":1,"verb":${"[".repeat(60_000)}\n`, "GUARD_INCOMPATIBLE"],
      [frame({ verb: "read", operation: "requests.create", parameters: {} }), "NOT_SUPPORTED"],
      [frame({ verb: "read", operation: "__proto__", parameters: {} }), "NOT_SUPPORTED"],
      [
        frame({ verb: "read", operation: "requests.challenge", parameters: { id: "x" } }),
        "NOT_SUPPORTED",
      ],
      [frame({ verb: "read", path: "/requests/x/challenge", query: [] }), "INVALID_ARGUMENT"],
      [frame({ verb: "read", path: "/../../etc/shadow", query: [] }), "INVALID_ARGUMENT"],
      [frame({ verb: "read", path: "//evil.example/x", query: [] }), "INVALID_ARGUMENT"],
      [frame({ verb: "read", path: "/accounts?x=1", query: [] }), "INVALID_ARGUMENT"],
    ];
    for (const [bytes, code] of refused) {
      const answer = await talk(AGENT_UID, two.socket, bytes);
      expect({ bytes: String(bytes).slice(0, 80), answer }).toEqual({
        bytes: String(bytes).slice(0, 80),
        answer: expect.stringContaining(`"code":"${code}"`),
      });
    }
    await requireAlive(two);
    expect(two.writes()).toEqual([]);
  },
  LONG_MS,
);

attack(
  "A16 200 idle connections: eight are held, for five seconds, and memory stays",
  async () => {
    await using two = await openTwoUsers();
    const rss = async (): Promise<number> =>
      Number(/VmRSS:\s+(\d+)/.exec(await readFile(`/proc/${two.guard.pid}/status`, "utf8"))?.[1]);
    const before = await rss();
    const said = await talk(AGENT_UID, two.socket, '{"v":1', { count: 200, seconds: 30 });
    expect(said).not.toContain("late");
    expect(said.match(/"code":"RATE_LIMITED"/g)?.length).toBeGreaterThanOrEqual(100);
    expect((await rss()) - before).toBeLessThan(40 * 1024);
    expect(two.writes()).toEqual([]);
    const alive = await talk(AGENT_UID, two.socket, STATUS);
    // The calls of this minute are used up; it answers all the same.
    expect(alive).toMatch(/"ok":true|calls a minute/);
  },
  LONG_MS,
);

attack(
  "A16 a client that goes away at any byte causes at most one request, and the journal knows",
  async () => {
    await using two = await openTwoUsers();
    const whole = frame(CREATE, payment("10"));
    const parts = Array.from({ length: 40 }, (_, at) => Math.floor((at * whole.length) / 40));
    for (const part of [1, ...parts, whole.length - 1])
      await talk(AGENT_UID, two.socket, whole.slice(0, part), { seconds: -0.01 });
    expect(two.writes()).toEqual([]);
    for (const seconds of [-0.001, -0.02, -0.05]) {
      const amount = String(1000 + Math.round(-seconds * 1e6));
      await talk(AGENT_UID, two.socket, frame(CREATE, payment(amount)), { seconds });
    }
    await requireAlive(two);
    await two.guard.stop();
    const creates = (await two.trail()).filter(({ event }) => event === "outcome");
    expect(two.writes().length).toBeLessThanOrEqual(3);
    const done = creates.filter(({ result }) => (result as Json).code === "OK");
    expect(done.length).toBe(two.writes().length);
  },
  LONG_MS,
);

attack(
  "A17 a user that is not allowed gets nothing, and it is audited",
  async () => {
    await using two = await openTwoUsers();
    // Even with the group that may open the socket.
    const other = await talk(OTHER_UID, two.socket, STATUS, { gid: AGENT_UID });
    expect(other).toContain('"code":"GUARD_DENIED"');
    expect(other).not.toContain("payments");
    expect(await talk(0, two.socket, STATUS)).toContain('"code":"GUARD_DENIED"');
    expect(await talk(OTHER_UID, two.socket, STATUS)).toContain("connect: Permission denied");
    await two.guard.stop();
    const denied = (await two.trail()).filter(({ event }) => event === "denied");
    expect(denied.map(({ agent }) => (agent as Json).uid)).toEqual([OTHER_UID, 0]);
  },
  LONG_MS,
);

attack(
  "A15 the agent's user can read, stop and trace nothing of the guard",
  async () => {
    await using two = await openTwoUsers();
    await two.agent("accounts", "list");
    const { pid } = two.guard;
    const tries = [
      ...["environ", "mem", "maps", "cwd", "fd", "root", "auxv"].flatMap((file) => [
        `ls -la /proc/${pid}/${file}/ 2>&1; cat /proc/${pid}/${file}`,
        `ls -la /proc/${pid}/task/${pid}/${file}/ 2>&1; cat /proc/${pid}/task/${pid}/${file}`,
      ]),
      ...[0, 1, 2, 3, 10].map((at) => `cat /proc/${pid}/fd/${at} </dev/null`),
      `cat ${two.state}/session.json`,
      `ls ${two.state}`,
      `cat ${two.folder}/private-key ${two.folder}/api-key-secret`,
      `echo x > ${two.policyPath}`,
      `mv ${two.policyPath} ${two.home}/p`,
      `rm ${two.socket}`,
      `ln -sf ${two.home} ${two.socket}`,
      `touch ${two.sockets}/x`,
      `kill -9 ${pid}`,
      `strace -p ${pid} -o ${two.home}/trace`,
    ];
    const secrets = await secretsOf(two);
    // What everybody may read of a process.
    const open = await shell(two, `cat /proc/${pid}/cmdline /proc/${pid}/status /proc/net/unix`);
    expect(open).toContain("--allowUid");
    for (const secret of secrets) expect(open).not.toContain(secret);
    for (const script of tries) {
      const said = await shell(two, script);
      expect({ script, said }).toEqual({
        script,
        said: expect.stringMatching(/[Pp]ermission denied|not permitted|ptrace/),
      });
      for (const secret of secrets) expect(said).not.toContain(secret);
    }
    await requireAlive(two);
  },
  LONG_MS,
);

attack(
  "A18 no answer, warning or log holds a secret, a token, a key or a JWS",
  async () => {
    await using two = await openTwoUsers({ guardEnv: { LEDGER_ENTERPRISE_AUDIT: "full" } });
    const said: string[] = [];
    const keep = async (...argv: string[]): Promise<Json> => {
      const { stdout, stderr, document } = await two.agent(...argv);
      said.push(stdout, stderr);
      return document;
    };
    const { id } = await keep("requests", "create", "--requestData", payment("1000"));
    await keep("requests", "getChallenge", "--id", String(id));
    const secrets = await secretsOf(two);
    // A server that repeats what it was sent, in each of its answers and errors.
    for (const path of [
      "/accounts",
      "/users/me",
      `/requests/${id}`,
      "/requests",
      `/requests/${id}/approve`,
    ])
      for (const status of [200, 400, 500])
        two.sandbox.control.addFault({
          match: { path, times: 1 },
          status,
          body: JSON.stringify({ code: "X", message: secrets.join(" "), data: secrets }),
        });
    for (const line of [
      ["accounts", "list"],
      ["whoami"],
      ["requests", "get", "--id", String(id)],
      ["requests", "review", "--id", String(id)],
      ["requests", "reject", "api", "--id", String(id)],
      ["requests", "approve", "api", "--id", String(id), "--sign"],
      ["requests", "create", "--requestData", payment("1001")],
      ["api", "--path", "/users/me"],
      ["requests", "journal"],
      ["audit", "list"],
      ["guard", "status"],
      ["policy", "show"],
      ["doctor"],
      ["requests", "reconcile"],
    ])
      for (let times = 0; times < 2; times += 1) await keep(...line);
    said.push((await two.guard.stop()).stderr, JSON.stringify(await two.trail()));
    for (const secret of secrets) for (const text of said) expect(text).not.toContain(secret);
    for (const text of said) expect(text).not.toMatch(/eyJ[\w-]+\.[\w-]+\.[\w-]{40,}/);
  },
  LONG_MS,
);

attack(
  "a socket that the agent could have made is not trusted",
  async () => {
    await using two = await openTwoUsers();
    const fake = join(two.home, "fake.sock");
    const listening = Bun.spawn(
      asUser(AGENT_UID, [
        "perl",
        "-e",
        "use Socket; socket(my $s, PF_UNIX, SOCK_STREAM, 0); bind($s, sockaddr_un($ARGV[0])) or die; listen($s, 5); print qq(up\\n); $|=1; close STDOUT; sleep 60",
        fake,
      ]),
      { stdout: "pipe" },
    );
    await new Response(listening.stdout).text();
    const link = join(two.home, "link.sock");
    await symlink(two.socket, link);
    const open = join(two.folder, "open");
    await mkdir(open);
    await chmod(open, 0o777);
    await symlink(two.socket, join(open, "link.sock"));
    // What a link leads to may be a link that everybody can replace.
    const [chain, folders] = [join(two.folder, "chain.sock"), join(two.folder, "folders")];
    await symlink(join(open, "link.sock"), chain);
    await symlink(two.sockets, join(open, "sockets"));
    await symlink("open/sockets", folders);
    const links = [chain, join(folders, "payments.sock")];
    for (const path of [fake, link, join(open, "link.sock"), ...links, two.policyPath]) {
      const { exit, error } = await two.agentWith(
        { LEDGER_ENTERPRISE_GUARD: path },
        "accounts",
        "list",
      );
      expect([path, exit, error.code]).toEqual([path, 2, "GUARD_INSECURE"]);
    }
    listening.kill();
    await listening.exited;
  },
  LONG_MS,
);

attack(
  "GUARD_BYPASS: a credential beside the guard is refused, in every form",
  async () => {
    await using two = await openTwoUsers();
    for (const name of ["API_KEY_SECRET", "API_PRIVATE_KEY", "REPORTING_API_KEY"])
      for (const form of ["", "_FILE", "_COMMAND"]) {
        const variable = `LEDGER_ENTERPRISE_${name}${form}`;
        const { exit, error } = await two.agentWith({ [variable]: "/x" }, "accounts", "list");
        expect([variable, exit, error.code]).toEqual([variable, 2, "GUARD_BYPASS"]);
      }
    const signer = { LEDGER_ENTERPRISE_SIGNER: "/bin/true" };
    const { error } = await two.agentWith(
      signer,
      "requests",
      "create",
      "--requestData",
      payment("1"),
    );
    expect(error.code).toBe("GUARD_BYPASS");
    expect(two.writes()).toEqual([]);
    expect(two.sandbox.control.log.some(({ path }) => path.includes("/accounts"))).toBe(false);
  },
  LONG_MS,
);

attack(
  "GUARD_UNREACHABLE names the system's reason and what to do",
  async () => {
    await using two = await openTwoUsers({ start: false });
    const reasonOf = async (env: Record<string, string> = {}): Promise<unknown[]> => {
      const { exit, error } = await two.agentWith(env, "accounts", "list");
      return [exit, error.code, error.details.reason];
    };
    expect(await reasonOf()).toEqual([1, "GUARD_UNREACHABLE", "ENOENT"]);
    await two.guard.start();
    two.guard.kill("SIGKILL");
    await two.guard.stop();
    expect(await reasonOf()).toEqual([1, "GUARD_UNREACHABLE", "ECONNREFUSED"]);
    // The socket without a server is removed; a file that is not one stays.
    await two.guard.start();
    await chmod(two.socket, 0o600);
    expect(await reasonOf()).toEqual([1, "GUARD_UNREACHABLE", "EACCES"]);
    await two.guard.stop();
    await writeFile(two.socket, "mine");
    expect(await two.guard.start().catch((cause: Error) => cause.message)).toContain(
      "not a socket",
    );
    expect(await readFile(two.socket, "utf8")).toBe("mine");
  },
  LONG_MS,
);

attack(
  "a sandbox that forbids unix sockets: GUARD_UNREACHABLE with the reason EPERM",
  async () => {
    await using two = await openTwoUsers();
    const { agentCommand } = two;
    const forbidden = `strace -f -o /dev/null -e inject=connect:error=EPERM ${agentCommand.map((word) => `'${word}'`).join(" ")} accounts list`;
    const said = await shell(two, forbidden);
    expect(said).toContain('"code":"GUARD_UNREACHABLE"');
    expect(said).toContain('"reason":"EPERM"');
    expect(said).toContain("sandbox");
  },
  LONG_MS,
);

attack(
  "a second guard on the state folder ends with exit 1; the first serves on",
  async () => {
    await using two = await openTwoUsers();
    const second = await two.asGuard(
      "guard",
      "serve",
      "--socket",
      `${two.sockets}/2.sock`,
      "--allowUid",
      `${AGENT_UID}`,
    );
    expect([second.exit, second.error.code]).toEqual([1, "LOCK_TIMEOUT"]);
    const adopting = await two.asGuard("guard", "adopt", "--reason", "x");
    expect([adopting.exit, adopting.error.code]).toEqual([1, "LOCK_TIMEOUT"]);
    expect(adopting.error.message).toBe("A guard serves this state folder.");
    const byAgent = await two.agent(
      "guard",
      "serve",
      "--socket",
      `${two.home}/g.sock`,
      "--allowUid",
      "1",
    );
    expect([byAgent.exit, byAgent.error.code]).toEqual([2, "NOT_SUPPORTED"]);
    await requireAlive(two);
  },
  LONG_MS,
);

attack(
  "confused deputy: files that a client names are the client's",
  async () => {
    await using two = await openTwoUsers();
    for (const file of [`${two.folder}/private-key`, `${two.state}/session.json`]) {
      const { exit, error } = await two.agent("requests", "create", "--requestData", `@${file}`);
      expect([file, exit, error.code]).toEqual([file, 1, "IO_ERROR"]);
    }
    for (const argv of [
      ["policy", "check", "--requestData", payment("1"), "--file", two.policyPath],
      ["audit", "verify", "--file", `${two.state}/audit/audit.head`],
      ["audit", "restart", "--reason", "x"],
      ["requests", "sign", "--challenge", "e30"],
      ["login", "api"],
      ["requests", "approve", "api", "--id", "x", "--signature", "a.b.c"],
      ["requests", "approve", "device", "--id", "x"],
      ["requests", "create", "--requestData", payment("1"), "--allowUnknown"],
      ["keys", "public"],
    ]) {
      const { exit, error } = await two.agent(...argv);
      expect([argv.join(" "), exit, error?.code]).toEqual([argv.join(" "), 2, "NOT_SUPPORTED"]);
    }
    expect(two.writes()).toEqual([]);
  },
  LONG_MS,
);

attack(
  "six writes a minute, 120 calls a minute",
  async () => {
    await using two = await openTwoUsers({
      policy: undefined,
    });
    for (let number = 1; number <= 6; number += 1) {
      const { exit } = await two.agent("requests", "create", "--requestData", payment(`${number}`));
      expect([number, exit]).toEqual([number, 0]);
    }
    const seventh = await two.agent("requests", "create", "--requestData", payment("7"));
    expect([seventh.exit, seventh.error.code]).toEqual([1, "RATE_LIMITED"]);
    const dry = await two.agent("requests", "create", "--requestData", payment("8"), "--dryRun");
    expect(dry.exit).toBe(0);
    expect(two.writes().length).toBe(6);
    const said: string[] = [];
    for (let round = 0; round < 18; round += 1)
      said.push(await talk(AGENT_UID, two.socket, STATUS, { count: 7 }));
    expect(said.join("")).toContain("calls a minute");
  },
  LONG_MS,
);

attack(
  "a flood of refusals: some lines for each user, the others in one that counts them",
  async () => {
    await using two = await openTwoUsers();
    await talk(OTHER_UID, two.socket, STATUS, { gid: AGENT_UID, count: 45 });
    for (let round = 0; round < 7; round += 1) {
      const bytes = frame(CREATE, payment("3000001"));
      // Six at once would be as many as may be written.
      const said = await talk(AGENT_UID, two.socket, bytes, { count: 5 });
      expect(said.match(/"code":"POLICY_DENIED"/g)?.length).toBe(5);
    }
    expect((await two.agent("requests", "create", "--requestData", payment("1000"))).exit).toBe(0);
    await two.guard.stop();
    const trail = await two.trail();
    for (const [uid, total] of [
      [OTHER_UID, 45],
      [AGENT_UID, 35],
    ]) {
      const own = trail.filter(({ agent }) => (agent as Json | undefined)?.uid === uid);
      const lines = own.filter(({ event }) => event === "denied").length;
      const counted = own
        .filter(({ event }) => event === "refusals")
        .map(({ data }) => Number((data as Json).count));
      expect([uid, lines + counted.reduce((sum, one) => sum + one, 0)]).toEqual([uid, total]);
      expect(lines).toBeLessThan(30);
    }
    expect(two.writes().length).toBe(1);
  },
  LONG_MS,
);

attack(
  "a restored state folder: what it lacks is foreign, and payments wait for a person",
  async () => {
    await using two = await openTwoUsers({ start: false });
    const before = join(two.folder, "before");
    await two.guard.start();
    expect((await two.agent("accounts", "list")).exit).toBe(0);
    await two.guard.stop();
    await cp(two.state, before, { recursive: true, preserveTimestamps: true });
    await two.guard.start();
    expect((await two.agent("requests", "create", "--requestData", payment("2900000"))).exit).toBe(
      0,
    );
    await two.guard.stop();
    await rm(two.state, { recursive: true });
    await cp(before, two.state, { recursive: true, preserveTimestamps: true });
    Bun.spawnSync(["chown", "-R", `${two.uids.guard}:${two.uids.guard}`, two.state]);
    await chmod(two.state, 0o700);
    await two.guard.start();
    const denied = await until(async () => {
      const { error } = await two.agent(
        "requests",
        "create",
        "--requestData",
        payment("2900001"),
        "--dryRun",
      );
      return error?.code === "POLICY_DENIED" ? error : undefined;
    });
    expect(denied.details.field).toBe("foreign");
    await two.guard.stop();
    expect((await two.trail()).map(({ event }) => event)).toContain("foreign");
    const { exit, document } = await two.asGuard("guard", "adopt", "--reason", "restored");
    expect([exit, document.adopted]).toMatchObject([0, { windows: "sum", requests: 1 }]);
    await two.guard.start();
    const afterwards = await two.agent("requests", "create", "--requestData", payment("2900001"));
    expect(afterwards.exit).toBe(0);
    // 0.029 of before, found on the server, count.
    const third = await two.agent("requests", "create", "--requestData", payment("2900002"));
    expect([third.error.code, third.error.details.field]).toEqual(["POLICY_DENIED", "window"]);
  },
  LONG_MS,
);

async function until<T>(look: () => Promise<T | undefined>): Promise<T> {
  for (let times = 0; times < 100; times += 1) {
    const found = await look();
    if (found !== undefined) return found;
  }
  throw new Error("it did not happen");
}

attack(
  "BUN_OPTIONS and preloads of the agent reach its own process alone",
  async () => {
    await using two = await openTwoUsers();
    const script = join(two.home, "preload.js");
    const code = `const fs = require("node:fs"); const out = []; for (const path of ${JSON.stringify([`${two.folder}/private-key`, `${two.folder}/api-key-secret`, `${two.state}/session.json`])}) try { out.push(fs.readFileSync(path, "utf8")) } catch (cause) { out.push(cause.code) } fs.writeFileSync(${JSON.stringify(join(two.home, "loot"))}, JSON.stringify([process.env, out, process.pid]));`;
    await writeFile(script, code);
    await chown(script, AGENT_UID, AGENT_UID);
    const env = { BUN_OPTIONS: `--preload ${script}`, NODE_OPTIONS: `--require ${script}` };
    const { exit } = await two.agentWith(env, "accounts", "list");
    expect(exit).toBe(0);
    const loot = await readFile(join(two.home, "loot"), "utf8");
    expect(loot.match(/EACCES/g)?.length).toBe(3);
    for (const secret of await secretsOf(two)) expect(loot).not.toContain(secret);
    expect(loot).not.toContain(`,${two.guard.pid}]`);
  },
  LONG_MS,
);

test.skipIf(OBSTACLE !== undefined || lacks("faketime"))(
  "A10 LD_PRELOAD of the agent, with a clock of its own: a window is as full as before",
  async () => {
    await using two = await openTwoUsers();
    for (const amount of ["2900000", "2900001"])
      expect((await two.agent("requests", "create", "--requestData", payment(amount))).exit).toBe(
        0,
      );
    for (const ahead of ["+2d", "-2d"]) {
      const line = two.agentCommand.map((word) => `'${word}'`).join(" ");
      const said = await shell(
        two,
        `faketime -f ${ahead} date +%s; faketime -f ${ahead} ${line} requests create --requestData '${payment("300000")}'`,
      );
      const [clock] = said.split("\n");
      expect(Math.abs(Number(clock) - Date.now() / 1000)).toBeGreaterThan(86_400);
      expect(said).toMatch(/"code":"POLICY_DENIED".*"field":"window"/);
    }
    expect(two.writes().length).toBe(2);
  },
  LONG_MS,
);
