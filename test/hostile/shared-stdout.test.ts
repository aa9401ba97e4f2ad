/**
 * A stdout that is a socket, as parents in Node and Bun give it, and that others share: nothing is
 * lost, nothing is changed for the others, and a reader who pauses holds nobody for ever.
 */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { lacks } from "../support/programs.ts";
import { atRest } from "../support/waiting.ts";
import { CREATE, kept, routes } from "./payment.ts";
import { closeAll, openLoggedIn, type Program, type Running, twoForms } from "./program.ts";
import { http, type RawApi } from "./raw-api.ts";

/**
 * Becomes a command whose stdout is a socket (or a pipe), of which a process of its own has the
 * other end. `slow`: it reads everything after a moment, and prints it. `late`: the same, and the
 * socket is full until then and does not block. `gone`: it has closed its end. `full`: the socket
 * is full, and it reads nothing and goes when the file appears.
 */
const SHARED = `
use Socket; use Fcntl; use POSIX ();
my ($reading, $kind, $file, @command) = @ARGV; my ($in, $out);
if ($kind eq "pipe") { pipe($in, $out) or die "pipe $!" }
else { socketpair($in, $out, AF_UNIX, SOCK_STREAM, 0) or die "socketpair $!" }
if ($reading eq "full" or $reading eq "late") {
  fcntl($out, F_SETFL, O_RDWR | O_NONBLOCK);
  1 while syswrite($out, "x" x 4096); 1 while syswrite($out, "x");
  fcntl($out, F_SETFL, O_RDWR) if $reading eq "full";
}
my $parent = $$;
if ($reading ne "gone" and !fork()) {
  close($out);
  if ($reading eq "full") {
    close(STDOUT); close(STDERR);
    select(undef, undef, undef, 0.02) until -e $file or getppid() != $parent;
    POSIX::_exit(0);
  }
  select(undef, undef, undef, 0.5); my $some;
  while (sysread($in, $some, 65536)) { syswrite(STDOUT, $some) }
  POSIX::_exit(0);
}
close($in); POSIX::dup2(fileno($out), 1); close($out); exec(@command);
`;

interface Stdout {
  readonly reading: "slow" | "late" | "gone" | "full";
  readonly kind?: "socket" | "pipe";
}

/** What holds a command, and what becomes it. */
interface Held {
  readonly starter?: readonly string[];
  readonly kind?: "socket" | "pipe";
}

const LIST = ["accounts", "list"];
/** What is full is stderr; of stdout nobody wants anything. */
const ON_STDERR = ["sh", "-c", 'exec "$@" 2>&1 >/dev/null', "sh"];
/** More than a socket holds. */
const LARGE = `{"results":[${Array.from({ length: 200_000 }, (_, at) => `{"id":"${at}","note":"${"x".repeat(80)}"}`).join(",")}]}`;
const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
const SAID =
  /^OUTPUT_ERROR: Request R1 was created \(key [0-9A-Z]{26}\), but the result could not be printed\. Do not repeat the command\.\n$/;

/** What does not end by itself does not end at all. */
const OVER_MS = 20_000;

/** The program's process, which a starter that forks has as its last child. */
function programOf({ pid }: Running, starter: readonly string[]): number {
  if (starter.length === 0 || starter === ON_STDERR) return pid;
  // The first child has the other end of the socket.
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8");
  return Number(children.trim().split(" ").at(-1));
}

function endsWithin(ms: number, { exited }: Running): Promise<boolean> {
  return Promise.race([exited.then(() => true), Bun.sleep(ms).then(() => false)]);
}

for (const form of process.platform === "linux" ? await twoForms() : []) {
  describe(form.name, () => {
    let api: RawApi;
    let program: Program;
    beforeEach(async () => {
      ({ api, program } = await openLoggedIn(form));
      api.serve(routes());
    });
    afterEach(() => closeAll(program, api));

    const letGo = () => writeFileSync(join(program.home, "go"), "");
    function start({ reading, kind = "socket" }: Stdout, command: readonly string[]): Running {
      const file = join(program.home, "go");
      return Bun.spawn(["perl", "-e", SHARED, reading, kind, file, ...command], {
        ...{ cwd: program.home, env: program.env },
        ...{ stdin: "ignore", stdout: "pipe", stderr: "pipe" },
      });
    }
    const run = (stdout: Stdout, argv: readonly string[]): Running =>
      start(stdout, [...form.command, ...argv]);

    /** Starts a command and waits until it has its answer, which it cannot print. */
    async function hold(
      argv: readonly string[],
      route: string,
      answer: Uint8Array,
      { starter = [], kind = "socket" }: Held = {},
    ): Promise<Running> {
      const { promise: asked, resolve } = Promise.withResolvers<void>();
      const answers = (socket: { end(bytes: Uint8Array): unknown }): void => {
        socket.end(answer);
        resolve();
      };
      api.serve(routes({ [route]: [answers] }));
      const child = start({ reading: "full", kind }, [...starter, ...form.command, ...argv]);
      await asked;
      await atRest(programOf(child, starter));
      return child;
    }

    test.each(["pipe", "socket"] as const)(
      "L08 --version leaves a %s as the next program needs it",
      async (kind) => {
        const both = ["sh", "-c", '"$@" --version && head -c 3000000 /dev/zero && echo', "sh"];
        const child = start({ reading: "slow", kind }, [...both, ...form.command]);
        const { stdout, ...rest } = await program.finish(["--version"], child);
        expect(rest).toMatchObject({ exit: 0, stderr: "" });
        expect(stdout.length).toBe(`${form.version}\n\n`.length + 3_000_000);
      },
    );

    test("OUT-7 --version to a reader who has gone: exit 1", async () => {
      const { exit, stderr } = await program.finish(
        ["--version"],
        run({ reading: "gone" }, ["--version"]),
      );
      expect({ exit, stderr }).toEqual({ exit: 1, stderr: "" });
    });

    test("OUT-6 a small answer, and one of 20 MB whose reader is slow, arrive whole", async () => {
      const argv = [...LIST, "--timeout", "110"];
      for (const answer of ['{"results":[]}', LARGE]) {
        api.serve({ "GET /accounts": [http("200 OK", answer)] });
        const { exit, stdout } = await program.finish(argv, run({ reading: "slow" }, argv));
        expect({ exit, isWhole: stdout === `${answer}\n` }).toEqual({ exit: 0, isWhole: true });
      }
    });

    test("OUT-6 a full socket that does not block gets a small answer later", async () => {
      api.serve(routes({ "GET /accounts": [kept({ results: [] })] }));
      const child = run({ reading: "late" }, LIST);
      const text = await new Response(child.stdout).text();
      expect(text.replace(/^x+/, "")).toBe('{"results":[]}\n');
      expect(await child.exited).toBe(0);
    });

    test("L04 OUT-7 a reader who has gone: exit 1, quiet; what was created is said", async () => {
      api.serve(routes({ "GET /accounts": [kept({ results: [] })] }));
      const list = await program.finish(LIST, run({ reading: "gone" }, LIST));
      expect(list).toMatchObject({ exit: 1, stderr: "" });
      const created = await program.finish(CREATE, run({ reading: "gone" }, CREATE));
      expect(created).toMatchObject({ exit: 1, stderr: expect.stringMatching(SAID) });
    });

    test.each(SIGNALS)("OUT-8 %s ends a list whose answer the reader leaves", async (signal) => {
      const child = await hold(LIST, "GET /accounts", kept({ results: [] }));
      expect(child.exitCode).toBe(null);
      child.kill(signal);
      const isOver = await endsWithin(OVER_MS, child);
      letGo();
      const { signal: died, stderr } = await program.finish(LIST, child);
      expect({ isOver, died, stderr }).toEqual({ isOver: true, died: signal, stderr: "" });
    });

    test.each([
      ["a list into a pipe", LIST, { kind: "pipe" }],
      ["all of a list into a pipe", [...LIST, "--all"], { kind: "pipe" }],
      ["all of a list into a socket", [...LIST, "--all"], { kind: "socket" }],
      ["lines for stderr", [...LIST, "--debug"], { kind: "pipe", starter: ON_STDERR }],
    ] as const)("OUT-8 the first signal ends %s that nobody reads", async (_name, argv, held) => {
      const child = await hold(argv, "GET /accounts", kept({ results: [] }), held);
      expect(child.exitCode).toBe(null);
      child.kill("SIGTERM");
      const isOver = await endsWithin(OVER_MS, child);
      letGo();
      const { signal, stderr } = await program.finish(argv, child);
      expect({ isOver, signal, stderr }).toEqual({ isOver: true, signal: "SIGTERM", stderr: "" });
    });

    test("M3 OUT-8 a signal, and nobody reads: what was created is said", async () => {
      const child = await hold(CREATE, "POST /requests", kept({ id: "R1" }), { kind: "pipe" });
      child.kill("SIGTERM");
      const isOver = await endsWithin(OVER_MS, child);
      letGo();
      const { signal, stderr } = await program.finish(CREATE, child);
      expect({ isOver, signal, stderr }).toEqual({
        ...{ isOver: true, signal: "SIGTERM" },
        stderr: expect.stringMatching(SAID),
      });
    });

    test.each(SIGNALS)("M3 OUT-8 what was created is said behind %s, too", async (signal) => {
      const child = await hold(CREATE, "POST /requests", kept({ id: "R1" }));
      child.kill(signal);
      await atRest(child.pid);
      letGo();
      const { signal: died, stderr } = await program.finish(CREATE, child);
      expect({ died, stderr }).toEqual({ died: signal, stderr: expect.stringMatching(SAID) });
    });

    // Node waits at its end for what its thread pool writes (docs/limits.md).
    if (form.name !== "executable") return;

    test.skipIf(lacks("unshare"))(
      "P1 a second signal ends such a list as the first process of a container",
      async () => {
        const first = ["/usr/bin/unshare", "--pid", "--fork"];
        const child = await hold(LIST, "GET /accounts", kept({ results: [] }), { starter: first });
        const program = programOf(child, first);
        process.kill(program, "SIGTERM");
        // A signal that comes sooner counts as the first one.
        await atRest(program);
        await Bun.sleep(400);
        process.kill(program, "SIGTERM");
        const isOver = await endsWithin(OVER_MS, child);
        letGo();
        expect({ isOver, exit: await child.exited }).toEqual({ isOver: true, exit: 143 });
      },
    );

    test("OUT-6 a server for agents ends with its input, even if nobody reads", async () => {
      const ping = JSON.stringify({ jsonrpc: "2.0", id: 1, method: "ping" });
      const line = `printf '%s\\n' '${ping}' | "$@"`;
      const child = start({ reading: "full" }, ["sh", "-c", line, "sh", ...form.command, "mcp"]);
      const isOver = await endsWithin(OVER_MS, child);
      letGo();
      expect({ isOver, exit: await child.exited }).toEqual({ isOver: true, exit: 0 });
    });
  });
}
