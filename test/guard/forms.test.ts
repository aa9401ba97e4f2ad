/** The executable as the guard, by its own socket and by one that a service manager opened. */
import { expect } from "bun:test";
import { rm } from "node:fs/promises";
import { allForms } from "../support/forms.ts";
import { LONG_MS, withTwoUsers } from "./testing.ts";
import { AGENT_UID, asUser, GUARD_UID, openTwoUsers, payment } from "./twousers.ts";

const forms = (await allForms()).filter(({ command, hostile }) => command.length > 0 && !hostile);
const executable = forms.find(({ name }) => name === "executable")?.command ?? [];
const two = withTwoUsers("the executable as a guard");

for (const form of forms) {
  two(
    `A15 the executable guards, and ${form.name} is the agent`,
    async () => {
      await using here = await openTwoUsers({ command: executable, agentCommand: form.command });
      const created = await here.agent("requests", "create", "--requestData", payment("1000"));
      expect([created.exit, created.error, created.stderr]).toEqual([0, undefined as never, ""]);
      const { id } = created.document;
      const approved = await here.agent("requests", "approve", "api", "--id", String(id), "--sign");
      expect(approved.exit).toBe(0);
      const above = await here.agent("requests", "create", "--requestData", payment("3000001"));
      expect([above.exit, above.error.code]).toEqual([2, "POLICY_DENIED"]);
      // A plain read is asked for early, one with --timeout by the program.
      const early = await here.agent("groups", "list");
      expect([early.exit, early.stderr]).toEqual([0, ""]);
      expect(early).toEqual(await here.agent("groups", "list", "--timeout", "30"));
      const status = await here.agent("guard", "status");
      expect([status.exit, status.document.level]).toEqual([0, "enforced"]);
      const serving = await here.agent("guard", "serve", "--socket", "/x", "--allowUid", "1");
      expect(serving.error.code).toBe("NOT_SUPPORTED");
      expect(await here.guard.stop()).toEqual({ exit: 0, stderr: "" });
    },
    LONG_MS,
  );
}

/** Opens the socket as systemd does, and becomes the guard's user and the program. */
const MANAGER = `
use Socket; use POSIX (); BEGIN { $^F = 10 }
my ($path, $uid, @command) = @ARGV;
socket(my $s, PF_UNIX, SOCK_STREAM, 0) or die "socket $!";
bind($s, sockaddr_un($path)) or die "bind $!"; listen($s, 16) or die "listen $!";
chown($uid, $ENV{AGENT_GID}, $path); chmod(0660, $path);
POSIX::dup2(fileno($s), 3); $ENV{LISTEN_FDS} = 1; $ENV{LISTEN_PID} = $$;
exec(@command) or die "exec $!";
`;

two(
  "descriptor 3: a socket that the service manager opened; another one is refused",
  async () => {
    await using here = await openTwoUsers({ command: executable, start: false });
    const serve = (script: string) =>
      Bun.spawn(
        [
          ...["perl", "-e", script, here.socket, `${GUARD_UID}`],
          ...asUser(GUARD_UID, [...executable, "guard", "serve", "--allowUid", `${AGENT_UID}`]),
        ],
        {
          ...{ cwd: "/", env: { ...here.guardEnv, AGENT_GID: `${AGENT_UID}` }, stdin: "ignore" },
          ...{ stdout: "pipe", stderr: "pipe" },
        },
      );
    const guard = serve(MANAGER);
    for await (const chunk of guard.stdout) {
      expect(new TextDecoder().decode(chunk)).toContain('"socket":null');
      break;
    }
    expect((await here.agent("accounts", "list")).exit).toBe(0);
    guard.kill("SIGTERM");
    expect(await guard.exited).toBe(0);
    await rm(here.socket, { force: true });
    const wrong = serve(
      MANAGER.replace("PF_UNIX, SOCK_STREAM, 0", "PF_UNIX, SOCK_DGRAM, 0").replace(
        "listen($s, 16) or die",
        "1 or die",
      ),
    );
    expect(await new Response(wrong.stdout).text()).toContain('"code":"GUARD_INSECURE"');
    expect(await wrong.exited).toBe(2);
  },
  LONG_MS,
);
