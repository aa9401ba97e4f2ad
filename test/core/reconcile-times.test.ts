/**
 * When `reconcile` may call a record absent, and when its room is given back. Both clocks, and what
 * the server shows, are the test's.
 */
import { describe, expect, test } from "bun:test";
import type { Reader } from "../../src/core/api/api.ts";
import { ApiClock } from "../../src/core/api/clock.ts";
import { reconcile, type Verdict } from "../../src/core/reconcile.ts";
import { LONGEST_SENDING_MS, SendingTime } from "../../src/core/sending.ts";
import { Journal } from "../../src/core/state/journal.ts";
import { CliError } from "../../src/errors.ts";
import { Exact } from "../../src/io/json.ts";
import { createIntent, failing, openActs, payment, SESSION } from "../support/acts.ts";

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const NOON = Date.UTC(2026, 10, 28, 12);

interface Shown {
  readonly id: string;
  readonly amount: string;
  /** When it was created, by the API's clock; always shown without it. */
  readonly at?: number;
  readonly reviews?: readonly object[];
}

/** A record of a payment of 1 whose answer was lost, and a server that shows what the test says. */
async function open(
  kind: "create" | "approve" | "reject" = "create",
  debited = false,
  killed:
    | { readonly leftMs: number | undefined; readonly aheadMs?: number; readonly ends?: boolean }
    | undefined = undefined,
) {
  // A local clock that is ahead belongs to a process that asked the API nothing.
  const isBlind = killed?.aheadMs !== undefined;
  const time = { local: NOON + (killed?.aheadMs ?? 0), elapsed: 0, off: 0 };
  const server: {
    requests: Shown[];
    calls: string[];
    /** From when on lists were asked for. */
    since: number[];
    isLost: boolean;
    /** What one request is, in place of those of the list. */
    shown?: object;
    onList?: () => void;
  } = { requests: [], calls: [], since: [], isLost: false };
  const clock = new ApiClock(
    () => time.local,
    () => time.elapsed,
  );
  const show = ({ id, amount, reviews = [] }: Shown) => {
    const { data } = JSON.parse(payment(amount).text) as { data: object };
    return { id, type: "CREATE_TRANSACTION", data, reviews };
  };
  const reader = {
    session: async () => SESSION,
    async read(
      name: string,
      {
        id,
        pageSize,
        fromDate,
      }: { readonly id?: string; readonly pageSize?: number; readonly fromDate?: string } = {},
    ) {
      if (fromDate !== undefined) server.since.push(Date.parse(fromDate));
      server.calls.push(name);
      clock.saw(new Date(NOON + time.elapsed + time.off).toUTCString());
      if (server.isLost) throw new CliError("SERVER_ERROR", { message: "No." });
      const since = fromDate === undefined ? 0 : Date.parse(fromDate);
      const results = server.requests.filter(({ at = since }) => at >= since).map(show);
      if (name === "requests.list") {
        // A list of one is only asked for its Date.
        if (pageSize !== 1) server.onList?.();
        return new Exact(JSON.stringify({ page: 1, next: null, total: results.length, results }));
      }
      if (server.shown !== undefined) return new Exact(JSON.stringify(server.shown));
      return new Exact(JSON.stringify(results.find((one) => one.id === id) ?? {}));
    },
  } as unknown as Reader;
  const debit = { account: "a", currency: "c", amount: "1", recipient: "r" };
  // The API's clock is known when the act is decided.
  if (!isBlind) clock.saw(new Date(NOON).toUTCString());
  const here = openActs({
    now: () => time.local,
    sendingTime: () =>
      new SendingTime(killed?.leftMs, { now: () => time.local, elapsed: () => time.elapsed }),
    apiTime: () => clock.told(),
    policy: () => ({
      async decide() {
        const decided = { rules: ["r"], policySha256: ["p"], clock: clock.time() };
        return {
          ...decided,
          reserve: () => (debited ? debit : undefined),
          againRefused: () => undefined,
        };
      },
    }),
  });
  const intent = kind === "create" ? createIntent(payment("1")) : decision(kind);
  const lost = () => Promise.reject(new CliError("OUTCOME_UNKNOWN", { message: "Lost." }));
  const dying = Promise.withResolvers<string>();
  const isKilled = killed !== undefined && killed.ends !== true;
  if (isKilled) {
    // The work never ends, as that of a process that was killed while it sent.
    void here.acts.perform(intent, async (made) => {
      dying.resolve(String(made));
      return new Promise<never>(() => undefined);
    });
  }
  const key = isKilled
    ? await dying.promise
    : ((await failing(here.acts.perform(intent, lost))).facts.details as { key: string }).key;
  const pass = (ms: number) => {
    time.local += ms;
    time.elapsed += ms;
  };
  const host = { books: here.books, reader, clock, uid: process.getuid?.() };
  const look = async (): Promise<Verdict | undefined> => {
    const verdicts = await reconcile({ ...host, now: () => time.local }, undefined);
    expect(verdicts.length).toBeLessThanOrEqual(1);
    return verdicts[0];
  };
  const record = () => here.books.read().get(key);
  return { ...here, time, server, key, pass, look, record };
}

function decision(kind: "approve" | "reject") {
  return {
    ...{ kind, operation: "requests.approve", command: `requests ${kind} api`, session: SESSION },
    ...{ requestId: "R1", content: undefined, body: undefined },
  };
}

test("B7 absent only 60 s after the last byte, not before", async () => {
  const { look, pass, record } = await open();
  pass(59 * SECOND);
  expect(await look()).toMatchObject({ verdict: "undetermined" });
  expect(record()?.state).toBe("open");
  pass(SECOND);
  expect(await look()).toMatchObject({ verdict: "absent" });
  expect(record()?.state).toBe("absent");
});

test.each([
  ["a timeout of 90 s", 90 * SECOND, 90 * SECOND],
  ["a timeout of a day", 24 * 60 * MINUTE, LONGEST_SENDING_MS],
  ["no timeout", undefined, LONGEST_SENDING_MS],
])(
  "B7 of a killed create with %s absence is told 60 s after it could leave at the latest",
  async (_, leftMs, latest) => {
    const { look, pass, record } = await open("create", true, { leftMs });
    expect(record()?.sendingMs).toBe(latest);
    pass(latest + 60 * SECOND - 1);
    expect(await look()).toMatchObject({ verdict: "undetermined" });
    expect(record()?.state).toBe("open");
    pass(1);
    expect(await look()).toMatchObject({ verdict: "absent" });
    pass(14 * MINUTE - 1);
    await look();
    expect(record()?.isDebited).toBe(true);
    pass(1);
    await look();
    expect(record()?.isDebited).toBe(false);
  },
);

test("B7 a killed create of an older version, which did not say how long it sends, is given three minutes", async () => {
  const { look, pass, books } = await open("create", false, { leftMs: undefined });
  const [entry] = books.read().all();
  Object.assign(entry ?? {}, { sendingMs: undefined });
  pass(240 * SECOND - 1);
  expect(await look()).toMatchObject({ verdict: "undetermined" });
  pass(1);
  expect(await look()).toMatchObject({ verdict: "absent" });
});

test.each(["create", "approve"] as const)(
  "B7 a local clock that was behind when a killed %s was sent does not hurry absence",
  async (kind) => {
    const { look, pass, server, time, record } = await open(kind, false, { leftMs: 30 * SECOND });
    if (kind === "approve") server.requests = [{ id: "R1", amount: "1", reviews: [] }];
    expect(record()?.apiTime).toBe(NOON);
    // The local clock is put right by an hour.
    time.local += 60 * MINUTE;
    expect(await look()).toMatchObject({ verdict: "undetermined" });
    pass(89 * SECOND);
    expect(await look()).toMatchObject({ verdict: "undetermined" });
    pass(SECOND);
    expect(await look()).toMatchObject({ verdict: "absent" });
  },
);

test("B7 the list is asked from the API's own time on, whatever became of the local clock", async () => {
  const { look, pass, server, time } = await open("create", false, { leftMs: 30 * SECOND });
  time.local -= 60 * MINUTE;
  pass(3 * 60 * MINUTE);
  expect(await look()).toMatchObject({ verdict: "absent" });
  expect(server.since).toEqual([NOON - 2 * MINUTE, NOON - 2 * MINUTE]);
});

test("B7 a local clock that was an hour ahead of a create that asked the API nothing makes none absent", async () => {
  const lost = { leftMs: 30 * SECOND, aheadMs: 60 * MINUTE };
  const { look, pass, server, time, record } = await open("create", false, lost);
  expect(record()?.apiTime).toBeUndefined();
  server.requests = [{ id: "R1", amount: "1", at: NOON + SECOND }];
  time.local -= 60 * MINUTE;
  pass(3 * 60 * MINUTE);
  for (let at = 0; at < 3; at += 1) {
    expect(await look()).toMatchObject({ verdict: "undetermined" });
    pass(10 * MINUTE);
  }
  // Another payment of that day, as from a person's browser, is none of it.
  server.requests = [{ id: "R2", amount: "2", at: NOON + SECOND }];
  expect(await look()).toMatchObject({ verdict: "absent" });
});

const DAYS = 24 * 60 * MINUTE;
const OFF = [
  ["an hour behind", -60 * MINUTE, 0],
  ["an hour ahead", 60 * MINUTE, 0],
  ["three days ahead, for three days", 3 * DAYS, 3 * DAYS],
  ["right", 0, 0],
] as const;

describe.each(OFF)(
  "a record without the API's time, the local clock was %s",
  (_, aheadMs, late) => {
    const off = { leftMs: 30 * SECOND, aheadMs, ends: true };

    test("B7 a list that lags makes no request absent; only a look 60 s after the first one does", async () => {
      const { look, pass, server, time, record, lines, books } = await open("create", true, off);
      expect(record()?.apiTime).toBeUndefined();
      time.local -= aheadMs;
      pass(late + 5 * SECOND);
      // It is there, and the list does not have it yet.
      expect(await look()).toMatchObject({ verdict: "undetermined" });
      expect(record()?.state).toBe("open");
      const [dated] = (await lines("journal")).filter(({ event }) => event === "dated");
      expect(dated).toMatchObject({ apiTime: NOON + late + 5 * SECOND });
      pass(60 * SECOND - 1);
      expect(await look()).toMatchObject({ verdict: "undetermined" });
      expect((await lines("journal")).filter(({ event }) => event === "dated")).toHaveLength(1);
      const copy = Journal.of(books.read().copy());
      expect(copy.get(String(record()?.key))?.apiAfter).toBe(Number(dated?.apiTime));
      pass(1);
      server.requests = [{ id: "R1", amount: "1", at: NOON + SECOND }];
      const { verdict } = (await look()) ?? {};
      expect(verdict).toBe(aheadMs > 0 ? "undetermined" : "found");
      server.requests = [];
      if (aheadMs > 0) expect(await look()).toMatchObject({ verdict: "absent" });
      expect(record()?.isDebited).toBe(true);
    });

    test("B7 a request of any time before keeps it from absence, unless an earlier line bounds the time", async () => {
      const { look, pass, server, time, record } = await open("create", false, off);
      time.local -= aheadMs;
      pass(late + 5 * SECOND);
      await look();
      pass(late + 2 * MINUTE);
      server.requests = [{ id: "R0", amount: "1", at: NOON - 90 * DAYS }];
      expect(await look()).toMatchObject({ verdict: "undetermined" });
      expect(record()?.state).toBe("open");
      Object.assign(record() ?? {}, { apiBefore: NOON - DAYS });
      expect(await look()).toMatchObject({ verdict: "absent" });
    });

    test("B7 one that was killed is given its sending time after the first look, too", async () => {
      const killed = { leftMs: 30 * SECOND, aheadMs };
      const { look, pass, time } = await open("create", false, killed);
      time.local -= aheadMs;
      pass(late + 5 * SECOND);
      await look();
      pass(90 * SECOND - 1);
      expect(await look()).toMatchObject({ verdict: "undetermined" });
      pass(1);
      expect(await look()).toMatchObject({ verdict: "absent" });
    });

    test("B7 an approval is absent only 60 s after the first look", async () => {
      const { look, pass, server, time } = await open("approve", false, off);
      time.local -= aheadMs;
      server.requests = [{ id: "R1", amount: "1", reviews: [] }];
      pass(late + 5 * SECOND);
      expect(await look()).toMatchObject({ verdict: "undetermined" });
      pass(60 * SECOND);
      expect(await look()).toMatchObject({ verdict: "absent" });
    });
  },
);

test("B7 an end that is written after the first look begins the time anew", () => {
  const journal = new Journal();
  const line = (event: string, members: object) =>
    journal.take({ event, time: new Date(NOON).toISOString(), key: "K", ...members });
  line("intent", { kind: "create", origin: "o", basePath: "", workspace: "w", user: "u" });
  line("dated", { apiTime: NOON });
  expect(journal.get("K")?.apiAfter).toBe(NOON);
  line("outcome", { state: "open", apiTime: NOON + MINUTE });
  expect(journal.get("K")?.apiAfter).toBeUndefined();
  // What a line tells bounds later records of that origin, and of none other.
  const next = (key: string, origin: string, more: object = {}) => {
    line("intent", {
      kind: "create",
      origin,
      basePath: "",
      workspace: "w",
      user: "u",
      key,
      ...more,
    });
    return journal.get(key)?.apiBefore;
  };
  expect(next("L", "o")).toBe(NOON + MINUTE);
  expect(next("M", "p")).toBeUndefined();
  expect(next("N", "o", { apiTime: NOON + 2 * MINUTE })).toBeUndefined();
  const again = Journal.of(journal.copy());
  again.take({ ...{ event: "intent", key: "O", kind: "create", origin: "o", time: NOON } });
  expect(again.get("O")?.apiBefore).toBe(NOON + 2 * MINUTE);
  expect(() => line("dated", { key: "none", apiTime: NOON })).toThrow(CliError);
  expect(() => line("dated", { apiTime: "x" })).toThrow(CliError);
});

test("B7 absent only when a second look agrees", async () => {
  const { look, pass, server, record } = await open();
  pass(5 * MINUTE);
  server.onList = () => {
    server.requests = [{ id: "R1", amount: "1" }];
  };
  expect(await look()).toMatchObject({ verdict: "undetermined" });
  expect(record()?.state).toBe("open");
  expect(await look()).toMatchObject({ verdict: "found", id: "R1", certainty: "content" });
});

test("B7 a request of that type that is not claimed, equal or not, keeps the record from absence", async () => {
  const { look, pass, server } = await open();
  pass(5 * MINUTE);
  server.requests = [{ id: "R9", amount: "2" }];
  expect(await look()).toMatchObject({ verdict: "undetermined" });
});

test("B7 a server that answers with a failure proves nothing", async () => {
  const { look, pass, server, record } = await open();
  pass(60 * MINUTE);
  server.isLost = true;
  expect(await look()).toMatchObject({ verdict: "undetermined" });
  expect(record()?.state).toBe("open");
});

test("A10 B7 room is given back only by an absence found 15 minutes after the last byte", async () => {
  const { look, pass, record } = await open("create", true);
  pass(MINUTE);
  expect(await look()).toMatchObject({ verdict: "absent" });
  expect([record()?.state, record()?.isDebited]).toEqual(["absent", true]);
  pass(14 * MINUTE - 1);
  expect(await look()).toMatchObject({ verdict: "absent" });
  expect(record()?.isDebited).toBe(true);
  pass(1);
  expect(await look()).toMatchObject({ verdict: "absent" });
  expect(record()?.isDebited).toBe(false);
  // Nothing is left to look for.
  expect(await look()).toBeUndefined();
});

test("A10 B7 a request that appears after an early absence is found, and its room stays taken", async () => {
  const { look, pass, record, server } = await open("create", true);
  pass(MINUTE);
  expect(await look()).toMatchObject({ verdict: "absent" });
  server.requests = [{ id: "R1", amount: "1" }];
  pass(20 * MINUTE);
  expect(await look()).toMatchObject({ verdict: "found", id: "R1" });
  expect([record()?.state, record()?.isDebited]).toEqual(["done", true]);
});

test("A10 B7 a local clock that is set ahead makes nothing absent and frees nothing", async () => {
  const here = await open("create", true);
  const { look, pass, time, record } = here;
  time.local += 60 * MINUTE;
  expect(await look()).toMatchObject({ verdict: "undetermined" });
  time.local -= 60 * MINUTE;
  pass(MINUTE);
  expect(await look()).toMatchObject({ verdict: "absent" });
  expect(record()?.isDebited).toBe(true);
});

test.each(["approve", "reject"] as const)(
  "B7 an open %s is found where the server names the own review, absent where it does not",
  async (kind) => {
    const { look, pass, server, record } = await open(kind);
    const [word, other] = kind === "approve" ? ["APPROVED", "REJECTED"] : ["REJECTED", "APPROVED"];
    pass(MINUTE);
    const pending = [
      { userId: "operator", status: "PENDING" },
      { userId: "somebody", status: word },
      { userId: "operator", status: other },
    ];
    server.requests = [{ id: "R1", amount: "1", reviews: pending }];
    const shown = server.requests;
    server.requests = [];
    expect(await look()).toMatchObject({ verdict: "undetermined" });
    server.requests = shown;
    expect(await look()).toMatchObject({ verdict: "absent" });
    expect(record()?.state).toBe("absent");
    const again = await open(kind);
    again.server.requests = [
      { id: "R1", amount: "1", reviews: [...pending, { userId: "operator", status: word }] },
    ];
    expect(await again.look()).toMatchObject({ verdict: "found", id: "R1" });
    expect(again.record()?.state).toBe("done");
    expect(again.server.calls.every((name) => /^requests\.(get|list)$/.test(name))).toBe(true);
  },
);

const SIGNED = { bytes: new Uint8Array([1]), payloadSha256: "ab".repeat(32), document: undefined };

test.each([
  ["is still open", { state: "PENDING_APPROVAL", reviews: [] }, "undetermined", "open"],
  [
    "shows a decision of this user",
    { state: "PENDING_APPROVAL", reviews: [{ userId: "operator", status: "APPROVED" }] },
    "found",
    "done",
  ],
  [
    "was approved by others only",
    { state: "APPROVED", reviews: [{ userId: "other", status: "APPROVED" }] },
    "undetermined",
    "open",
  ],
  ["has expired without one", { state: "EXPIRED", reviews: [] }, "absent", "absent"],
  ["does not tell its reviews", { state: "EXPIRED" }, "undetermined", "open"],
] as const)(
  "B3 B7 a signature whose process was killed: its request %s",
  async (_, shown, verdict, state) => {
    const { acts, look, server, books, pass } = await open("create");
    // The create of the frame is out of the way.
    server.requests = [{ id: "R7", amount: "1" }];
    expect(await look()).toMatchObject({ verdict: "found" });
    const started = Promise.withResolvers<string>();
    const about = { command: "requests sign", session: SESSION, requestId: "R1", content: SIGNED };
    void acts.perform({ kind: "sign", purpose: "approve", ...about }, async (key) => {
      started.resolve(String(key));
      return new Promise<never>(() => undefined);
    });
    const key = await started.promise;
    pass(MINUTE);
    server.shown = shown;
    expect(await look()).toMatchObject({ key, verdict });
    expect(books.read().get(key)?.state).toBe(state);
  },
);

test("B7 an approval that another record accounts for is not this one's", async () => {
  const { acts, look, pass, server, key } = await open("approve");
  await acts.perform({ ...decision("approve"), again: key }, async () => "R1");
  server.requests = [
    { id: "R1", amount: "1", reviews: [{ userId: "operator", status: "APPROVED" }] },
  ];
  pass(MINUTE);
  expect(await look()).toMatchObject({ verdict: "absent" });
});
