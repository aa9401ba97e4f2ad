/** The examples of docs/sandbox.md and the refusal of docs/policy.md, as the program answers. */
import { expect, test } from "bun:test";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { ROOT } from "../scripts/build.ts";
import { startSandbox } from "../src/sandbox/index.ts";
import { accessSettings } from "../src/sandbox/settings.ts";
import { SOURCE } from "./support/forms.ts";
import { PAYOUT } from "./support/payout.ts";
import { NOTHING_PUBLISHED } from "./support/releases.ts";
import { PROGRAM, splitCommand } from "./support/script.ts";
import { trustedFolder } from "./support/trusted.ts";

const root = trustedFolder();
let homes = 0;

const page = (name: string) => readFile(join(ROOT, "docs", name), "utf8");
const policyPage = await page("policy.md");
const sandboxPage = await page("sandbox.md");

/** A fenced block of that kind. */
const block = (text: string, kind: string): string =>
  new RegExp(`^\`\`\`${kind}\\n([\\s\\S]*?)^\`\`\``, "m").exec(text)?.[1] ?? "";

const payment = (amount: string): object => {
  const transactionData = { ...PAYOUT.transactionData, amount };
  return { type: "CREATE_TRANSACTION", data: { ...PAYOUT, transactionData } };
};

/** A reader's shell: the sandbox, a folder with the files, and a policy where one is wanted. */
async function open(policy: string | undefined) {
  homes += 1;
  const home = join(root, String(homes));
  await mkdir(home);
  const sandbox = await startSandbox({});
  const { control } = sandbox.description;
  const path = join(home, "policy.json");
  if (policy !== undefined) await writeFile(path, policy);
  await writeFile(join(home, "payment.json"), JSON.stringify(payment("2500000")));
  await writeFile(join(home, "large.json"), JSON.stringify(payment("3000001")));
  const own = {
    HOME: home,
    ...accessSettings(sandbox.description),
    ...(policy === undefined ? {} : { LEDGER_ENTERPRISE_POLICY_FILE: path }),
    ...NOTHING_PUBLISHED,
  };
  const run = async (argv: readonly string[], more: Readonly<Record<string, string>> = {}) => {
    const env = { ...own, ...more };
    const { stdout } = await SOURCE.run({ argv, env, stdin: undefined, cwd: home });
    return JSON.parse(stdout) as unknown;
  };
  await run(["login", "api"]);
  return { run, control, home, [Symbol.asyncDispose]: () => sandbox.close() };
}

/** What the page shows must be in the answer; `…` is any text that is not empty. */
function compare(shown: unknown, found: unknown, place = ""): void {
  if (shown === "…") {
    expect([place, found]).toEqual([place, expect.stringMatching(/./)]);
  } else if (Array.isArray(shown)) {
    expect([place, Array.isArray(found) ? found.length : found]).toEqual([place, shown.length]);
    for (const [at, one] of shown.entries())
      compare(one, (found as unknown[])[at], `${place}.${at}`);
  } else if (typeof shown === "object" && shown !== null) {
    for (const [name, one] of Object.entries(shown))
      compare(one, (found as Record<string, unknown> | undefined)?.[name], `${place}.${name}`);
  } else expect([place, found]).toEqual([place, shown]);
}

interface Step {
  readonly line: string;
  /** The answer as it is shown; absent where none is. */
  readonly shown: string;
}

const examples = [
  ...sandboxPage.matchAll(/\*\*([^*]+)\*\*[^\n]*(?:\n[^\n]+)*\n\n```console\n([\s\S]*?)^```/gm),
].map(([, name = "", text = ""]) => {
  const steps = text
    .split(/^\$ /m)
    .slice(1)
    .map((part): Step => {
      const [line = "", ...answer] = part.trimEnd().split("\n");
      return { line, shown: answer.join("\n") };
    });
  return [name, steps] as const;
});

test("each switch of the sandbox that an agent sees has an example", () => {
  const text = JSON.stringify(examples);
  for (const word of [
    "reset",
    "listDelaySeconds",
    "cutNotes",
    "ambiguous",
    "accountDecides",
    "advanceSeconds",
  ])
    expect([word, text.includes(word)]).toEqual([word, true]);
});

test.each(examples)(
  "docs/sandbox.md: %s",
  async (_name, steps) => {
    const isUnderPolicy = steps.some(({ line }) => line.includes("@token.json"));
    await using here = await open(isUnderPolicy ? JSON.stringify(ETHER) : undefined);
    if (isUnderPolicy)
      await writeFile(join(here.home, "token.json"), JSON.stringify(await token(here)));
    expect(steps.length).toBeGreaterThan(1);
    for (const { line, shown } of steps) {
      const [, path, body] =
        /^curl -H 'content-type: application\/json' \$control(\/\w+) -d '(.*)'$/.exec(line) ?? [];
      if (path !== undefined) {
        const headers = { "content-type": "application/json" };
        const answer = await fetch(`${here.control}${path}`, {
          method: "POST",
          headers,
          body: body ?? "",
        });
        expect([line, answer.status]).toEqual([line, 200]);
        continue;
      }
      const [, directory, command = ""] =
        /^(?:LEDGER_ENTERPRISE_STATE_DIR=\$HOME(\S+) )?(.*)$/.exec(line) ?? [];
      const [program, ...argv] = splitCommand(command, new Map());
      expect(program).toBe(PROGRAM);
      const more =
        directory === undefined
          ? undefined
          : { LEDGER_ENTERPRISE_STATE_DIR: here.home + directory };
      compare(JSON.parse(shown), await here.run(argv, more), line);
    }
  },
  30_000,
);

const ASSET = { currency: "ethereum", decimals: 18 };
/** A policy with a rule for ether. */
const ETHER = {
  ...{ version: 1, id: "ether", reads: "all" },
  allow: [
    {
      ...{ id: "ether", decisions: ["create"], types: ["CREATE_TRANSACTION"] },
      ...{ transactionTypes: ["ETHEREUM_LIKE_SEND"], accounts: "any", asset: ASSET },
      ...{ destinations: "any", perRequest: "1", note: "none" },
      fees: { strategies: ["SPEED"], max: "1", decimals: 18 },
    },
  ],
  windows: [
    {
      ...{ id: "day", asset: ASSET, accounts: "any", destinations: "any" },
      ...{ per: "24h", amount: "1", count: 9 },
    },
  ],
};

/** A payment of a token's account that names no contract. */
async function token({ run }: { run(argv: readonly string[]): Promise<unknown> }): Promise<object> {
  const { results } = (await run(["accounts", "list", "--all"])) as {
    results: { id: string; name: string; currency: string; contractAddress?: string | null }[];
  };
  const account = results.find(
    ({ currency, contractAddress }) => currency === "ethereum" && contractAddress != null,
  );
  const recipient = "0xb550388547691a526190d60C30C2f9E2af03fF3D";
  const common = { accountName: account?.name, amount: "1", currency: "ethereum", maxFees: "1" };
  const data = {
    ...{ accountId: account?.id, transactionType: "ETHEREUM_LIKE_SEND" },
    transactionData: { ...common, recipient },
    feesStrategy: { type: "SPEED", data: { speed: "NORMAL" } },
  };
  return { type: "CREATE_TRANSACTION", data };
}

test("A13 docs/policy.md shows the refusal exactly as an agent gets it", async () => {
  await using here = await open(block(policyPage, "json payments.json"));
  const found = await here.run(["requests", "create", "--requestData", "@large.json"]);
  const shown = JSON.parse(block(policyPage, "json denied"));
  compare(shown, found, "denied");
  // Nothing that the page does not show.
  const names = (one: unknown, place = ""): string[] =>
    typeof one === "object" && one !== null
      ? Object.entries(one).flatMap(([name, value]) => [
          `${place}.${name}`,
          ...names(value, `${place}.${name}`),
        ])
      : [];
  expect(names(found)).toEqual(names(shown));
});
