/** Tools beside the command line: what they take, what they answer, and how large they are. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { PAYOUT } from "../support/payout.ts";
import {
  codeOf,
  documentOf,
  type Local,
  type Message,
  MODERN,
  meta,
  Speaker,
  Workspace,
} from "./peer.ts";

const ACCOUNT = PAYOUT.accountId;
const OTHER = "e5a8f6f0-2222-4f6e-8f5a-000000000002";
const NOBODY = "e5a8f6f0-2222-4f6e-8f5a-00000000ffff";
const ALL = ["--allow", "create", "--allow", "approve", "--confirm", "client"];
const REQUEST = { type: "CREATE_TRANSACTION", data: PAYOUT };

let workspace: Workspace;
let server: Local;
let speaker: Speaker;
let requestId = "";

beforeAll(async () => {
  workspace = await Workspace.open();
  server = workspace.serve(ALL);
  speaker = await Speaker.open(server.peer, MODERN);
  const made = await workspace.cli([
    "requests",
    "create",
    "--requestData",
    JSON.stringify(REQUEST),
  ]);
  requestId = JSON.parse(made).id;
});

afterAll(async () => {
  await server[Symbol.asyncDispose]();
  await workspace[Symbol.asyncDispose]();
});

function textOf(answer: Message): string {
  return answer.result.content[0].text;
}

describe("R10 the first text is what the command line prints", () => {
  const estimate = JSON.stringify(PAYOUT);
  const lookup = (command: string, options?: object) => ["lookup", { command, options }] as const;
  test.each([
    [["whoami", {}], "whoami"],
    [["whoami", { fields: "session.kind" }], "whoami --fields session.kind"],
    [["accounts_list", {}], "accounts list"],
    [
      ["accounts_list", { pageSize: 2, page: 2, sortOrder: "desc" }],
      "accounts list --pageSize 2 --page 2 --sortOrder desc",
    ],
    [
      ["accounts_list", { name: "ClientA COL TBTC 1", fields: "id,name" }],
      ["accounts", "list", "--name", "ClientA COL TBTC 1", "--fields", "id,name"],
    ],
    [["accounts_get", { id: ACCOUNT }], `accounts get --id ${ACCOUNT}`],
    [["transactions_list", { accountId: ACCOUNT }], `transactions list --accountId ${ACCOUNT}`],
    [
      ["transactions_estimate", { accountId: ACCOUNT, transactionData: PAYOUT }],
      ["transactions", "estimate", "--accountId", ACCOUNT, "--transactionData", estimate],
    ],
    [
      ["requests_list", { type: ["CREATE_TRANSACTION"], pageSize: 5 }],
      "requests list --type CREATE_TRANSACTION --pageSize 5",
    ],
    [
      ["requests_list", { state: ["PENDING_APPROVAL", "APPROVED"] }],
      "requests list --state PENDING_APPROVAL --state APPROVED",
    ],
    [["requests_get", { id: "ID", withInflight: true }], "requests get --id ID --withInflight"],
    [["requests_get", { id: "ID", withInflight: false }], "requests get --id ID"],
    [["requests_review", { id: "ID" }], "requests review --id ID"],
    [
      [
        "requests_draft",
        { accountId: ACCOUNT, amount: "0.007 BTC", to: PAYOUT.transactionData.recipient },
      ],
      [
        "requests",
        "draft",
        "--accountId",
        ACCOUNT,
        "--amount",
        "0.007 BTC",
        "--to",
        PAYOUT.transactionData.recipient,
      ],
    ],
    [
      ["requests_create", { requestData: REQUEST, dryRun: true }],
      ["requests", "create", "--requestData", JSON.stringify(REQUEST), "--dryRun"],
    ],
    [
      ["requests_create", { requestData: REQUEST, dryRun: true, fields: "summary.text" }],
      [
        ...["requests", "create", "--requestData", JSON.stringify(REQUEST)],
        ...["--dryRun", "--fields", "summary.text"],
      ],
    ],
    [
      ["requests_approve_api", { id: "ID", dryRun: true, fields: "review.match" }],
      "requests approve api --id ID --sign --dryRun --fields review.match",
    ],
    [
      ["requests_approve_api", { id: "ID", dryRun: true, fields: "stat" }],
      "requests approve api --id ID --sign --dryRun --fields stat",
    ],
    [
      ["requests_approve_api", { id: "ID", dryRun: true }],
      "requests approve api --id ID --sign --dryRun",
    ],
    [
      lookup("accounts getBalance", { id: [ACCOUNT, OTHER] }),
      `accounts getBalance --id ${ACCOUNT} --id ${OTHER}`,
    ],
    [lookup("requests journal"), "requests journal"],
    [lookup("requests reconcile", {}), "requests reconcile"],
    [lookup("users list", { pageSize: 2 }), "users list --pageSize 2"],
    [lookup("users get", { id: "me" }), "users get --id me"],
    [lookup("groups list"), "groups list"],
    [lookup("groups get", { id: "none" }), "groups get --id none"],
    [lookup("policies list"), "policies list"],
    [lookup("policies get", { id: "none" }), "policies get --id none"],
    [lookup("whitelists list"), "whitelists list"],
    [lookup("whitelists get", { id: "none" }), "whitelists get --id none"],
    [lookup("entities list"), "entities list"],
    [lookup("entities get", { id: "none" }), "entities get --id none"],
    [lookup("assets currencies"), "assets currencies"],
    [lookup("assets tokens"), "assets tokens"],
    [
      lookup("permissions allowedActions", { resourceType: "ACCOUNT", resourceId: ACCOUNT }),
      `permissions allowedActions --resourceType ACCOUNT --resourceId ${ACCOUNT}`,
    ],
    [lookup("permissions resources", { action: "SEND" }), "permissions resources --action SEND"],
    [lookup("requests governanceStatus", { id: "1" }), "requests governanceStatus --id 1"],
    [["describe", {}], "schema"],
    [["describe", { command: "users list" }], "schema users list"],
    [["describe", { command: "errors" }], "schema errors"],
    [
      ["describe", { command: "requestData CREATE_TRANSACTION BITCOIN_LIKE_SEND" }],
      "schema requestData CREATE_TRANSACTION BITCOIN_LIKE_SEND",
    ],
    [["describe", { command: "nothing" }], "schema nothing"],
    // Failures
    [["accounts_get", {}], "accounts get"],
    [["accounts_get", { id: NOBODY }], `accounts get --id ${NOBODY}`],
    [["accounts_get", { id: "../users" }], "accounts get --id ../users"],
    [
      ["accounts_get", { id: ACCOUNT, fields: "nonsense" }],
      `accounts get --id ${ACCOUNT} --fields nonsense`,
    ],
    [
      ["accounts_get", { id: "" }],
      ["accounts", "get", "--id="],
    ],
    [["accounts_list", { status: "OPEN" }], "accounts list --status OPEN"],
    [["accounts_list", { pageSize: 31 }], "accounts list --pageSize 31"],
    [["accounts_list", { pageSize: 1.5 }], "accounts list --pageSize 1.5"],
    [["accounts_list", { page: -1 }], "accounts list --page=-1"],
    [
      ["requests_draft", { accountId: ACCOUNT, amount: "0.007", to: "x" }],
      `requests draft --accountId ${ACCOUNT} --amount 0.007 --to x`,
    ],
    [
      ["requests_create", { requestData: {}, dryRun: true }],
      ["requests", "create", "--requestData", "{}", "--dryRun"],
    ],
    [
      ["requests_approve_api", { id: "none", dryRun: true }],
      "requests approve api --id none --sign --dryRun",
    ],
    [["requests_reject_api", { id: "ID", dryRun: true }], "requests reject api --id ID --dryRun"],
    [
      ["requests_approve_device", { id: "ID", dryRun: true }],
      "requests approve device --id ID --dryRun",
    ],
    [
      ["requests_wait", { id: "ID", state: ["PENDING_APPROVAL"] }],
      "requests wait --id ID --state PENDING_APPROVAL",
    ],
  ] as const)("%j", async ([name, given], line) => {
    const words = typeof line === "string" ? line.split(" ") : [...line];
    const filled = JSON.parse(JSON.stringify(given).replaceAll('"ID"', JSON.stringify(requestId)));
    const printed = await workspace.cli(words.map((word) => (word === "ID" ? requestId : word)));
    const answer = await speaker.call(name, filled);
    expect(`${textOf(answer)}\n`).toBe(printed);
    expect(answer.result.isError).toBe(printed.startsWith('{"error"'));
    expect([answer.result.structuredContent, answer.result.content[0].type]).toEqual([
      undefined,
      "text",
    ]);
  });
});

test("R10 no tool has an output schema", async () => {
  const { tools } = (await speaker.ask("tools/list")).result;
  expect(tools.filter((tool: Message) => "outputSchema" in tool)).toEqual([]);
});

test("R10 what the command line warns of on stderr is a second text", async () => {
  const given = { id: requestId, state: ["PENDING_APPROVAL", "NEARLY"] };
  const { content } = (await speaker.call("requests_wait", given)).result;
  expect(content).toHaveLength(2);
  expect(content[1].text).toStartWith("warning: UNKNOWN_STATE: ");
});

test.each([
  ["an unknown member", "whoami", { id: "x" }, "UNKNOWN_OPTION"],
  ["a name of Object's", "whoami", JSON.parse('{"__proto__":1}'), "UNKNOWN_OPTION"],
  ["an option of the command line", "whoami", { help: true }, "UNKNOWN_OPTION"],
  ["another spelling", "accounts_list", { "page-size": 2 }, "UNKNOWN_OPTION"],
  ["what only the command line has", "accounts_list", { all: true }, "UNKNOWN_OPTION"],
  ["a form of output", "accounts_list", { output: "csv" }, "UNKNOWN_OPTION"],
  ["a signature", "requests_approve_api", { id: "x", signature: "y" }, "UNKNOWN_OPTION"],
  ["a challenge", "requests_review", { id: "x", challenge: "y" }, "UNKNOWN_OPTION"],
  ["a file to write", "requests_draft", { out: "/tmp/x" }, "UNKNOWN_OPTION"],
  ["null", "accounts_get", { id: null }, "INVALID_ARGUMENT"],
  ["a number as text", "accounts_get", { id: 7 }, "INVALID_ARGUMENT"],
  ["text as a number", "accounts_list", { page: "1" }, "INVALID_ARGUMENT"],
  ["text as a flag", "requests_get", { id: "x", withInflight: "true" }, "INVALID_ARGUMENT"],
  ["one value as a list", "requests_list", { type: "CREATE_TRANSACTION" }, "INVALID_ARGUMENT"],
  ["a list as one value", "accounts_get", { id: ["a"] }, "INVALID_ARGUMENT"],
  ["null in a list", "requests_list", { type: [null] }, "INVALID_ARGUMENT"],
  [
    "a document as text",
    "requests_create",
    { requestData: JSON.stringify(REQUEST) },
    "INVALID_ARGUMENT",
  ],
  [
    "a file as a document",
    "requests_create",
    { requestData: "@/etc/hostname" },
    "INVALID_ARGUMENT",
  ],
  ["standard input as a document", "requests_create", { requestData: "-" }, "INVALID_ARGUMENT"],
  ["a list as a document", "requests_create", { requestData: [] }, "INVALID_ARGUMENT"],
  ["a file as an id", "accounts_get", { id: "@/etc/hostname" }, "INVALID_ARGUMENT"],
  ["a control character", "requests_draft", { accountName: "a\nb" }, "INVALID_ARGUMENT"],
  ["half a character", "accounts_list", { name: "\ufffd" }, "INVALID_ARGUMENT"],
  ["another command in lookup", "lookup", { command: "login api" }, "INVALID_ARGUMENT"],
  ["a write in lookup", "lookup", { command: "requests create" }, "INVALID_ARGUMENT"],
  ["no command in lookup", "lookup", {}, "INVALID_ARGUMENT"],
  ["an option in describe", "describe", { command: "--help" }, "UNKNOWN_COMMAND"],
  ["options that are text", "lookup", { command: "users list", options: "x" }, "INVALID_ARGUMENT"],
  [
    "an option that lookup's command does not have",
    "lookup",
    { command: "users get", options: { id: "me", x: 1 } },
    "UNKNOWN_OPTION",
  ],
])("R8 %s is refused", async (_name, tool, given, code) => {
  const before = workspace.sandbox.control.log.length;
  expect(codeOf(await speaker.call(tool, given))).toBe(code);
  expect(workspace.sandbox.control.log.length).toBe(before);
});

test.each(["@/etc/hostname", "-", "--help", "'; rm -rf /"])(
  "R8 %p is plain text where text is taken",
  async (text) => {
    const answer = await speaker.call("accounts_list", { name: text });
    expect(documentOf(answer).results).toEqual([]);
    const sent = workspace.sandbox.control.log.at(-1);
    expect(new URLSearchParams(sent?.query).get("name")).toBe(text);
  },
);

describe("R9 a number that a client may have rounded", () => {
  const numbers = [
    "1.5",
    "1e3",
    "9007199254740992",
    "-9007199254740992",
    "12345678901234567890",
    "0.0",
  ];
  const exact = ["0", "-1", "9007199254740991", "-9007199254740991"];
  const call = async (tool: string, member: string, number: string): Promise<string> => {
    const document = `{"type":"CREATE_TRANSACTION","data":{"deep":[{"x":${number}}]}}`;
    const id = server.peer.nextId();
    const more = { requestData: '"dryRun":true', transactionData: `"accountId":"${ACCOUNT}"` }[
      member
    ];
    const own = more ?? '"id":"x","dryRun":true';
    const given = `{"name":"${tool}","arguments":{${own},"${member}":${document}},"_meta":${JSON.stringify((meta() as Message)._meta)}}`;
    server.peer.write(`{"jsonrpc":"2.0","id":${id},"method":"tools/call","params":${given}}\n`);
    const answer = await server.peer.find((one) => one.id === id);
    const { error } = documentOf(answer);
    return error?.message?.includes("2^53") ? "rounded" : "taken";
  };
  const places = [
    ["requests_create", "requestData"],
    ["transactions_estimate", "transactionData"],
    ["requests_approve_api", "expect"],
    ["requests_reject_api", "expect"],
  ] as const;
  test.each(places)("is refused in %s, %s", async (tool, member) => {
    for (const number of numbers)
      expect([number, await call(tool, member, number)]).toEqual([number, "rounded"]);
    for (const number of exact)
      expect([number, await call(tool, member, number)]).toEqual([number, "taken"]);
  });
});

test("R9 everything else is sent token by token", async () => {
  await using own = await Workspace.open();
  await using peer = own.serve(ALL);
  await Speaker.open(peer.peer, MODERN);
  const data = JSON.stringify(PAYOUT).replace('"accountId"', '"\\u0061ccountId"');
  const document = `{"type":"CREATE_TRANSACTION","data":${data}}`;
  const params = `{"name":"requests_create","arguments":{"requestData":${document}},"_meta":${JSON.stringify((meta() as Message)._meta)}}`;
  peer.peer.write(`{"jsonrpc":"2.0","id":9,"method":"tools/call","params":${params}}\n`);
  const answer = await peer.peer.find(({ id }) => id === 9);
  expect(answer.result.isError).toBe(false);
  const sent = own.sandbox.control.log.find(
    ({ method, path }) => method === "POST" && path.endsWith("/requests"),
  );
  expect(sent?.body).toBe(`{"request":${document}}`);
});

const KEYWORDS = new Set([
  "type",
  "properties",
  "required",
  "enum",
  "minimum",
  "maximum",
  "items",
  "description",
  "additionalProperties",
]);

function keywordsOf(schema: Message): string[] {
  const inner = [
    ...Object.values(schema.properties ?? {}),
    ...(schema.items === undefined ? [] : [schema.items]),
  ];
  return [...Object.keys(schema), ...inner.flatMap(keywordsOf)];
}

test("R11 lists, tools and texts keep their ceilings, names their form, and every tool its hints", async () => {
  const limits = [
    [[], 9_216],
    [["--allow", "create", "--allow", "approve"], 13_312],
  ] as const;
  for (const [argv, most] of limits) {
    await using own = workspace.serve(argv);
    const { tools } = (await own.peer.ask("tools/list", meta())).result;
    const { instructions } = (await own.peer.ask("server/discover", meta())).result;
    expect(Buffer.byteLength(JSON.stringify(tools))).toBeLessThanOrEqual(most);
    expect(Buffer.byteLength(instructions)).toBeLessThanOrEqual(1_000);
    for (const tool of tools) {
      expect(tool.name).toMatch(/^[A-Za-z][A-Za-z0-9_]{0,36}$/);
      expect(Buffer.byteLength(JSON.stringify(tool))).toBeLessThanOrEqual(1_536);
      expect(Buffer.byteLength(tool.description)).toBeLessThanOrEqual(600);
      expect([tool.inputSchema.type, tool.inputSchema.additionalProperties]).toEqual([
        "object",
        false,
      ]);
      expect(keywordsOf(tool.inputSchema).filter((word) => !KEYWORDS.has(word))).toEqual([]);
      const isAct = /create|approve|reject/.test(tool.name);
      const { readOnlyHint, destructiveHint, idempotentHint, openWorldHint } = tool.annotations;
      expect([readOnlyHint, typeof openWorldHint]).toEqual([!isAct, "boolean"]);
      expect([destructiveHint, idempotentHint]).toEqual(
        isAct ? [true, false] : [undefined, undefined],
      );
      expect(tool._meta?.["anthropic/requiresUserInteraction"]).toBe(isAct ? true : undefined);
    }
  }
});

test("R11 there are 12 tools by default and 16 with everything allowed", async () => {
  await using own = workspace.serve();
  expect((await own.peer.ask("tools/list", meta())).result.tools).toHaveLength(12);
  expect((await speaker.ask("tools/list")).result.tools).toHaveLength(16);
});
