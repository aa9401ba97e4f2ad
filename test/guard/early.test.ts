/**
 * A plain read through a guard, asked for before the program is loaded: the same request, the same
 * output, and never a second request. `--timeout` is an option that the early client leaves to the
 * program, so a command line with it is what the program does by itself.
 */
import { expect, test } from "bun:test";
import { chmod, chown, mkdtemp, readFile, rename, rm, writeFile } from "node:fs/promises";
import { createServer, type Server, type Socket } from "node:net";
import { join } from "node:path";
import { walk } from "../../src/cli/command.ts";
import { openRegistry } from "../../src/commands/registry.ts";
import { ERRORS } from "../../src/errors.ts";
import { type Read, requestLine } from "../../src/guard/plain.ts";
import { READS, TIMEOUT_SECONDS } from "../../src/guard/reads.ts";
import { LONG_MS, withTwoUsers } from "./testing.ts";
import { AGENT_UID, asUser, openTwoUsers, SOURCE_COMMAND } from "./twousers.ts";

const two = withTwoUsers("early reads");
const read = (words: string): Read => JSON.parse(READS[words] ?? "{}") as Read;
const ID = "e5a8f6f0-2222-4f6e-8f5a-000000000001";
/** Leaves a command to the program, and changes nothing else of it. */
const BY_THE_PROGRAM = ["--timeout", "30"];

interface Outcome {
  readonly exit: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A guard of the tests: says what it is told to, and notes what it was asked. */
class Double implements AsyncDisposable {
  readonly asked: string[] = [];
  answer: (socket: Socket) => void = (socket) => socket.end();

  private constructor(
    readonly path: string,
    private readonly folder: string,
    private readonly server: Server,
  ) {}

  static async open(): Promise<Double> {
    const folder = await mkdtemp("/run/lec-early-");
    await chmod(folder, 0o755);
    const path = join(folder, "guard.sock");
    let double: Double | undefined;
    const server = createServer((socket) => {
      let heard = "";
      socket.on("error", () => socket.destroy());
      socket.on("data", (chunk) => {
        heard += chunk.toString();
        if (!heard.includes("\n")) return;
        double?.asked.push(heard);
        double?.answer(socket);
      });
    });
    await new Promise<void>((resolve) => server.listen(path, resolve));
    await chown(path, 0, AGENT_UID);
    await chmod(path, 0o660);
    double = new Double(path, folder, server);
    return double;
  }

  /** Bytes in one piece, or each piece a little later. */
  says(...pieces: readonly string[]): void {
    this.answer = async (socket) => {
      for (const piece of pieces) {
        socket.write(piece);
        await Bun.sleep(2);
      }
      socket.end();
    };
  }

  async run(argv: readonly string[], env: Record<string, string> = {}): Promise<Outcome> {
    const child = Bun.spawn(asUser(AGENT_UID, [...SOURCE_COMMAND, ...argv]), {
      ...{ cwd: "/", stdin: "ignore", stdout: "pipe", stderr: "pipe" },
      env: {
        ...{ HOME: "/nonexistent", PATH: process.env.PATH ?? "" },
        ...{ LEDGER_ENTERPRISE_GUARD: this.path, ...env },
      },
    });
    const [stdout, stderr] = await Promise.all([
      new Response(child.stdout).text(),
      new Response(child.stderr).text(),
    ]);
    return { exit: await child.exited, stdout, stderr };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.server.close();
    await rm(this.folder, { recursive: true });
  }
}

function framed(document: string, header: object = { ok: true, warnings: [] }): string {
  const line = { v: 1, ...header, length: Buffer.byteLength(document) };
  return `${JSON.stringify(line)}\n${document}`;
}

test("early reads are those commands whose result is one answer of the API", async () => {
  const commands = [...walk(await openRegistry())];
  const relays = commands.filter(([, { relays }]) => relays !== undefined);
  expect(Object.keys(READS)).toEqual(relays.map(([words]) => words.join(" ")));
  expect(Object.keys(READS).length).toBeGreaterThan(12);
  for (const [words, command] of relays) {
    expect([words.join(" "), command.effect, command.needs]).toEqual([
      words.join(" "),
      "read",
      ["reader"],
    ]);
  }
  // The whole list of a user's entity is another operation; rows of a state are looked at.
  expect(READS["users list"]).toBeUndefined();
  const fixed = read("requests list").options.filter(([, kind]) => kind === "fixed");
  expect(fixed.map(([name]) => name)).toEqual(["type", "state"]);
});

/** Values of every kind, right and wrong, for each option. */
const WORDS = [
  ...["1", "0", "30", "31", "-1", "01", "1.0", "1e1", "9007199254740992", " 1", "", "--all"],
  ...["ACTIVE", "active", "asc", ".", "..", "a b", "a\u0007", "\u00e4", "\ufffd", "@x", "-"],
  ...["a/b", "a".repeat(64), "a".repeat(129), "a".repeat(4097), "createdAt", "2026-01-01"],
];

test("each value that is sent early is the one that the command would read", async () => {
  let sent = 0;
  for (const [words, command] of walk(await openRegistry())) {
    if (command.relays === undefined) continue;
    const { options, required } = read(words.join(" "));
    for (const [name, kind] of options) {
      const others = required.filter((one) => one !== name).flatMap((one) => [`--${one}`, ID]);
      const choices = command.args[name]?.limits.choices ?? [];
      for (const word of kind === "flag" ? [] : [...WORDS, ...choices]) {
        const line = requestLine([...words, ...others, `--${name}`, word]);
        if (line === undefined) continue;
        const { parameters } = JSON.parse(line) as { parameters: Record<string, unknown> };
        const value = command.args[name]?.parse(word, `--${name}`, undefined as never);
        expect([words, name, parameters[name]]).toEqual([words, name, value]);
        sent += 1;
      }
    }
  }
  expect(sent).toBeGreaterThan(200);
});

test("a command line that is more than one plain read is left to the program", () => {
  const left = [
    ...["", "accounts", "accounts list --all", "accounts list --limit 3", "accounts list -h"],
    ...["accounts list --fields id", "accounts list --output csv", "accounts list --pretty"],
    ...["accounts list --timeout 5", "accounts list --debug", "accounts list --version"],
    ...["accounts list --page", "accounts list --page 0", "accounts list --pageSize 31"],
    ...["accounts list --page 1 --page 2", "accounts list --page=1", "accounts list --page-size 3"],
    ...["accounts list page 1", "accounts list --", "accounts list --constructor x"],
    ...["accounts list --status CLOSED", "accounts list --currency -x", "accounts get"],
    ...["accounts get --id ..", "accounts get --id a/b", "accounts get --id x --x y"],
    ...["requests list --state APPROVED", "requests list --type CREATE_GROUP"],
    ...["whitelists list --name x", "users list", "requests governance-status --id x"],
    ...["__proto__ list", "toString list", "requests create", "requests approve", "api GET"],
  ];
  for (const line of left) expect([line, requestLine(line.split(" "))]).toEqual([line, undefined]);
  expect(requestLine("accounts get --id x".split(" "))).toBe(
    '{"v":1,"verb":"read","operation":"accounts.get","parameters":{"id":"x"},"length":0}\n',
  );
});

two(
  "A15 the program asks for a plain read with the same line, and prints the same",
  async () => {
    await using double = await Double.open();
    for (const words of Object.keys(READS)) {
      const { options, required } = read(words);
      const most = options.flatMap(([name, ...rule]) => [
        ...(rule[0] === "flag" ? [`--${name}`] : []),
        ...(rule[0] === "integer" ? [`--${name}`, `${rule[2]}`] : []),
        ...(rule[0] === "choice" ? [`--${name}`, rule[1] ?? ""] : []),
        ...(rule[0] === "word" ? [`--${name}`, ID] : []),
      ]);
      const least = required.flatMap((name) => [`--${name}`, ID]);
      double.says(framed('{"results":[],"name":"\u202e\u00e4","n":12345678901234567890}'));
      for (const given of [least, most]) {
        const argv = [...words.split(" "), ...given];
        double.asked.length = 0;
        const early = await double.run(argv);
        const whole = await double.run([...argv, ...BY_THE_PROGRAM]);
        expect(double.asked).toEqual([requestLine(argv) ?? "", requestLine(argv) ?? ""]);
        expect(early).toEqual(whole);
        expect([early.exit, early.stderr]).toEqual([0, ""]);
        expect(early.stdout).toContain("\\u202e\u00e4");
      }
    }
  },
  LONG_MS,
);

const FAILURE = JSON.stringify({ code: "NOT_FOUND", message: "There is no such account." });
const DOCUMENT = '{"id":"1","name":"A"}';
const REFUSED = { ok: false, warnings: [] };
const WARNED = { ok: true, warnings: [["CLOCK", "The clock is wrong."]] };
/** What a guard may say, in pieces, and whether all of it is printed by the early client. */
const ANSWERS: Readonly<Record<string, readonly string[]>> = {
  "an answer in one piece": [framed(DOCUMENT)],
  "byte by byte": [...framed(DOCUMENT)],
  "a failure": [framed(FAILURE, REFUSED)],
  "a failure in pieces": framed(FAILURE, REFUSED).match(/[\s\S]{1,20}/g) ?? [],
  "an answer with a warning": [framed(DOCUMENT, WARNED)],
  "another version": [framed(DOCUMENT).replace('"v":1', '"v":2')],
  "members in another order": ['{"ok":true,"v":1,"warnings":[],"length":2}\n{}'],
  "an unknown member": [framed(DOCUMENT, { ok: true, warnings: [], x: 1 })],
  "a member of the line twice": ['{"v":2,"v":1,"ok":true,"warnings":[],"length":2}\n{}'],
  "a line with white space": [
    `{"v": 1,"ok":true,"warnings":[],"length":${DOCUMENT.length}}\n`,
    DOCUMENT,
  ],
  "a length with a fraction": ['{"v":1,"ok":true,"warnings":[],"length":2.0}\n{}'],
  "a record's key before the answer": [
    '{"v":1,"key":"01ARZ3NDEKTSV4RRFFQ69G5FAV"}\n',
    framed(DOCUMENT),
  ],
  "a line that is too long": [
    `{"v":1,"ok":true,"warnings":[],"length":2${" ".repeat(70_000)}}\n{}`,
  ],
  "white space in the document": [framed('{\n  "id": "1"\n}\n')],
  "a key of the document twice": [framed('{"id":"1","id":"2"}')],
  "a document that is nested too deeply": [framed(`${"[".repeat(600)}${"]".repeat(600)}`)],
  "a document that is cut off": [framed(DOCUMENT).slice(0, -1)],
  "a line that is cut off": ['{"v":1,"ok":true'],
  "no JSON": [framed('{"id":')],
  "not UTF-8": [framed('{"id":"\u00ff"}')],
  "more than was said": [`${framed(DOCUMENT)}garbage`],
  "an endless line": ["x".repeat(70_000)],
  "a length beyond what is taken": ['{"v":1,"ok":true,"warnings":[],"length":40000000}\n'],
  "a length that is none": ['{"v":1,"ok":true,"warnings":[],"length":-1}\n{}'],
  nothing: [],
  "a long document": [framed(JSON.stringify({ results: ["x".repeat(200_000)] }))],
};

for (const [what, pieces] of Object.entries(ANSWERS)) {
  two(`an early read is asked once, and ends as the program ends it: ${what}`, async () => {
    await using double = await Double.open();
    const argv = ["accounts", "get", "--id", "1"];
    if (what === "not UTF-8") {
      double.answer = (socket) => socket.end(Buffer.from(framed('{"id":"\u00ff"}'), "latin1"));
    } else double.says(...pieces);
    const early = await double.run(argv);
    expect(double.asked.length).toBe(1);
    const whole = await double.run([...argv, ...BY_THE_PROGRAM]);
    expect(early).toEqual(whole);
    expect(double.asked.length).toBe(2);
  });
}

two("an early read ends at once with an answer that only the program understands", async () => {
  await using double = await Double.open();
  const open: Socket[] = [];
  double.answer = (socket) => {
    open.push(socket);
    socket.write('{"v":2,"length":100}\n{}');
  };
  const begun = performance.now();
  const { exit, stdout } = await double.run(["accounts", "get", "--id", "1"]);
  expect(performance.now() - begun).toBeLessThan(TIMEOUT_SECONDS * 1000 - 2_000);
  for (const socket of open) socket.destroy();
  expect([exit, JSON.parse(stdout).error.code]).toEqual([1, "GUARD_INCOMPATIBLE"]);
  expect(open.length).toBe(1);
});

two("an early read has its time whatever the runtime's clock counts from", async () => {
  await using double = await Double.open();
  double.says(...(framed(FAILURE, REFUSED).match(/[\s\S]{1,60}/g) ?? []));
  // As in the npm package, whose clock counts from the start of the machine.
  const preload = double.path.replace("guard.sock", "clock.js");
  const clock =
    "globalThis.performance = { now: () => 1e9 + Number(process.hrtime.bigint()) / 1e6 }";
  await writeFile(preload, clock);
  const { exit, stdout } = await double.run(["accounts", "get", "--id", "1"], {
    BUN_OPTIONS: `--preload ${preload}`,
  });
  expect([exit, JSON.parse(stdout).error.code]).toEqual([4, "NOT_FOUND"]);
});

two("an early read that the program refuses after all does not wait for the guard", async () => {
  await using double = await Double.open();
  const open: Socket[] = [];
  double.answer = async (socket) => {
    open.push(socket);
    await chmod(double.path, 0o666);
    socket.write("x".repeat(100));
  };
  const { exit, stdout } = await double.run(["accounts", "get", "--id", "1"]);
  for (const socket of open) socket.destroy();
  expect([exit, JSON.parse(stdout).error.code]).toEqual([2, "GUARD_INSECURE"]);
  expect(open.length).toBe(1);
});

two("a time to wait below zero is no answer of a guard", async () => {
  await using double = await Double.open();
  const busy = { code: "RATE_LIMITED", message: "Later.", retryAfterSeconds: -1 };
  double.says(framed(JSON.stringify(busy), REFUSED));
  const { exit, stdout, stderr } = await double.run(["accounts", "get", "--id", "1"]);
  expect([exit, JSON.parse(stdout).error.code, stderr]).toEqual([1, "GUARD_INCOMPATIBLE", ""]);
  expect(double.asked.length).toBe(1);
});

two("a guard that refuses to wait its turn is asked again, as by the program", async () => {
  await using double = await Double.open();
  const busy = framed(
    JSON.stringify({ code: "RATE_LIMITED", message: "Later.", retryAfterSeconds: 1 }),
    REFUSED,
  );
  double.answer = (socket) => socket.end(double.asked.length === 1 ? busy : framed(DOCUMENT));
  const { exit, stdout } = await double.run(["accounts", "get", "--id", "1"]);
  expect([exit, stdout, double.asked.length]).toEqual([0, `${DOCUMENT}\n`, 2]);
});

two("an early read is not tried beside other settings, or with a socket of this user", async () => {
  await using double = await Double.open();
  double.says(framed(DOCUMENT));
  const argv = ["accounts", "get", "--id", "1"];
  const secret = await double.run(argv, { LEDGER_ENTERPRISE_API_KEY_SECRET: "not-a-real-one" });
  expect([secret.exit, JSON.parse(secret.stdout).error.code]).toEqual([2, "GUARD_BYPASS"]);
  await chmod(double.path, 0o666);
  const open = await double.run(argv);
  expect([open.exit, JSON.parse(open.stdout).error.code]).toEqual([2, "GUARD_INSECURE"]);
  await chmod(double.path, 0o660);
  await chown(double.path, AGENT_UID, AGENT_UID);
  const own = await double.run(argv);
  expect([own.exit, JSON.parse(own.stdout).error.code]).toEqual([2, "GUARD_INSECURE"]);
  expect(double.asked).toEqual([]);
});

two("an early read asks the socket that the program would ask", async () => {
  await using double = await Double.open();
  double.says(framed(DOCUMENT));
  await rename(double.path, `${double.path} `);
  const argv = ["accounts", "get", "--id", "1"];
  const early = await double.run(argv, { LEDGER_ENTERPRISE_GUARD: `${double.path} ` });
  expect([early.exit, JSON.parse(early.stdout).error.code]).toEqual([1, "GUARD_UNREACHABLE"]);
  expect(double.asked).toEqual([]);
});

two(
  "A15 the first process of a container hears a signal while it waits for the guard",
  async () => {
    await using double = await Double.open();
    const waiting = Promise.withResolvers<Socket>();
    double.answer = waiting.resolve;
    const argv = [...SOURCE_COMMAND, "accounts", "get", "--id", "1"];
    const child = Bun.spawn(["unshare", "--pid", "--fork", ...asUser(AGENT_UID, argv)], {
      ...{ cwd: "/", stdin: "ignore", stdout: "pipe", stderr: "pipe" },
      env: {
        HOME: "/nonexistent",
        PATH: process.env.PATH ?? "",
        LEDGER_ENTERPRISE_GUARD: double.path,
      },
    });
    const socket = await waiting.promise;
    const children = await readFile(`/proc/${child.pid}/task/${child.pid}/children`, "utf8");
    process.kill(Number.parseInt(children, 10), "SIGTERM");
    // It would be waited for as long as the guard says nothing.
    const ended = await Promise.race([child.exited, Bun.sleep(TIMEOUT_SECONDS * 900)]);
    socket.destroy();
    await child.exited;
    expect(ended).toBe(143);
  },
);

two(
  "an early read takes no longer than a command may take, whatever it waits for",
  async () => {
    await using double = await Double.open();
    const busy = { code: "RATE_LIMITED", message: "Later.", retryAfterSeconds: 20 };
    double.answer = async (socket) => {
      await Bun.sleep(20_000);
      socket.end(framed(JSON.stringify(busy), REFUSED));
    };
    const begun = performance.now();
    const { exit, stdout } = await double.run(["accounts", "get", "--id", "1"]);
    const seconds = (performance.now() - begun) / 1000;
    expect([exit, JSON.parse(stdout).error.code]).toEqual([1, "RATE_LIMITED"]);
    expect(seconds).toBeGreaterThan(TIMEOUT_SECONDS - 1);
    // It would wait 20 seconds more.
    expect(seconds).toBeLessThan(TIMEOUT_SECONDS + 18);
    expect(double.asked.length).toBe(1);
  },
  LONG_MS,
);

two(
  "a guard that never answers is waited for as long as a command may take",
  async () => {
    await using double = await Double.open();
    let hung: Socket | undefined;
    double.answer = (socket) => {
      hung = socket;
    };
    const begun = performance.now();
    const { exit, stdout } = await double.run(["accounts", "get", "--id", "1"]);
    const seconds = (performance.now() - begun) / 1000;
    hung?.destroy();
    expect([exit, JSON.parse(stdout).error.code]).toEqual([1, "TIMEOUT"]);
    expect(seconds).toBeGreaterThan(TIMEOUT_SECONDS - 1);
    expect(seconds).toBeLessThan(TIMEOUT_SECONDS + 25);
    expect(double.asked.length).toBe(1);
  },
  LONG_MS,
);

/** Runs the line in a shell, as the agent, with the program as "$@". */
async function shell(double: Double, line: string): Promise<Outcome> {
  const argv = [...SOURCE_COMMAND, "accounts", "get", "--id", "1"];
  const child = Bun.spawn(asUser(AGENT_UID, ["bash", "-c", line, "bash", ...argv]), {
    ...{ cwd: "/", stdin: "ignore", stdout: "pipe", stderr: "pipe" },
    env: {
      HOME: "/nonexistent",
      PATH: process.env.PATH ?? "",
      LEDGER_ENTERPRISE_GUARD: double.path,
    },
  });
  const [stdout, stderr] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
  ]);
  return { exit: await child.exited, stdout, stderr };
}

two(
  "OUT-7 an early answer that stdout does not take is OUTPUT_ERROR, or waits",
  async () => {
    await using double = await Double.open();
    const long = JSON.stringify({ results: ["x".repeat(60_000)] });
    double.says(framed(long));
    const closed = await shell(double, '"$@" >&-');
    expect(closed.exit).toBe(ERRORS.OUTPUT_ERROR.exit);
    const full = await shell(double, '"$@" >/dev/full');
    expect(full.exit).toBe(ERRORS.OUTPUT_ERROR.exit);
    // The other end of the pipe is closed before the program starts.
    const gone = await shell(double, 'exec 3> >(true); wait $!; "$@" >&3 3>&-; echo $? >&2');
    expect(gone.stderr.trim()).toBe(`${ERRORS.OUTPUT_ERROR.exit}`);
    // The pipe is nearly full before.
    const slow = await shell(
      double,
      '{ head -c 60000 /dev/zero; "$@"; } | { sleep 1; tail -c +60001; }',
    );
    expect([slow.exit, slow.stdout === `${long}\n`]).toEqual([0, true]);
    expect(double.asked.length).toBe(4);
  },
  LONG_MS,
);

two("an early read loads neither the table of errors nor what runs commands", async () => {
  await using double = await Double.open();
  double.says(framed(DOCUMENT));
  // A module that is loaded from source is opened.
  const opened = async (...argv: string[]): Promise<string[]> => {
    const child = Bun.spawn(
      asUser(AGENT_UID, ["strace", "-f", "-e", "trace=openat,open", ...SOURCE_COMMAND, ...argv]),
      {
        ...{ cwd: "/", stdin: "ignore", stdout: "pipe", stderr: "pipe" },
        env: {
          HOME: "/nonexistent",
          PATH: process.env.PATH ?? "",
          LEDGER_ENTERPRISE_GUARD: double.path,
        },
      },
    );
    const [text] = await Promise.all([
      new Response(child.stderr).text(),
      new Response(child.stdout).text(),
    ]);
    return [...text.matchAll(/src\/([\w/]+\.ts)"/g)].map(([, file = ""]) => file);
  };
  const early = await opened("accounts", "get", "--id", "1");
  expect(early).toContain("guard/early.ts");
  const whole = await opened("accounts", "get", "--id", "1", ...BY_THE_PROGRAM);
  for (const file of ["errors.ts", "app/run.ts", "io/json.ts", "commands/accounts.ts"]) {
    expect([file, early.includes(file), whole.includes(file)]).toEqual([file, false, true]);
  }
});

two(
  "A15 early reads of a real guard print what the program prints",
  async () => {
    await using here = await openTwoUsers();
    const lists = Object.keys(READS).filter((words) => read(words).required.length === 0);
    for (const words of lists) {
      const argv = words.split(" ");
      const early = await here.agent(...argv);
      const whole = await here.agent(...argv, ...BY_THE_PROGRAM);
      expect([words, early.exit, early.stdout]).toEqual([words, whole.exit, whole.stdout]);
    }
    const missing = await here.agent("accounts", "get", "--id", "missing");
    expect([missing.exit, missing.error.code]).toEqual([4, "NOT_FOUND"]);
  },
  LONG_MS,
);
