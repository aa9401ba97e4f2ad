/**
 * Helpers that go wrong, in every form of the program. Each ends in a typed failure within its time
 * and leaves no process behind; only a signature that the configured key verifies is a success.
 */
import { afterAll, describe, expect, test } from "bun:test";
import { generateKeyPairSync } from "node:crypto";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { chown, mkdir, mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { allForms, type Form } from "../support/forms.ts";
import { NOTHING_PUBLISHED } from "../support/releases.ts";
import { survivorsOf } from "../support/survivors.ts";
import { trustedFolder } from "../support/trusted.ts";
import { derOf, isHigh, openOrder, rawSignature } from "./signed.ts";

const folder = trustedFolder();
const order = await openOrder();
const forms = await allForms();
const other = generateKeyPairSync("ec", { namedCurve: "prime256v1" }).privateKey;
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** A secret of ours, and one that only the helper has. */
const OUR_SECRET = "canary-api-secret-77c1";
const ITS_SECRET = "canary-helper-secret-02fe";

interface Failure {
  readonly code: string;
  readonly exitCode: number;
  readonly message: string;
  readonly retryable: boolean;
  readonly details?: Readonly<Record<string, unknown>>;
}

interface Result {
  readonly exit: number | null;
  readonly signature: string | undefined;
  readonly error: Failure | undefined;
  readonly stdout: string;
  readonly stderr: string;
  readonly ms: number;
  /** How often the helper was started. */
  readonly starts: number;
  /** Processes that the helper noted and that still run. */
  readonly survivors: readonly string[];
}

let count = 0;

/** Writes a helper; every start of it leaves a mark, `$PIDS` takes process ids. */
function helper(body: string, mode = 0o755): string {
  count += 1;
  const place = join(folder, `${count}`);
  mkdirSync(place);
  const path = join(place, "helper");
  writeFileSync(path, body, { mode });
  chmodSync(path, mode);
  return path;
}

function script(lines: string): string {
  return helper(`#!/bin/sh\necho start >>"$0.starts"; PIDS="$0.pids"\n${lines}\n`);
}

/** A script that reads its request and prints `answer`. */
function printing(answer: object | string): string {
  const text = typeof answer === "string" ? answer : JSON.stringify(answer);
  const path = script('cat >/dev/null; cat "$0.answer"');
  writeFileSync(`${path}.answer`, text);
  return path;
}

const raw = (signature: Uint8Array, format = "raw"): object => ({
  version: 1,
  format,
  signature: Buffer.from(signature).toString("base64"),
});

/** A script that answers well, and does something else before, after or instead of ending. */
function answering(before: string, after = ""): string {
  const path = script(`${before}\ncat >/dev/null; cat "$0.answer"\n${after}`);
  writeFileSync(`${path}.answer`, JSON.stringify(raw(rawSignature(order.key, order.message))));
  return path;
}

async function signWith(form: Form, path: string, settings: object = {}): Promise<Result> {
  const home = await mkdtemp(join(tmpdir(), "home-"));
  for (const suffix of ["starts", "pids"]) rmSync(`${path}.${suffix}`, { force: true });
  const started = performance.now();
  const outcome = await form.run({
    argv: ["requests", "sign", "--challenge", order.challenge],
    env: {
      HOME: home,
      PATH: "/usr/bin:/bin",
      ...NOTHING_PUBLISHED,
      HELPER_SECRET: ITS_SECRET,
      LEDGER_ENTERPRISE_API_KEY_SECRET: OUR_SECRET,
      LEDGER_ENTERPRISE_API_PUBLIC_KEY: order.publicKey,
      LEDGER_ENTERPRISE_SIGNER: JSON.stringify({ command: [path, "argument"], ...settings }),
    },
    stdin: undefined,
    cwd: home,
  });
  const ms = performance.now() - started;
  const read = (suffix: string): string[] =>
    existsSync(`${path}.${suffix}`)
      ? readFileSync(`${path}.${suffix}`, "utf8").trim().split("\n")
      : [];
  const document = JSON.parse(outcome.stdout) as { signature?: string; error?: Failure };
  rmSync(home, { recursive: true });
  return {
    ...outcome,
    signature: document.signature,
    error: document.error,
    ms,
    starts: read("starts").length,
    survivors: await survivorsOf(read("pids")),
  };
}

/** What is the same for every failure, and the code that this one must have. */
function expectFailure(result: Result, code: string, exit: number, starts = 1): Failure {
  const { error } = result;
  expect(`${error?.code} ${error?.message}`).toStartWith(`${code} `);
  expect(result).toMatchObject({ exit, stderr: "", signature: undefined, starts, survivors: [] });
  expect(error).toMatchObject({ exitCode: exit, retryable: false });
  for (const secret of [OUR_SECRET, ITS_SECRET]) expect(result.stdout).not.toContain(secret);
  if (error === undefined) throw new Error("There is no failure.");
  return error;
}

function signatureIn(result: Result): Buffer {
  expect(result).toMatchObject({ exit: 0, stderr: "", starts: 1, survivors: [] });
  const parts = (result.signature ?? "").split(".");
  expect(`${parts[0]}.${parts[1]}`).toBe(order.message);
  return Buffer.from(parts[2] ?? "", "base64url");
}

const good = (fits?: (signature: Buffer) => boolean): Buffer =>
  rawSignature(order.key, order.message, fits);
const reversed = (half: Uint8Array): Buffer => Buffer.from(half).reverse();
const halves = (signature: Buffer): [Buffer, Buffer] => [
  signature.subarray(0, 32),
  signature.subarray(32),
];
/** `30 len …` with bytes inserted into the first integer, and the lengths corrected. */
function withSuperfluousZero(der: Buffer): Buffer {
  const length = der[3] ?? 0;
  const content = Buffer.concat([
    Buffer.from([0x02, length + 1, 0]),
    der.subarray(4, 4 + length),
    der.subarray(4 + length),
  ]);
  return Buffer.concat([Buffer.from([0x30, content.length]), content]);
}

/** Wrong answers of a program that ends with 0: SIGNER_INVALID, exit 5. */
const INVALID: readonly (readonly [name: string, answer: () => object | string])[] = [
  ["another key", () => raw(rawSignature(other, order.message))],
  [
    "the digest hashed twice",
    () =>
      raw(
        rawSignature(
          order.key,
          Buffer.from(new Bun.CryptoHasher("sha256").update(order.message).digest()),
        ),
      ),
  ],
  ["the message with a line end", () => raw(rawSignature(order.key, `${order.message}\n`))],
  ["an earlier message", () => raw(rawSignature(order.key, `${order.message}x`))],
  ["the halves swapped", () => raw(Buffer.concat(halves(good()).reverse()))],
  ["each half reversed", () => raw(Buffer.concat(halves(good()).map(reversed)))],
  ["63 bytes", () => raw(good().subarray(1))],
  ["65 bytes", () => raw(Buffer.concat([good(), Buffer.from([1])]))],
  ["64 zeros", () => raw(Buffer.alloc(64))],
  ["DER that calls itself raw", () => raw(derOf(good()))],
  ["raw that calls itself DER", () => raw(good(), "der")],
  ["a format without a name", () => ({ version: 1, signature: good().toString("base64") })],
  [
    "DER with a superfluous zero",
    () => raw(withSuperfluousZero(derOf(good((one) => (one[0] ?? 0) < 0x80))), "der"),
  ],
  [
    "DER with 70 01 behind",
    () => raw(Buffer.concat([derOf(good()), Buffer.from([0x70, 1])]), "der"),
  ],
  ["DER that was cut", () => raw(derOf(good()).subarray(0, -1), "der")],
  ["DER with a negative r", () => raw(Buffer.from("300602018002017f", "hex"), "der")],
  ["hexadecimal", () => ({ version: 1, format: "raw", signature: good().toString("hex") })],
  [
    "base64 with a line end",
    () => ({ version: 1, format: "raw", signature: `${good().toString("base64")}\n` }),
  ],
  ["two documents", () => `${JSON.stringify(raw(good()))}\n${JSON.stringify(raw(good()))}\n`],
  ["a byte order mark", () => `\ufeff${JSON.stringify(raw(good()))}`],
  [
    "two signatures under one name",
    () => JSON.stringify(raw(good())).replace("{", '{"signature":"",'),
  ],
  ["another version", () => ({ ...raw(good()), version: 2 })],
  ["a version in quotes", () => ({ ...raw(good()), version: "1" })],
  ["an array", () => [raw(good())]],
  ["text", () => "signed."],
  ["nothing", () => ""],
];

describe.each(forms)("$name", (form) => {
  test.each(INVALID)("SIGNER_INVALID for %s", async (_name, answer) => {
    expectFailure(await signWith(form, printing(answer())), "SIGNER_INVALID", 5);
  });

  test.each<[string, (signature: Buffer) => object, (signature: Buffer) => boolean]>([
    ["raw with a high s", raw, isHigh],
    ["raw with a low s", raw, (one) => !isHigh(one)],
    ["DER with a high s", (one) => raw(derOf(one), "der"), isHigh],
    ["DER with an r of 31 bytes", (one) => raw(derOf(one), "der"), (one) => one[0] === 0],
    ["DER with an s of 31 bytes", (one) => raw(derOf(one), "der"), (one) => one[32] === 0],
  ])("SIG-3 SIG-4 %s is verified and has a low s", async (_name, form64, fits) => {
    const made = good(fits);
    const signature = signatureIn(await signWith(form, printing(form64(made))));
    expect(signature.subarray(0, 32)).toEqual(made.subarray(0, 32));
    expect(isHigh(signature)).toBe(false);
  });

  test.each([
    ["hangs", "sleep 600 & echo $! >$PIDS; echo $$ >>$PIDS; wait"],
    [
      "ignores every signal that can be ignored",
      "trap '' TERM HUP INT PIPE; echo $$ >$PIDS; sleep 600; sleep 600",
    ],
    ["answers and does not end", 'echo $$ >$PIDS; cat "$0.answer"; sleep 600'],
  ])("SIGNER_TIMEOUT: it %s", async (_name, lines) => {
    const path = script(lines);
    writeFileSync(`${path}.answer`, JSON.stringify(raw(good())));
    const result = await signWith(form, path, { timeoutSeconds: 1 });
    expectFailure(result, "SIGNER_TIMEOUT", 1);
    expect(result.ms).toBeLessThan(20_000);
  });

  test("a good answer counts although a child was left behind, which is killed", async () => {
    const result = await signWith(form, answering("sleep 600 & echo $! >$PIDS"));
    signatureIn(result);
    expect(result.ms).toBeLessThan(20_000);
  });

  test.each([
    ["a signal ends it after its answer", "kill -SEGV $$", { signal: "SIGSEGV" }],
    ["it ends with 3 after its answer", "exit 3", { exitCode: 3 }],
  ])("SIGNER_UNAVAILABLE: %s", async (_name, after, details) => {
    const result = await signWith(form, answering(":", after));
    expect(expectFailure(result, "SIGNER_UNAVAILABLE", 1).details).toMatchObject(details);
  });

  test.each([
    ["standard output", "echo $$ >$PIDS; yes"],
    ["standard error", "echo $$ >$PIDS; yes >&2"],
    ["standard output, and ends with 0", "head -c 70000 /dev/zero"],
  ])("SIGNER_INVALID: it floods %s", async (_name, lines) => {
    expectFailure(await signWith(form, script(lines)), "SIGNER_INVALID", 5);
  });

  test("it never reads its request, and is judged by its answer all the same", async () => {
    signatureIn(await signWith(form, answering("exec 3<&0 0</dev/null")));
    expectFailure(await signWith(form, script("exec 0<&-; exit 0")), "SIGNER_INVALID", 5);
  });

  test.each([
    ["REFUSED", "SIGNER_REFUSED", 2],
    ["ACCESS_DENIED", "SIGNER_REFUSED", 2],
    ["KEY_NOT_FOUND", "SIGNER_UNAVAILABLE", 1],
    ["THROTTLED", "SIGNER_UNAVAILABLE", 1],
    ["UNAVAILABLE", "SIGNER_UNAVAILABLE", 1],
    ["UNSUPPORTED", "SIGNER_UNAVAILABLE", 1],
    ["FAILED", "SIGNER_UNAVAILABLE", 1],
    ["SOMETHING_ELSE", "SIGNER_UNAVAILABLE", 1],
  ])(
    "it reports %s: %s, started once, with a good signature beside it or not",
    async (code, ours, exit) => {
      const error = { code, message: "no \u001b[31mred\u202e" };
      for (const answer of [
        { version: 1, error },
        { ...raw(good()), error },
      ]) {
        const result = await signWith(form, printing(answer));
        const { details } = expectFailure(result, ours, exit);
        expect(details?.signerMessage).toBe(error.message);
        expect(details?.signerCode).toBe(code === "SOMETHING_ELSE" ? undefined : code);
        for (const character of ["\u001b", "\u202e"])
          expect(result.stdout).not.toContain(character);
      }
      const failing = script(
        `cat >/dev/null; echo '${JSON.stringify({ version: 1, error })}'; exit 1`,
      );
      expectFailure(await signWith(form, failing), ours, exit);
    },
  );

  test("SEC-1 it writes secrets and terminal controls to stderr: masked, escaped, its end only", async () => {
    const path = script(
      `printf 'x%.0s' $(seq 5000) >&2; printf '\\033[2J%s %s end' "$HELPER_SECRET" '${OUR_SECRET}' >&2; exit 1`,
    );
    const result = await signWith(form, path, { env: ["HELPER_SECRET"] });
    const { details } = expectFailure(result, "SIGNER_UNAVAILABLE", 1);
    const shown = String(details?.stderr);
    expect(shown).toEndWith("\u001b[2J[redacted] [redacted] end");
    expect(shown.length).toBe(2048);
    expect(result.stdout).not.toContain("\u001b");
    expect(details).toMatchObject({ exitCode: 1 });
  });

  test("what it prints is never quoted, neither where it is malformed nor where it fails", async () => {
    for (const after of ["exit 0", "exit 1"]) {
      const { stdout } = await signWith(
        form,
        script(`cat >/dev/null; echo leaked-by-helper; ${after}`),
      );
      expect(stdout).not.toContain("leaked-by-helper");
    }
  });

  test("SEC-1 it sees the listed variables and no other, its arguments, / and no terminal", async () => {
    const path = script(
      'env >"$0.env"; echo "$#,$1,$PWD" >"$0.seen"; (exec </dev/tty) 2>/dev/null && echo tty >>"$0.seen"; cat >"$0.request"; exit 1',
    );
    expectFailure(await signWith(form, path, { env: ["HELPER_SECRET"] }), "SIGNER_UNAVAILABLE", 1);
    const names = readFileSync(`${path}.env`, "utf8")
      .trim()
      .split("\n")
      .map((line) => line.split("=")[0] ?? "");
    const ownOfShell = ["PWD", "OLDPWD", "SHLVL", "_"];
    expect(names.filter((name) => !ownOfShell.includes(name)).sort()).toEqual(
      ["HELPER_SECRET", "HOME", "LEDGER_ENTERPRISE_HELPER", "PATH"].sort(),
    );
    expect(readFileSync(`${path}.env`, "utf8")).toContain("PATH=/usr/local/bin:/usr/bin:/bin\n");
    expect(readFileSync(`${path}.seen`, "utf8")).toBe("1,argument,/\n");
    const digest = new Bun.CryptoHasher("sha256").update(order.message).digest("base64");
    expect(readFileSync(`${path}.request`, "utf8")).toBe(
      `{"protocol":"ledger-enterprise-signer","version":1,"operation":"sign","algorithm":"ES256","publicKey":"${order.publicKey}","digest":"${digest}","message":"${order.message}"}\n`,
    );
  });

  test.each([
    ["does not exist", () => join(folder, "absent"), "does not exist"],
    ["is a folder", () => folder, "is not a file"],
    ["cannot be executed", () => helper("#!/bin/sh\nexit 0\n", 0o644), "may not execute"],
    ["has no interpreter line", () => helper("exit 0\n"), "begins with '#!'"],
    ["has an interpreter that does not exist", () => helper("#!/absent\n"), "did not start"],
  ])("SIGNER_UNAVAILABLE: it %s", async (_name, make, words) => {
    const { message } = expectFailure(await signWith(form, make()), "SIGNER_UNAVAILABLE", 1, 0);
    expect(message).toContain(words);
  });

  describe("SIGNER_INSECURE, and not started", () => {
    const cases: readonly (readonly [string, () => Promise<string>])[] = [
      ["it is writable for its group", async () => chmodded(answering(":"), 0o775)],
      ["it is writable for others", async () => chmodded(answering(":"), 0o757)],
      ["its folder is writable for its group", async () => below(0o770)],
      ["its folder is writable for others, and sticky", async () => below(0o1777)],
      [
        "a folder further up is writable for others",
        async () => join(await below(0o777), "..", "deep", "helper"),
      ],
      ["a link to it lies in a folder that others may write to", async () => linked(0o777)],
      ["it belongs to another user", async () => owned(answering(":"))],
    ];
    test.each(cases.filter(([name]) => !name.includes("another user") || process.getuid?.() === 0))(
      "%s",
      async (_name, make) => {
        const made = await make();
        const { details } = expectFailure(
          await signWith(form, join(made)),
          "SIGNER_INSECURE",
          2,
          0,
        );
        expect(String(details?.path)).toStartWith(folder);
      },
    );

    test("a link that only root and this user can change is followed", async () => {
      const target = answering(":");
      const link = join(folder, `link-${count}`);
      symlinkSync(target, link);
      writeFileSync(`${link}.answer`, readFileSync(`${target}.answer`));
      signatureIn(await signWith(form, link));
    });
  });
});

function chmodded(path: string, mode: number): string {
  chmodSync(path, mode);
  return path;
}

/** A good helper in a folder of this mode. */
async function below(mode: number): Promise<string> {
  const path = answering(":");
  const open = join(folder, `open-${count}`);
  await mkdir(join(open, "deep"), { recursive: true });
  for (const place of [open, join(open, "deep")]) {
    writeFileSync(join(place, "helper"), readFileSync(path), { mode: 0o755 });
    writeFileSync(join(place, "helper.answer"), readFileSync(`${path}.answer`));
  }
  chmodSync(open, mode);
  return join(open, "helper");
}

async function linked(mode: number): Promise<string> {
  const target = answering(":");
  const open = join(folder, `open-${count}`);
  await mkdir(open);
  symlinkSync(target, join(open, "helper"));
  chmodSync(open, mode);
  return join(open, "helper");
}

async function owned(path: string): Promise<string> {
  await chown(path, 12345, 12345);
  return path;
}
