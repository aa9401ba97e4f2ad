/** The lines of docs/reporting.md, run against the sandbox with its reporting key (V1). */
import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "../../scripts/build.ts";
import { PROGRAM, splitCommand } from "../support/script.ts";
import { openWorkspace } from "./workspace.ts";

const page = readFileSync(join(ROOT, "docs/reporting.md"), "utf8");
const lines = page.split("\n").filter((line) => line.startsWith(`${PROGRAM} `));

async function openReport() {
  const workspace = await openWorkspace();
  const { reportingKey = "" } = workspace.sandbox.description;
  const env = { LEDGER_ENTERPRISE_REPORTING_API_KEY: reportingKey };
  const program = await workspace.client("v1", env, false);
  await program.succeed(["login", "reporting", "--apiVersion", "v1"]);
  const run = (line: string) => {
    const [, ...argv] = splitCommand(line.replace(/ > .*$/, ""), new Map());
    return program.run(argv);
  };
  return { run, program, [Symbol.asyncDispose]: () => workspace[Symbol.asyncDispose]() };
}

test("doctor asks for no API key and no signing key beside a reporting session", async () => {
  await using report = await openReport();
  const { exit, stdout } = await report.run(`${PROGRAM} doctor`);
  const findings = JSON.parse(stdout).findings as { check: string; status: string }[];
  const about = findings.filter(({ check }) => ["session", "credentials", "key"].includes(check));
  expect({ exit, about: about.map(({ check, status }) => [check, status]) }).toEqual({
    exit: 0,
    about: [
      ["session", "ok"],
      ["credentials", "ok"],
      ["key", "ok"],
    ],
  });
});

/** Records of a CSV file without quoted cells, by their columns. */
function readCsv(text: string): Record<string, string>[] {
  expect(text.endsWith("\r\n")).toBe(true);
  expect(text).not.toContain('"');
  const [head = "", ...records] = text.slice(0, -2).split("\r\n");
  const names = head.split(",");
  return records.map((record) => {
    const cells = record.split(",");
    expect(cells).toHaveLength(names.length);
    return Object.fromEntries(names.map((name, at) => [name, cells[at] ?? ""]));
  });
}

test("OUT-10 four lines give accounts, balances, transactions and users of an entity, whole", async () => {
  await using report = await openReport();
  const files = lines.filter((line) => line.includes(" > "));
  expect(files.map((line) => line.replace(/^.* > /, ""))).toEqual([
    ...["accounts.csv", "balances.csv", "transactions.csv", "users.csv"],
  ]);
  const tables: Record<string, string>[][] = [];
  for (const line of files) {
    const { exit, stdout, stderr } = await report.run(line);
    expect({ line, exit, stderr }).toEqual({ line, exit: 0, stderr: "" });
    tables.push(readCsv(stdout));
  }
  const [accounts = [], balances = [], transactions = [], users = []] = tables;
  expect([accounts.length, balances.length, transactions.length, users.length]).toEqual([
    ...[42, 42, 49, 6],
  ]);
  expect(balances.find(({ name }) => name === "Ether Reserve")).toEqual({
    id: "26",
    name: "Ether Reserve",
    currency: "ethereum",
    balance: "12345678901234567890123",
    available_balance: "12345678901234567890123",
    pending_balance: "0",
  });
  for (const row of [...accounts, ...transactions, ...users])
    expect([row.id !== "", row.createdAt?.startsWith("20")]).toEqual([true, true]);
  expect(users.map(({ name }) => name)).toContain("Alice Martin");
});

test("every other line of the page works, too", async () => {
  await using report = await openReport();
  const others = lines.filter((line) => !line.includes(" > ") && !line.includes("login"));
  expect(others.length).toBe(2);
  for (const line of others) expect([line, (await report.run(line)).exit]).toEqual([line, 0]);
});
