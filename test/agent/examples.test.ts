/**
 * Every example of every command is run against the sandbox, and every answer is what `schema` says
 * it is.
 */
import { expect, test } from "bun:test";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type Command, walk } from "../../src/cli/command.ts";
import { interpret, parse } from "../../src/cli/parse.ts";
import { PAYOUT } from "../support/payout.ts";
import { commands } from "../support/registry.ts";
import { splitCommand } from "../support/script.ts";
import { tally } from "./contract.ts";
import { at, openWorld, type World } from "./world.ts";

/** What examples cannot be run with here, each with its reason. They are parsed all the same. */
const NOT_RUN: readonly (readonly [words: RegExp, reason: string])[] = [
  [/^sandbox start/, "serves until it is stopped"],
  [/^mcp/, "speaks a protocol (test/mcp)"],
  [/device/, "needs a device and a person"],
  [/^login reporting|^requests (reject|governanceStatus)/, "needs the other API version"],
  [/^notifications/, "needs a webhook"],
  [/--signer/, "needs a program that holds a key (test/signers)"],
  [/--coin sui/, "needs an account of Sui (test/core/api/truth.test.ts)"],
  [/^guard (serve|adopt)/, "needs a user of its own (test/guard)"],
  [/^audit restart/, "needs a broken log (test/core/belts.test.ts)"],
  [/^upgrade/, "replaces the program"],
  [/^api /, "asks for a resource that the sandbox does not have"],
];

const ACCOUNT = "e5a8f6f0-2222-4f6e-8f5a-000000000001";

/**
 * A session, a request with its challenge and signature, and the files that examples name. Gives
 * the values of placeholders.
 */
async function prepare(world: World): Promise<Record<string, string>> {
  const file = (name: string, content: unknown): Promise<void> =>
    writeFile(
      join(world.cwd, name),
      typeof content === "string" ? content : JSON.stringify(content),
    );
  await file("tx.json", PAYOUT);
  await file("new.json", { version: 1, id: "reader", reads: "all", allow: [], windows: [] });
  await file("payout.json", { type: "CREATE_TRANSACTION", data: PAYOUT });
  // An example raises the payment itself: what is there before asks for another one.
  const transactionData = { ...PAYOUT.transactionData, amount: "2400000" };
  await file("before.json", { type: "CREATE_TRANSACTION", data: { ...PAYOUT, transactionData } });
  await file("intent.json", { data: { transaction_data: { amount: "2400000" } } });
  await world.run("login api");
  const id = String(
    at((await world.run("requests create --requestData @before.json")).document, "id"),
  );
  const challenge = String(
    at((await world.run(`requests review --id ${id}`)).document, "challenge"),
  );
  await file("challenge.txt", challenge);
  const signature = String(
    at(
      (await world.run(`requests sign --id ${id} --challenge ${challenge}`)).document,
      "signature",
    ),
  );
  return {
    ACCOUNT_ID: ACCOUNT,
    OTHER_ID: "e5a8f6f0-2222-4f6e-8f5a-000000000002",
    REQUEST_ID: id,
    CHALLENGE: challenge,
    SIGNATURE: signature,
    GROUP_ID: "0c5be7aa-4c7e-4b33-9d43-000000000001",
    POLICY_ID: "1a2b3c4d-4444-4d5e-8f6a-000000000001",
    WHITELIST_ID: "5d0c2a1e-1111-4c2b-9a52-000000000001",
    ENTITY_ID: "7e1d4c3b-5555-4a6f-9b7c-000000000001",
  };
}

function fill(line: string, placeholders: Readonly<Record<string, string>>): string {
  return line.replace(/\b[A-Z]+(_[A-Z0-9]+)*\b/g, (word) => placeholders[word] ?? word);
}

interface Case {
  readonly line: string;
  readonly words: readonly string[];
  readonly command: Command;
}

const CASES: Case[] = [...walk(commands)].flatMap(([words, command]) =>
  command.examples.map(({ line }) => ({ line, words, command })),
);

test("every command has an example that begins with its own name", () => {
  for (const [words, command] of walk(commands)) {
    expect(command.examples.length, words.join(" ")).toBeGreaterThan(0);
    for (const { line } of command.examples) expect(`${line} `).toStartWith(`${words.join(" ")} `);
  }
});

test.each(CASES)("parses: $line", async ({ line, command }) => {
  const invocation = parse(splitCommand(line, new Map()), commands);
  expect(invocation.target).toBe(command);
  const file = async (): Promise<Uint8Array> => new TextEncoder().encode("{}");
  await interpret(invocation, command, { file, stdin: file, mayQuote: () => true });
});

test.each(CASES.filter(({ line }) => !NOT_RUN.some(([words]) => words.test(line))))(
  "runs: $line",
  async ({ line, words }) => {
    await using world = await openWorld();
    const placeholders = await prepare(world);
    const isWait = words.join(" ") === "requests wait";
    if (isWait) await approve(world, placeholders.REQUEST_ID ?? "");
    const { exit, stdout, stderr } = await world.run(fill(line, placeholders));
    // A policy file in a folder for everybody: what it means is shown, and that it is not safe.
    const isUnsafe = line.includes("policy show --file") && stderr.includes("POLICY_INSECURE");
    expect({ exit, stderr, failure: exit === 0 ? "" : stdout }).toEqual({
      exit: 0,
      stderr: isUnsafe ? expect.stringContaining("It would be refused where it is.") : "",
      failure: "",
    });
  },
);

async function approve(world: World, id: string): Promise<void> {
  await world.run(`requests approve api --id ${id} --sign`);
  await world.control("review", `${id} b7c1d2e3-0000-4000-8000-000000000004 APPROVE`);
}

test("answers were compared, not passed over", () => expect(tally.results).toBeGreaterThan(100));
