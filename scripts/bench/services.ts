/** Rows of what runs longer than a command: the logs, an MCP server, a guard. */
import { chmod } from "node:fs/promises";
import { AGENT_UID, asUser, OBSTACLE, openTwoUsers, payment } from "../../test/guard/twousers.ts";
import { start } from "../../test/mcp/child.ts";
import { MODERN, Speaker } from "../../test/mcp/peer.ts";
import { LINKS, link } from "./link.ts";
import {
  compare,
  type Figures,
  once,
  type Row,
  rowOf,
  type Settings,
  type Subject,
} from "./measure.ts";
import { readers, warm } from "./readers.ts";

/** What is needed of a prepared session: its variables, and a challenge for the key. */
export interface Prepared {
  readonly binary: string;
  readonly env: Readonly<Record<string, string>>;
  readonly challenge: string;
}

const LINES = "24 processes, one signature each";
const VERIFY = "audit verify";

/**
 * 24 processes that sign at once, each of which writes four synced lines under one lock, against 24
 * that sign one after the other; then the trail that they wrote is verified.
 */
export async function logs(
  { binary, env, challenge }: Prepared,
  empty: Subject,
  settings: Settings,
): Promise<Row[]> {
  if (![LINES, VERIFY].some((row) => settings.isWanted(row))) return [];
  const command = [binary, "requests", "sign", "--challenge", challenge, "--timeout", "120"];
  const sign = () => once({ name: LINES, command, env });
  const timed = async (work: () => Promise<unknown>): Promise<Figures> => {
    const begin = Bun.nanoseconds();
    await work();
    return { ms: (Bun.nanoseconds() - begin) / 1e6, cpuMs: Number.NaN };
  };
  const [alone, together]: [Figures[], Figures[]] = [[], []];
  for (let round = 0; round < (settings.isQuick ? 1 : 5); round += 1) {
    alone.push(
      await timed(async () => {
        for (let at = 0; at < 24; at += 1) await sign();
      }),
    );
    together.push(await timed(() => Promise.all(Array.from({ length: 24 }, sign))));
  }
  const verify = { name: VERIFY, command: [binary, "audit", "verify"], env };
  return [
    rowOf(LINES, "24 in a row", together, alone),
    ...(await compare(empty, [verify], settings)),
  ];
}

const CALL = "mcp: a warm call of accounts_list";

/** A call of a server that runs already, against the command that does the same. */
export async function mcp({ binary, env }: Prepared, settings: Settings): Promise<Row[]> {
  if (!settings.isWanted(CALL)) return [];
  await using child = start([binary, "mcp"], { PATH: "/usr/bin:/bin", ...env });
  const speaker = await Speaker.open(child.peer, MODERN);
  const command = { name: "accounts list", command: [binary, "accounts", "list"], env };
  const [warm, cold]: [Figures[], Figures[]] = [[], []];
  for (let round = 0; round <= settings.rounds; round += 1) {
    const begin = Bun.nanoseconds();
    const { result } = await speaker.call("accounts_list");
    const ms = (Bun.nanoseconds() - begin) / 1e6;
    if (result.isError) throw new Error("the MCP server lists no accounts");
    const base = await once(command);
    if (round === 0) continue;
    warm.push({ ms, cpuMs: Number.NaN });
    cold.push(base);
  }
  return [rowOf(CALL, "accounts list", warm, cold)];
}

const THROUGH = ["guard: accounts list", "guard: requests approve"] as const;

/** The same commands of an agent, through a guard of another user, against an empty program. */
export async function guard(
  binary: string,
  folder: string,
  empty: Subject,
  settings: Settings,
): Promise<{ readonly rows: Row[]; readonly absent: readonly string[] }> {
  if (![...THROUGH, ...LINKS].some((row) => settings.isWanted(row)))
    return { rows: [], absent: [] };
  if (OBSTACLE !== undefined) return { rows: [], absent: [`guard (${OBSTACLE})`] };
  // The other users must be able to start it.
  for (const path of [folder, binary]) await chmod(path, 0o755);
  await using users = await openTwoUsers({ command: [binary], start: false });
  await users.guard.start([AGENT_UID, ...readers()]);
  await warm(users.socket);
  const { exit, stdout, document } = await users.agent(
    ...["requests", "create", "--requestData", payment("1500000")],
  );
  if (exit !== 0) throw new Error(`the guard took no request: ${stdout}`);
  const id = String(document.id);
  const approve = ["requests", "approve", "api", "--sign", "--dryRun", "--id", id];
  const subject = (name: string, argv: readonly string[]): Subject => ({
    ...{ name, command: asUser(AGENT_UID, [binary, ...argv]), env: users.agentEnv },
  });
  // Both begin with the program that changes the user.
  const base = { ...empty, command: asUser(AGENT_UID, empty.command) };
  const subjects = [subject(THROUGH[0], ["accounts", "list"]), subject(THROUGH[1], approve)];
  const rows = await compare(base, subjects, settings);
  return { rows: [...rows, ...(await link(binary, folder, settings))], absent: [] };
}
