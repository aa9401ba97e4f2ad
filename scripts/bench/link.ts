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

/** A round trip of the link takes twice as long. */
const ONE_WAY_MS = 20;
export const BESIDE = "guard or direct: accounts list";
export const LINK = "guard or direct over 40 ms: accounts list";

/** Both rows, against the direct command with a warm session of its own. */
export async function link(binary: string, folder: string, settings: Settings): Promise<Row[]> {
  return [
    ...(await against(BESIDE, binary, folder, settings, false)),
    ...(await against(LINK, binary, folder, settings, true)),
  ];
}

async function against(
  name: string,
  binary: string,
  folder: string,
  settings: Settings,
  isFar: boolean,
): Promise<Row[]> {
  if (!settings.isWanted(name)) return [];
  const sandbox = await startSandbox({});
  const { baseUrls, workspace, operator } = sandbox.description;
  const { port, pathname } = new URL(baseUrls.v2);
  await using certificates = await Certificates.make();
  const far = isFar ? await startLink(Number(port), certificates) : undefined;
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
  const home = join(folder, isFar ? "far" : "near");
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
async function startLink(port: number, certificates: Certificates) {
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
    carry(kept(socket), inner, 3 * ONE_WAY_MS);
    carry(inner, socket, ONE_WAY_MS);
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
function carry(from: Socket, to: Socket, firstMs: number): void {
  const begun = performance.now();
  const later = (work: () => void): void => {
    setTimeout(work, Math.max(ONE_WAY_MS, begun + firstMs - performance.now()));
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
