/**
 * Key stores that run on this machine: a SoftHSM token, a TPM of swtpm, and Debian's AWS client
 * against a server on loopback that speaks the documented JSON of KMS. Each holds a key that the
 * test sends it.
 */
import type { KeyObject } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readlinkSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";

export const SOFTHSM_MODULE = [
  "/usr/lib/softhsm/libsofthsm2.so",
  ...(existsSync("/usr/lib") ? readdirSync("/usr/lib") : []).map(
    (name) => `/usr/lib/${name}/softhsm/libsofthsm2.so`,
  ),
].find(existsSync);

/** What a test needs in order to use a store. */
export interface Store extends AsyncDisposable {
  /** The arguments of the helper. */
  readonly args: readonly string[];
  /** Variables that the helper needs by name. */
  readonly env: Readonly<Record<string, string>>;
}

/** Runs a program to its end. Throws with its output unless it succeeds. */
export function must(
  command: readonly string[],
  env: Readonly<Record<string, string>> = {},
  cwd?: string,
): string {
  const { exitCode, stdout, stderr } = Bun.spawnSync([...command], {
    env: { PATH: "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", ...env },
    ...(cwd === undefined ? {} : { cwd }),
  });
  if (exitCode !== 0) throw new Error(`${command.join(" ")} failed:\n${stdout}${stderr}`);
  return stdout.toString();
}

function pem(key: KeyObject, type: "sec1" | "pkcs8"): string {
  return String(key.export({ format: "pem", type }));
}

const PIN = "canary-pin-481516";

/** A SoftHSM token of its own in `folder`, with the key under id 01. */
export async function openToken(folder: string, key: KeyObject): Promise<Store> {
  const at = (name: string): string => join(folder, name);
  mkdirSync(at("tokens"), { recursive: true });
  const lines = [`directories.tokendir = ${at("tokens")}`, "objectstore.backend = file"];
  writeFileSync(at("softhsm2.conf"), `${lines.join("\n")}\nlog.level = ERROR\n`);
  writeFileSync(at("pin"), `${PIN}\n`, { mode: 0o600 });
  writeFileSync(at("key.pem"), pem(key, "pkcs8"));
  const env = { SOFTHSM2_CONF: at("softhsm2.conf"), PIN_FILE: at("pin") };
  const login = ["--pin", PIN, "--so-pin", "12345678"];
  must(["softhsm2-util", "--init-token", "--free", "--label", "agent", ...login], env);
  const names = ["--token", "agent", "--label", "operator", "--id", "01"];
  must(["softhsm2-util", "--import", at("key.pem"), ...names, "--pin", PIN], env);
  return {
    args: [SOFTHSM_MODULE ?? "", "agent", "01"],
    env,
    [Symbol.asyncDispose]: async () => undefined,
  };
}

/** A port that was free a moment ago, with the next one free as well. */
async function freePorts(): Promise<[number, number]> {
  const open = (port: number): Promise<ReturnType<typeof createServer>> =>
    new Promise((resolve, reject) => {
      const server = createServer();
      server.once("error", reject);
      server.listen(port, "127.0.0.1", () => resolve(server));
    });
  const closed = (server: ReturnType<typeof createServer>): Promise<void> =>
    new Promise((resolve) => server.close(() => resolve()));
  for (;;) {
    const first = await open(0);
    const address = first.address();
    const port = typeof address === "object" && address !== null ? address.port : 0;
    const second = await open(port + 1).catch(() => undefined);
    await closed(first);
    if (second === undefined) continue;
    await closed(second);
    return [port, port + 1];
  }
}

const HANDLE = "0x81000010";

/** Starts an empty TPM with its state in `folder`; TPM2TOOLS_TCTI names it. */
export async function startTpm(folder: string): Promise<Store> {
  must(["swtpm_setup", "--tpm2", "--tpmstate", folder, "--createek", "--overwrite"]);
  const { process, port } = await serveTpm(folder);
  return {
    args: [HANDLE],
    env: { TPM2TOOLS_TCTI: `swtpm:host=127.0.0.1,port=${port}` },
    async [Symbol.asyncDispose]() {
      process.kill("SIGKILL");
      await process.exited;
    },
  };
}

const TRIES = 20;

/** swtpm takes no port of the system's choice; another test may be faster, so this tries again. */
async function serveTpm(folder: string): Promise<{ process: Bun.Subprocess; port: number }> {
  const address = (number: number): string => `type=tcp,port=${number},bindaddr=127.0.0.1`;
  for (let tries = 0; tries < TRIES; tries += 1) {
    const [port, control] = await freePorts();
    const process = Bun.spawn(
      [
        ...["swtpm", "socket", "--tpm2", "--tpmstate", `dir=${folder}`],
        ...["--server", address(port), "--ctrl", address(control), "--flags", "startup-clear"],
      ],
      { stdout: "ignore", stderr: "ignore" },
    );
    if (await listens(process, [port, control])) return { process, port };
  }
  throw new Error("swtpm does not listen.");
}

/**
 * Waits until the process itself listens on the ports: the table of sockets says so without a
 * connection. False when it ends before.
 */
async function listens(process: Bun.Subprocess, ports: readonly number[]): Promise<boolean> {
  const rows = ports.map((port) => {
    const local = `0100007F:${port.toString(16).toUpperCase().padStart(4, "0")}`;
    return new RegExp(`${local} 00000000:0000 0A(?: +\\S+){5} +(\\d+)`);
  });
  while (process.exitCode === null && process.signalCode === null) {
    const table = await Bun.file("/proc/net/tcp").text();
    const own = socketsOf(process.pid);
    if (rows.every((row) => own.has(`socket:[${row.exec(table)?.[1]}]`))) return true;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  return false;
}

/** The sockets of a process, as proc(5) names them; none when it is gone. */
function socketsOf(pid: number): Set<string> {
  const folder = `/proc/${pid}/fd`;
  try {
    return new Set(readdirSync(folder).map((name) => readlinkSync(join(folder, name))));
  } catch {
    return new Set();
  }
}

/** A TPM of its own with the key under a persistent handle. */
export async function openTpm(folder: string, key: KeyObject): Promise<Store> {
  const tpm = await startTpm(folder);
  writeFileSync(join(folder, "key.pem"), pem(key, "sec1"));
  const run = (...command: string[]): string => must(command, tpm.env, folder);
  const flush = (): string => run("tpm2_flushcontext", "-t");
  run("tpm2_createprimary", "-C", "o", "-g", "sha256", "-G", "ecc", "-c", "primary.ctx", "-Q");
  flush();
  const parts = ["-u", "key.pub", "-r", "key.priv"];
  run("tpm2_import", "-C", "primary.ctx", "-G", "ecc", "-i", "key.pem", ...parts, "-Q");
  flush();
  run("tpm2_load", "-C", "primary.ctx", ...parts, "-c", "key.ctx", "-Q");
  run("tpm2_evictcontrol", "-C", "o", "-c", "key.ctx", HANDLE, "-Q");
  flush();
  return tpm;
}

/** How the double of KMS answers next. */
export interface KmsDouble extends Store {
  /** Targets of the calls so far, such as `TrentService.Sign`. */
  readonly calls: string[];
  /** The error that every call gets from now on; undefined for none. */
  fail(type: string | undefined): void;
}

/** KMS on loopback, with one key under `alias/operator`. */
export async function openKms(
  folder: string,
  key: KeyObject,
  publicKey: Uint8Array,
): Promise<KmsDouble> {
  const calls: string[] = [];
  let failure: string | undefined;
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    async fetch(request) {
      const target = request.headers.get("x-amz-target") ?? "";
      calls.push(target);
      const signed = request.headers.get("authorization")?.startsWith("AWS4-HMAC-SHA256 ") === true;
      const body = (await request.json()) as Record<string, string>;
      const refuse = (type: string): Response =>
        Response.json({ __type: type, message: "as told" }, { status: 400 });
      if (failure !== undefined) return refuse(failure);
      if (!signed) return refuse("MissingAuthenticationTokenException");
      if (body.KeyId !== "alias/operator") return refuse("NotFoundException");
      if (target === "TrentService.GetPublicKey")
        return Response.json({ PublicKey: Buffer.from(publicKey).toString("base64") });
      const digest = Buffer.from(body.Message ?? "", "base64");
      const isAsExpected =
        target === "TrentService.Sign" &&
        body.MessageType === "DIGEST" &&
        body.SigningAlgorithm === "ECDSA_SHA_256" &&
        digest.length === 32;
      if (!isAsExpected) return refuse("ValidationException");
      return Response.json({ Signature: signDigest(folder, key, digest).toString("base64") });
    },
  });
  const home = join(folder, "home");
  mkdirSync(home);
  return {
    args: ["alias/operator"],
    env: {
      AWS_ENDPOINT_URL_KMS: `http://127.0.0.1:${server.port}`,
      AWS_ACCESS_KEY_ID: "canary-access-key",
      AWS_SECRET_ACCESS_KEY: "canary-aws-secret-9e2f",
      AWS_REGION: "eu-west-1",
      AWS_EC2_METADATA_DISABLED: "true",
    },
    calls,
    fail: (type) => {
      failure = type;
    },
    [Symbol.asyncDispose]: () => server.stop(true),
  };
}

/** DER over a digest that is given. node:crypto would hash it again, so OpenSSL signs. */
function signDigest(folder: string, key: KeyObject, digest: Uint8Array): Buffer {
  const [keyFile, digestFile] = [join(folder, "kms.pem"), join(folder, "kms.digest")];
  writeFileSync(keyFile, pem(key, "pkcs8"));
  writeFileSync(digestFile, digest);
  const { stdout, exitCode } = Bun.spawnSync(
    ["openssl", "pkeyutl", "-sign", "-inkey", keyFile, "-in", digestFile],
    {},
  );
  if (exitCode !== 0) throw new Error("openssl does not sign");
  return Buffer.from(stdout);
}
