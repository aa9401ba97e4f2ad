/**
 * W: a refusal names the thing, in every form of the program: what was given, why it is refused,
 * and the command, variable or spelling that is right.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtempSync, writeFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { allForms, type Form, type Outcome } from "./support/forms.ts";
import type { Counterpart } from "./support/play.ts";
import { openSandbox } from "./support/sandbox.ts";

interface Refusal {
  readonly what: string;
  readonly argv: readonly string[];
  readonly code: string;
  readonly message?: string;
  readonly hint?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly stdin?: string;
}

const CREATE = ["requests", "create", "--dryRun", "--requestData"];
const GROUP = "The commands of 'accounts' are: list, get, getBalance.";
const SPLIT =
  "The shell split the document: put it in quotes, or write it to a file and give --requestData @file.";
const QUOTES = "Remove the quotation marks: only a shell takes them away, an env file does not.";
const deep = `{"a":${"[".repeat(600)}${"]".repeat(600)}}`;

/** Files that the rows below name. */
const FILES: Readonly<Record<string, string | Uint8Array>> = {
  "utf16.json": Buffer.from('\ufeff{"type":"X"}', "utf16le"),
  "utf16-without-mark.json": Buffer.from('{"type":"X"}', "utf16le"),
  "latin1.json": Buffer.from('{"type":"\xe9"}', "latin1"),
  "deep.json": deep,
};

const OFFLINE: readonly Refusal[] = [
  {
    what: "an unknown command of a group names the group's commands",
    argv: ["accounts", "remove"],
    code: "UNKNOWN_COMMAND",
    hint: GROUP,
  },
  {
    what: "a misspelled one names the nearest first",
    argv: ["accounts", "lst"],
    code: "UNKNOWN_COMMAND",
    hint: `Did you mean 'accounts list'? ${GROUP}`,
  },
  {
    what: "JSON that is too deep says so",
    argv: [...CREATE, "@deep.json"],
    code: "INVALID_JSON",
    message: "--requestData is not valid JSON: the document is nested deeper than 512 levels.",
    hint: "Send a document that is nested less deeply.",
  },
  {
    what: "a doubled key is named by its place",
    argv: [...CREATE, '{"data":{"to":1,"to":2}}'],
    code: "JSON_DUPLICATE_KEY",
    message: "--requestData is not valid JSON: a key appears twice in one object, at /data/to.",
  },
  ...["utf16.json", "utf16-without-mark.json"].map((name) => ({
    what: `a file in UTF-16 (${name})`,
    argv: [...CREATE, `@${name}`],
    code: "INVALID_JSON",
    message: "--requestData is not valid JSON: the text is UTF-16, not UTF-8.",
    hint: "Save the file as UTF-8.",
  })),
  {
    what: "a file in another encoding",
    argv: [...CREATE, "@latin1.json"],
    code: "INVALID_JSON",
    message: "--requestData is not valid JSON: the text is not valid UTF-8.",
    hint: "Save the file as UTF-8.",
  },
  {
    what: "a challenge in UTF-16",
    argv: ["requests", "sign", "--challenge", "@utf16.json"],
    code: "INVALID_ARGUMENT",
    message: "--challenge is not UTF-8.",
    hint: "The text is UTF-16, not UTF-8.",
  },
  {
    what: "@- is not standard input",
    argv: [...CREATE, "@-"],
    code: "INVALID_PATH",
    hint: "Use - for standard input.",
    stdin: "{}",
  },
  {
    what: "JSON that the shell split",
    argv: [...CREATE, "{type:", "X}"],
    code: "UNEXPECTED_ARGUMENT",
    hint: SPLIT,
  },
  {
    what: "JSON that the shell split before the option",
    argv: ["requests", "create", '{"type":"X"}'],
    code: "UNEXPECTED_ARGUMENT",
    hint: SPLIT,
  },
  {
    what: "C22 single quotes that the shell left in",
    argv: [...CREATE, '\'{"type":"X"}\''],
    code: "INVALID_JSON",
    hint: "The shell left the single quotes in: write the document to a file and give @file.",
  },
  {
    what: "C22 double quotes that the shell took away",
    argv: [...CREATE, "{type:X}"],
    code: "INVALID_JSON",
    hint: "The shell took the double quotes away: write the document to a file and give @file.",
  },
  {
    what: "a bare id",
    argv: ["requests", "get", "7"],
    code: "UNEXPECTED_ARGUMENT",
    hint: "Give an id as --id.",
  },
  {
    what: "a bare id of an account",
    argv: ["transactions", "list", "7"],
    code: "UNEXPECTED_ARGUMENT",
    hint: "Give an id as --accountId.",
  },
  {
    what: "another argument too many",
    argv: ["accounts", "list", "foo"],
    code: "UNEXPECTED_ARGUMENT",
    hint: "Remove the argument; every value belongs to an option.",
  },
  {
    what: "a path that Git Bash changed",
    argv: ["api", "--path", "C:/Program Files/Git/accounts"],
    code: "INVALID_ARGUMENT",
    message: "--path arrived as a path of Windows: the shell changed its leading '/'.",
    hint: "Leave the leading '/' out, as in --path accounts, or set MSYS_NO_PATHCONV=1.",
  },
  ...["API_URL", "WORKSPACE", "API_KEY_ID", "API_KEY_SECRET"].map((name) => ({
    what: `quotes round ${name}`,
    argv: ["login", "api"],
    env: { [`LEDGER_ENTERPRISE_${name}`]: '"https://re.vault.ledger.com/v1/rest"' },
    code: "INVALID_ARGUMENT",
    message: `LEDGER_ENTERPRISE_${name} has quotation marks around its value.`,
    hint: QUOTES,
  })),
  {
    what: "quotes round the state folder",
    argv: ["whoami"],
    env: { LEDGER_ENTERPRISE_STATE_DIR: '"/var/lib/state"' },
    code: "INVALID_PATH",
    message: "LEDGER_ENTERPRISE_STATE_DIR has quotation marks around its value.",
    hint: QUOTES,
  },
  {
    what: "quotes round the private key",
    argv: ["keys", "public"],
    env: { LEDGER_ENTERPRISE_API_PRIVATE_KEY: "'2d2d'" },
    code: "INVALID_ARGUMENT",
    hint: QUOTES,
  },
  {
    what: "approval without a signature asks for the review",
    argv: ["requests", "approve", "api", "--id", "7"],
    code: "INVALID_ARGUMENT",
    hint: "Run 'requests review' first, show a person what it decoded, then run this again with --sign.",
  },
  {
    what: "a missing operand says where it goes",
    argv: ["completion"],
    code: "MISSING_OPTION",
    message: "Missing: <shell>.",
    hint: "Add it after the command's name; --help shows how.",
  },
];

const ONLINE: readonly Refusal[] = [
  ...["accounts", "users", "groups", "whitelists", "requests"].map((group) => ({
    what: `${group}: what is not there is named, with the command that finds it`,
    argv: [group, "get", "--id", "nothing-like-it"],
    code: "NOT_FOUND",
    message: `The API has no ${group.slice(0, -1)} with the id 'nothing-like-it'.`,
    hint: `Find the id with '${group} list'.`,
  })),
  {
    what: "policies: the same",
    argv: ["policies", "get", "--id", "x"],
    code: "NOT_FOUND",
    message: "The API has no policy with the id 'x'.",
    hint: "Find the id with 'policies list'.",
  },
  {
    what: "D11 an account's name in place of its id",
    argv: ["transactions", "list", "--accountId", "Treasury"],
    code: "NOT_FOUND",
    message: "The API has no account with the id 'Treasury'.",
    hint: "Find the id with 'accounts list'.",
  },
  {
    what: "F03 a refused login names what it read",
    argv: ["login", "api", "--workspace", "elsewhere"],
    env: { LEDGER_ENTERPRISE_WORKSPACE: "" },
    code: "UNAUTHORIZED",
    message: "The API refused the credentials of the login.",
    hint: "A person must check LEDGER_ENTERPRISE_API_URL, --workspace, LEDGER_ENTERPRISE_API_KEY_ID, LEDGER_ENTERPRISE_API_KEY_SECRET; the same values are refused again.",
  },
];

const V1_ONLINE: readonly Refusal[] = [
  {
    what: "F03 a refused reporting key is named by its variable",
    argv: ["login", "reporting", "--apiVersion", "v1"],
    env: { LEDGER_ENTERPRISE_REPORTING_API_KEY: "not-the-key" },
    code: "UNAUTHORIZED",
    hint: "A person must check LEDGER_ENTERPRISE_API_URL, LEDGER_ENTERPRISE_WORKSPACE, LEDGER_ENTERPRISE_REPORTING_API_KEY; the same values are refused again.",
  },
];

describe.each(await allForms())("$name", (form: Form) => {
  let sandbox: Counterpart;
  let home: string;

  const run = (argv: readonly string[], given: Partial<Refusal> = {}): Promise<Outcome> => {
    const { ORIGIN: _, ...env } = sandbox.environment;
    return form.run({
      argv,
      env: { ...env, HOME: home, PATH: "/usr/bin:/bin", ...given.env },
      stdin: given.stdin,
      cwd: home,
    });
  };

  beforeAll(async () => {
    home = mkdtempSync(join(tmpdir(), "words-"));
    for (const [name, content] of Object.entries(FILES)) writeFileSync(join(home, name), content);
    sandbox = await openSandbox();
    expect((await run(["login", "api"])).exit).toBe(0);
  });
  afterAll(async () => {
    await sandbox[Symbol.asyncDispose]();
    await rm(home, { recursive: true });
  });

  test.each([...OFFLINE, ...ONLINE])("W $what", async (row) => {
    const { stdout, stderr } = await run(row.argv, row);
    const { code, message, hint } = JSON.parse(stdout).error;
    expect({ code, message, hint, stderr }).toEqual({
      code: row.code,
      message: row.message ?? message,
      hint: row.hint ?? hint,
      stderr: "",
    });
  });

  test.each(V1_ONLINE)("W on API V1: $what", async (row) => {
    const env = { ...row.env, LEDGER_ENTERPRISE_API_URL: `${sandbox.environment.ORIGIN}/vault` };
    const { stdout } = await run(row.argv, { ...row, env });
    const { code, hint } = JSON.parse(stdout).error;
    expect({ code, hint }).toEqual({ code: row.code, hint: row.hint ?? "" });
  });

  test("W a path of the API may come without its leading slash", async () => {
    const [plain, bare] = [
      await run(["api", "--path", "/users/me"]),
      await run(["api", "--path", "users/me"]),
    ];
    expect({ exit: bare.exit, stdout: bare.stdout }).toEqual({ exit: 0, stdout: plain.stdout });
  });

  test("W doctor says that quotes are left round a setting", async () => {
    const env = { LEDGER_ENTERPRISE_WORKSPACE: "'minivault'" };
    const { stdout } = await run(["doctor", "--offline"], { env });
    const { findings } = JSON.parse(stdout).error.details;
    expect(findings.find(({ check }: { check: string }) => check === "settings")).toMatchObject({
      status: "problem",
      message: "LEDGER_ENTERPRISE_WORKSPACE has quotation marks around its value.",
      fix: QUOTES,
    });
  });
});
