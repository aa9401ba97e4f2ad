/** The same list through a guard and directly, on this machine and over a link with a delay. */
import { chmod, copyFile, mkdir } from "node:fs/promises";
import { createConnection, createServer, type Server, type Socket } from "node:net";
import { join } from "node:path";
import { createServer as createTlsServer } from "node:tls";
import { startSandbox } from "../../src/sandbox/index.ts";
import { AGENT_UID, asUser, openTwoUsers } from "../../test/guard/twousers.ts";
import { Certificates } from "../../test/hostile/certificates.ts";
import { NOTHING_PUBLISHED } from "../../test/support/releases.ts";
import { compare, once, type Row, type Settings } from "./measure.ts";
import { readers, warm } from "./readers.ts";

/** Each row, and what a byte takes from one end of its link to the other; 0: there is no link. */
const DELAYS: readonly (readonly [row: string, oneWayMs: number])[] = [
  ["guard or direct: accounts list", 0],
  ["guard or direct over 40 ms: accounts list", 20],
  ["guard or direct over 40 ms each way: accounts list", 40],
];
export const LINKS: readonly string[] = DELAYS.map(([row]) => row);

/** The rows, against the direct command with a warm session of its own. */
export async function link(binary: string, folder: string, settings: Settings): Promise<Row[]> {
  const rows: Row[] = [];
  for (const [name, oneWayMs] of DELAYS)
    rows.push(...(await against(name, binary, folder, settings, oneWayMs)));
  return rows;
}

async function against(
  name: string,
  binary: string,
  folder: string,
  settings: Settings,
  oneWayMs: number,
): Promise<Row[]> {
  if (!settings.isWanted(name)) return [];
  const sandbox = await startSandbox({});
  const { baseUrls, workspace, operator } = sandbox.description;
  const { port, pathname } = new URL(baseUrls.v2);
  await using certificates = await Certificates.make();
  const far = oneWayMs > 0 ? await startLink(Number(port), certificates, oneWayMs) : undefined;
  const authority = join(folder, "authority.pem");
  await copyFile(certificates.authority, authority);
  await chmod(authority, 0o644);
  const env = {
    LEDGER_ENTERPRISE_API_URL: far === undefined ? baseUrls.v2 : `${far.origin}${pathname}`,
    LEDGER_ENTERPRISE_WORKSPACE: workspace,
    LEDGER_ENTERPRISE_API_KEY_ID: operator.apiKeyId,
    LEDGER_ENTERPRISE_API_KEY_SECRET: operator.apiKeySecret,
    LEDGER_ENTERPRISE_API_PRIVATE_KEY: operator.privateKey,
    NODE_EXTRA_CA_CERTS: authority,
    ...NOTHING_PUBLISHED,
  };
  const home = join(folder, `link-${oneWayMs}`);
  await mkdir(home, { mode: 0o700 });
  try {
    await using users = await openTwoUsers({ command: [binary], environment: env, start: false });
    await users.guard.start([AGENT_UID, ...readers()]);
    await warm(users.socket);
    const direct = { ...env, HOME: home };
    await once({ name: "login api", command: [binary, "login", "api"], env: direct });
    const list = [binary, "accounts", "list"];
    // Both begin with the program that changes the user.
    const base = { name: "accounts list, directly", command: asUser(0, list), env: direct };
    const through = { name, command: asUser(AGENT_UID, list), env: users.agentEnv };
    return await compare(base, [through], settings);
  } finally {
    far?.close();
    await sandbox.close();
  }
}

/** TLS in front of a port, behind a link on which each byte, and the connection, takes its time. */
async function startLink(port: number, certificates: Certificates, oneWayMs: number) {
  const identity = await certificates.identity("good");
  const open = new Set<Socket>();
  const kept = (socket: Socket): Socket => {
    open.add(socket);
    return socket.on("error", () => socket.destroy()).on("close", () => open.delete(socket));
  };
  const tls = createTlsServer(identity, (socket) => {
    const inner = kept(createConnection({ port, host: "127.0.0.1" }));
    kept(socket).pipe(inner).pipe(socket);
  });
  const inside = await listening(tls);
  const outer = createServer((socket) => {
    const inner = kept(createConnection({ port: inside, host: "127.0.0.1" }));
    // The system accepts at once: the round trip of its own handshake is waited here.
    carry(kept(socket), inner, oneWayMs, 3 * oneWayMs);
    carry(inner, socket, oneWayMs, oneWayMs);
  });
  const outside = await listening(outer);
  return {
    origin: `https://localhost:${outside}`,
    close() {
      for (const socket of open) socket.destroy();
      outer.close();
      tls.close();
    },
  };
}

/** Hands on what comes, later; nothing overtakes the first bytes. */
function carry(from: Socket, to: Socket, oneWayMs: number, firstMs: number): void {
  const begun = performance.now();
  const later = (work: () => void): void => {
    setTimeout(work, Math.max(oneWayMs, begun + firstMs - performance.now()));
  };
  from.on("data", (chunk) => later(() => to.write(chunk)));
  from.on("close", () => later(() => to.destroy()));
}

function listening(server: Server): Promise<number> {
  return new Promise((resolve) => {
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      resolve(typeof address === "object" && address !== null ? address.port : 0);
    });
  });
}
