/** The checks between a tool call and something that is created or signed. */
import { describe, expect, test } from "bun:test";
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { run } from "../../src/app/run.ts";
import { POLICY } from "../guard/twousers.ts";
import { Collector, testContext } from "../support/forms.ts";
import { PAYOUT } from "../support/payout.ts";
import { trustedFolder } from "../support/trusted.ts";
import {
  codeOf,
  documentOf,
  FORMS,
  Local,
  type Message,
  MODERN,
  Speaker,
  VERSIONS,
  type Version,
  Workspace,
  YES,
} from "./peer.ts";
import { faultsOf, HAS_SCHEMAS } from "./schemas.ts";

const ALL = ["--allow", "create", "--allow", "approve"];
const PAYMENT = { requestData: { type: "CREATE_TRANSACTION", data: PAYOUT } };

function posts({ sandbox }: Workspace): string[] {
  return sandbox.control.log
    .filter(({ method, path }) => method === "POST" && !path.includes("/auth/"))
    .map(({ path }) => path.replace(/.*\/rest/, "").replace(/[0-9a-f-]{36}/, "ID"));
}

/** The id of a request that the operator raised on the command line. */
async function raised(workspace: Workspace, change: object = {}): Promise<string> {
  const data = { ...PAYOUT, transactionData: { ...PAYOUT.transactionData, ...change } };
  const requestData = JSON.stringify({ type: "CREATE_TRANSACTION", data });
  const made = await workspace.cli(["requests", "create", "--requestData", requestData]);
  return JSON.parse(made).id;
}

async function opened(
  workspace: Workspace,
  argv: readonly string[] = ALL,
  version: Version = MODERN,
  capabilities: object = FORMS,
): Promise<{ server: Local; speaker: Speaker }> {
  const server = workspace.serve(argv);
  return { server, speaker: await Speaker.open(server.peer, version, capabilities) };
}

const ACTS = [
  "requests_create",
  "requests_approve_api",
  "requests_approve_device",
  "requests_reject_api",
];

test.each([
  [[], []],
  [["--allow", "create"], ["requests_create"]],
  [["--allow", "approve"], ACTS.slice(1)],
  [ALL, ACTS],
])("R13 with %p exactly %p are listed and callable beside the reads", async (argv, expected) => {
  await using workspace = await Workspace.open();
  const { server, speaker } = await opened(workspace, argv);
  await using _ = server;
  const { tools } = (await speaker.ask("tools/list")).result;
  const names: string[] = tools.map(({ name }: Message) => name);
  expect(names.filter((name) => ACTS.includes(name))).toEqual([...expected]);
  const unknown = await speaker.call("no_such_tool", {});
  for (const name of ACTS.filter((one) => !names.includes(one))) {
    const { error } = await speaker.call(name, { id: "x", ...PAYMENT });
    expect(error).toEqual(unknown.error);
  }
  for (const command of [
    "requests create",
    "requests approve api",
    "requests sign",
    "requests getChallenge",
  ])
    expect(codeOf(await speaker.call("lookup", { command, options: {} }))).toBe("INVALID_ARGUMENT");
  expect(posts(workspace)).toEqual([]);
});

test("R13 a server that only reads never opens the private key's file", async () => {
  await using workspace = await Workspace.open();
  // Without the file, each call that opens it would fail.
  const key = workspace.env.LEDGER_ENTERPRISE_API_PRIVATE_KEY_FILE ?? "";
  rmSync(key);
  const { server, speaker } = await opened(workspace, []);
  await using _ = server;
  const id = documentOf(await speaker.call("requests_list", { pageSize: 1 })).results[0]?.id;
  for (const [name, given] of [
    ["whoami", {}],
    ["accounts_list", {}],
    ["requests_get", { id }],
    ["lookup", { command: "users list" }],
  ] as const)
    expect((await speaker.call(name, given)).result.isError).toBe(false);
});

test("R13 read-only mode refuses what the start line allows, and leaves the list as it is", async () => {
  await using workspace = await Workspace.open();
  await using server = workspace.serve(ALL, { LEDGER_ENTERPRISE_READ_ONLY: "1" });
  const speaker = await Speaker.open(server.peer, MODERN, FORMS);
  expect((await speaker.ask("tools/list")).result.tools).toHaveLength(16);
  const calls = [
    ["requests_create", PAYMENT],
    ["requests_approve_api", { id: "x" }],
    ["requests_approve_device", { id: "x" }],
    ["requests_reject_api", { id: "x" }],
  ] as const;
  for (const [name, given] of calls)
    expect(codeOf(await speaker.call(name, given))).toBe("READ_ONLY");
});

describe.each(VERSIONS)("%s", (version) => {
  test("R14 R16 a person who types the amount creates and approves, and the question shows what counts", async () => {
    await using workspace = await Workspace.open();
    const { server, speaker } = await opened(workspace, ALL, version);
    await using _ = server;
    const made = await speaker.confirm("requests_create", PAYMENT, YES);
    const { id } = documentOf(made.answer);
    const approved = await speaker.confirm("requests_approve_api", { id }, YES);
    expect(approved.answer.result.isError).toBe(false);
    for (const { message } of [made, approved]) {
      const lines = message.split("\n");
      expect(lines.slice(0, 4)).toEqual([
        "Amount: 0.025 BTC (2500000 base units)",
        `To: ${PAYOUT.transactionData.recipient}`,
        "Fee at most: 0.00004018 BTC (4018 base units)",
        `From account: "ClientA COL TBTC 1" (${PAYOUT.accountId})`,
      ]);
      expect(message).toContain('in workspace "sandbox" as "agent-operator"');
    }
    expect(approved.message).toContain(id);
    expect(posts(workspace)).toEqual(["/requests", "/requests/ID/approve"]);
  });

  test.each([
    ["declines", { action: "decline" }, "CONFIRMATION_DECLINED"],
    ["cancels", { action: "cancel" }, "CONFIRMATION_DECLINED"],
    ["accepts without content", { action: "accept" }, "CONFIRMATION_MISMATCH"],
    ["accepts an empty form", { action: "accept", content: {} }, "CONFIRMATION_MISMATCH"],
    [
      "types another amount",
      { action: "accept", content: { confirm: "0.0251" } },
      "CONFIRMATION_MISMATCH",
    ],
    [
      "types a number",
      { action: "accept", content: { confirm: 2500000 } },
      "CONFIRMATION_MISMATCH",
    ],
    ["says true", { action: "accept", content: { confirm: true } }, "CONFIRMATION_MISMATCH"],
    [
      "fills another field",
      { action: "accept", content: { amount: "0.025" } },
      "CONFIRMATION_MISMATCH",
    ],
    [
      "answers something else",
      { action: "yes", content: { confirm: "0.025" } },
      "CONFIRMATION_DECLINED",
    ],
    ["answers nothing", {}, "CONFIRMATION_DECLINED"],
  ])("R14 nothing is signed when the client %s", async (_name, reply, code) => {
    await using workspace = await Workspace.open();
    const id = await raised(workspace);
    workspace.sandbox.control.clearLog();
    const { server, speaker } = await opened(workspace, ALL, version);
    await using _ = server;
    const { answer, message } = await speaker.confirm("requests_approve_api", { id }, () => reply);
    expect(message).toContain("0.025");
    expect([answer.result.isError, codeOf(answer)]).toEqual([true, code]);
    const { answer: made } = await speaker.confirm("requests_create", PAYMENT, () => reply);
    expect(codeOf(made)).toBe(code);
    expect(posts(workspace)).toEqual([]);
  });

  test.each(["0.025", "0.025 BTC", "2500000", " 0.025 "])("R14 %p is the amount", async (typed) => {
    await using workspace = await Workspace.open();
    const { server, speaker } = await opened(workspace, ALL, version);
    await using _ = server;
    const reply = () => ({ action: "accept", content: { confirm: typed } });
    const { answer } = await speaker.confirm("requests_create", PAYMENT, reply);
    expect(answer.result.isError).toBe(false);
  });

  test.each([
    ["no capability", {}],
    ["URLs only", { elicitation: { url: {} } }],
    ["a capability that is not an object", { elicitation: true }],
  ])(
    "R14 a client with %s is refused, and the hint names a person's command",
    async (_name, capabilities) => {
      await using workspace = await Workspace.open();
      const id = await raised(workspace);
      workspace.sandbox.control.clearLog();
      const { server, speaker } = await opened(workspace, ALL, version, capabilities);
      await using _ = server;
      const answer = await speaker.call("requests_approve_api", { id });
      expect(codeOf(answer)).toBe("CONFIRMATION_UNAVAILABLE");
      expect(documentOf(answer).error.hint).toContain(`requests approve api --id ${id} --sign`);
      expect(posts(workspace)).toEqual([]);
    },
  );

  test("R14 no answer within five minutes is a no", async () => {
    await using workspace = await Workspace.open();
    const { server, speaker } = await opened(workspace, ALL, version);
    await using _ = server;
    if (version === MODERN) {
      const { result } = await speaker.call("requests_create", PAYMENT);
      server.advance(5 * 60_000 + 1);
      const inputResponses = { confirm: { action: "accept", content: { confirm: "0.025" } } };
      const more = { inputResponses, requestState: result.requestState };
      const late = await speaker.call("requests_create", PAYMENT, more);
      expect(codeOf(late)).toBe("CONFIRMATION_EXPIRED");
    } else {
      const answer = speaker.call("requests_create", PAYMENT);
      await server.peer.find(({ method }) => method === "elicitation/create");
      server.advance(5 * 60_000 + 1);
      expect(codeOf(await answer)).toBe("CONFIRMATION_EXPIRED");
    }
    expect(posts(workspace)).toEqual([]);
  });

  test.skipIf(!HAS_SCHEMAS)("R2 questions are valid by the published schema", async () => {
    await using workspace = await Workspace.open();
    const { server, speaker } = await opened(workspace, ALL, version);
    await using _ = server;
    await speaker.confirm("requests_create", PAYMENT, YES);
    const faults = server.peer.received
      .filter(
        ({ method, result }) =>
          method !== undefined ||
          result?.content !== undefined ||
          result?.resultType === "input_required",
      )
      .flatMap((one) =>
        faultsOf(version, one, one.method === undefined ? "tools/call" : undefined),
      );
    expect(faults).toEqual([]);
  });
});

/** A call that stopped at its question. */
async function questioned(speaker: Speaker, given: object = PAYMENT) {
  const { result } = await speaker.call("requests_create", given);
  expect(result.resultType).toBe("input_required");
  const yes = { action: "accept", content: { confirm: "0.025" } };
  return { requestState: result.requestState as string, inputResponses: { confirm: yes } };
}

describe("requestState", () => {
  const altered = (state: string, at: number): string =>
    `${state.slice(0, at)}${state[at] === "A" ? "B" : "A"}${state.slice(at + 1)}`;

  test("R15 one that is altered anywhere is refused", async () => {
    await using workspace = await Workspace.open();
    const { server, speaker } = await opened(workspace);
    await using _ = server;
    const { requestState, inputResponses } = await questioned(speaker);
    for (let at = 0; at < requestState.length - 1; at += 7) {
      const more = { requestState: altered(requestState, at), inputResponses };
      const answer = await speaker.call("requests_create", PAYMENT, more);
      expect(codeOf(answer)).toBe("CONFIRMATION_EXPIRED");
    }
    for (const other of ["", "x", 1, null, {}, requestState.slice(1), `${requestState}.x`]) {
      const more = { requestState: other, inputResponses };
      const answer = await speaker.call("requests_create", PAYMENT, more);
      expect(codeOf(answer)).toBe("CONFIRMATION_EXPIRED");
    }
    expect(posts(workspace)).toEqual([]);
    const good = await speaker.call("requests_create", PAYMENT, { requestState, inputResponses });
    expect(good.result.isError).toBe(false);
  });

  test("R15 one works once, also after a no", async () => {
    await using workspace = await Workspace.open();
    const { server, speaker } = await opened(workspace);
    await using _ = server;
    const first = await questioned(speaker);
    const made = await speaker.call("requests_create", PAYMENT, first);
    expect(made.result.isError).toBe(false);
    const again = await speaker.call("requests_create", PAYMENT, first);
    expect(codeOf(again)).toBe("CONFIRMATION_EXPIRED");
    const other = { ...PAYMENT, allowUnknown: true };
    const data = { ...PAYOUT, transactionData: { ...PAYOUT.transactionData, maxFees: "4019" } };
    const given = { ...other, requestData: { type: "CREATE_TRANSACTION", data } };
    const second = await questioned(speaker, given);
    const no = { ...second, inputResponses: { confirm: { action: "decline" } } };
    expect(codeOf(await speaker.call("requests_create", given, no))).toBe("CONFIRMATION_DECLINED");
    expect(codeOf(await speaker.call("requests_create", given, second))).toBe(
      "CONFIRMATION_EXPIRED",
    );
    expect(posts(workspace)).toEqual(["/requests"]);
  });

  test("R15 one of other arguments, another tool or another process is refused", async () => {
    await using workspace = await Workspace.open();
    const { server, speaker } = await opened(workspace);
    const other = await opened(workspace);
    await using _ = server;
    await using __ = other.server;
    const state = await questioned(speaker);
    const data = { ...PAYOUT, transactionData: { ...PAYOUT.transactionData, amount: "2500001" } };
    const requestData = { type: "CREATE_TRANSACTION", data };
    for (const answer of [
      await speaker.call("requests_create", { requestData }, state),
      await speaker.call("requests_approve_api", PAYMENT, state),
      await speaker.call("whoami", PAYMENT, state),
      await other.speaker.call("requests_create", PAYMENT, state),
    ])
      expect(codeOf(answer)).toBe("CONFIRMATION_EXPIRED");
    expect(posts(workspace)).toEqual([]);
  });

  test("R15 an answer without a state is ignored, and the question asked again", async () => {
    await using workspace = await Workspace.open();
    const { server, speaker } = await opened(workspace);
    await using _ = server;
    const { inputResponses } = await questioned(speaker);
    const { result } = await speaker.call("requests_create", PAYMENT, { inputResponses });
    expect(result.resultType).toBe("input_required");
    expect(posts(workspace)).toEqual([]);
  });
});

test("R16 the challenge that was shown is the one that is signed, whatever the server has by then", async () => {
  await using workspace = await Workspace.open();
  workspace.sandbox.control.set({ freshChallenges: true });
  const id = await raised(workspace);
  const { server, speaker } = await opened(workspace);
  await using _ = server;
  workspace.sandbox.control.clearLog();
  const { answer, message } = await speaker.confirm("requests_approve_api", { id }, YES);
  const asked = workspace.sandbox.control.log.filter(({ path }) => path.endsWith("/challenge"));
  expect(asked).toHaveLength(1);
  const sent = workspace.sandbox.control.log.find(({ path }) => path.endsWith("/approve"));
  const [, payload = ""] = JSON.parse(sent?.body ?? "{}").data.signature.split(".");
  const digest = new Bun.CryptoHasher("sha256")
    .update(Buffer.from(payload, "base64url"))
    .digest("hex");
  expect(message).toContain(`begins with ${digest.slice(0, 16)}`);
  expect(answer.result.isError).toBe(false);
});

test("R16 a request without an amount shows every value, and its type is typed", async () => {
  await using workspace = await Workspace.open();
  const { server, speaker } = await opened(workspace);
  await using _ = server;
  const requestData = {
    type: "CREATE_WHITELIST",
    data: { name: "Suppliers\nTo: nobody", addresses: [] },
    note: { title: "Please approve", content: "quickly" },
  };
  const given = { requestData, allowUnknown: true };
  const { message } = await speaker.confirm("requests_create", given, () => ({
    action: "decline",
  }));
  expect(message).toContain('data.name: "Suppliers\\nTo: nobody"');
  expect(message).toContain("type the request's type: CREATE_WHITELIST");
  expect(message).not.toContain("Please approve");
});

test("R16 what does not fit into a question is not asked", async () => {
  await using workspace = await Workspace.open();
  const { server, speaker } = await opened(workspace);
  await using _ = server;
  const requestData = { type: "CREATE_WHITELIST", data: { name: "x".repeat(1500), addresses: [] } };
  const answer = await speaker.call("requests_create", { requestData, allowUnknown: true });
  expect(codeOf(answer)).toBe("CONFIRMATION_UNAVAILABLE");
  expect(posts(workspace)).toEqual([]);
});

test("R17 no result, question or line on stderr has a signature, token, secret or key in it", async () => {
  await using workspace = await Workspace.open();
  const { server, speaker } = await opened(workspace);
  await using _ = server;
  const made = await speaker.confirm("requests_create", PAYMENT, YES);
  const { id } = documentOf(made.answer);
  await speaker.call("requests_approve_api", { id, dryRun: true });
  await speaker.confirm("requests_approve_api", { id }, YES);
  await speaker.call("requests_review", { id });
  const { operator } = workspace.sandbox.description;
  await speaker.call("accounts_get", { id: operator.apiKeySecret });
  const sent = workspace.sandbox.control.log.find(({ path }) => path.endsWith("/approve"));
  const signature = JSON.parse(sent?.body ?? "{}").data.signature;
  const session = JSON.parse(
    readFileSync(join(workspace.home, ".local/state/ledger-enterprise-cli/session.json"), "utf8"),
  );
  const said = `${server.peer.lines.join("\n")}${server.stderr.text}`;
  for (const secret of [
    signature,
    operator.apiKeySecret,
    operator.privateKey,
    session.tokens.access,
  ])
    expect(said.includes(secret)).toBe(false);
  expect(said).toContain("[redacted]");
});

test("R18 a key in the environment does not start a server that may sign", async () => {
  await using workspace = await Workspace.open();
  const { LEDGER_ENTERPRISE_API_PRIVATE_KEY_FILE: _, ...env } = workspace.env;
  const { privateKey } = workspace.sandbox.description.operator;
  const own = { ...env, LEDGER_ENTERPRISE_API_PRIVATE_KEY: privateKey };
  const server = new Local(["--allow", "approve"], own);
  expect(await server.exit).toBe(2);
  expect(server.peer.lines).toEqual([]);
  const { error } = JSON.parse(server.stderr.text);
  expect(error.code).toBe("CONFIG_CONFLICT");
  expect(error.hint).toContain("LEDGER_ENTERPRISE_API_PRIVATE_KEY_FILE");
  await using reader = new Local(["--allow", "create"], own);
  expect((await Speaker.open(reader.peer, "2025-11-25")).version).toBe("2025-11-25");
});

test("R18 a start that is refused says so on stderr, and nothing on stdout", async () => {
  const server = new Local(["--allow", "everything"], { HOME: "/nonexistent" });
  expect(await server.exit).toBe(2);
  expect(server.peer.lines).toEqual([]);
  expect(JSON.parse(server.stderr.text).error.code).toBe("INVALID_ARGUMENT");
});

test.each(["workspace", "origin", "user"])(
  "R19 a session of another %s is refused",
  async (member) => {
    await using workspace = await Workspace.open();
    const { server, speaker } = await opened(workspace);
    await using _ = server;
    expect((await speaker.call("whoami")).result.isError).toBe(false);
    const path = join(workspace.home, ".local/state/ledger-enterprise-cli/session.json");
    const session = JSON.parse(readFileSync(path, "utf8"));
    const other = {
      workspace: { workspace: "another" },
      origin: { origin: "http://127.0.0.1:1" },
      user: { user: { ...session.user, id: "another" } },
    }[member];
    writeFileSync(path, JSON.stringify({ ...session, ...other }), { mode: 0o600 });
    expect(codeOf(await speaker.call("whoami"))).toBe("SESSION_MISMATCH");
    writeFileSync(path, JSON.stringify(session), { mode: 0o600 });
    expect((await speaker.call("whoami")).result.isError).toBe(false);
  },
);

test("R19 another session while a person decides: nothing is signed", async () => {
  await using workspace = await Workspace.open();
  const id = await raised(workspace);
  workspace.sandbox.control.clearLog();
  const { server, speaker } = await opened(workspace);
  await using _ = server;
  const path = join(workspace.home, ".local/state/ledger-enterprise-cli/session.json");
  const { answer } = await speaker.confirm("requests_approve_api", { id }, (message) => {
    const session = JSON.parse(readFileSync(path, "utf8"));
    const other = JSON.stringify({ ...session, workspace: "another" });
    writeFileSync(path, other, { mode: 0o600 });
    return YES(message);
  });
  expect(codeOf(answer)).toBe("SESSION_MISMATCH");
  expect(posts(workspace)).toEqual([]);
});

test("R14 --confirm client does not ask a person, and says so in the instructions", async () => {
  await using workspace = await Workspace.open();
  const { server, speaker } = await opened(workspace, [...ALL, "--confirm", "client"], MODERN, {});
  await using _ = server;
  const { instructions } = (await speaker.ask("server/discover")).result;
  expect(instructions).toContain("--confirm client");
  const made = await speaker.call("requests_create", PAYMENT);
  expect(made.result.isError).toBe(false);
  const approved = await speaker.call("requests_approve_api", { id: documentOf(made).id });
  expect(approved.result.isError).toBe(false);
});

test.each([
  [{}, "--allow approve adds signing"],
  [{ LEDGER_ENTERPRISE_API_PRIVATE_KEY: "00" }, "--allow approve is refused while the private key"],
  [{ LEDGER_ENTERPRISE_READ_ONLY: "1" }, "read-only mode refuses each of them"],
])("R13 R18 doctor says what a start line would allow, with %p", async (change, expected) => {
  await using workspace = await Workspace.open();
  const { LEDGER_ENTERPRISE_API_PRIVATE_KEY_FILE: _, ...env } = workspace.env;
  const [stdout, stderr] = [new Collector(), new Collector()];
  const context = testContext({ env: { ...env, ...change }, stdin: undefined, stdout, stderr });
  await run(["doctor", "--offline"], context);
  const document = JSON.parse(stdout.text);
  const { findings } = document.error?.details ?? document;
  const [found] = findings.filter(({ check }: Message) => check === "mcp");
  expect(found.message).toContain(expected);
});

test("R16 the question names the fields without evidence, when a model confirms the digest", async () => {
  await using workspace = await Workspace.open();
  const id = await raised(workspace);
  workspace.sandbox.control.set({ alterChallenge: { "data.transaction_data.memo": "to nobody" } });
  const reviewed = await workspace.cli(["requests", "review", "--id", id]);
  const { payloadSha256: expectPayloadSha256 } = JSON.parse(reviewed);
  const { server, speaker } = await opened(workspace);
  await using _ = server;
  const bare = await speaker.call("requests_approve_api", { id });
  expect(codeOf(bare)).toBe("CHALLENGE_MISMATCH");
  const given = { id, expectPayloadSha256 };
  const no = () => ({ action: "decline" });
  const { message } = await speaker.confirm("requests_approve_api", given, no);
  expect(message).toContain("NOT VERIFIED: data.transaction_data.memo");
  expect(message).toContain("to nobody");
});

test("R16 the question names the whitelists' entries of the recipient, cut", async () => {
  await using workspace = await Workspace.open();
  const lists = JSON.parse(await workspace.cli(["whitelists", "list", "--all"])).results;
  const entries = lists.flatMap((list: Message) =>
    list.addresses.map((entry: Message) => ({ list, entry })),
  );
  const known = entries.find(
    ({ entry }: Message) => entry.currency === "bitcoin_testnet" || entry.address.startsWith("tb1"),
  );
  const id = await raised(workspace, { recipient: known.entry.address });
  const { server, speaker } = await opened(workspace);
  await using _ = server;
  const no = () => ({ action: "decline" });
  const { message } = await speaker.confirm("requests_approve_api", { id }, no);
  expect(message).toContain(
    `The recipient is entry ${JSON.stringify(known.entry.name)} of whitelist`,
  );
});

test("R16 M17 the question says that an address is listed with another tag", async () => {
  await using workspace = await Workspace.open();
  const [account] = JSON.parse(await workspace.cli(["accounts", "list", "--all"])).results.filter(
    ({ currency }: Message) => currency === "ripple",
  );
  const transactionData = {
    ...{ accountName: account.name, amount: "1000000", currency: "ripple", maxFees: "12" },
    ...{ recipient: "rPT1Sjq2YGrBMTttX4GZHjKu9dyfzbpAYe", tag: 1002 },
  };
  const data = {
    ...{ accountId: account.id, transactionType: "RIPPLE_LIKE_SEND", transactionData },
    feesStrategy: { type: "SPEED", data: { speed: "NORMAL" } },
  };
  const { server, speaker } = await opened(workspace);
  await using _ = server;
  const requestData = { type: "CREATE_TRANSACTION", data };
  const no = () => ({ action: "decline" });
  const { message } = await speaker.confirm("requests_create", { requestData }, no);
  expect(message).toContain(
    'The recipient is listed with another tag only: entry "Exchange XRP" of whitelist "Exchanges", tag "1001"',
  );
});

test("R14 a policy that changes while a person decides is asked again", async () => {
  await using workspace = await Workspace.open();
  const path = join(trustedFolder(), "policy.json");
  writeFileSync(path, JSON.stringify(POLICY), { mode: 0o600 });
  await using server = workspace.serve(ALL, { LEDGER_ENTERPRISE_POLICY_FILE: path });
  const speaker = await Speaker.open(server.peer, MODERN, FORMS);
  const { answer, message } = await speaker.confirm("requests_create", PAYMENT, (asked) => {
    writeFileSync(path, JSON.stringify({ ...POLICY, stopped: true }), { mode: 0o600 });
    return YES(asked);
  });
  expect(message).toContain("0.025 BTC");
  expect(codeOf(answer)).toBe("POLICY_DENIED");
  expect(posts(workspace)).toEqual([]);
});

test("R14 what the policy denies is not asked of a person", async () => {
  await using workspace = await Workspace.open();
  const path = join(trustedFolder(), "policy.json");
  writeFileSync(path, JSON.stringify({ ...POLICY, stopped: true }), { mode: 0o600 });
  await using server = workspace.serve(ALL, { LEDGER_ENTERPRISE_POLICY_FILE: path });
  const speaker = await Speaker.open(server.peer, MODERN, FORMS);
  expect(codeOf(await speaker.call("requests_create", PAYMENT))).toBe("POLICY_DENIED");
});
