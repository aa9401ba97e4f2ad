/**
 * A guard and its agent by an executable of another C library or processor: node scripts/bun.mjs
 * scripts/emulate-guard.ts COMMAND…, as root. The kernel must name the agent's user, by `bun:ffi`.
 */
import { AGENT_UID, openTwoUsers, payment } from "../test/guard/twousers.ts";

function expectExit(what: string, ran: { readonly exit: number | null; readonly stdout: string }) {
  if (ran.exit !== 0) throw new Error(`${what}: exit ${ran.exit}\n${ran.stdout}`);
}

const command = process.argv.slice(2);
await using two = await openTwoUsers({ command });
expectExit("accounts list", await two.agent("accounts", "list"));
const created = await two.agent("requests", "create", "--requestData", payment("1000"));
expectExit("requests create", created);
const approve = ["requests", "approve", "api", "--sign", "--id", String(created.document.id)];
expectExit("requests approve", await two.agent(...approve));
const above = await two.agent("requests", "create", "--requestData", payment("3000001"));
if (above.error.code !== "POLICY_DENIED") throw new Error(`not refused: ${above.stdout}`);
const { document } = await two.agent("guard", "status");
const { level, peer } = document as { level: string; peer: { uid: number } };
if (level !== "enforced" || peer.uid !== AGENT_UID) throw new Error(JSON.stringify(document));
const other = await two.asGuard("guard", "status");
if (other.document.level !== "advisory" && other.exit === 0) throw new Error(other.stdout);
const { exit, stderr } = await two.guard.stop();
if (exit !== 0) throw new Error(`guard serve: exit ${exit}\n${stderr}`);
process.stdout.write("a guard serves, and sees who calls\n");
