/** How an external program is written in the configuration, and what it may see. */
import { afterAll, expect, test } from "bun:test";
import { chmodSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { findObstacle, parseProgram, withEnvironment } from "../../../src/core/auth/program.ts";
import { CliError } from "../../../src/errors.ts";
import { findDistrusted } from "../../../src/io/trust.ts";
import { failureOf } from "../../support/failure.ts";
import { trustedFolder } from "../../support/trusted.ts";

const folder = trustedFolder();
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const FIELD = "LEDGER_ENTERPRISE_SIGNER";
const PLAIN = { args: [], names: [], timeoutMs: 30_000 };

test.each([
  ["/opt/signer", { ...PLAIN, path: "/opt/signer" }],
  ["/opt/a signer [x]", { ...PLAIN, path: "/opt/a signer [x]" }],
  ['["/opt/signer"]', { ...PLAIN, path: "/opt/signer" }],
  ['["/opt/signer","a b","","$X"]', { ...PLAIN, path: "/opt/signer", args: ["a b", "", "$X"] }],
  [
    '{"command":["/opt/signer"],"env":["PIN_FILE"],"timeoutSeconds":300}',
    { path: "/opt/signer", args: [], names: ["PIN_FILE"], timeoutMs: 300_000 },
  ],
  [
    '{"command":["/opt/signer"],"timeoutSeconds":1}',
    { ...PLAIN, path: "/opt/signer", timeoutMs: 1000 },
  ],
])("%s is a program", (text, setting) => {
  expect(parseProgram(text, FIELD)).toEqual(setting);
});

test.each([
  "signer",
  "./signer",
  "~/signer",
  '"/opt/signer"',
  "[]",
  "{}",
  "null",
  "7",
  '["signer"]',
  '["/opt/signer",7]',
  '["/opt/../bin/signer"]',
  '["/opt//signer"]',
  '["/opt/"]',
  '["/"]',
  '["/opt/signer","a\\u0000b"]',
  '{"command":"/opt/signer"}',
  '{"command":["/opt/signer"],"shell":true}',
  '{"command":["/opt/signer"],"command":["/opt/other"]}',
  '{"command":["/opt/signer"],"env":"PIN"}',
  '{"command":["/opt/signer"],"env":["A=B"]}',
  '{"command":["/opt/signer"],"env":[""]}',
  '{"command":["/opt/signer"],"timeoutSeconds":0}',
  '{"command":["/opt/signer"],"timeoutSeconds":301}',
  '{"command":["/opt/signer"],"timeoutSeconds":1.5}',
  '{"command":["/opt/signer"],"timeoutSeconds":"30"}',
  '["/opt/signer"',
])("INVALID_ARGUMENT, without a quotation: %s", (text) => {
  const failure = failureOf(() => parseProgram(text, FIELD));
  expect(failure.code).toBe("INVALID_ARGUMENT");
  expect(failure.message).toStartWith(FIELD);
  expect(failure.message).not.toContain("/opt");
});

test.each([
  "LD_PRELOAD",
  "LD_LIBRARY_PATH",
  "DYLD_INSERT_LIBRARIES",
  "BASH_ENV",
  "BASH_FUNC_x",
  "ENV",
  "NODE_OPTIONS",
  "BUN_OPTIONS",
  "PATH",
  "LEDGER_ENTERPRISE_API_KEY_SECRET",
  "LEDGER_ENTERPRISE_API_PRIVATE_KEY",
  "LEDGER_ENTERPRISE_HELPER",
])("SEC-1 %s is never passed on to a program", (name) => {
  const text = JSON.stringify({ command: ["/opt/signer"], env: [name] });
  expect(failureOf(() => parseProgram(text, FIELD))).toBeInstanceOf(CliError);
});

test("SEC-1 a program sees what every program sees and what it names, and nothing else", () => {
  const environment = {
    ...{ HOME: "/h", USER: "u", LOGNAME: "l", LANG: "C", LC_ALL: "C", TZ: "UTC", TMPDIR: "/t" },
    ...{ PATH: "/evil", PIN_FILE: "/pin", OTHER: "x", LD_PRELOAD: "x", NODE_OPTIONS: "x" },
    ...{ LEDGER_ENTERPRISE_API_KEY_SECRET: "secret", LEDGER_ENTERPRISE_SIGNER: "/s" },
  };
  const setting = parseProgram('{"command":["/s"],"env":["PIN_FILE","ABSENT"]}', FIELD);
  expect(withEnvironment(setting, environment).env).toEqual({
    ...{ HOME: "/h", USER: "u", LOGNAME: "l", LANG: "C", LC_ALL: "C", TZ: "UTC", TMPDIR: "/t" },
    PIN_FILE: "/pin",
    PATH: "/usr/local/bin:/usr/bin:/bin",
    LEDGER_ENTERPRISE_HELPER: "1",
  });
});

test("where the system has no owners of files, no program starts", () => {
  expect(findObstacle("/bin/sh", undefined)?.kind).toBe("unsupported");
});

test("a program of the system is trusted, through its links", () => {
  expect(findObstacle("/bin/sh", process.getuid?.() ?? 0)).toBeUndefined();
});

test("a path is judged part by part: folders, links and their targets", () => {
  const uid = process.getuid?.() ?? 0;
  const at = (...parts: string[]): string => join(folder, ...parts);
  mkdirSync(at("a", "b"), { recursive: true });
  writeFileSync(at("a", "b", "file"), "");
  symlinkSync("../a/b", at("a", "link"));
  symlinkSync(at("a", "link", "file"), at("whole"));
  symlinkSync("loop", at("loop"));
  expect(findDistrusted(at("whole"), uid)).toBeUndefined();
  chmodSync(at("a", "b"), 0o1777);
  const reason = "is writable for group or others";
  expect(findDistrusted(at("whole"), uid)).toEqual({ path: at("a", "b"), reason });
  chmodSync(at("a", "b"), 0o700);
  expect(() => findDistrusted(at("loop"), uid)).toThrow();
  expect(() => findDistrusted(at("a", "absent"), uid)).toThrow("ENOENT");
  expect(findDistrusted(at("whole"), uid + 1)?.reason).toBe(
    uid === 0 ? undefined : "belongs to another user",
  );
});
