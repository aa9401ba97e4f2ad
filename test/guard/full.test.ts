/** Others who do not do their part: a log that is not read, a socket that nothing serves. */
import { expect, test } from "bun:test";
import { join } from "node:path";
import {
  AGENT_UID,
  asUser,
  GUARD_UID,
  OBSTACLE,
  openTwoUsers,
  SOURCE_COMMAND,
} from "./twousers.ts";

/** Starts a command with a pipe as stderr that is full, and that stays open without a reader. */
const FULL = `
my ($path, @command) = @ARGV; use Fcntl; use POSIX ();
POSIX::mkfifo($path, 0666); sysopen(my $p, $path, O_RDWR | O_NONBLOCK) or die "fifo $!";
1 while syswrite($p, "x" x 4096); 1 while syswrite($p, "x");
fcntl($p, F_SETFL, O_RDWR); chmod(0666, $path); POSIX::dup2(fileno($p), 2); exec(@command);
`;

test.skipIf(OBSTACLE !== undefined)(
  "A15 a log that is not read holds neither an answer nor the end",
  async () => {
    await using two = await openTwoUsers({ start: false });
    const serve = ["guard", "serve", "--socket", two.socket, "--allowUid", `${AGENT_UID}`];
    const guard = Bun.spawn(
      [
        "perl",
        "-e",
        FULL,
        join(two.folder, "full"),
        ...asUser(GUARD_UID, [...SOURCE_COMMAND, ...serve]),
      ],
      { cwd: "/", env: two.guardEnv, stdin: "ignore", stdout: "pipe", stderr: "ignore" },
    );
    for await (const chunk of guard.stdout) {
      expect(new TextDecoder().decode(chunk)).toContain('"guard"');
      break;
    }
    // A type that the program does not know is a warning, in the guard's log, too.
    const unknown = JSON.stringify({ type: "CREATE_SOMETHING", data: {} });
    for (let times = 0; times < 3; times += 1) {
      const refused = await two.agent("requests", "create", "--requestData", unknown);
      expect([refused.error.code, refused.stderr]).toEqual([
        "POLICY_DENIED",
        expect.stringContaining("UNKNOWN_TYPE"),
      ]);
    }
    guard.kill("SIGTERM");
    expect(await guard.exited).toBe(0);
  },
  120_000,
);

/** A socket that takes connections, and a service behind it that did not start. */
const DEAF = `
use Socket; my ($path, $uid, $gid) = @ARGV;
socket(my $s, PF_UNIX, SOCK_STREAM, 0); bind($s, sockaddr_un($path)) or die "bind $!";
listen($s, 16); chown($uid, $gid, $path); chmod(0660, $path); print "x"; close(STDOUT); sleep(60);
`;

test.skipIf(OBSTACLE !== undefined)(
  "A15 a socket that nothing serves ends a command at its time, whichever it is",
  async () => {
    await using two = await openTwoUsers({ start: false });
    const deaf = Bun.spawn(["perl", "-e", DEAF, two.socket, `${GUARD_UID}`, `${AGENT_UID}`], {
      ...{ cwd: "/", stdin: "ignore", stdout: "pipe", stderr: "ignore" },
    });
    await new Response(deaf.stdout).text();
    for (const argv of [
      ["guard", "status"],
      ["accounts", "list"],
      ["policy", "show"],
    ]) {
      const { exit, error } = await two.agent(...argv, "--timeout", "1");
      expect([argv, exit, error.code]).toEqual([argv, 1, "TIMEOUT"]);
    }
    deaf.kill();
    await deaf.exited;
  },
  120_000,
);
