/**
 * SEC-1 for the whole suite: after every run, no secret is in a stream or in a file other than
 * the session's.
 */
import { createPrivateKey } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { join, relative } from "node:path";

export const SESSION_FILE = "session.json";
/** The same while another process replaces it. */
const SESSION_ON_ITS_WAY = /\.session\.json\.[0-9a-f]{16}\.tmp$/;

/** Collects what must never appear; tokens are added as sessions come and go. */
export class Canaries {
  private readonly secrets = new Map<string, string>();

  /**
   * Everything secret that an environment holds, the private key in each form in which it could
   * leak.
   */
  static of(env: Readonly<Record<string, string | undefined>>): Canaries {
    const canaries = new Canaries();
    canaries.add("API key secret", env.LEDGER_ENTERPRISE_API_KEY_SECRET);
    canaries.add("reporting key", env.LEDGER_ENTERPRISE_REPORTING_API_KEY);
    canaries.add("webhook secret", env.LEDGER_ENTERPRISE_WEBHOOK_SECRET);
    canaries.addPrivateKey(env.LEDGER_ENTERPRISE_API_PRIVATE_KEY);
    return canaries;
  }

  add(what: string, secret: string | undefined): void {
    if (secret === undefined || secret.length < 8) return;
    const bytes = Buffer.from(secret);
    const spelled = ["base64", "base64url", "hex"] as const;
    const forms = [secret, encodeURIComponent(secret), JSON.stringify(secret).slice(1, -1)];
    for (const form of [...forms, ...spelled.map((encoding) => bytes.toString(encoding))])
      this.secrets.set(form, what);
  }

  private addPrivateKey(hex: string | undefined): void {
    if (hex === undefined || !/^([0-9a-f]{2})+$/i.test(hex)) return;
    this.add("private key", hex);
    const pem = Buffer.from(hex, "hex").toString("latin1");
    for (const line of pem.split(/\r?\n/))
      if (!line.startsWith("-----") && line.length >= 16) this.add("private key (PEM)", line);
    const { d } = createPrivateKey(pem).export({ format: "jwk" });
    if (d === undefined) return;
    const scalar = Buffer.from(d, "base64url");
    for (const encoding of ["base64url", "base64", "hex"] as const)
      this.add("private key (scalar)", scalar.toString(encoding));
  }

  /**
   * What leaked, in words that do not repeat it. `home` is searched below, its session file only
   * for new tokens.
   */
  async findLeaks(streams: Readonly<Record<string, string>>, home: string): Promise<string[]> {
    const files = await readFiles(home);
    for (const [name, content] of files) if (name.endsWith(SESSION_FILE)) this.learnTokens(content);
    const others = files.filter(
      ([name]) => !name.endsWith(SESSION_FILE) && !SESSION_ON_ITS_WAY.test(name),
    );
    return [...Object.entries(streams), ...others].flatMap(([place, content]) =>
      this.leaksIn(place, content),
    );
  }

  private leaksIn(place: string, content: string): string[] {
    const found = [...this.secrets].filter(([secret]) => content.includes(secret));
    return found.map(([, what]) => `The ${what} is in ${place}.`);
  }

  private learnTokens(session: string): void {
    const tokens = [...session.matchAll(/"(access|refresh)":\s*"([^"]+)"/g)];
    if (tokens.length === 0 && session.includes('"tokens"'))
      throw new Error("The session's tokens are not where they were.");
    for (const [, name, token] of tokens) this.add(`${name} token`, token);
  }
}

async function readFiles(folder: string): Promise<[string, string][]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
  return await Promise.all(
    files.map(
      async (path) => [relative(folder, path), await readIfThere(path)] as [string, string],
    ),
  );
}

/**
 * Other processes of the program may be at work: a lock or a temporary file is gone in a moment.
 */
async function readIfThere(path: string): Promise<string> {
  try {
    return await readFile(path, "latin1");
  } catch (cause) {
    if (cause instanceof Error && "code" in cause && cause.code === "ENOENT") return "";
    throw cause;
  }
}
