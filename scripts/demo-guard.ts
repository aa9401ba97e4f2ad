/**
 * The part of the demo with a guard: two users of this machine, one that holds every credential and
 * one that holds none. Needs root, which starts both and then does nothing but clean up.
 */
import { chmod, chown, copyFile, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";

/** Numbers that no user of the machine has. */
const GUARD = 64_371;
const AGENT = 64_372;
const RECIPIENT = "tb1q5tsjcyz7xmet07yxtumakt739y53hcttmntajq";

/** What the demo reads of the sandbox's description. */
export interface GuardedWorkspace {
  readonly baseUrls: { readonly v2: string };
  readonly workspace: string;
  readonly operator: {
    readonly apiKeyId: string;
    readonly apiKeySecret: string;
    readonly privateKey: string;
  };
}

type Document = Record<string, unknown>;

/** Says why the demo cannot run here, or undefined. */
export function obstacleToGuard(): string | undefined {
  if (process.platform !== "linux") return "The guard serves on Linux only.";
  if (process.getuid?.() !== 0)
    return "It starts processes of two users, which needs root: sudo npm run demo -- --guard";
  return undefined;
}

/** Plays it with this executable; returns how it ended. Throws with the failing step's words. */
export async function playGuard(
  say: (text: string) => void,
  executable: string,
  workspace: GuardedWorkspace,
): Promise<string> {
  // Below a folder of root's, where no other user can replace a policy or a socket.
  const folder = await mkdtemp("/var/lib/ledger-enterprise-demo-");
  const demo = new GuardDemo(folder, say, workspace);
  try {
    await demo.prepare(executable);
    return await demo.play();
  } finally {
    await demo.end();
    await rm(folder, { recursive: true });
  }
}

class GuardDemo {
  private readonly program: string;
  private readonly socket: string;
  private guard: Bun.Subprocess | undefined;

  constructor(
    private readonly folder: string,
    private readonly say: (text: string) => void,
    private readonly workspace: GuardedWorkspace,
  ) {
    this.program = this.at("ledger-enterprise-cli");
    this.socket = this.at("sockets/payments.sock");
  }

  private at(name: string): string {
    return join(this.folder, name);
  }

  /** Folders, credentials and policy, each with the owner that it must have. */
  async prepare(executable: string): Promise<void> {
    const { operator } = this.workspace;
    await chmod(this.folder, 0o755);
    await copyFile(executable, this.program);
    await chmod(this.program, 0o755);
    for (const [name, uid, mode] of [
      ["state", GUARD, 0o700],
      ["agent", AGENT, 0o700],
      ["sockets", GUARD, 0o2750],
    ] as const) {
      await mkdir(this.at(name));
      await chown(this.at(name), uid, name === "sockets" ? AGENT : uid);
      await chmod(this.at(name), mode);
    }
    for (const [name, secret] of [
      ["api-key-secret", operator.apiKeySecret],
      ["private-key", operator.privateKey],
    ] as const) {
      await writeFile(this.at(name), secret, { mode: 0o600 });
      await chown(this.at(name), GUARD, GUARD);
    }
  }

  async play(): Promise<string> {
    const account = await this.account();
    await this.writePolicy(account.id);
    await this.asGuard("What may the agent do? The policy, in words.", "policy", "show");
    await this.asGuard(
      "A person accepts the guard's empty state folder.",
      ...["guard", "adopt", "--reason", "demo"],
    );
    await this.serve();
    const environment = Object.keys(this.agentEnv()).join(", ");
    this.say(
      `\n# From here on the agent, user ${AGENT}. All that it has in its environment: ${environment}.`,
    );
    const status = await this.asAgent(
      "Is it really bound? Each point is looked at.",
      0,
      "guard",
      "status",
    );
    if (status.level !== "enforced") throw new Error(`The level is ${String(status.level)}.`);
    const created = await this.asAgent(
      "Pay 0.01 BTC: within the policy.",
      ...[0, "requests", "create", "--requestData", this.payment(account, "1000000")],
    );
    await this.asAgent(
      "Approve it. The guard reviews, decides and signs.",
      ...[
        0,
        "requests",
        "approve",
        "api",
        "--id",
        String(created.id),
        "--sign",
        "--fields",
        "id,state",
      ],
    );
    await this.asAgent(
      "Pay 0.05 BTC: above what one request may be. It is refused before anything is sent.",
      ...[2, "requests", "create", "--requestData", this.payment(account, "5000000")],
    );
    this.say("\n# Look for the key, as the agent.");
    await this.look("private-key");
    await this.asAgent(
      "The audit trail tells both.",
      ...[0, "audit", "list", "--fields", "seq,event,level,request.type,result.code"],
    );
    return "the agent without a secret paid within the policy and was refused above it";
  }

  private async account(): Promise<{ id: string; name: string }> {
    await this.run(GUARD, this.guardEnv(false), 0, ["login", "api"]);
    const list = await this.run(GUARD, this.guardEnv(false), 0, [
      "accounts",
      "list",
      "--limit",
      "1",
    ]);
    const [account] = list.results as { id: string; name: string }[];
    if (account === undefined) throw new Error("The sandbox has no account.");
    return account;
  }

  private async writePolicy(account: string): Promise<void> {
    const asset = { currency: "bitcoin_testnet", decimals: 8 };
    const policy = {
      ...{ version: 1, id: "payments", reads: "all" },
      allow: [
        {
          ...{ id: "hosting", decisions: ["create", "approve"], types: ["CREATE_TRANSACTION"] },
          ...{ transactionTypes: ["BITCOIN_LIKE_SEND"], accounts: [account], asset },
          ...{ destinations: [{ address: RECIPIENT }], perRequest: "0.03" },
          ...{ fees: { strategies: ["SPEED"], max: "0.0001", decimals: 8 }, note: "none" },
        },
      ],
      windows: [
        {
          ...{ id: "day", asset, accounts: "any", destinations: "any" },
          ...{ per: "24h", amount: "0.06", count: 10 },
        },
      ],
    };
    await writeFile(this.at("policy.json"), JSON.stringify(policy), { mode: 0o644 });
  }

  private payment({ id, name }: { id: string; name: string }, amount: string): string {
    const transactionData = {
      ...{ accountName: name, amount, currency: "bitcoin_testnet", maxFees: "4018" },
      recipient: RECIPIENT,
    };
    const feesStrategy = { type: "SPEED", data: { speed: "NORMAL" } };
    const data = {
      accountId: id,
      transactionType: "BITCOIN_LIKE_SEND",
      transactionData,
      feesStrategy,
    };
    return JSON.stringify({ type: "CREATE_TRANSACTION", data });
  }

  private guardEnv(hasPolicy = true): Record<string, string> {
    const { baseUrls, workspace, operator } = this.workspace;
    const { origin } = new URL(baseUrls.v2);
    return {
      HOME: this.at("state"),
      LEDGER_ENTERPRISE_STATE_DIR: this.at("state"),
      LEDGER_ENTERPRISE_API_URL: baseUrls.v2,
      LEDGER_ENTERPRISE_WORKSPACE: workspace,
      LEDGER_ENTERPRISE_API_KEY_ID: operator.apiKeyId,
      LEDGER_ENTERPRISE_API_KEY_SECRET_FILE: this.at("api-key-secret"),
      LEDGER_ENTERPRISE_API_PRIVATE_KEY_FILE: this.at("private-key"),
      LEDGER_ENTERPRISE_NPM_REGISTRY: origin,
      LEDGER_ENTERPRISE_RELEASES_URL: origin,
      ...(hasPolicy ? { LEDGER_ENTERPRISE_POLICY_FILE: this.at("policy.json") } : {}),
    };
  }

  private agentEnv(): Record<string, string> {
    return { HOME: this.at("agent"), LEDGER_ENTERPRISE_GUARD: this.socket };
  }

  private async serve(): Promise<void> {
    const argv = ["guard", "serve", "--socket", this.socket, "--allowUid", `${AGENT}`];
    this.say(`\n# Serve, as user ${GUARD}, which alone can read key and secret.`);
    this.say(`$ ledger-enterprise-cli ${argv.join(" ")} &`);
    const child = Bun.spawn(as(GUARD, [this.program, ...argv]), {
      ...{ cwd: "/", env: this.guardEnv(), stdio: ["ignore", "pipe", "inherit"] },
    });
    this.guard = child;
    let text = "";
    for await (const chunk of child.stdout) {
      text += new TextDecoder().decode(chunk);
      if (text.endsWith("\n")) break;
    }
    if (!text.includes('"guard"')) throw new Error(`The guard did not start:\n${text}`);
  }

  private async look(name: string): Promise<void> {
    const command = ["cat", this.at(name)];
    this.say(`$ ${command.join(" ")}`);
    const { stderr, exitCode } = Bun.spawnSync(as(AGENT, command), { cwd: "/" });
    this.say(stderr.toString().trim());
    if (exitCode === 0) throw new Error("The agent could read the key.");
  }

  private asGuard(purpose: string, ...argv: string[]): Promise<Document> {
    this.tell(purpose, argv);
    return this.run(GUARD, this.guardEnv(), 0, argv, true);
  }

  private asAgent(purpose: string, ...[exit, ...argv]: (number | string)[]): Promise<Document> {
    const words = argv.map(String);
    this.tell(purpose, words);
    return this.run(AGENT, this.agentEnv(), Number(exit), words, true);
  }

  private tell(purpose: string, argv: readonly string[]): void {
    const words = argv.map((word) => (/^[\w@:.,/-]+$/.test(word) ? word : `'${word}'`));
    this.say(`\n# ${purpose}\n$ ledger-enterprise-cli ${words.join(" ")} --pretty`);
  }

  private async run(
    uid: number,
    env: Record<string, string>,
    exit: number,
    argv: readonly string[],
    isShown = false,
  ): Promise<Document> {
    const child = Bun.spawn(as(uid, [this.program, ...argv, "--pretty"]), {
      ...{ cwd: "/", env, stdio: ["ignore", "pipe", "inherit"] },
    });
    const text = await new Response(child.stdout).text();
    if (isShown) this.say(text.trimEnd());
    if ((await child.exited) !== exit)
      throw new Error(`'${argv.join(" ")}' ended with exit code ${child.exitCode}:\n${text}`);
    return JSON.parse(text) as Document;
  }

  async end(): Promise<void> {
    this.guard?.kill("SIGTERM");
    await this.guard?.exited;
  }
}

function as(uid: number, command: readonly string[]): string[] {
  return ["setpriv", "--reuid", `${uid}`, "--regid", `${uid}`, "--clear-groups", "--", ...command];
}
