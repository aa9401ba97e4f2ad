/** The audit trail when it is very long, and when what it says is meant to do harm elsewhere. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdir, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { writeLog } from "../support/log-file.ts";
import { lowestPeak, Program, twoForms } from "./program.ts";

const root = await mkdtemp(join(tmpdir(), "audit-"));
afterAll(() => rm(root, { recursive: true }));
const forms = await twoForms();

const [SHORT, LONG] = [100_000, 1_000_000];
/** The longer trail has some 200 MiB more; a garbage collector may take some more room for that. */
const MOST_MORE_MIB = 32;

const stateOf = (count: number): string => join(root, String(count));
const fileOf = (count: number): string => join(stateOf(count), "audit/audit-abababab-000001.jsonl");

beforeAll(async () => {
  for (const count of [SHORT, LONG]) {
    await mkdir(join(stateOf(count), "audit"), { recursive: true, mode: 0o700 });
    writeLog(fileOf(count), count);
  }
}, 120_000);

describe.each(forms)("$name", (form) => {
  test.each([
    ["verify", (count: number) => `audit verify --file ${fileOf(count)}`],
    ["list", () => "audit list --limit 3"],
    ["list with a long limit", (count: number) => `audit list --limit ${count - 5}`],
    ["list, all of it,", () => "audit list --all"],
    ["export", () => "audit export --as ndjson"],
  ])(
    `C7 audit %s needs as much memory for ${LONG} lines as for ${SHORT}`,
    async (_, command) => {
      await using program = await Program.at(form, {});
      const peakOf = async (count: number): Promise<number> => {
        const script = `set -o pipefail
/usr/bin/time --quiet -f %M -o "$HOME/peak" "$@" ${command(count)} | wc -c > "$HOME/size"`;
        const env = { LEDGER_ENTERPRISE_STATE_DIR: stateOf(count) };
        const { exit, stderr } = await program.shell(script, env);
        expect([exit, stderr]).toEqual([0, ""]);
        expect(Number(await readFile(join(program.home, "size"), "utf8"))).toBeGreaterThan(50);
        return Number(await readFile(join(program.home, "peak"), "utf8")) / 1024;
      };
      const short = await peakOf(SHORT);
      const long = await lowestPeak(short + MOST_MORE_MIB, () => peakOf(LONG));
      console.error(`${form.name}: peaks of ${short.toFixed(0)} and ${long.toFixed(0)} MiB`);
      expect(short).toBeGreaterThan(5);
      expect(long - short).toBeLessThan(MOST_MORE_MIB);
    },
    360_000,
  );

  test.each([
    ["a formula", '=HYPERLINK("https://evil.example")', `"'=HYPERLINK(""https://evil.example"")"`],
    ["a plus", "+1+cmd|' /C calc'!A0", "'+1+cmd|' /C calc'!A0"],
    ["an at", "@SUM(1)", "'@SUM(1)"],
    ["a quote and a comma", 'say "a", b', '"say ""a"", b"'],
  ])("OUT-4 in the CSV of audit export %s is a text", async (_, word, cell) => {
    await using program = await Program.at(form, {});
    const state = join(program.home, "state");
    await mkdir(join(state, "audit"), { recursive: true, mode: 0o700 });
    writeLog(join(state, "audit/audit-abababab-000001.jsonl"), 2, word);
    const { exit, stdout } = await form.run({
      argv: ["audit", "export", "--as", "csv"],
      env: { ...program.env, LEDGER_ENTERPRISE_STATE_DIR: state },
      stdin: undefined,
      cwd: program.home,
    });
    const [head, first, second, end] = stdout.split("\r\n");
    expect([exit, end]).toEqual([0, ""]);
    expect(head).toStartWith("log,seq,time,prev,event,key,command,");
    expect(first).toContain(`,genesis,,${cell},`);
    expect(second).toContain(`,intent,,${cell},`);
  });

  test("OUT-4 control characters and line breaks of a trail stay visible in one line of its CSV", async () => {
    await using program = await Program.at(form, {});
    const state = join(program.home, "state");
    await mkdir(join(state, "audit"), { recursive: true, mode: 0o700 });
    writeLog(join(state, "audit/audit-abababab-000001.jsonl"), 1, "a\u001b[2J\r\n=b\u202e");
    const { stdout } = await form.run({
      argv: ["audit", "export", "--as", "csv"],
      env: { ...program.env, LEDGER_ENTERPRISE_STATE_DIR: state },
      stdin: undefined,
      cwd: program.home,
    });
    expect(stdout.split("\r\n")).toHaveLength(3);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: these must not be there
    expect(stdout.replaceAll("\r\n", "")).not.toMatch(/[\u0000-\u001f\u202e]/);
  });
});
