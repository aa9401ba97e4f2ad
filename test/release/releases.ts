/**
 * A registry and a releases page of the test's own, with releases that are signed by a key of the
 * test's own.
 */
import { createHash, generateKeyPairSync, sign } from "node:crypto";
import { readFileSync } from "node:fs";
import type { Identity } from "../hostile/certificates.ts";

/** Place of the processor's number in ELF, and two such numbers. */
const ELF_MACHINE = 18;
const X64 = 62;
const ARM64 = 183;

const pair = generateKeyPairSync("ec", { namedCurve: "P-256" });
const other = generateKeyPairSync("ec", { namedCurve: "P-256" });

/** As names.ts takes it. */
export const RELEASE_KEY = pair.publicKey
  .export({ type: "spki", format: "der" })
  .toString("base64");
/** As openssl takes them. */
export const PUBLIC_PEM = pair.publicKey.export({ type: "spki", format: "pem" }).toString();
export const PRIVATE_PEM = pair.privateKey.export({ type: "pkcs8", format: "pem" }).toString();
export const OTHER_PRIVATE_PEM = other.privateKey
  .export({ type: "pkcs8", format: "pem" })
  .toString();
export const OTHER_PUBLIC_PEM = other.publicKey.export({ type: "spki", format: "pem" }).toString();

export type Files = Readonly<Record<string, Uint8Array>>;

/** The assets with their signed list. */
export function signRelease(assets: Files, key: "release" | "other" = "release"): Files {
  const lines = Object.entries(assets).map(
    ([name, bytes]) => `${createHash("sha256").update(bytes).digest("hex")}  ${name}\n`,
  );
  return { ...assets, ...signList(lines.join(""), key) };
}

/** A list as it is, with its signature. */
export function signList(list: string, key: "release" | "other" = "release"): Files {
  const bytes = Buffer.from(list);
  const signature = sign("sha256", bytes, key === "release" ? pair.privateKey : other.privateKey);
  return { SHA256SUMS: bytes, "SHA256SUMS.sig": signature };
}

/** A program that answers `--version`, as a shell script; `line` may hold what else it does. */
export function programOf(version: string, line = ":", padding = 0): Uint8Array {
  return Buffer.from(
    `#!/bin/sh\n${line}\n[ "$1" = --version ] && echo ${version}\nexit\n${"#".repeat(padding)}\n`,
  );
}

type Answer = (request: Request) => Response | Promise<Response>;

export class Releases implements Disposable {
  /** Paths of all requests since the last `publish`. */
  readonly asked: string[] = [];
  private version = "";
  private npm = "";
  private files: Files = {};
  private answers: Readonly<Record<string, Answer>> = {};
  private readonly server: Bun.Server<undefined>;

  /** Plain, or with TLS when it has an identity to show. */
  constructor(private readonly identity?: Identity) {
    const tls = identity === undefined ? {} : { tls: { ...identity } };
    const fetch = (request: Request): Response | Promise<Response> => this.answer(request);
    this.server = Bun.serve({ port: 0, hostname: "127.0.0.1", idleTimeout: 0, fetch, ...tls });
  }

  get url(): string {
    return `${this.identity === undefined ? "http" : "https"}://127.0.0.1:${this.server.port}`;
  }

  get environment(): Readonly<Record<string, string>> {
    return {
      LEDGER_ENTERPRISE_NPM_REGISTRY: `${this.url}/npm`,
      LEDGER_ENTERPRISE_RELEASES_URL: `${this.url}/releases`,
    };
  }

  /**
   * What both sources publish from now on, and what lies under that version; `answers` replace
   * single files, or `latest`.
   */
  publish(
    version: string,
    files: Files,
    {
      npm = version,
      answers = {},
    }: { npm?: string; answers?: Readonly<Record<string, Answer>> } = {},
  ): void {
    this.asked.length = 0;
    Object.assign(this, { version, npm, files, answers });
  }

  [Symbol.dispose](): void {
    void this.server.stop(true);
  }

  private answer(request: Request): Response | Promise<Response> {
    const { pathname } = new URL(request.url);
    this.asked.push(pathname);
    const own = this.answers[pathname.slice(pathname.lastIndexOf("/") + 1)];
    if (own !== undefined) return own(request);
    if (pathname === "/npm/-/package/ledger-enterprise-cli/dist-tags")
      return Response.json({ latest: this.npm });
    if (pathname === "/releases/latest") return redirect(`/releases/tag/v${this.version}`);
    const [, version, name = ""] = /^\/releases\/download\/v([^/]+)\/([^/]+)$/.exec(pathname) ?? [];
    const file = version === this.version ? this.files[name] : undefined;
    return file === undefined
      ? new Response("not found", { status: 404 })
      : new Response(new Uint8Array(file));
  }
}

export function redirect(location: string): Response {
  return new Response(null, { status: 302, headers: { location } });
}

/** A program of the system, said to be for a processor that this machine has not. */
export function otherProcessor(): Uint8Array {
  const bytes = new Uint8Array(readFileSync("/bin/true"));
  bytes[ELF_MACHINE] = bytes[ELF_MACHINE] === X64 ? ARM64 : X64;
  return bytes;
}
