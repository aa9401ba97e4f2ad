/** Journal and audit trail around an act: what is on disk, in which order, whatever goes wrong. */
import { expect, test } from "bun:test";
import { rmSync, writeFileSync } from "node:fs";
import { chmod, readdir, readFile, rm, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Intent } from "../../src/core/acts.ts";
import { NO_POLICY } from "../../src/core/policy/open.ts";
import { likenessOf } from "../../src/core/signing/likeness.ts";
import { hashLine } from "../../src/core/state/chain.ts";
import { Journal } from "../../src/core/state/journal.ts";
import type { Session } from "../../src/core/state/session.ts";
import { CliError } from "../../src/errors.ts";
import { Exact } from "../../src/io/json.ts";
import {
  createIntent as create,
  failing as failureOf,
  openActs as open,
  payment,
  SESSION,
} from "../support/acts.ts";

const unknown = () => Promise.reject(new CliError("OUTCOME_UNKNOWN", { message: "Lost." }));

test("B1 C1 the intent is in both logs before the work begins, the outcome after it", async () => {
  const { acts, lines } = open();
  const events = async (name: "audit" | "journal") => (await lines(name)).map(({ event }) => event);
  let during: unknown;
  await acts.perform(
    create(payment("1")),
    async () => {
      during = [await events("journal"), await events("audit")];
      return "R1";
    },
    (id) => id,
  );
  expect(during).toEqual([
    ["genesis", "intent"],
    ["genesis", "intent"],
  ]);
  expect(await events("journal")).toEqual(["genesis", "intent", "outcome"]);
  expect(await events("audit")).toEqual(["genesis", "intent", "outcome"]);
  expect((await lines("audit"))[2]).toMatchObject({
    request: { id: "R1", type: "CREATE_TRANSACTION" },
    result: { code: "OK", exit: 0 },
  });
});

test("B2 the key is in the journal, the audit trail and the failure", async () => {
  const { acts, lines } = open();
  const { facts } = await failureOf(acts.perform(create(payment("1")), unknown));
  const { key } = facts.details as { key: string };
  expect(key).toMatch(/^[0-9A-HJKMNP-TV-Z]{26}$/);
  expect(facts.hint).toContain(`requests reconcile --key ${key}`);
  for (const name of ["journal", "audit"] as const)
    for (const line of (await lines(name)).slice(1)) expect(line.key).toBe(key);
});

test("C1 neither amount nor recipient nor note is in the audit trail", async () => {
  const { acts, books, directory } = open();
  await acts.perform(create(payment("777888999", "very private")), async () => "R1");
  const text = await readFile(join(directory, "audit", String(books.audit.files()[0])), "utf8");
  for (const secret of ["777888999", "0xb5", "very private", "account-one"])
    expect(text).not.toContain(secret);
});

test("B3 C7 an outcome that a power cut took out of the journal leaves the record open", async () => {
  const { acts, books, directory } = open();
  await acts.perform(
    create(payment("1")),
    async () => "R1",
    (id) => id,
  );
  const { file, size } = books.journal.head() ?? { file: "", size: 0 };
  const path = join(directory, "journal", file);
  // What was never synced is what is beyond the head.
  expect((await readFile(path, "utf8")).slice(size)).toContain('"event":"outcome"');
  await truncate(path, size);
  const again = open({ directory });
  expect([...again.books.read().all()].map(({ state }) => state)).toEqual(["open"]);
  expect((await failureOf(again.acts.perform(create(payment("1")), unknown))).code).toBe(
    "DUPLICATE_SUSPECTED",
  );
  await again.acts.perform(create(payment("2")), async () => "R2");
  expect((await again.lines("journal")).map(({ event, seq }) => [seq, event])).toEqual([
    [1, "genesis"],
    [2, "intent"],
    [3, "intent"],
    [4, "outcome"],
  ]);
});

test("C3 two processes in turn: neither keeps what the other's unsynced line changed", async () => {
  const first = open();
  const second = open({ directory: first.directory });
  const done = (acts: typeof first.acts, amount: string, id: string) =>
    acts.perform(
      create(payment(amount)),
      async () => id,
      (made) => made,
    );
  await done(first.acts, "1", "R1");
  expect([...second.books.read().all()].map(({ requestId }) => requestId)).toEqual(["R1"]);
  await done(second.acts, "2", "R2");
  await done(first.acts, "3", "R3");
  for (const { books } of [first, second])
    expect([...books.read().all()].map(({ requestId, state }) => [requestId, state])).toEqual(
      ["R1", "R2", "R3"].map((id) => [id, "done"]),
    );
});

/** Cuts the journal before its last `count` lines, and writes a head that fits. */
async function cutJournal({ books, directory }: ReturnType<typeof open>, count: number) {
  const file = String(books.journal.files()[0]);
  const path = join(directory, "journal", file);
  const lines = (await readFile(path, "utf8")).trimEnd().split("\n").slice(0, -count);
  const text = `${lines.join("\n")}\n`;
  await writeFile(path, text);
  const last = lines.at(-1) ?? "";
  const { log, seq } = JSON.parse(last);
  const head = { v: 1, log, file, size: text.length, seq, hash: hashLine(Buffer.from(last)) };
  await writeFile(books.journal.headPath, `${JSON.stringify(head).padEnd(511)}\n`);
}

test("A11 C1 a journal that lost an act and got another head is found by the audit trail", async () => {
  const here = open();
  for (const amount of ["1", "2"])
    await here.acts.perform(
      create(payment(amount)),
      async () => `R${amount}`,
      (id) => id,
    );
  await cutJournal(here, 2);
  expect(here.books.read().size).toBe(1);
  let sent = 0;
  const work = async () => {
    sent += 1;
  };
  const again = open({ directory: here.directory });
  const refusal = await failureOf(again.acts.perform(create(payment("3")), work));
  expect(refusal.code).toBe("AUDIT_BROKEN");
  expect(sent).toBe(0);
  await again.books.alone(async (pages) => void pages.restart("It was cut.", "test"));
  await again.acts.perform(create(payment("3")), work);
  expect(sent).toBe(1);
});

test("A11 a line of refusals as long as many reads does not hide an act that the journal lost", async () => {
  const here = open();
  await here.acts.perform(
    create(payment("1")),
    async () => "R1",
    (id) => id,
  );
  for (let at = 0; at < 300; at += 1)
    await here.books.note({ event: "login", command: "x".repeat(400) });
  await here.acts.perform(create(payment("2")), async () => "R2");
  await cutJournal(here, 2);
  expect((await failureOf(here.acts.perform(create(payment("3")), unknown))).code).toBe(
    "AUDIT_BROKEN",
  );
}, 240_000);

test("B3 an act that was killed between both intents, or before its end, stops nothing", async () => {
  const here = open();
  await here.acts.perform(create(payment("1")), async () => "R1");
  await here.books.note({ event: "intent", key: here.books.newKey(), command: "requests create" });
  await here.acts.perform(create(payment("2")), async () => "R2");
  // The last outcome is gone, its intent is not.
  await cutJournal(here, 1);
  await here.acts.perform(create(payment("3")), async () => "R3");
  expect([...here.books.read().all()].map(({ state }) => state)).toEqual(["done", "open", "done"]);
});

test("A11 with the audit trail off since, a journal that was removed is still missed", async () => {
  const here = open();
  await here.acts.perform(create(payment("1")), async () => "R1");
  await rm(join(here.directory, "journal"), { recursive: true });
  const off = open({ directory: here.directory, detail: "off" });
  expect((await failureOf(off.acts.perform(create(payment("2")), unknown))).code).toBe(
    "AUDIT_BROKEN",
  );
  await off.books.alone(async (pages) => void pages.restart("It was lost.", "test"));
  await off.acts.perform(create(payment("2")), async () => "R2");
  await open({ directory: here.directory }).acts.perform(create(payment("3")), async () => "R3");
});

test("B4 A14 a kept body that was altered is not believed, also after a checkpoint", async () => {
  const here = open();
  const first = await failureOf(here.acts.perform(create(payment("1", "mine")), unknown));
  const { key } = first.facts.details as { key: string };
  const path = join(here.directory, `bodies/${key}.json`);
  const kept = await readFile(path, "utf8");
  expect((await here.books.body(key))?.text).toBe(kept);
  await writeFile(path, kept.replace("mine", "ours"));
  expect(await here.books.body(key)).toBeUndefined();
  const second = await failureOf(here.acts.perform(create(payment("1", "x")), unknown));
  expect(second.facts.details).toMatchObject({ key, notes: { record: null } });
  const copy = Journal.of(here.books.read().copy());
  expect(copy.get(key)?.bodySha256).toBe(here.books.read().get(key)?.bodySha256);
  expect(copy.get(key)?.bodySha256).toMatch(/^[0-9a-f]{64}$/);
});

const SPOILT: Readonly<Record<string, (directory: string) => Promise<unknown>>> = {
  "a lost head of the audit trail": (directory) => rm(join(directory, "audit/audit.head")),
  "a lost head of the journal": (directory) => rm(join(directory, "journal/journal.head")),
  "an audit trail that was removed": (directory) =>
    rm(join(directory, "audit"), { recursive: true }),
  "an altered line of the journal": async (directory) => {
    const folder = join(directory, "journal");
    const file = (await readdir(folder)).find((name) => name.endsWith(".jsonl"));
    const path = join(folder, String(file));
    await writeFile(
      path,
      (await readFile(path, "utf8")).replace('"open"', '"done"').replace("create", "crEate"),
    );
  },
  "a journal with rights for others": (directory) => chmod(join(directory, "journal"), 0o755),
};

test.each(Object.entries(SPOILT))("C1 A11 %s: nothing is sent", async (_, spoil) => {
  const { acts, directory } = open();
  await failureOf(acts.perform(create(payment("1")), unknown));
  await spoil(directory);
  let sent = 0;
  const again = open({ directory });
  const work = async () => {
    sent += 1;
  };
  expect((await failureOf(again.acts.perform(create(payment("2")), work))).code).toBe(
    "AUDIT_BROKEN",
  );
  expect(sent).toBe(0);
});

test("an outcome that cannot be written is a warning: the act was carried out", async () => {
  const { acts, directory, warnings } = open();
  const id = await acts.perform(create(payment("1")), async () => {
    await rm(join(directory, "journal/journal.head"));
    return "R1";
  });
  expect(id).toBe("R1");
  expect(warnings.join("")).toContain("AUDIT_INCOMPLETE");
});

test("B4 a like request is refused while the first is open; its key is in the failure", async () => {
  const { acts, lines } = open();
  const first = await failureOf(acts.perform(create(payment("1", "one")), unknown));
  const { key } = first.facts.details as { key: string };
  let sent = 0;
  const work = async () => {
    sent += 1;
    return "R2";
  };
  const second = await failureOf(acts.perform(create(payment("1", "two")), work));
  expect(second.code).toBe("DUPLICATE_SUSPECTED");
  expect(second.facts.details).toMatchObject({ key, state: "open" });
  expect(sent).toBe(0);
  expect((await lines("audit")).at(-1)).toMatchObject({
    event: "denied",
    result: { code: "DUPLICATE_SUSPECTED" },
  });
  // B6 the way on is the key of that very record.
  const other = "01M8HYXX26Z8JW84D6ZGHAX8E8";
  expect((await failureOf(acts.perform(create(payment("1"), other), work))).code).toBe(
    "INVALID_ARGUMENT",
  );
  expect(await acts.perform(create(payment("1"), key), work)).toBe("R2");
  expect(sent).toBe(1);
  // The newest record is meant: the same line does not send a third one.
  expect((await failureOf(acts.perform(create(payment("1"), key), work))).code).toBe(
    "DUPLICATE_SUSPECTED",
  );
});

test("B4 a login that could not name its user does not hide the record of one that could", async () => {
  for (const [first, second, isSuspected] of [
    [undefined, { id: "operator" }, true],
    [{ id: "operator" }, undefined, true],
    [{ id: "operator" }, { id: "another" }, false],
  ] as const) {
    const { acts } = open();
    const as = (user: Session["user"]) => ({
      ...create(payment("1")),
      session: { ...SESSION, user },
    });
    await failureOf(acts.perform(as(first) as Intent, unknown));
    const again = await acts
      .perform(as(second) as Intent, async () => "R2")
      .catch(({ code }) => code);
    expect(again).toBe(isSuspected ? "DUPLICATE_SUSPECTED" : "R2");
  }
});

test("B6 a key of another peer's record, read in its note, does not repeat it", async () => {
  const { acts, directory } = open({ peer: 2001 });
  const { facts } = await failureOf(acts.perform(create(payment("1")), unknown));
  const { key } = facts.details as { key: string };
  const other = open({ directory, peer: 2002 });
  const again = other.acts.perform(create(payment("1"), key), async () => "R2");
  expect((await failureOf(again)).code).toBe("INVALID_ARGUMENT");
  const own = open({ directory, peer: 2001 });
  expect(await own.acts.perform(create(payment("1"), key), async () => "R2")).toBe("R2");
});

test("B6 a definite refusal, and ten minutes after a success, make --again needless", async () => {
  let now = Date.now();
  const { acts } = open({ now: () => now });
  const refused = () => Promise.reject(new CliError("BAD_REQUEST", { message: "No." }));
  await failureOf(acts.perform(create(payment("1")), refused));
  await acts.perform(
    create(payment("1")),
    async () => "R1",
    (id) => id,
  );
  const { code, facts } = await failureOf(acts.perform(create(payment("1")), async () => "R2"));
  expect(code).toBe("DUPLICATE_SUSPECTED");
  expect(facts.details).toMatchObject({ id: "R1", state: "done" });
  expect(facts.hint).toContain("the request in error.details.id was created");
  now += 10 * 60 * 1000;
  expect(await acts.perform(create(payment("1")), async () => "R2")).toBe("R2");
});

/** The lock of a process that was stopped a minute ago, so that nobody waits for it in vain. */
const STOPPED = JSON.stringify({
  ...{ pid: 1, host: "elsewhere", token: "ffff", startedAt: Date.now() - 60_000 },
});

test("B4 of two equal creates one is sent, when a process is stopped while it keeps the body", async () => {
  const first = open();
  const second = open({ directory: first.directory });
  const sent: string[] = [];
  const pay = (name: string, { acts }: typeof first) =>
    acts.perform(
      create(payment("1")),
      async () => {
        sent.push(name);
        return name;
      },
      (id) => id,
    );
  const write = first.state.write.bind(first.state);
  first.state.write = async (name, bytes) => {
    await write(name, bytes);
    // The other one took the stale lock over, if there was one, and went on.
    await rm(join(first.directory, "journal.lock"), { force: true });
    await pay("second", second);
  };
  expect((await failureOf(pay("first", first))).code).toBe("DUPLICATE_SUSPECTED");
  expect(sent).toEqual(["second"]);
  const [kept] = first.books.read().all();
  expect(await readdir(join(first.directory, "bodies"))).toEqual([`${kept?.key}.json`]);
});

test.each(["create", "sign"] as const)(
  "B4 A9 a process that lost the lock between its decision and its line does nothing: %s",
  async (kind) => {
    const directory = open().directory;
    let isTaken = false;
    const here = open({
      directory,
      policy: () => ({
        async decide(...asked) {
          const reserve = () => {
            // In the middle of what happens under the lock.
            const path = join(directory, "journal.lock");
            rmSync(path);
            writeFileSync(path, STOPPED);
            isTaken = true;
            return undefined;
          };
          return { ...(await NO_POLICY.decide(...asked)), reserve };
        },
      }),
    });
    let done = 0;
    const work = async () => {
      done += 1;
    };
    const intent = kind === "create" ? create(payment("1")) : signed("approve");
    const { code, facts, message } = await failureOf(here.acts.perform(intent, work));
    expect([code, done, isTaken]).toEqual(["LOCK_TIMEOUT", 0, true]);
    expect(message).toContain("nothing was sent or signed");
    expect(facts.hint).toBe("Run the command again.");
    expect([...here.books.read().all()].map(({ state }) => state)).toEqual(["refused"]);
    // What was not sent stops nothing.
    const other = open({ directory });
    await other.acts.perform(intent, work);
    expect(done).toBe(1);
  },
);

test.each([11 * 60_000, 3600_000, 30 * 24 * 3600_000])(
  "B4 a clock that was set back by %d ms since does not let a request be repeated",
  async (backMs) => {
    let now = Date.now();
    const { acts } = open({ now: () => now });
    const pay = (id: string) =>
      acts.perform(
        create(payment("1")),
        async () => id,
        (made) => made,
      );
    await pay("R1");
    now -= backMs;
    expect((await failureOf(pay("R2"))).code).toBe("DUPLICATE_SUSPECTED");
    now += backMs + 10 * 60_000;
    expect(await pay("R3")).toBe("R3");
  },
);

const PLACE = { origin: "o", basePath: "", workspace: "w", user: "u" };
const like = (text: string, place = PLACE) => likenessOf(place, new Exact(text));
const PLAIN = '{"type":"T","data":{"maxFees":"1","amount":"2"},"note":{"title":"a"}}';

test.each([
  ["the order of members", '{"data":{"amount":"2","maxFees":"1"},"type":"T"}'],
  ["the spelling", '{"type":"T","data":{"max_fees":"1","amount":"2"}}'],
  ["the note", '{"type":"T","data":{"maxFees":"1","amount":"2"},"note":{"title":"b"}}'],
  ["the envelope", `{"request":${PLAIN}}`],
  ["whether digits have quotes", '{"type":"T","data":{"maxFees":"1","amount":2}}'],
  ["leading zeros", '{"type":"T","data":{"maxFees":"1","amount":"02"}}'],
  ["null", '{"type":"T","data":{"maxFees":"1","amount":"2","tag":null}}'],
  ["a new estimate of the fee", '{"type":"T","data":{"maxFees":"9","amount":"2"}}'],
  [
    "the fee strategy, which no challenge has",
    '{"type":"T","data":{"maxFees":"1","amount":"2","feesStrategy":{"type":"CUSTOM"}}}',
  ],
  ["an escape", '{"type":"T","data":{"maxFees":"1","amount":"\\u0032"}}'],
])("B5 likeness ignores %s", (_, text) => {
  expect(like(text)).toBe(like(PLAIN));
});

const LOWER = "tb1qy7s9c2xwqy4qyvj0kyq7h5gh4rxgdljds0t9nv";
const to = (recipient: string) => like(`{"type":"T","data":{"recipient":"${recipient}"}}`);

test("B5 likeness ignores the capitals of a bech32 address, and no other text's", () => {
  for (const lower of [
    LOWER,
    "bc1p5cyxnuxmeuwuvkwfem96lqzszd02n6xdcjrs20cac6yqjjwudpxqkedrcr",
    "addr_test1vx2fxv2umyhttkxyxp8x0dlpdt3k6cwng5pxj3jhsydzers66hrl8",
  ])
    expect(to(lower.toUpperCase())).toBe(to(lower));
  for (const [one, other] of [
    [LOWER, LOWER.replace("t9nv", "T9NV")],
    ["rPT1Sjq2YGrBMTttX4GZHjKu9dyfzbpAYe", "RPT1SJQ2YGRBMTTTX4GZHJKU9DYFZBPAYE"],
    ["inv1234567", "INV1234567"],
  ] as const)
    expect(to(one)).not.toBe(to(other));
});

test.each([
  ["a value", '{"type":"T","data":{"maxFees":"1","amount":"3"}}'],
  ["the kind of a value", '{"type":"T","data":{"maxFees":"1","amount":["2"]}}'],
  ["a fraction", '{"type":"T","data":{"maxFees":"1","amount":2.0}}'],
  ["a further member", '{"type":"T","data":{"maxFees":"1","amount":"2","x":1}}'],
  ["a note inside the data", '{"type":"T","data":{"maxFees":"1","amount":"2","note":"x"}}'],
])("B5 likeness does not ignore %s", (_, text) => {
  expect(like(text)).not.toBe(like(PLAIN));
});

test("B5 a payment that is written anew is like the first: case of an address, what the account says", () => {
  const of = (transaction: object, data: object = { account_id: "A" }) =>
    like(JSON.stringify({ type: "T", data: { ...data, transaction } }));
  const plain = of({ recipient: "0xB550388547691A526190D60C30C2F9E2AF03FF3D" });
  expect(of({ recipient: "0xb550388547691a526190d60C30C2f9E2af03fF3D" })).toBe(plain);
  const named = { account_name: "Main", currency: "ethereum" };
  expect(of({ recipient: "0xb550388547691a526190d60C30C2f9E2af03fF3D", ...named })).toBe(plain);
  // Without the account's id they are all that says where it is paid from.
  expect(of(named, {})).not.toBe(of({ ...named, currency: "polygon" }, {}));
});

test("B5 number tokens count as written, and so does the place", () => {
  expect(like('{"type":"T","data":{"a":1}}')).not.toBe(like('{"type":"T","data":{"a":1.0}}'));
  expect(like(PLAIN, { ...PLACE, workspace: "v" })).not.toBe(like(PLAIN));
});

const decided = (kind: "approve" | "reject" | "deviceApprove", more: object = {}): Intent => ({
  ...{ kind, operation: "requests.approve", command: "requests approve api", session: SESSION },
  ...{ requestId: "R1", content: undefined, body: new Exact('{"data":1}'), ...more },
});
const signed = (purpose: "approve" | "reject" | "unknown"): Intent => ({
  ...{ kind: "sign", purpose, command: "requests approve api", session: SESSION, requestId: "R1" },
  content: { bytes: new Uint8Array(1), payloadSha256: "ab".repeat(32), document: undefined },
});

test("B4 E23 while it is unknown whether a decision was given, it is not signed or sent again", async () => {
  const { acts, directory, lines } = open();
  const lost = await failureOf(acts.perform(decided("approve"), unknown));
  const { key } = lost.facts.details as { key: string };
  let done = 0;
  const work = async () => {
    done += 1;
  };
  for (const intent of [decided("approve"), decided("deviceApprove"), signed("approve")]) {
    const { code, facts } = await failureOf(acts.perform(intent, work));
    expect(code).toBe("DUPLICATE_SUSPECTED");
    expect(facts.details).toEqual({ key, requestId: "R1", state: "open" });
    expect(facts.hint).toContain(`requests reconcile --key ${key}`);
  }
  expect(done).toBe(0);
  expect((await lines("audit")).filter(({ event }) => event === "denied")).toHaveLength(3);
  const wrong = decided("approve", { again: `${key.slice(1)}0` });
  expect((await failureOf(acts.perform(wrong, work))).code).toBe("INVALID_ARGUMENT");
  const other = open({ directory, peer: 4242 });
  const { code, facts } = await failureOf(other.acts.perform(decided("approve"), work));
  expect([code, facts.details]).toEqual([
    "DUPLICATE_SUSPECTED",
    { requestId: "R1", state: "open" },
  ]);
  const stolen = decided("approve", { again: key });
  expect((await failureOf(other.acts.perform(stolen, work))).code).toBe("INVALID_ARGUMENT");
  expect(done).toBe(0);
  await acts.perform(decided("approve", { again: key }), work);
  expect(done).toBe(1);
});

test("B4 E23 a dry run, and a device, are told before anything is prepared", async () => {
  const { acts } = open();
  await failureOf(acts.perform(decided("approve"), unknown));
  for (const intent of [decided("deviceApprove"), signed("approve")])
    expect((await failureOf(acts.decide(intent))).code).toBe("DUPLICATE_SUSPECTED");
});

test("B4 E23 a decision that another process gave meanwhile is found under the lock", async () => {
  const first = open();
  let isGiven = false;
  const second = open({
    directory: first.directory,
    policy: () => ({
      async decide(...asked) {
        // The journal that this one was given has nothing of it.
        if (!isGiven) await failureOf(first.acts.perform(decided("approve"), unknown));
        isGiven = true;
        return NO_POLICY.decide(...asked);
      },
    }),
  });
  let done = 0;
  const work = async () => {
    done += 1;
  };
  const { code } = await failureOf(second.acts.perform(decided("approve"), work));
  expect([code, done]).toEqual(["DUPLICATE_SUSPECTED", 0]);
});

test("B4 another decision, request, workspace or operator is not the one that is unknown", async () => {
  const { acts } = open();
  await failureOf(acts.perform(decided("approve"), unknown));
  let done = 0;
  const work = async () => {
    done += 1;
  };
  const others = [
    decided("reject"),
    signed("reject"),
    signed("unknown"),
    decided("approve", { requestId: "R2" }),
    decided("approve", { session: { ...SESSION, workspace: "other" } }),
    decided("approve", { session: { ...SESSION, user: { id: "second" } } }),
  ];
  for (const intent of others) await acts.perform(intent, work);
  expect(done).toBe(others.length);
  const unnamed = decided("approve", { session: { ...SESSION, user: undefined } });
  expect((await failureOf(acts.perform(unnamed, work))).code).toBe("DUPLICATE_SUSPECTED");
});
