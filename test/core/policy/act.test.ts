/** The policy around real commands against the sandbox, by a file of this user. */
import { afterAll, expect, test } from "bun:test";
import { chmod, link, mkdir, rm, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { startSandbox } from "../../../src/sandbox/index.ts";
import { operatorSettings } from "../../../src/sandbox/settings.ts";
import { SOURCE } from "../../support/forms.ts";
import { PAYOUT } from "../../support/payout.ts";
import { NOTHING_PUBLISHED } from "../../support/releases.ts";
import { trustedFolder } from "../../support/trusted.ts";

const root = trustedFolder();
let homes = 0;

type Json = Record<string, unknown>;
const { recipient } = PAYOUT.transactionData;
const ASSET = { currency: "bitcoin_testnet", decimals: 8 };
export const AGENT = {
  ...{ version: 1, id: "payments", reads: "all" },
  allow: [
    {
      ...{ id: "hosting", decisions: ["create", "approve"], types: ["CREATE_TRANSACTION"] },
      ...{ transactionTypes: ["BITCOIN_LIKE_SEND"], accounts: [PAYOUT.accountId], asset: ASSET },
      ...{ destinations: [{ address: recipient }], perRequest: "0.03" },
      ...{ fees: { strategies: ["SPEED"], max: "0.0001", decimals: 8 }, note: 100 },
    },
  ],
  windows: [
    {
      ...{ id: "day", asset: ASSET, accounts: "any", destinations: "any" },
      ...{ per: "24h", amount: "0.06", count: 7 },
    },
  ],
};

/** A file in a folder that everybody can write to, of this process alone. */
const IN_TMP = `/tmp/policy-link-${process.pid}.json`;
afterAll(() => rm(IN_TMP, { force: true }));

async function open(file: unknown) {
  homes += 1;
  const home = join(root, String(homes));
  await mkdir(home);
  const path = join(home, "policy.json");
  await writeFile(path, typeof file === "string" ? file : JSON.stringify(file));
  const sandbox = await startSandbox({});
  const env = {
    HOME: home,
    ...operatorSettings(sandbox.description),
    LEDGER_ENTERPRISE_POLICY_FILE: path,
    ...NOTHING_PUBLISHED,
  };
  const run = async (...argv: string[]) => {
    const { exit, stdout, stderr } = await SOURCE.run({ argv, env, stdin: undefined, cwd: home });
    const document = JSON.parse(stdout) as Json;
    type Failure = { code: string; message: string; hint: string; details: Json };
    return { exit, document, error: document.error as Failure, stderr };
  };
  expect((await run("login", "api")).exit).toBe(0);
  sandbox.control.clearLog();
  const writes = () =>
    sandbox.control.log.filter(
      ({ method, path: at }) => method === "POST" && at.includes("/requests"),
    ).length;
  return { sandbox, run, path, writes, [Symbol.asyncDispose]: () => sandbox.close() };
}

const pay = (amount: string, more: object = {}): string => {
  const transactionData = { ...PAYOUT.transactionData, amount, ...more };
  return JSON.stringify({ type: "CREATE_TRANSACTION", data: { ...PAYOUT, transactionData } });
};

test("A1 A14 an allowed payment is created, signed and approved; each counts once", async () => {
  await using here = await open(AGENT);
  const { exit, document } = await here.run("requests", "create", "--requestData", pay("2500000"));
  expect([exit, document]).toMatchObject([0, { state: expect.any(String) }]);
  const approved = await here.run(
    "requests",
    "approve",
    "api",
    "--id",
    String(document.id),
    "--sign",
  );
  expect([approved.exit, approved.error]).toEqual([0, undefined as never]);
  const events = ((await here.run("audit", "list")).document.results as Json[]).slice(2);
  expect(events.shift()).toMatchObject({ event: "policy", agent: { exe: expect.any(String) } });
  expect(events.map(({ event }) => event)).toEqual([
    "intent",
    "outcome",
    "intent",
    "signed",
    "intent",
    "outcome",
  ]);
  for (const line of events) expect(line.level).toBe("advisory");
  expect(events[0]).toMatchObject({
    decision: { rules: ["hosting"], policySha256: [expect.any(String)] },
  });
  // The window has 0.06 and 0.02504018 are gone once, not three times.
  expect((await here.run("requests", "create", "--requestData", pay("2600000"))).exit).toBe(0);
  const third = await here.run("requests", "create", "--requestData", pay("2700000"));
  expect([third.error.code, third.error.details.field]).toEqual(["POLICY_DENIED", "window"]);
});

test.each<[string, string, string]>([
  ["amount", "3000001", "{}"],
  ["destination", "1", '{"recipient":"tb1qy7s9c2xwqy4qyvj0kyq7h5gh4rxgdljds0t9nv"}'],
  ["fees", "1", '{"maxFees":"10001"}'],
  ["accountName", "1", '{"accountName":"Other"}'],
])("A6 A13 %s: nothing is sent, and the refusal is audited", async (field, amount, more) => {
  await using here = await open(AGENT);
  const { exit, error } = await here.run(
    "requests",
    "create",
    "--requestData",
    pay(amount, JSON.parse(more)),
  );
  expect([exit, error.code, error.details.field]).toEqual([2, "POLICY_DENIED", field]);
  // A1 a dry run says the same, and keeps nothing.
  const dry = ["requests", "create", "--requestData", pay(amount, JSON.parse(more)), "--dryRun"];
  const before = ((await here.run("audit", "list")).document.results as Json[]).length;
  expect((await here.run(...dry)).error).toMatchObject({
    code: "POLICY_DENIED",
    details: { field },
  });
  expect(((await here.run("audit", "list")).document.results as Json[]).length).toBe(before);
  expect(here.writes()).toBe(0);
  const last = ((await here.run("audit", "list")).document.results as Json[]).at(-1);
  expect(last).toMatchObject({
    event: "denied",
    result: { code: "POLICY_DENIED", exit: 2 },
    data: { field },
  });
});

test("an unknown request type is denied and audited; nothing is sent", async () => {
  await using here = await open(AGENT);
  const text = JSON.stringify({ type: "CREATE_TELEPORT", data: { to: "moon" } });
  const { error } = await here.run("requests", "create", "--requestData", text, "--allowUnknown");
  expect([error.code, error.details.field]).toEqual(["POLICY_DENIED", "unreadable: type"]);
  expect(here.writes()).toBe(0);
});

test("A14 onlyOwn: a request that was not created here is not signed", async () => {
  await using here = await open(AGENT);
  const list = await here.run("requests", "list", "--pendingBy", "me", "--limit", "1");
  const [request] = list.document.results as Json[];
  const { error } = await here.run(
    "requests",
    "approve",
    "api",
    "--id",
    String(request?.id),
    "--sign",
  );
  expect([error.code, error.details.field]).toEqual(["POLICY_DENIED", "onlyOwn"]);
});

const DOCUMENT = await Bun.file(join(import.meta.dir, "../../../docs/policy.md")).text();

/** An example of docs/policy.md, as it is written there. */
function example(name: string): string {
  return new RegExp(`\`\`\`json ${name}\\n([\\s\\S]*?)\`\`\``).exec(DOCUMENT)?.[1] ?? "";
}

test("the document's example for a payments agent pays within its limits, and shows them", async () => {
  await using here = await open(example("payments.json"));
  expect((await here.run("requests", "create", "--requestData", pay("2500000"))).exit).toBe(0);
  const { error } = await here.run("requests", "create", "--requestData", pay("3000001"));
  expect([error.code, error.details.field]).toEqual(["POLICY_DENIED", "amount"]);
  const shown = (await here.run("policy", "show")).document;
  expect(JSON.stringify(shown)).toContain("0.03 (3000000 base units)");
  const check = ["policy", "check", "--requestData"];
  expect((await here.run(...check, pay("2500000"))).document).toEqual({
    allowed: null,
    rules: [{ id: "hosting", verdict: "not checked", field: "account" }],
  });
  expect((await here.run(...check, pay("3000001"))).document).toEqual({
    allowed: false,
    rules: [{ id: "hosting", verdict: "denied", field: "amount" }],
  });
});

test("the document's example for a reader reads and does not pay", async () => {
  await using here = await open(example("reader.json"));
  expect((await here.run("accounts", "list")).exit).toBe(0);
  expect((await here.run("requests", "create", "--requestData", pay("1"))).error.code).toBe(
    "POLICY_DENIED",
  );
});

test("reads: an operation that is not listed is refused, also a free path", async () => {
  await using here = await open({ ...AGENT, reads: ["accounts.list"] });
  expect((await here.run("accounts", "list")).exit).toBe(0);
  for (const argv of [
    ["users", "list"],
    ["api", "--path", "/accounts"],
  ]) {
    const { error } = await here.run(...argv);
    expect([error.code, error.details.field]).toEqual(["POLICY_DENIED", "reads"]);
  }
  expect((await here.run("requests", "create", "--requestData", pay("1"))).exit).toBe(0);
});

test("A9 12 processes' worth of creates at once, room for 7: exactly 7 are sent", async () => {
  const file = structuredClone(AGENT);
  await using here = await open(file);
  const amounts = Array.from({ length: 12 }, (_, at) => String(1000 + at));
  const found = await Promise.all(
    amounts.map((amount) => here.run("requests", "create", "--requestData", pay(amount))),
  );
  expect(found.filter(({ exit }) => exit === 0)).toHaveLength(7);
  const refused = found.filter(({ exit }) => exit !== 0).map(({ error }) => error.code);
  expect(refused).toEqual(Array(5).fill("POLICY_DENIED"));
  expect(here.writes()).toBe(7);
});

test("a reader's policy lets read and nothing else", async () => {
  await using here = await open({ version: 1, id: "reader", reads: "all", allow: [], windows: [] });
  expect((await here.run("accounts", "list")).exit).toBe(0);
  expect((await here.run("requests", "create", "--requestData", pay("1"))).error.code).toBe(
    "POLICY_DENIED",
  );
});

test("A10 an unknown outcome keeps its room, a definite refusal frees it", async () => {
  await using here = await open(AGENT);
  const lost = { match: { method: "POST", path: "/requests" }, reset: true } as const;
  here.sandbox.control.addFault({ match: { method: "POST", path: "/requests" }, status: 403 });
  await here.run("requests", "create", "--requestData", pay("3000000"));
  here.sandbox.control.addFault(lost);
  expect((await here.run("requests", "create", "--requestData", pay("2900000"))).error.code).toBe(
    "OUTCOME_UNKNOWN",
  );
  expect((await here.run("requests", "create", "--requestData", pay("2800000"))).exit).toBe(0);
  const { error } = await here.run("requests", "create", "--requestData", pay("2700000"));
  expect([error.code, error.details.field]).toEqual(["POLICY_DENIED", "window"]);
});

test("B8 tagNotes: every note is tagged, also in a dry run", async () => {
  await using here = await open({ ...AGENT, tagNotes: true });
  for (const more of [["--dryRun"], []]) {
    const { document } = await here.run(
      "requests",
      "create",
      "--requestData",
      pay("1000"),
      ...more,
    );
    expect(JSON.stringify(document)).toMatch(/\[lec:[0-9A-Z]{26}\.[0-9a-f]{16}\]/);
  }
});

test("B8 A6 tagNotes beside a rule without notes: the note that is made for the tag is none", async () => {
  const allow = AGENT.allow.map((rule) => ({ ...rule, note: "none" }));
  await using here = await open({ ...AGENT, allow, tagNotes: true });
  const { note: _, ...bare } = JSON.parse(pay("1000")) as Json;
  const create = ["requests", "create", "--requestData"];
  const made = await here.run(...create, JSON.stringify(bare));
  expect([made.exit, JSON.stringify(made.document)]).toEqual([0, expect.stringContaining("[lec:")]);
  const note = { title: "x", content: "" };
  const refused = await here.run(...create, JSON.stringify({ ...bare, note }));
  expect([refused.error.code, refused.error.details.field]).toEqual(["POLICY_DENIED", "note"]);
});

test("duplicates: deny switches --again off", async () => {
  await using here = await open({ ...AGENT, duplicates: "deny" });
  const { document } = await here.run("requests", "create", "--requestData", pay("1000"));
  const again = [
    "requests",
    "create",
    "--requestData",
    pay("1000"),
    "--again",
    String(document.key),
  ];
  const { error } = await here.run(...again);
  expect([error.code, error.details.field]).toEqual(["POLICY_DENIED", "duplicates"]);
});

test("A2 stopped, broken, missing: writes are refused, reads go on", async () => {
  const cases: [unknown, string][] = [
    [{ ...AGENT, stopped: true }, "POLICY_DENIED"],
    ["{", "POLICY_INVALID"],
    [{ ...AGENT, extra: 1 }, "POLICY_INVALID"],
  ];
  for (const [file, code] of cases) {
    await using here = await open(file);
    expect((await here.run("requests", "create", "--requestData", pay("1"))).error.code).toBe(code);
    expect((await here.run("accounts", "list")).exit).toBe(0);
    expect(here.writes()).toBe(0);
  }
  await using here = await open(AGENT);
  await rm(here.path);
  expect((await here.run("requests", "create", "--requestData", pay("1"))).error.code).toBe(
    "POLICY_INVALID",
  );
});

test("a policy file that the program's user cannot read: the system's reason is told", async () => {
  await using here = await open(AGENT);
  await rm(here.path);
  await symlink(here.path, here.path);
  const { error } = await here.run("requests", "create", "--requestData", pay("1"));
  expect(error.code).toBe("POLICY_INVALID");
  expect(error.message).toEndWith("is not valid: This program's user cannot read it (ELOOP).");
});

type Unsafe = readonly [
  name: string,
  spoil: (path: string) => Promise<unknown>,
  mend: (path: string) => string,
];
const UNSAFE: readonly Unsafe[] = [
  ["writable for others", (path) => chmod(path, 0o622), (path) => `run: chmod go-w '${path}'.`],
  [
    "a folder that others can write to",
    (path) => chmod(join(path, ".."), 0o777),
    (path) => `run: chmod go-w '${join(path, "..")}'.`,
  ],
  [
    "a directory",
    async (path) => {
      await rm(path);
      await mkdir(path);
    },
    () => "Put a regular file there.",
  ],
  [
    "a FIFO",
    async (path) => {
      await rm(path);
      Bun.spawnSync(["mkfifo", path]);
    },
    () => "Put a regular file there.",
  ],
  ["two names", (path) => link(path, `${path}.other`), () => "Write it anew."],
  [
    "a link through a folder of everybody",
    async (path) => {
      await rm(path);
      await writeFile(IN_TMP, JSON.stringify(AGENT));
      await symlink(IN_TMP, path);
    },
    () => "Move the file to a folder that only its owner can write to.",
  ],
];

test.each(UNSAFE)(
  "A3 %s: POLICY_INSECURE with the mend, and nothing hangs",
  async (_, spoil, mend) => {
    await using here = await open(AGENT);
    await spoil(here.path);
    const { exit, error } = await here.run("requests", "create", "--requestData", pay("1"));
    expect([exit, error.code]).toEqual([2, "POLICY_INSECURE"]);
    expect(error.hint).toContain(mend(here.path));
    expect(here.writes()).toBe(0);
  },
);

test("A3 policy show warns of a candidate that would be refused where it is", async () => {
  await using here = await open(AGENT);
  const other = join(here.path, "..", "new.json");
  await writeFile(other, JSON.stringify(AGENT));
  const before = await here.run("policy", "show", "--file", other);
  expect([before.exit, before.stderr]).toEqual([0, ""]);
  await chmod(other, 0o664);
  const { exit, document, stderr } = await here.run("policy", "show", "--file", other);
  expect([exit, document.id]).toEqual([0, "payments"]);
  expect(stderr).toContain(
    `warning: POLICY_INSECURE: Somebody else can have written the policy file: '${other}' is writable for group or others. It would be refused where it is.`,
  );
});

test("B6 DUPLICATE_SUSPECTED advises --again only where the policy allows it", async () => {
  for (const [duplicates, isAdvised] of [
    ["ask", true],
    ["deny", false],
  ] as const) {
    await using here = await open({ ...AGENT, duplicates });
    const create = ["requests", "create", "--requestData", pay("1000")];
    expect((await here.run(...create)).exit).toBe(0);
    const { error } = await here.run(...create);
    expect(error.code).toBe("DUPLICATE_SUSPECTED");
    expect(error.hint.includes("add --again")).toBe(isAdvised);
    expect(error.hint.includes("The policy does not allow")).toBe(!isAdvised);
    expect(error.hint).toContain("go on with it");
    here.sandbox.control.addFault({
      match: { method: "POST", path: "/requests", times: 1 },
      status: 500,
    });
    const lost = ["requests", "create", "--requestData", pay("2000")];
    expect((await here.run(...lost)).error.code).toBe("OUTCOME_UNKNOWN");
    const { error: unknown } = await here.run(...lost);
    expect(unknown.code).toBe("DUPLICATE_SUSPECTED");
    expect(unknown.hint).toContain("requests reconcile");
    expect(unknown.hint.includes("add --again")).toBe(isAdvised);
  }
});

test("A21 a contract that the account's asset is not denies, also where the server lets the account decide", async () => {
  await using here = await open(AGENT);
  here.sandbox.control.set({ accountDecides: true });
  const currency = "ethereum";
  const list = await here.run("accounts", "list", "--all");
  const accounts = list.document.results as Json[];
  const token = accounts.find((one) => one.contractAddress != null && one.currency === currency);
  const coin = accounts.find((one) => one.contractAddress == null && one.currency === currency);
  const asset = { currency, decimals: 18 };
  const [rule] = AGENT.allow;
  const eth = {
    ...{ ...AGENT, windows: [{ ...AGENT.windows[0], asset, amount: "1" }] },
    allow: [
      {
        ...{ ...rule, transactionTypes: ["ETHEREUM_LIKE_SEND"], accounts: "any", asset },
        ...{
          destinations: "any",
          perRequest: "1",
          fees: { ...rule?.fees, decimals: 18, max: "1" },
        },
      },
    ],
  };
  await writeFile(here.path, JSON.stringify(eth));
  const fieldOf = async (account: Json | undefined, more: object): Promise<unknown> => {
    const common = { accountName: account?.name, amount: "1", currency, maxFees: "1" };
    const recipient = "0xb550388547691a526190d60C30C2f9E2af03fF3D";
    const transactionData = { ...common, recipient, ...more };
    const data = {
      ...{ accountId: account?.id, transactionType: "ETHEREUM_LIKE_SEND", transactionData },
      feesStrategy: { type: "SPEED", data: { speed: "NORMAL" } },
    };
    const text = JSON.stringify({ type: "CREATE_TRANSACTION", data });
    const { error } = await here.run("requests", "create", "--requestData", text);
    return error?.details.field;
  };
  // Under a rule for the coin: a token's account, with its contract and without one.
  const { contractAddress } = token ?? {};
  expect(await fieldOf(token, { contractAddress })).toBe("asset");
  expect(await fieldOf(token, {})).toBe("asset");
  // A contract that the coin's account does not have.
  expect(await fieldOf(coin, { contractAddress })).toBe("contract");
  expect(await fieldOf(coin, { currency: "ethereum_sepolia" })).toBe("currency");
  expect(here.writes()).toBe(0);
});

test("A4 A6 --allowUnknown lets no gas price without its limit pass a rule that names CUSTOM", async () => {
  await using here = await open(AGENT);
  const list = await here.run("accounts", "list", "--all");
  const accounts = list.document.results as Json[];
  const coin = accounts.find((one) => one.contractAddress == null && one.currency === "ethereum");
  const asset = { currency: "ethereum", decimals: 18 };
  const eth = {
    ...{ ...AGENT, windows: [{ ...AGENT.windows[0], asset, amount: "1" }] },
    allow: [
      {
        ...{ ...AGENT.allow[0], transactionTypes: ["ETHEREUM_LIKE_SEND"], accounts: "any", asset },
        ...{ destinations: "any", perRequest: "1" },
        fees: { strategies: ["CUSTOM"], decimals: 18, max: "0.01" },
      },
    ],
  };
  await writeFile(here.path, JSON.stringify(eth));
  const transactionData = {
    ...{ accountName: coin?.name, amount: "1", currency: "ethereum", maxFees: "1" },
    recipient: "0xb550388547691a526190d60C30C2f9E2af03fF3D",
  };
  const create = async (chosen: object) => {
    const data = {
      ...{ accountId: coin?.id, transactionType: "ETHEREUM_LIKE_SEND", transactionData },
      feesStrategy: { type: "CUSTOM", data: chosen },
    };
    const text = JSON.stringify({ type: "CREATE_TRANSACTION", data });
    return here.run("requests", "create", "--requestData", text, "--allowUnknown");
  };
  const gasPrice = "9".repeat(30);
  for (const chosen of [
    { gasPrice },
    { gasPrice, gasLimit: null },
    { gasPrice, gasLimit: "0" },
    { gasPrice, gasLimit: "21000", priorityFees: "1" },
  ]) {
    const { error } = await create(chosen);
    expect([error.code, error.details.field]).toEqual([
      "POLICY_DENIED",
      expect.stringContaining("unreadable: data.feesStrategy.data."),
    ]);
  }
  expect(here.writes()).toBe(0);
  expect((await create({ gasPrice: "1", gasLimit: "21000" })).exit).toBe(0);
});
