/** The policy as acts ask it: what is refused first, what is kept, and which clock it believes. */
import { expect, test } from "bun:test";
import { readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Reader } from "../../../src/core/api/api.ts";
import { ApiClock } from "../../../src/core/api/clock.ts";
import type { Policy } from "../../../src/core/policy/load.ts";
import { createPolicy } from "../../../src/core/policy/stage.ts";
import type { AuditDetail } from "../../../src/core/state/audit.ts";
import { CliError } from "../../../src/errors.ts";
import { Exact } from "../../../src/io/json.ts";
import { createIntent, failing, openActs, SESSION } from "../../support/acts.ts";
import { ACCOUNT, DAY, FILE, HOSTING, policyOf, sent } from "../../support/policy.ts";

const MINUTE = 60_000;
const NOON = Date.UTC(2026, 10, 28, 12);
const { decimals: _, ...USDC_UNITS } = HOSTING.asset;

/** The same policy in base units, so that nothing but the account is asked for. */
const UNITS = {
  ...FILE,
  allow: [
    {
      ...{ ...HOSTING, asset: USDC_UNITS, perRequest: "3000000000" },
      fees: { strategies: ["SPEED"], max: "10000000000000000" },
    },
  ],
  windows: [
    { ...DAY, asset: USDC_UNITS, amount: "3000000" },
    { ...DAY, id: "gas", asset: { currency: "ethereum" }, amount: "500000000000000000" },
  ],
};

/** Acts under a policy; the API's clock and the local one are the test's. */
function open(
  options: {
    readonly isReadOnly?: boolean;
    readonly directory?: string;
    readonly detail?: AuditDetail;
    /** What the server says of any request. */
    readonly request?: Exact;
  } = {},
) {
  const time = { local: NOON, api: NOON, elapsed: 0 };
  const files: { now: readonly Policy[] } = { now: [policyOf(UNITS)] };
  const stop = { isThere: false };
  const clock = new ApiClock(
    () => time.local,
    () => time.elapsed,
  );
  const account = { id: ACCOUNT.id, name: ACCOUNT.name, currency: "ethereum" };
  const answer = new Exact(JSON.stringify({ ...account, contractAddress: ACCOUNT.contract }));
  const reader = {
    async read(name: string) {
      if (name === "requests.get" && options.request !== undefined) return options.request;
      if (name !== "accounts.get") throw new Error(`asked for ${name}`);
      clock.saw(new Date(time.api).toUTCString());
      return answer;
    },
  } as unknown as Reader;
  const here = openActs({
    now: () => time.local,
    ...(options.directory === undefined ? {} : { directory: options.directory }),
    ...(options.detail === undefined ? {} : { detail: options.detail }),
    policy: (books) =>
      createPolicy({
        ...{ policies: () => files.now, isStopped: () => stop.isThere, reader, clock, books },
        isReadOnly: options.isReadOnly === true,
      }),
  });
  const pass = (ms: number) => {
    time.local += ms;
    time.api += ms;
    time.elapsed += ms;
  };
  let works = 0;
  const pay = (amount: string) => {
    const intent = createIntent(new Exact(JSON.stringify(sent({ amount }))));
    const work = async () => {
      works += 1;
      return `R${works}`;
    };
    return here.acts.perform(intent, work, (id) => id);
  };
  /** Does something while the next act waits for the lock. */
  const whileWaiting = (happen: () => void, times = 1) => {
    const lock = here.state.lock.bind(here.state);
    let left = times;
    here.state.lock = async (...asked) => {
      left -= 1;
      if (left >= 0) happen();
      return lock(...asked);
    };
  };
  return { ...here, time, files, stop, pass, pay, whileWaiting, sent: () => works };
}

async function fieldOf(work: Promise<unknown>): Promise<unknown> {
  const { code, facts } = await failing(work);
  expect(code).toBe("POLICY_DENIED");
  return (facts.details as { field: unknown }).field;
}

test("A13 READ_ONLY is the first rule of the policy, and its refusal is a line", async () => {
  const { pay, sent: works, lines } = open({ isReadOnly: true });
  expect((await failing(pay("1"))).code).toBe("READ_ONLY");
  expect(works()).toBe(0);
  expect((await lines("audit")).at(-1)).toMatchObject({
    ...{ event: "denied", command: "requests create", result: { code: "READ_ONLY", exit: 2 } },
  });
});

test.each(["ids", "full"] as const)(
  "C4 with the detail %s a refusal has what the document wanted, or does not",
  async (detail) => {
    const { pay, lines } = open({ detail });
    expect(await fieldOf(pay("3000000001"))).toBe("amount");
    const [line] = (await lines("audit")).filter(({ event }) => event === "denied");
    const { accountId, transactionData } = sent({ amount: "3000000001" }).data;
    const { currency, amount, recipient } = transactionData;
    const wanted = { account: accountId, currency, amount, recipient };
    expect(line?.detail).toEqual(detail === "ids" ? undefined : expect.objectContaining(wanted));
  },
);

test("C4 the audit trail says when other policy files apply, before the act that they allow", async () => {
  const { pay, files, lines } = open();
  const [first] = files.now;
  const other = policyOf({ ...UNITS, id: "other" });
  await pay("1");
  await pay("2");
  files.now = [other];
  await pay("3");
  files.now = [];
  await pay("4");
  const seen = (await lines("audit")).flatMap(({ event, data, key }) =>
    event === "policy" || event === "intent"
      ? [[event, event === "policy" ? data : typeof key]]
      : [],
  );
  expect(seen).toEqual([
    ["policy", { policySha256: [first?.sha256], before: [] }],
    ["intent", "string"],
    ["intent", "string"],
    ["policy", { policySha256: [other.sha256], before: [first?.sha256] }],
    ["intent", "string"],
    ["policy", { policySha256: [], before: [other.sha256] }],
    ["intent", "string"],
  ]);
});

const CHANGES = {
  "the policy says stopped": ["POLICY_DENIED", "stopped"],
  "the stop file appears": ["POLICY_DENIED", "stopped"],
  "the file is broken": ["POLICY_INVALID", undefined],
  "the limit falls": ["POLICY_DENIED", "amount"],
} as const;

test.each(Object.entries(CHANGES))(
  "A5 A13 while an act waits for the lock %s: it is not carried out",
  async (change, [code, field]) => {
    const { pay, files, stop, whileWaiting, sent: works, lines, books, directory } = open();
    const hosting = { ...UNITS.allow[0], perRequest: "1" };
    whileWaiting(() => {
      if (change.includes("stop file")) stop.isThere = true;
      else if (change.includes("says")) files.now = [policyOf({ ...UNITS, stopped: true })];
      else if (change.includes("limit")) files.now = [policyOf({ ...UNITS, allow: [hosting] })];
      else
        Object.defineProperty(files, "now", {
          get: () => {
            throw new CliError("POLICY_INVALID", { message: "Broken." });
          },
        });
    });
    const { code: got, facts } = await failing(pay("2"));
    expect([got, (facts.details as { field?: string } | undefined)?.field]).toEqual([code, field]);
    expect([works(), books.read().size]).toEqual([0, 0]);
    expect((await lines("audit")).at(-1)).toMatchObject({ event: "denied", result: { code } });
    expect(await readdir(join(directory, "bodies"))).toEqual([]);
  },
);

test("A5 a policy that changes while an act waits, and still allows it, is the one that decided", async () => {
  const { pay, files, whileWaiting, sent: works, lines } = open();
  const other = policyOf({ ...UNITS, id: "other" });
  whileWaiting(() => {
    files.now = [other];
  });
  await pay("1");
  expect(works()).toBe(1);
  const intent = (await lines("audit")).find(({ event }) => event === "intent");
  expect(intent).toMatchObject({ decision: { policySha256: [other.sha256] } });
});

test("A5 a policy that never stays the same allows nothing", async () => {
  const { pay, files, whileWaiting, sent: works } = open();
  let changes = 0;
  whileWaiting(() => {
    changes += 1;
    files.now = [policyOf({ ...UNITS, id: `other${changes}` })];
  }, 100);
  expect(await fieldOf(pay("1"))).toBe("files");
  expect(works()).toBe(0);
});

test("C4 a refused act tells of a changed policy, too; a dry run tells of nothing", async () => {
  const { acts, pay, files, lines } = open();
  await acts.decide(createIntent(new Exact(JSON.stringify(sent({ amount: "1" })))));
  expect(await lines("audit")).toEqual([]);
  files.now = [policyOf({ ...UNITS, stopped: true })];
  expect(await fieldOf(pay("1"))).toBe("stopped");
  expect((await lines("audit")).map(({ event }) => event)).toEqual(["genesis", "policy", "denied"]);
});

test("A10 a local clock that the API does not confirm denies, and recovers by itself", async () => {
  const { pay, time } = open();
  time.local = NOON + 6 * MINUTE;
  expect(await fieldOf(pay("1"))).toBe("clock");
  time.local = NOON - 6 * MINUTE;
  expect(await fieldOf(pay("1"))).toBe("clock");
  time.local = NOON + 4 * MINUTE;
  expect(await pay("1")).toBe("R1");
});

test("A10 neither clock frees room early when it is set; the day that passes does", async () => {
  const { pay, pass, time, directory } = open();
  await pay("2000000");
  expect(await fieldOf(pay("1000001"))).toBe("window");
  // A Date that is behind the largest one does not turn the clock back, and none turns it on.
  time.api -= 4 * MINUTE;
  expect(await fieldOf(pay("1000001"))).toBe("window");
  time.local += 25 * 60 * MINUTE;
  expect(await fieldOf(pay("1000001"))).toBe("window");
  expect(await fieldOf(open({ directory }).pay("1000001"))).toBe("window");
  time.local -= 25 * 60 * MINUTE;
  pass(24 * 60 * MINUTE - 1);
  expect(await fieldOf(pay("1000001"))).toBe("window");
  pass(4 * MINUTE + 2000);
  expect(await pay("1000001")).toBe("R2");
});

const JOURNAL_LINES = 3;

test("A11 no line of the journal that is removed, altered or cut frees room", async () => {
  const changes: Readonly<Record<string, (lines: string[], at: number) => string[]>> = {
    removed: (lines, at) => lines.filter((_line, index) => index !== at),
    "with another amount": (lines, at) =>
      lines.map((line, index) => (index === at ? line.replace("2000000", "2000001") : line)),
    freed: (lines, at) =>
      lines.map((line, index) => (index === at ? line.replace('"done"', '"refused"') : line)),
    cut: (lines, at) => lines.slice(0, at),
  };
  for (const [name, change] of Object.entries(changes)) {
    for (let at = 0; at < JOURNAL_LINES; at += 1) {
      const { pay, directory, books } = open();
      await pay("2000000");
      const path = join(directory, "journal", String(books.journal.files()[0]));
      const lines = (await readFile(path, "utf8"))
        .trimEnd()
        .split("\n")
        .filter((line) => line !== "");
      await writeFile(
        path,
        change(lines, at)
          .map((line) => `${line}\n`)
          .join(""),
      );
      const again = open({ directory });
      const { code } = await failing(again.pay("1000001"));
      expect([name, at, ["AUDIT_BROKEN", "POLICY_DENIED"].includes(code)]).toEqual([
        name,
        at,
        true,
      ]);
      expect(again.sent()).toBe(0);
    }
  }
});

test("A11 windows deny for their whole time after a journal was begun anew", async () => {
  const { pay, directory, pass, books } = open();
  await pay("2000000");
  await rm(join(directory, "journal"), { recursive: true });
  await books.alone(async (pages) => void pages.restart("The disk was restored.", "audit restart"));
  expect(await fieldOf(pay("1"))).toBe("journal");
  pass(24 * 60 * MINUTE - 1000);
  expect(await fieldOf(pay("1"))).toBe("journal");
  pass(2000);
  expect(await pay("1")).toBe("R2");
});

/** The approval of a request R1 that was not created here, as the server's challenge shows it. */
function approvalOf({ data: { transactionData } }: ReturnType<typeof sent>) {
  const { accountName, amount, currency, contractAddress, recipient, maxFees } = transactionData;
  const data = {
    transaction_type: "ETHEREUM_LIKE_SEND",
    transaction_data: {
      ...{ account_name: accountName, amount, currency, recipient, max_fees: maxFees },
      contract_address: contractAddress,
    },
  };
  const challenge = { antireplay: "ab".repeat(32), data, type: "APPROVE_TRANSACTION" };
  const document = new Exact(JSON.stringify(challenge));
  const content = { bytes: new Uint8Array(1), payloadSha256: "ab".repeat(32), document };
  return { session: SESSION, requestId: "R1", content, command: "requests approve api" };
}

test("A14 the note of a request that was not created here counts, too", async () => {
  const about = approvalOf(sent({}));
  const sign = async (note: unknown) => {
    const here = open({ request: new Exact(JSON.stringify({ ...sent({}), id: "R1", note })) });
    const [rule] = UNITS.allow;
    here.files.now = [policyOf({ ...UNITS, onlyOwn: false, allow: [{ ...rule, note: "none" }] })];
    return here.acts.perform({ kind: "sign", purpose: "approve", ...about }, async () => "jws");
  };
  expect(await sign({ title: "", content: "" })).toBe("jws");
  expect(await sign(null)).toBe("jws");
  expect(await fieldOf(sign({ title: "Pay twice", content: "" }))).toBe("note");
});

test("A14 A7 of a request that was not created here, the most that can leave is debited", async () => {
  // The challenge says the ceiling only; price and limit of gas allow twice as much.
  const maxFees = "4000000000000000";
  const feesStrategy = { type: "CUSTOM", data: { gasLimit: "21000", gasPrice: "380952380952" } };
  const request = sent({ maxFees });
  const shown = { ...request, id: "R1", data: { ...request.data, feesStrategy } };
  const here = open({ request: new Exact(JSON.stringify(shown)) });
  const rule = { ...HOSTING, asset: USDC_UNITS, perRequest: "3000000000" };
  const fees = { strategies: ["CUSTOM"], max: "9000000000000000" };
  here.files.now = [policyOf({ ...UNITS, onlyOwn: false, allow: [{ ...rule, fees }] })];
  const about = approvalOf(request);
  await here.acts.perform({ kind: "sign", purpose: "approve", ...about }, async () => "jws");
  const intent = (await here.lines("journal")).find(({ event }) => event === "intent");
  expect(intent?.debit).toMatchObject({ amount: "1000000", fee: "7999999999992000" });
});
