/**
 * Counterparts by others, on this machine alone: the official client, the Inspector and the
 * conformance suite drive the server as they drive any.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Client, type ClientOptions } from "@modelcontextprotocol/client";
import { StdioClientTransport } from "@modelcontextprotocol/client/stdio";
import { ROOT } from "../../scripts/build.ts";
import { PAYOUT } from "../support/payout.ts";
import { startBridge } from "./bridge.ts";
import { codeOf, typedFrom, Workspace } from "./peer.ts";

/** The server from source, as a client would start it. */
const SERVER = [process.execPath, join(ROOT, "src/main.ts"), "mcp"] as const;
const NODE = join(ROOT, "node_modules/node22/bin/node");
const TOOLS = join(ROOT, "dist/mcp/node_modules/.bin");

let workspace: Workspace;
beforeAll(async () => {
  workspace = await Workspace.open();
});
afterAll(() => workspace[Symbol.asyncDispose]());

const MODES = {
  legacy: { mode: "legacy" },
  auto: { mode: "auto" },
  pinned: { mode: { pin: "2026-07-28" } },
} as const satisfies Record<string, ClientOptions["versionNegotiation"]>;

interface Connection extends AsyncDisposable {
  readonly client: Client;
  readonly asked: string[];
}

async function connect(
  negotiation: NonNullable<ClientOptions["versionNegotiation"]>,
  argv: readonly string[],
  reply: (message: string) => { action: "accept" | "decline"; content?: { confirm: string } },
): Promise<Connection> {
  const asked: string[] = [];
  const capabilities = { elicitation: { form: {} } };
  const options = { capabilities, versionNegotiation: negotiation };
  const client = new Client({ name: "test", version: "1" }, options);
  client.setRequestHandler("elicitation/create", (request) => {
    asked.push(request.params.message);
    return reply(request.params.message);
  });
  const [command, ...args] = [...SERVER, ...argv];
  const env = { ...workspace.env, PATH: process.env.PATH ?? "" };
  await client.connect(new StdioClientTransport({ command, args, env, stderr: "ignore" }));
  return { client, asked, [Symbol.asyncDispose]: () => client.close() };
}

function textOf(result: object): string {
  const { content } = result as { content: { text: string }[] };
  return content[0]?.text ?? "";
}

describe.each(Object.entries(MODES))("the official client, %s", (_name, negotiation) => {
  test("R2 lists and calls, and gets the command's document", async () => {
    await using connection = await connect(negotiation, [], () => ({ action: "decline" }));
    const { client } = connection;
    const { tools } = await client.listTools();
    expect(tools).toHaveLength(12);
    const result = await client.callTool({
      name: "accounts_get",
      arguments: { id: PAYOUT.accountId },
    });
    expect(`${textOf(result)}\n`).toBe(
      await workspace.cli(["accounts", "get", "--id", PAYOUT.accountId]),
    );
    const failed = await client.callTool({ name: "accounts_get", arguments: { id: "none" } });
    expect([failed.isError, JSON.parse(textOf(failed)).error.code]).toEqual([true, "NOT_FOUND"]);
    const unknown = await client.callTool({ name: "requests_create" }).then(
      () => "served",
      (cause: { code?: number }) => cause.code,
    );
    expect(unknown).toBe(-32602);
  });

  test("R14 a person's yes and no travel through it", async () => {
    const argv = ["--allow", "create"];
    const requestData = { type: "CREATE_TRANSACTION", data: PAYOUT };
    const call = { name: "requests_create", arguments: { requestData } };
    await using no = await connect(negotiation, argv, () => ({ action: "decline" }));
    const refused = await no.client.callTool(call);
    expect(codeOf({ result: refused })).toBe("CONFIRMATION_DECLINED");
    expect(no.asked[0]).toContain(PAYOUT.transactionData.recipient);
    const amount = String(2_500_000 + Object.keys(MODES).indexOf(_name));
    const data = { ...PAYOUT, transactionData: { ...PAYOUT.transactionData, amount } };
    const yes = await connect(negotiation, argv, (message) => {
      return { action: "accept", content: { confirm: typedFrom(message) } };
    });
    await using _ = yes;
    const given = { requestData: { type: "CREATE_TRANSACTION", data } };
    const made = await yes.client.callTool({ name: "requests_create", arguments: given });
    expect([made.isError, JSON.parse(textOf(made)).data.transactionData.amount]).toEqual([
      false,
      amount,
    ]);
  });
});

const MISSING =
  existsSync(join(TOOLS, "mcp-inspector")) && existsSync(NODE)
    ? ""
    : " (not run: .ci/run installs them into dist/mcp)";

async function runTool(argv: readonly string[]): Promise<{ exit: number; stdout: string }> {
  const child = Bun.spawn([NODE, ...argv], {
    env: { ...workspace.env, PATH: process.env.PATH ?? "" },
    stdout: "pipe",
    stderr: "ignore",
  });
  const stdout = await new Response(child.stdout).text();
  return { exit: await child.exited, stdout };
}

describe.skipIf(MISSING !== "")(`the Inspector${MISSING}`, () => {
  const inspect = (...argv: string[]) => {
    const [command, ...args] = SERVER;
    return runTool([join(TOOLS, "mcp-inspector"), "--cli", command, ...args, "-q", ...argv]);
  };

  test.each(["legacy", "auto", "modern"])(
    "R11 --strict has nothing against the list, era %s",
    async (era) => {
      const { exit, stdout } = await inspect(
        "--protocol-era",
        era,
        "--method",
        "tools/list",
        "--strict",
      );
      expect([exit, JSON.parse(stdout).tools.length]).toEqual([0, 12]);
    },
    120_000,
  );

  test("R23 --load is served without an error", async () => {
    const load = ["--load", "--load-requests", "100", "--load-concurrency", "8"];
    const call = [
      "--method",
      "tools/call",
      "--tool-name",
      "describe",
      "--tool-args-json",
      '{"command":"whoami"}',
    ];
    const { exit, stdout } = await inspect("--protocol-era", "modern", ...call, ...load);
    const { ok, errors, toolErrors } = JSON.parse(stdout);
    expect([exit, ok, errors, toolErrors]).toEqual([0, 100, 0, 0]);
  }, 120_000);
});

/** What the suite asks for and this server does not have, by the id of the check. */
const NOT_OURS: Readonly<Record<string, string>> = {
  "sep-2549-prompts-list-caching-hints": "there are no prompts",
  "sep-2549-resources-list-caching-hints": "there are no resources",
  "sep-2549-resources-templates-list-caching-hints": "there are no resources",
  "sep-2575-http-server-header-mismatch-400": "HTTP headers, of the bridge",
  "sep-2575-server-rejects-undeclared-capability": "needs a tool named test_missing_capability",
  "sep-2575-missing-capability-http-400": "needs a tool named test_missing_capability",
  "sep-2575-http-server-no-independent-requests-on-stream":
    "needs a tool named test_streaming_elicitation",
  "sep-2575-server-no-log-without-loglevel": "needs a tool named test_logging_tool",
};

interface Check {
  readonly id: string;
  readonly status: string;
}

describe.skipIf(MISSING !== "")(`the conformance suite${MISSING}`, () => {
  test.each([
    ["server-initialize", "2025-06-18"],
    ["server-initialize", "2025-11-25"],
    ["ping", "2025-11-25"],
    ["tools-list", "2025-11-25"],
    ["tools-list", "2026-07-28"],
    ["caching", "2026-07-28"],
    ["server-stateless", "2026-07-28"],
  ])(
    "R2 R7 %s in %s finds nothing but what is not ours",
    async (scenario, version) => {
      const folder = mkdtempSync(join(tmpdir(), "conformance-"));
      const env = { ...workspace.env, PATH: process.env.PATH ?? "" };
      await using bridge = startBridge(SERVER, env);
      const asked = [
        "--url",
        bridge.url,
        "--scenario",
        scenario,
        "--spec-version",
        version,
        "-o",
        folder,
      ];
      await runTool([join(TOOLS, "conformance"), "server", ...asked]);
      const [run = ""] = readdirSync(folder);
      const checks = JSON.parse(readFileSync(join(folder, run, "checks.json"), "utf8")) as Check[];
      rmSync(folder, { recursive: true });
      const failed = checks.filter(({ status }) => status === "FAILURE").map(({ id }) => id);
      expect(failed.filter((id) => NOT_OURS[id] === undefined)).toEqual([]);
      expect(checks.filter(({ status }) => status === "SUCCESS").length).toBeGreaterThan(0);
    },
    120_000,
  );
});
