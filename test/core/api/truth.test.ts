/** What the API's public sources tell, held against the client: each test names its fact. */
import { describe, expect, test } from "bun:test";
import { defaultSeed } from "../../../src/sandbox/fixtures.ts";
import { ACCOUNT, payment, USDC } from "../../sandbox/bench.ts";
import type { Answer } from "../../support/answer.ts";
import { openWorkspace, type Workspace } from "../../v1/workspace.ts";

type Program = Awaited<ReturnType<Workspace["client"]>>;

const ask = async (program: Program, ...argv: string[]): Promise<Answer> => program.succeed(argv);

async function create(program: Program, request: unknown = payment()): Promise<string> {
  return (await ask(program, "requests", "create", "--requestData", JSON.stringify(request))).id;
}

describe("N3 R1 a 404 of an operation whose address is assumed", () => {
  const hidden = [
    ["GET /requests/{id}/challenge", ["requests", "getChallenge", "--id"], "U1"],
    ["GET /accounts/{id}/transactions", ["transactions", "list", "--accountId"], "U9"],
    [
      "POST /accounts/{id}/transactions/estimate",
      ["transactions", "estimate", "--transactionData", "{}", "--accountId"],
      "U8",
    ],
  ] as const;

  for (const [operation, argv, assumption] of hidden)
    for (const bareErrors of [false, true])
      test(`N3 ${operation}, data ${bareErrors ? "removed" : "without path"}: not offered, never not found`, async () => {
        await using workspace = await openWorkspace();
        const v2 = await workspace.client("v2");
        const id = argv[0] === "requests" ? await create(v2) : ACCOUNT(1);
        workspace.sandbox.control.set({ missingOperations: [operation], bareErrors });
        const { message, details, hint } = await v2.fail([...argv, id], 2, "NOT_SUPPORTED");
        expect(message).toBe(
          "The server does not offer this operation where this program looks for it.",
        );
        expect((details as Answer).assumption).toBe(assumption);
        expect(hint).toContain("doctor --report");
      });

  test("N3 an object that is missing there is not found, with data.path and without data", async () => {
    await using workspace = await openWorkspace();
    const v2 = await workspace.client("v2");
    for (const bareErrors of [false, true]) {
      workspace.sandbox.control.set({ bareErrors });
      for (const [, argv] of hidden) await v2.fail([...argv, "nothing"], 4, "NOT_FOUND");
    }
  });

  test("N3 a documented operation that is missing stays not found", async () => {
    await using workspace = await openWorkspace();
    const v2 = await workspace.client("v2");
    workspace.sandbox.control.set({ missingOperations: ["GET /accounts/{id}"] });
    await v2.fail(["accounts", "get", "--id", ACCOUNT(1)], 4, "NOT_FOUND");
  });
});

describe("N5 a server that drops what it does not know", () => {
  for (const [option, value] of [
    ["state", "REJECTED"],
    ["type", "CREATE_GROUP"],
    ["targetId", "no-such-target"],
  ] as const)
    test(`N5 R13 a list that ignores --${option} is refused, a page and all of them`, async () => {
      await using workspace = await openWorkspace();
      const v2 = await workspace.client("v2");
      workspace.sandbox.control.set({ dropUnknown: true, unknownNames: [option] });
      const argv = ["requests", "list", `--${option}`, value];
      const { field, message } = await v2.fail(argv, 5, "INVALID_RESPONSE");
      expect([field, message]).toEqual([
        `--${option}`,
        `The server ignored --${option}: the list has a row that does not fit.`,
      ]);
      const { stdout, exit } = await v2.run([...argv, "--all"]);
      expect([exit, JSON.parse(stdout).complete ?? false]).toEqual([5, false]);
    });

  test("N5 R13 rows that fit are shown, several values and V1's names too", async () => {
    await using workspace = await openWorkspace();
    const [v1, v2] = [await workspace.client("v1"), await workspace.client("v2")];
    const both = ["--state", "CONFIRMED", "--state", "REJECTED"];
    expect((await ask(v2, "requests", "list", ...both)).total).toBe(2);
    expect((await ask(v1, "requests", "list", "--state", "REJECTED")).total).toBe(1);
    const [{ target_id }] = (await ask(v1, "requests", "list", "--state", "REJECTED")).results;
    const one = await ask(v1, "requests", "list", "--targetId", `${target_id}`);
    expect(one.results.length).toBe(1);
  });

  const token = {
    type: "CREATE_TRANSACTION",
    data: {
      accountId: ACCOUNT(2),
      transactionType: "ETHEREUM_LIKE_SEND",
      feesStrategy: { type: "SPEED", data: { speed: "NORMAL" } },
      transactionData: {
        accountName: "Ether Reserve",
        amount: "1000000",
        currency: "ethereum",
        contractAddress: USDC,
        maxFees: "9000000000000000",
        recipient: "0xb550388547691a526190d60C30C2f9E2af03fF3D",
      },
    },
  };

  test("N5 R8 a token contract that is dropped is told at once, and the review does not match silently", async () => {
    await using workspace = await openWorkspace();
    const v2 = await workspace.client("v2");
    workspace.sandbox.control.set({ dropUnknown: true, unknownNames: ["contractAddress"] });
    const argv = ["requests", "create", "--requestData", JSON.stringify(token)];
    const { stdout, stderr, exit } = await v2.run(argv);
    expect(exit).toBe(0);
    expect(stderr).toBe(
      "warning: NOT_AS_SENT: The server's copy of the new request differs from what was sent: data.transactionData.contractAddress. Do not approve it before a person has checked it.\n",
    );
    const { id } = JSON.parse(stdout);
    const { unverified } = await ask(v2, "requests", "review", "--id", id);
    expect(unverified).toContain("data.transactionData.contractAddress");
    await v2.fail(["requests", "approve", "api", "--id", id, "--sign"], 2, "CHALLENGE_MISMATCH");
  });

  test("U14 a note that is dropped is told; what was sent as it is shown is not", async () => {
    await using workspace = await openWorkspace();
    const v2 = await workspace.client("v2");
    const noted = { ...payment(), note: { title: "Payout", content: "Week 9" } };
    const argv = ["requests", "create", "--requestData", JSON.stringify(noted)];
    const { stdout, stderr } = await v2.run(argv);
    expect(stderr).toBe("");
    workspace.sandbox.control.set({ dropUnknown: true, unknownNames: ["note"] });
    const again = await v2.run([...argv, "--again", JSON.parse(stdout).key]);
    expect(again.stderr).toContain("NOT_AS_SENT");
    const { results } = (await v2.succeed(["audit", "list"])) as Answer;
    const told = results.filter(({ result }: Answer) => result?.code === "NOT_AS_SENT");
    expect(told.map(({ result }: Answer) => result.notAsSent)).toEqual([
      ["note.title", "note.content"],
    ]);
  });
});

describe("N6 R16 flags", () => {
  test("N6 R16 api --query name=false warns on V2, and not on V1", async () => {
    await using workspace = await openWorkspace();
    const [v1, v2] = [await workspace.client("v1"), await workspace.client("v2")];
    const argv = ["api", "--path", "/accounts", "--query"];
    const { stderr } = await v2.run([...argv, "skipLiveData=false"]);
    expect(stderr).toBe(
      'warning: QUERY_FALSE: API V2 may read "skipLiveData"=false as true; leave the parameter out.\n',
    );
    expect((await v2.run([...argv, "skipLiveData=true"])).stderr).toBe("");
    expect((await v1.run([...argv, "name=false"])).stderr).toBe("");
  });

  test("N6 no command sends a flag that was not set", async () => {
    await using workspace = await openWorkspace();
    const v2 = await workspace.client("v2");
    workspace.calls();
    await ask(v2, "accounts", "list");
    await ask(v2, "requests", "get", "--id", await create(v2));
    expect(workspace.calls().filter((call) => call.includes("false"))).toEqual([]);
  });
});

describe("R6 documented filters", () => {
  test("N11 N15 N14 they are sent by their names", async () => {
    await using workspace = await openWorkspace();
    const v2 = await workspace.client("v2");
    workspace.calls();
    const lines = [
      "accounts list --allowedAction SEND --currency tron --index 0 --support standalone --governanceType CLASSIC",
      `accounts list --contractAddress ${USDC}`,
      "users list --deviceType API --ids a --ids b",
      "permissions resources --action SEND --userId me --resourceType ACCOUNT",
    ];
    for (const line of lines) await ask(v2, ...line.split(" "));
    expect(workspace.calls()).toEqual([
      "GET /accounts?governanceType=CLASSIC&allowedAction=SEND&currency=tron&index=0&support=standalone",
      `GET /accounts?contractAddress=${USDC}`,
      "GET /users?deviceType=API&ids=a&ids=b",
      "GET /permissions/resources?userId=me&resourceType=ACCOUNT&action=SEND",
    ]);
  });

  test("X3 a governance type that V2 does not have is refused before anything is sent", async () => {
    await using workspace = await openWorkspace();
    const v2 = await workspace.client("v2");
    workspace.calls();
    await v2.fail(["accounts", "list", "--governanceType", "POLICY"], 2, "INVALID_ARGUMENT");
    expect(workspace.calls()).toEqual([]);
  });

  test("X4 help names what --sortBy takes, list by list", async () => {
    await using workspace = await openWorkspace();
    const v2 = await workspace.client("v2");
    const help = async (list: string) =>
      (await v2.run([list, "list", "--help"])).stdout.replace(/\s+/g, " ");
    expect(await help("accounts")).toContain("name, currency, index, createdAt, updatedAt");
    expect(await help("users")).toContain("name, role, status, createdAt, updatedAt");
    expect(await help("policies")).toContain("V2 has name, createdAt, updatedAt");
    expect(await help("requests")).toContain("state, expiresAt, createdAt, updatedAt");
  });

  test("N28 V1 reads all transactions without an account, V2 asks for one", async () => {
    await using workspace = await openWorkspace();
    const [v1, v2] = [await workspace.client("v1"), await workspace.client("v2")];
    workspace.calls();
    await ask(v1, "transactions", "list");
    expect(workspace.calls()).toEqual(["GET /transactions"]);
    const { field } = await v2.fail(["transactions", "list"], 2, "MISSING_OPTION");
    expect(field).toBe("--accountId");
  });

  test("users of an entity: V1 reads them, V2 does not offer it", async () => {
    await using workspace = await openWorkspace();
    const [v1, v2] = [await workspace.client("v1"), await workspace.client("v2")];
    const [{ id }] = (await ask(v1, "entities", "list")).results;
    workspace.calls();
    const argv = ["users", "list", "--entityId", `${id}`];
    expect((await ask(v1, ...argv)).results.length).toBeGreaterThan(0);
    expect((await ask(v1, ...argv, "--all")).complete).toBe(true);
    expect(workspace.calls()).toEqual(Array(2).fill(`GET /entities/${id}/users`));
    await v1.fail([...argv, "--role", "ADMIN"], 2, "NOT_SUPPORTED");
    await v2.fail(argv, 2, "NOT_SUPPORTED");
  });
});

describe("N10 R4 a transaction at a coin's own address", () => {
  const SUI = ACCOUNT(99);
  function seedWithSui() {
    const seed = defaultSeed();
    const model = seed.accounts.find(({ name }) => name === "Tron Ops");
    if (model === undefined) throw new Error("The seed has no account.");
    const address = `0x${"cd".repeat(32)}`;
    const sui = { ...model, id: SUI, name: "Sui 1", currency: "sui", address };
    return { ...seed, accounts: [...seed.accounts, sui] };
  }
  const recipient = `0x${"ab".repeat(32)}`;
  const body = {
    accountId: SUI,
    transaction: { amount: "1000", recipient, maxFees: "2000000" },
  };

  test("N10 R4 the document is sent as it is, kept, reviewed and approved", async () => {
    await using workspace = await openWorkspace({ seed: seedWithSui() });
    const v2 = await workspace.client("v2");
    const text = JSON.stringify(body);
    const argv = ["requests", "create", "--coin", "sui", "--requestData", text];
    const dry = await ask(v2, ...argv, "--dryRun");
    expect([dry.request.url.replace(/^.*rest/, ""), dry.request.body]).toEqual([
      "/requests/transaction/sui",
      body,
    ]);
    workspace.sandbox.control.clearLog();
    const created = await ask(v2, ...argv);
    const [sent] = workspace.sandbox.control.log;
    expect([sent?.path.endsWith("/requests/transaction/sui"), sent?.body]).toEqual([true, text]);
    expect([created.type, created.data, created.reviews]).toEqual([
      "CREATE_TRANSACTION",
      undefined,
      undefined,
    ]);
    const review = await ask(v2, "requests", "review", "--id", created.id);
    // The document does not name the type; its address does, and nothing on this machine knows it.
    expect([review.match, review.differences, review.unverified]).toEqual([
      true,
      [],
      ["data.transaction_type"],
    ]);
    const approve = ["requests", "approve", "api", "--id", created.id, "--sign"];
    await v2.fail(approve, 2, "CHALLENGE_MISMATCH");
    const confirmed = JSON.stringify({ data: { transaction_type: "SUI_LIKE_SEND" } });
    await ask(v2, ...approve, "--expect", confirmed);
  });

  test("N10 R4 a challenge of another amount is refused by the record", async () => {
    await using workspace = await openWorkspace({ seed: seedWithSui() });
    const v2 = await workspace.client("v2");
    const argv = ["requests", "create", "--coin", "sui", "--requestData", JSON.stringify(body)];
    const { id } = await ask(v2, ...argv);
    const alterChallenge = { "data.transaction_data.amount": "1001" };
    workspace.sandbox.control.set({ alterChallenge });
    const { details } = await v2.fail(["requests", "review", "--id", id], 2, "CHALLENGE_MISMATCH");
    const sources = (details as Answer).differences.map((one: Answer) => one.source);
    expect(sources).toContain("record");
  });

  test("N10 another coin, another document and V1 are refused, and nothing is sent", async () => {
    await using workspace = await openWorkspace();
    const [v1, v2] = [await workspace.client("v1"), await workspace.client("v2")];
    const create = ["requests", "create", "--requestData"];
    workspace.calls();
    await v2.fail([...create, JSON.stringify(body), "--coin", "solana"], 2, "INVALID_ARGUMENT");
    for (const wrong of [
      payment(),
      { request: body },
      { ...body, accountId: "" },
      { ...body, accountId: 7 },
      { ...body, transaction: [] },
      { ...body, type: "CREATE_TRANSACTION" },
    ])
      await v2.fail([...create, JSON.stringify(wrong), "--coin", "sui"], 2, "INVALID_REQUEST_DATA");
    await v2.fail([...create, JSON.stringify(body)], 2, "INVALID_REQUEST_DATA");
    await v1.fail([...create, JSON.stringify(body), "--coin", "sui"], 2, "NOT_SUPPORTED");
    expect(workspace.calls()).toEqual([]);
  });
});

describe("V1 at 1.36", () => {
  /** A server that answers each path with one document. */
  function serve(answers: Readonly<Record<string, unknown>>) {
    const known: Readonly<Record<string, unknown>> = {
      "/auth/token": {
        access_token: `e30.${Buffer.from(JSON.stringify({ sub: "8d1c", azp: "vault", sid: "s" })).toString("base64url")}.x`,
        expires_in: 300,
        refresh_token: "opaque",
        session_state: "s",
        token_type: "Bearer",
      },
      ...answers,
    };
    const server = Bun.serve({
      port: 0,
      hostname: "127.0.0.1",
      fetch: (request) => Response.json(known[new URL(request.url).pathname] ?? {}, {}),
    });
    return {
      url: `http://127.0.0.1:${server.port}`,
      [Symbol.asyncDispose]: () => server.stop(true),
    };
  }

  async function clientOf(url: string): Promise<Program> {
    const { Program: Opened } = await import("../../hostile/program.ts");
    const { SOURCE } = await import("../../support/forms.ts");
    const program = await Opened.at(SOURCE, {
      LEDGER_ENTERPRISE_API_URL: url,
      LEDGER_ENTERPRISE_WORKSPACE: "w",
      LEDGER_ENTERPRISE_API_KEY_ID: "id",
      LEDGER_ENTERPRISE_API_KEY_SECRET: "a-secret-of-some-length",
    });
    await program.succeed(["login", "api", "--apiVersion", "v1"]);
    return program;
  }

  for (const balance of [9981, "750"])
    test(`N29 a balance that is ${typeof balance} is shown as it came`, async () => {
      const account = { id: 7, name: "A", currency: "bitcoin", balance, pending_balance: balance };
      await using server = serve({ "/accounts/7": account });
      await using program = await clientOf(server.url);
      const { results } = (await program.succeed([
        "accounts",
        "getBalance",
        "--id",
        "7",
      ])) as Answer;
      expect(results[0].balance).toEqual({ total: balance, pending: balance });
    });

  test("N27 approvers whose identity is hidden", async () => {
    const status = {
      governance_steps: [
        { quorum: 1, approvers: [{ id: null }], approvals: [{ user: { id: null } }] },
      ],
      is_complete: false,
      request: { id: 7 },
    };
    await using server = serve({ "/requests/7/governance-status": status });
    await using program = await clientOf(server.url);
    expect(await program.succeed(["requests", "governanceStatus", "--id", "7"])).toEqual(status);
  });

  test("N18 R12 Keycloak's subject is not a user id, in the session and in whoami", async () => {
    await using server = serve({});
    await using program = await clientOf(server.url);
    const { session, user, subject } = (await program.succeed(["whoami"])) as Answer;
    expect([session.user, user, subject]).toEqual([null, null, "8d1c"]);
  });

  test("N20 R11 digests that are to be signed are read from their target, and compared exactly", async () => {
    const digest = "ab".repeat(32);
    const [nonce, derivation_path] = ["AB".repeat(32), "44'/60'/0'/0/0"];
    const challengeOf = (shown: string) => {
      const data = { account_name: "Raw 1", digests: [{ digest: shown, derivation_path }] };
      const text = JSON.stringify({ antireplay: nonce, data, type: "APPROVE_SIGN_DIGESTS" });
      return { id: 6, challenge: Buffer.from(text).toString("base64url") };
    };
    const answers = {
      "/requests/6": { id: 6, type: "SIGN_DIGESTS", target_type: "DIGESTS", target_id: 9 },
      "/digests/9": { account_id: 7, digests_data: [{ digest, derivation_path }] },
      "/accounts/7": { id: 7, name: "Raw 1" },
      "/requests/6/challenge": challengeOf(digest),
    };
    await using server = serve(answers);
    await using program = await clientOf(server.url);
    const argv = ["requests", "review", "--id", "6"];
    const { match, unverified } = (await program.succeed(argv)) as Answer;
    expect([match, unverified]).toEqual([true, []]);
    const other = challengeOf(`${digest.slice(0, -1)}c`);
    await using liar = serve({ ...answers, "/requests/6/challenge": other });
    await using second = await clientOf(liar.url);
    const { details } = await second.fail(argv, 2, "CHALLENGE_MISMATCH");
    expect((details as Answer).differences[0].field).toBe("data.digests[0].digest");
  });

  for (const type of ["REJECT_TRANSACTION", "ABORT_TRANSACTION"])
    test(`X12 a rejection's challenge may say ${type}`, async () => {
      await using workspace = await openWorkspace();
      const [v1, v2] = [await workspace.client("v1"), await workspace.client("v2")];
      await create(v2);
      const [{ id }] = (await ask(v1, "requests", "list", "--pageSize", "1")).results;
      workspace.sandbox.control.set({ alterChallenge: { type } });
      expect((await ask(v1, "requests", "reject", "api", "--id", `${id}`)).status).toBe("ABORTED");
    });
});

describe("N24 N25 R15 what a refusal means", () => {
  test("N24 a 403 of a review names the current step; N25 one of a creation names what may block it", async () => {
    await using workspace = await openWorkspace();
    const v2 = await workspace.client("v2");
    const id = await create(v2);
    const forbid = (path: string) =>
      workspace.sandbox.control.addFault({ match: { method: "POST", path }, status: 403 });
    forbid(`/requests/${id}/approve`);
    const argv = ["requests", "approve", "api", "--id", id, "--sign"];
    expect((await v2.fail(argv, 3, "FORBIDDEN")).hint).toContain("current step");
    forbid("/requests");
    const data = JSON.stringify(payment({ amount: "2000001" }));
    const refused = await v2.fail(["requests", "create", "--requestData", data], 3, "FORBIDDEN");
    expect(refused.hint).toContain("an edit that waits");
  });

  test("N24 a decision given twice is told when it was given; another user's is not", async () => {
    await using workspace = await openWorkspace();
    const v2 = await workspace.client("v2");
    const id = await create(v2);
    const argv = ["requests", "approve", "api", "--id", id, "--sign"];
    const forbid = () =>
      workspace.sandbox.control.addFault({
        match: { path: `/requests/${id}/challenge` },
        status: 403,
      });
    forbid();
    const first = await v2.fail(argv, 3, "FORBIDDEN");
    expect(first.details).toBeUndefined();
    expect(first.hint).toContain("you reviewed it already");
    await ask(v2, ...argv);
    const { results } = await ask(v2, "requests", "journal");
    const { key } = results.at(-1);
    forbid();
    const again = await v2.fail(argv, 3, "FORBIDDEN");
    expect(again.details).toEqual({
      earlier: { decision: "APPROVE", time: expect.any(String), key },
    });
    const { time } = (again.details as { earlier: { time: string } }).earlier;
    expect(again.hint).toContain(
      `This operator approved the request on ${time} (journal key ${key})`,
    );
    expect(again.hint).toContain(`'requests get --id ${id}'`);
  });
});

test("N13 R7 a refresh sends workspace and refresh token", async () => {
  await using workspace = await openWorkspace();
  const v2 = await workspace.client("v2");
  workspace.sandbox.control.addFault({ match: { path: "/accounts" }, expireTokens: true });
  workspace.sandbox.control.clearLog();
  await ask(v2, "accounts", "list");
  const refresh = workspace.sandbox.control.log.find(({ path }) => path.endsWith("/refresh"));
  expect(Object.keys(JSON.parse(refresh?.body ?? "{}"))).toEqual(["workspace", "refreshToken"]);
});

test("X6 a balance that is inside the asset is read, too", async () => {
  await using workspace = await openWorkspace();
  const v2 = await workspace.client("v2");
  const argv = ["accounts", "getBalance", "--id", ACCOUNT(1)];
  const before = await ask(v2, ...argv);
  workspace.sandbox.control.set({ assetBalance: true });
  expect(await ask(v2, ...argv)).toEqual(before);
});

describe("N33 R14 amounts that floating point made", () => {
  for (const amount of ["1e+21", "1.5", "-1", "1_000"])
    test(`N33 ${amount} is refused before anything is sent`, async () => {
      await using workspace = await openWorkspace();
      const v2 = await workspace.client("v2");
      workspace.calls();
      const data = JSON.stringify(payment({ amount }));
      await v2.fail(["requests", "create", "--requestData", data], 2, "INVALID_AMOUNT");
      expect(workspace.calls().filter((call) => call.startsWith("POST"))).toEqual([]);
    });
});

describe("N11 the client's table and our document of V2", () => {
  test("N11 every query that the client can send is in the document, and every filter there is an option", async () => {
    const { V2 } = await import("../../../src/core/api/v2.ts");
    const { DOCUMENT, resolve } = await import("../../v2/schemas.ts");
    const used = new Map<string, Set<string>>();
    for (const { method, path, query = {} } of Object.values(V2.operations) as Answer[]) {
      const place = `${method} ${path.replace("{accountId}", "{id}")}`;
      const names = Object.values(query).map((one: Answer) => one.name ?? one);
      used.set(place, new Set([...(used.get(place) ?? []), ...names]));
    }
    const notOffered: string[] = [];
    for (const [place, names] of used) {
      const [method = "", path = ""] = place.split(" ");
      const { parameters = [] } = DOCUMENT.paths[path][method.toLowerCase()];
      const known: string[] = parameters
        .map(resolve)
        .filter((one: Answer) => one.in === "query")
        .map((one: Answer) => one.name);
      expect([place, [...names].filter((name) => !known.includes(name))]).toEqual([place, []]);
      notOffered.push(
        ...known.filter((name) => !names.has(name)).map((name) => `${place} ${name}`),
      );
    }
    // Its values were not readable.
    expect(notOffered).toEqual(["GET /requests support"]);
  });
});
