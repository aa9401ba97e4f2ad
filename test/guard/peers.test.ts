/** Two users of one guard; its socket; and what its folder, its settings and its wire must be. */
import { expect } from "bun:test";
import { lstat, mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { VERSION } from "../../src/version.ts";
import { talk } from "./socket.ts";
import { LONG_MS, withTwoUsers } from "./testing.ts";
import {
  AGENT_UID,
  asUser,
  GUARD_UID,
  type Json,
  OTHER_UID,
  openTwoUsers,
  payment,
} from "./twousers.ts";

const here = withTwoUsers("a guard's users");

function frame(header: Json, document = ""): string {
  const length = Buffer.byteLength(document);
  return `${JSON.stringify({ v: 1, ...header, length })}\n${document}`;
}

const CREATE = { verb: "create", tag: false, dryRun: false, noSummary: true };

here(
  "A17 a user sees nothing of another one's records, and a duplicate of theirs is a person's affair",
  async () => {
    await using two = await openTwoUsers({ start: false });
    await two.guard.start([AGENT_UID, OTHER_UID]);
    const made = await two.agent("requests", "create", "--requestData", payment("1000"));
    const key = String(made.document.key);
    expect([made.exit, key.length]).toEqual([0, 26]);
    const other = (bytes: string): Promise<string> =>
      talk(OTHER_UID, two.socket, bytes, { gid: AGENT_UID });
    const twin = await other(frame(CREATE, payment("1000")));
    expect(twin).toContain('"code":"DUPLICATE_SUSPECTED"');
    const again = await other(frame({ ...CREATE, again: key }, payment("1000")));
    expect(again).toContain('"ok":false');
    const rest = [
      frame({ verb: "journal" }),
      frame({ verb: "audit", ask: "lines" }),
      frame({ verb: "reconcile" }),
      frame({ verb: "reconcile", key }),
      frame({ verb: "status", session: false }),
    ];
    const told = [twin, ...(await Promise.all(rest.map(other)))];
    expect(told.at(-1)).toContain(`"peer":{"uid":${OTHER_UID}}`);
    for (const text of told) {
      expect(text).not.toContain(`"${made.document.id}"`);
      expect(text).not.toContain(`"agent":{"uid":${AGENT_UID},`);
    }
    for (const text of told.filter((_, at) => at !== 4)) expect(text).not.toContain(key);
    const own = await two.agent("requests", "journal");
    expect(own.document.results).toMatchObject([{ key, state: "done" }]);
    expect(two.writes().length).toBe(1);
  },
  LONG_MS,
);

here(
  "A17 the socket belongs to the guard, with the folder's group and nothing for others",
  async () => {
    await using two = await openTwoUsers();
    const { uid, gid, mode } = await lstat(two.socket);
    expect([uid, gid, mode & 0o7777]).toEqual([GUARD_UID, AGENT_UID, 0o660]);
  },
  LONG_MS,
);

here(
  "A16 a guard of another version: the client says so, with both versions",
  async () => {
    await using two = await openTwoUsers({ start: false });
    const program = `use Socket; socket(my $s, PF_UNIX, SOCK_STREAM, 0); bind($s, sockaddr_un($ARGV[0])) or die; chmod 0660, $ARGV[0]; listen($s, 5); $| = 1; print "up\\n"; while (accept(my $c, $s)) { sysread($c, my $b, 65536); syswrite($c, $ARGV[1]); close $c }`;
    const failure = JSON.stringify({
      ...{ code: "GUARD_INCOMPATIBLE", message: "unknown" },
      details: { guard: { v: 2, version: "9.0.0" } },
    });
    const answers: readonly (readonly [bytes: string, answer: unknown])[] = [
      // What is not understood tells no version.
      ['{"v":2,"ok":true,"length":0}\n', null],
      [
        `{"v":1,"ok":false,"warnings":[],"length":${failure.length}}\n${failure}`,
        { guard: { v: 2, version: "9.0.0" } },
      ],
    ];
    for (const [bytes, answer] of answers) {
      await rm(two.socket, { force: true });
      const fake = Bun.spawn(asUser(GUARD_UID, ["perl", "-e", program, two.socket, bytes]), {
        stdout: "pipe",
      });
      await fake.stdout.getReader().read();
      const { exit, error } = await two.agent("accounts", "list");
      fake.kill();
      await fake.exited;
      expect([exit, error.code, error.details]).toEqual([
        1,
        "GUARD_INCOMPATIBLE",
        { client: { v: 1, version: VERSION }, answer } as unknown as Json,
      ]);
    }
  },
  LONG_MS,
);

here(
  "A16 another server, base path or user than was adopted: it does not start, and sends no secret",
  async () => {
    await using two = await openTwoUsers({ start: false });
    const url = two.guardEnv.LEDGER_ENTERPRISE_API_URL ?? "";
    for (const [differs, other] of [
      ["origin", "http://127.0.0.1:9/v1/rest"],
      ["basePath", `${url}/more`],
    ]) {
      two.guardEnv.LEDGER_ENTERPRISE_API_URL = String(other);
      const said = await two.guard.start().catch((cause: Error) => cause.message);
      expect(said).toContain("GUARD_NOT_ADOPTED");
      expect(said).toContain(`"differs":"${differs}"`);
    }
    expect(two.sandbox.control.log).toEqual([]);
  },
  LONG_MS,
);

here(
  "A16 a session that cannot be stored stays in memory: one login, and the reads go on",
  async () => {
    await using two = await openTwoUsers({ start: false });
    const file = join(two.state, "session.json");
    await rm(file);
    await mkdir(file);
    two.sandbox.control.clearLog();
    await two.guard.start();
    for (let times = 0; times < 3; times += 1)
      expect((await two.agent("accounts", "list", "--pageSize", "1")).exit).toBe(0);
    const logins = two.sandbox.control.log.filter(({ path }) => path.endsWith("/auth/token"));
    expect(logins.length).toBe(1);
    const { exit, stderr } = await two.guard.stop();
    expect([exit, stderr.match(/SESSION_NOT_STORED/g)?.length]).toEqual([0, 1]);
  },
  LONG_MS,
);
