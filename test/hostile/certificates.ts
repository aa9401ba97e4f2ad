/**
 * A certificate authority of a test's own, made with OpenSSL: what a server shows, in every state
 * in which it must be refused.
 */
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** PEM texts, as node:tls takes them. */
export interface Identity {
  readonly key: string;
  readonly cert: string;
}

interface Leaf {
  /** Subject alternative names. */
  readonly names: string;
  readonly notBefore?: string;
  readonly notAfter?: string;
  readonly issuer?: "authority" | "intermediate" | "narrow" | "deep";
  /** A line of OpenSSL's for `-addext`. */
  readonly extension?: string;
}

const HERE = "DNS:localhost,IP:127.0.0.1,IP:::1";

const LEAVES = {
  good: { names: `${HERE},DNS:api.example.test,DNS:*.far.test` },
  expired: { names: HERE, notBefore: "20200101000000Z", notAfter: "20200201000000Z" },
  future: { names: HERE, notBefore: "21000101000000Z", notAfter: "21000201000000Z" },
  elsewhere: { names: "DNS:other.example.test" },
  intermediate: { names: HERE, issuer: "intermediate" },
  /** Its issuer may only speak for another domain. */
  outside: { names: HERE, issuer: "narrow" },
  /** An authority below one that may have none below it. */
  tooDeep: { names: HERE, issuer: "deep" },
  critical: { names: HERE, extension: "1.2.3.4.5.6=critical,ASN1:UTF8String:unknown" },
} as const satisfies Record<string, Leaf>;

const CONFIG = `
[req]
distinguished_name = subject
[subject]
[ca]
default_ca = here
[here]
database = index.txt
serial = serial
new_certs_dir = .
default_md = sha256
default_days = 30
policy = any
unique_subject = no
copy_extensions = copy
[any]
commonName = supplied
[issuer]
basicConstraints = critical,CA:TRUE
keyUsage = critical,keyCertSign,cRLSign
[narrow]
basicConstraints = critical,CA:TRUE
nameConstraints = critical,permitted;DNS:narrow.example.test
[leaves]
basicConstraints = critical,CA:TRUE,pathlen:0
`;

/** Intermediate authorities: who issued each, and what it may do (a section above). */
const CHAINS = {
  intermediate: { from: "authority", extensions: "issuer" },
  narrow: { from: "authority", extensions: "narrow" },
  last: { from: "authority", extensions: "leaves" },
  deep: { from: "last", extensions: "issuer" },
} as const;

export class Certificates implements AsyncDisposable {
  private constructor(private readonly folder: string) {}

  static async make(): Promise<Certificates> {
    const made = new Certificates(await mkdtemp(join(tmpdir(), "authority-")));
    await writeFile(join(made.folder, "ca.cnf"), CONFIG);
    await writeFile(join(made.folder, "index.txt"), "");
    await writeFile(join(made.folder, "serial"), "1000\n");
    made.selfSign("authority", ["-subj", "/CN=Test authority", "-extensions", "issuer"]);
    made.selfSign("self", ["-subj", "/CN=localhost", "-addext", `subjectAltName=${HERE}`]);
    for (const [name, { from, extensions }] of Object.entries(CHAINS)) {
      const issuer = from === "authority" ? from : `chain-${from}`;
      const subject = ["-subj", `/CN=Test ${name}`];
      made.issue(`chain-${name}`, issuer, subject, ["-extensions", extensions]);
    }
    for (const [name, leaf] of Object.entries<Leaf>(LEAVES)) made.issueLeaf(name, leaf);
    return made;
  }

  /** Path of the authority's certificate, for NODE_EXTRA_CA_CERTS and SSL_CERT_FILE. */
  get authority(): string {
    return join(this.folder, "authority.pem");
  }

  /** What a server shows; `full` is the certificate with the intermediate that issued it. */
  async identity(name: keyof typeof LEAVES | "self" | "full"): Promise<Identity> {
    const read = (file: string): Promise<string> => readFile(join(this.folder, file), "utf8");
    const leaf = name === "full" ? "intermediate" : name;
    const above: Partial<Record<string, readonly string[]>> = {
      full: ["intermediate"],
      outside: ["narrow"],
      tooDeep: ["deep", "last"],
    };
    const chain = (above[name] ?? []).map((issuer) => read(`chain-${issuer}.pem`));
    const [key, ...certs] = await Promise.all([read(`${leaf}.key`), read(`${leaf}.pem`), ...chain]);
    return { key, cert: certs.join("") };
  }

  /** Paths of a certificate and its key, for a server that is not ours. */
  files(name: keyof typeof LEAVES): { readonly key: string; readonly cert: string } {
    return { key: join(this.folder, `${name}.key`), cert: join(this.folder, `${name}.pem`) };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.folder, { recursive: true });
  }

  private issueLeaf(
    name: string,
    { names, notBefore, notAfter, issuer = "authority", extension }: Leaf,
  ): void {
    const dates =
      notBefore === undefined ? [] : ["-startdate", notBefore, "-enddate", notAfter ?? notBefore];
    const subject = ["-subj", `/CN=${name}`, "-addext", `subjectAltName=${names}`];
    const more = extension === undefined ? [] : ["-addext", extension];
    const from = issuer === "authority" ? issuer : `chain-${issuer}`;
    this.issue(name, from, [...subject, ...more], dates);
  }

  private selfSign(name: string, more: readonly string[]): void {
    this.openssl(
      "req",
      "-x509",
      ...NEW_KEY,
      "-days",
      "30",
      "-keyout",
      `${name}.key`,
      "-out",
      `${name}.pem`,
      ...more,
    );
  }

  private issue(
    name: string,
    issuer: string,
    subject: readonly string[],
    more: readonly string[],
  ): void {
    this.openssl(
      "req",
      "-new",
      ...NEW_KEY,
      "-keyout",
      `${name}.key`,
      "-out",
      `${name}.csr`,
      ...subject,
    );
    const from = ["-cert", `${issuer}.pem`, "-keyfile", `${issuer}.key`];
    this.openssl(
      "ca",
      "-batch",
      "-notext",
      ...from,
      "-in",
      `${name}.csr`,
      "-out",
      `${name}.pem`,
      ...more,
    );
  }

  private openssl(command: string, ...args: readonly string[]): void {
    const { exitCode, stderr } = Bun.spawnSync(["openssl", command, "-config", "ca.cnf", ...args], {
      cwd: this.folder,
      stderr: "pipe",
    });
    if (exitCode !== 0) throw new Error(`openssl ${command} failed: ${stderr.toString()}`);
  }
}

const NEW_KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
