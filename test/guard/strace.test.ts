/** What the agent's process asks of the system, for everything that a command can be given. */
import { expect, test } from "bun:test";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { BEHIND_A_GUARD } from "../../src/app/capabilities.ts";
import { parse } from "../../src/cli/parse.ts";
import { PAYOUT } from "../support/payout.ts";
import { commands } from "../support/registry.ts";
import { AGENT_UID, asUser, OBSTACLE, openTwoUsers, payment } from "./twousers.ts";

const REQUEST = "REQUEST";
const PAYER = PAYOUT.transactionData.accountName;
const RECIPIENT = PAYOUT.transactionData.recipient;
/** Command lines that together use every capability that there is behind a guard. */
const LINES: readonly (readonly [argv: readonly string[], exit?: number])[] = [
  [["accounts", "list"]],
  [["accounts", "getBalance", "--id", "e5a8f6f0-2222-4f6e-8f5a-000000000002"]],
  [["api", "--path", "/accounts"]],
  [["requests", "create", "--requestData", payment("1001")]],
  [["requests", "create", "--requestData", payment("1002"), "--dryRun"]],
  [["requests", "draft", "--accountName", PAYER, "--amount", "0.001 BTC", "--to", RECIPIENT]],
  [["requests", "review", "--id", REQUEST]],
  [["requests", "approve", "api", "--sign", "--dryRun", "--id", REQUEST]],
  [["requests", "approve", "api", "--sign", "--id", REQUEST]],
  [["requests", "journal"]],
  [["requests", "reconcile"]],
  [["audit", "export", "--as", "csv"]],
  [["policy", "show"]],
  [["notifications", "verify", "--header", "t=1,v1=00", "--body", "{}"], 2],
  [["schema"]],
  [["completion", "bash"]],
  [["skill", "list"]],
  [["guard", "status"]],
  [["whoami"]],
  [["doctor"]],
  [["logout"]],
];
/** Those that run until they are ended; each is told to when it has said what is named. */
const SERVERS: readonly (readonly [argv: readonly string[], says: string, stdin: string])[] = [
  [["sandbox", "start"], "baseUrls", ""],
  [
    ["mcp"],
    "Ether Reserve",
    `${JSON.stringify({ jsonrpc: "2.0", id: 1, method: "initialize", params: { protocolVersion: "2025-11-25", capabilities: {}, clientInfo: { name: "t", version: "1" } } })}
${JSON.stringify({ jsonrpc: "2.0", method: "notifications/initialized" })}
${JSON.stringify({ jsonrpc: "2.0", id: 2, method: "tools/call", params: { name: "accounts_list", arguments: {} } })}
`,
  ],
];

/** What a command line's command is given. */
function needsOf(argv: readonly string[]): readonly string[] {
  const { target } = parse(argv, commands);
  if (target.kind !== "command") throw new Error(`no command: ${argv.join(" ")}`);
  return argv.includes("--dryRun") ? (target.dryRun?.needs ?? []) : target.needs;
}

test("A15 the traced commands use every capability that there is behind a guard", () => {
  const used = [...LINES, ...SERVERS].flatMap(([argv]) => needsOf(argv));
  const missing = BEHIND_A_GUARD.filter((name) => !used.includes(name));
  expect(missing).toEqual([]);
});

test.skipIf(OBSTACLE !== undefined)(
  "A15 whatever the command, the agent connects to the socket alone, and opens no credential, state or policy",
  async () => {
    await using two = await openTwoUsers();
    const { document } = await two.agent("requests", "create", "--requestData", payment("1000"));
    const trace = join(two.home, "trace");
    const quoted = (argv: readonly string[]): string =>
      [...two.agentCommand, ...argv]
        .map((word) => `'${word === REQUEST ? document.id : word}'`)
        .join(" ");
    const lines = [
      ...LINES.map(([argv]) => `${quoted(argv)} </dev/null >"$HOME/said" 2>&1; echo $?`),
      ...SERVERS.map(
        ([argv, says, stdin]) =>
          // A pipe that both ends of are open has no end.
          `rm -f "$HOME/in"; mkfifo "$HOME/in"; exec 3<>"$HOME/in"; printf %s '${stdin}' >&3
: >"$HOME/server"; timeout 100 ${quoted(argv)} <&3 >"$HOME/server" 2>&1 & server=$!
until grep -q '${says}' "$HOME/server" || ! kill -0 $server 2>/dev/null; do sleep 0.1; done
kill $server; wait $server; cat "$HOME/server" >>"$HOME/servers"`,
      ),
    ];
    const traced = ["strace", "-f", "-e", "trace=socket,connect,openat,open", "-o", trace, "sh"];
    const child = Bun.spawn(asUser(AGENT_UID, [...traced, "-c", lines.join("\n")]), {
      ...{ cwd: "/", env: two.agentEnv, stdin: "ignore", stdout: "pipe", stderr: "pipe" },
    });
    const exits = (await new Response(child.stdout).text()).trim().split("\n").map(Number);
    const told = LINES.map(([argv], at) => `${argv.slice(0, 3).join(" ")}: ${exits[at]}`);
    expect(told).toEqual(LINES.map(([argv, exit = 0]) => `${argv.slice(0, 3).join(" ")}: ${exit}`));
    const served = await readFile(join(two.home, "servers"), "utf8");
    expect(served).toContain('"baseUrls"');
    expect(served).toContain("Ether Reserve");
    const calls = (await readFile(trace, "utf8")).split("\n");
    const connects = calls.filter((call) => call.includes("connect("));
    expect(connects.length).toBeGreaterThanOrEqual(15);
    for (const call of connects) expect(call).toContain(`sun_path="${two.socket}"`);
    const opened = calls.filter((call) => call.includes(two.folder) && !call.includes("connect("));
    expect(opened.length).toBeGreaterThan(0);
    for (const call of opened)
      expect(call).not.toMatch(new RegExp(`private-key|api-key-secret|policy\\.json|${two.state}`));
  },
  180_000,
);
