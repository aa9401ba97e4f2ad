/**
 * `npm run demo`: the executable, as a user would run it, through a whole approval against its own
 * sandbox. Nothing leaves this machine and nothing stays on it; with `--device`, an approval with a
 * simulated Ledger Stax; with `--guard`, an agent of another user that holds nothing; with
 * `--open`, the sandbox goes on afterwards for a look at its page. Ends with exit 1 and the failing
 * command's document when a step does not succeed.
 */
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { defaultSeed } from "../src/sandbox/index.ts";
import { build, hostExecutable } from "./build.ts";
import { hostTarget } from "./targets.ts";

const PROGRAM = "ledger-enterprise-cli";

/** What the demo reads of the sandbox's description and of the commands' results. */
interface Description {
  readonly page: string;
  readonly control: string;
  readonly baseUrls: { readonly v2: string };
  readonly workspace: string;
  readonly operator: {
    readonly apiKeyId: string;
    readonly apiKeySecret: string;
    readonly privateKey: string;
  };
}
interface Stage {
  readonly folder: string;
  readonly env: Record<string, string>;
  /** Approves a request as a person; undefined where the sandbox's people do it by themselves. */
  readonly approve: ((id: string) => Promise<void>) | undefined;
  count: number;
}

class StepFailed extends Error {}

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

async function startSandbox(
  folder: string,
  isOpen: boolean,
): Promise<{ description: Description; stop(): Promise<void> }> {
  const people = isOpen ? [] : ["--autoApprove", "1"];
  const command = [hostExecutable(), "sandbox", "start", ...people];
  const who = isOpen
    ? "Its page has a button for each person."
    : "Its people approve after one second.";
  say(`# Serve a practice workspace on this machine. ${who}`);
  say(`$ ${PROGRAM} ${command.slice(1).join(" ")} &`);
  const child = Bun.spawn(command, {
    cwd: folder,
    env: { HOME: folder },
    stdio: ["ignore", "pipe", "inherit"],
  });
  const stop = async (): Promise<void> => {
    child.kill("SIGTERM");
    await child.exited;
  };
  let text = "";
  for await (const chunk of child.stdout) {
    text += new TextDecoder().decode(chunk);
    if (text.endsWith("\n")) return { description: JSON.parse(text) as Description, stop };
  }
  throw new StepFailed(`The sandbox did not start:\n${text}`);
}

function environmentOf(
  { baseUrls, workspace, operator }: Description,
  home: string,
): Record<string, string> {
  const shown = {
    LEDGER_ENTERPRISE_API_URL: baseUrls.v2,
    LEDGER_ENTERPRISE_WORKSPACE: workspace,
    LEDGER_ENTERPRISE_API_KEY_ID: operator.apiKeyId,
  };
  const secret = {
    LEDGER_ENTERPRISE_API_KEY_SECRET: operator.apiKeySecret,
    LEDGER_ENTERPRISE_API_PRIVATE_KEY: operator.privateKey,
  };
  say("\n# What commands read. 'sandbox start --envFile <path>' writes these lines for you.");
  for (const [name, value] of Object.entries(shown)) say(`$ export ${name}=${value}`);
  for (const name of Object.keys(secret)) say(`$ export ${name}=********`);
  // The demo needs no network: newer versions are looked for on the sandbox, which publishes none.
  const { origin } = new URL(baseUrls.v2);
  const releases = {
    LEDGER_ENTERPRISE_NPM_REGISTRY: origin,
    LEDGER_ENTERPRISE_RELEASES_URL: origin,
  };
  return { HOME: home, ...shown, ...secret, ...releases };
}

/**
 * Runs one command and shows what it is for, the command and its result. Throws StepFailed unless
 * it exits with 0.
 */
async function runStep(
  stage: Stage,
  purpose: string,
  ...argv: string[]
): Promise<Record<string, unknown>> {
  say(`\n# ${purpose}`);
  say(
    `$ ${PROGRAM} ${argv.map((word) => (/^[\w@:.,/-]+$/.test(word) ? word : `'${word}'`)).join(" ")} --pretty`,
  );
  const child = Bun.spawn([hostExecutable(), ...argv, "--pretty"], {
    cwd: stage.folder,
    env: stage.env,
    stdio: ["ignore", "pipe", "inherit"],
  });
  const text = await new Response(child.stdout).text();
  process.stdout.write(text);
  if ((await child.exited) !== 0)
    throw new StepFailed(`'${argv.join(" ")}' ended with exit code ${child.exitCode}.`);
  stage.count += 1;
  return JSON.parse(text) as Record<string, unknown>;
}

function textOf(document: Record<string, unknown>, name: string): string {
  const value = document[name];
  if (typeof value !== "string") throw new StepFailed(`The answer has no text '${name}'.`);
  return value;
}

/** The sentences of a summary, which a person reads before a yes. */
function sayMeaning({ summary }: Record<string, unknown>, heading: string): void {
  const { text } = (summary ?? {}) as { text?: readonly string[] };
  if (text === undefined) throw new StepFailed("The answer has no summary.");
  say(`\n# ${heading}:`);
  for (const line of text) say(`#   ${line}`);
}

async function playFlow(stage: Stage): Promise<string> {
  const keep = (name: string, content: unknown): Promise<void> =>
    writeFile(
      join(stage.folder, name),
      typeof content === "string" ? content : JSON.stringify(content),
    );
  await runStep(
    stage,
    "Log in. The session stays on this machine; later commands use it.",
    "login",
    "api",
  );
  const list = await runStep(
    stage,
    "Which accounts are there? Every list takes --all, --limit and --fields.",
    "accounts",
    "list",
    "--pageSize",
    "3",
    "--fields",
    "id,name,currency",
  );
  const account = (list.results as { id: string; name: string }[])[0];
  if (account === undefined) throw new StepFailed("The sandbox has no account.");
  await runStep(
    stage,
    "How much is in the first one? `balance` counts the smallest unit, here satoshi; `readable` has the unit that people use.",
    "accounts",
    "getBalance",
    "--id",
    account.id,
  );
  const drafted = await runStep(
    stage,
    "What does a payment mean? An amount with its unit and a name from a whitelist make the exact request, in request.json. This creates nothing.",
    "requests",
    "draft",
    "--accountId",
    account.id,
    "--amount",
    "0.015 BTC",
    "--toEntry",
    "Exchange hot wallet",
    "--out",
    "request.json",
  );
  sayMeaning(drafted, "A person says yes to this");
  const id = textOf(
    await runStep(
      stage,
      "Ask for the payment, with exactly the bytes of request.json. It takes effect only when enough people approved it.",
      "requests",
      "create",
      "--requestData",
      "@request.json",
    ),
    "id",
  );
  await keep(
    "challenge.txt",
    textOf(
      await runStep(
        stage,
        "Now the approval, step by step. The normal way is one command: requests approve api --id ID --sign. First: fetch what has to be signed.",
        "requests",
        "getChallenge",
        "--id",
        id,
      ),
      "challenge",
    ),
  );
  const reviewed = await runStep(
    stage,
    "Second: does it say what was asked for? challenge.txt holds the challenge from above. Each field is compared, also with what was sent from here.",
    "requests",
    "review",
    "--id",
    id,
    "--challenge",
    "@challenge.txt",
  );
  sayMeaning(reviewed, "And to this, which comes from the challenge alone");
  const signed = await runStep(
    stage,
    "Third: sign it with the operator's key, on this machine.",
    "requests",
    "sign",
    "--id",
    id,
    "--challenge",
    "@challenge.txt",
  );
  await keep("signature.txt", textOf(signed, "signature"));
  await runStep(
    stage,
    "Fourth: send the signature, which signature.txt holds.",
    "requests",
    "approve",
    "api",
    "--id",
    id,
    "--signature",
    "@signature.txt",
  );
  await stage.approve?.(id);
  const { request } = await runStep(
    stage,
    "Wait until the people have approved, too.",
    "requests",
    "wait",
    "--id",
    id,
    "--interval",
    "1",
    "--timeout",
    "30",
  );
  await runStep(stage, "End the session on this machine.", "logout");
  return `request ${id} is ${textOf(request as Record<string, unknown>, "state")}`;
}

async function demoWithDevice(): Promise<void> {
  await build([hostTarget()]);
  const { playDevice } = await import("./demo-device.ts");
  const outcome = await playDevice(say).catch((cause: unknown) => {
    throw new StepFailed(cause instanceof Error ? cause.message : String(cause));
  });
  say(`\nDemo complete: ${outcome}; nothing is left behind.`);
}

async function demoWithGuard(): Promise<void> {
  const startedAt = performance.now();
  const { obstacleToGuard, playGuard } = await import("./demo-guard.ts");
  const obstacle = obstacleToGuard();
  if (obstacle !== undefined) throw new StepFailed(obstacle);
  await build([hostTarget()]);
  const folder = await mkdtemp(join(tmpdir(), `${PROGRAM}-demo-`));
  try {
    const { description, stop } = await startSandbox(folder, false);
    try {
      const outcome = await playGuard(say, hostExecutable(), description).catch(
        (cause: unknown) => {
          throw new StepFailed(cause instanceof Error ? cause.message : String(cause));
        },
      );
      const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
      say(`\nDemo complete in ${seconds} s: ${outcome}; nothing is left behind.`);
    } finally {
      await stop();
    }
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** Alice's decision, as the page's button sends it. */
function approveAsAlice({ control }: Description): (id: string) => Promise<void> {
  const alice = defaultSeed().users.find(({ name }) => name.startsWith("Alice"));
  return async (id) => {
    say(`\n# ${alice?.name} approves, as her button on the page would.`);
    const answer = await fetch(`${control}/requests/${id}/review`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ userId: alice?.id, decision: "APPROVE" }),
    });
    if (!answer.ok) throw new StepFailed(await answer.text());
  };
}

/** Resolves when the person has seen enough. */
function interruption(): Promise<void> {
  return new Promise((resolve) => {
    for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => resolve());
  });
}

async function demo(isOpen: boolean): Promise<void> {
  const startedAt = performance.now();
  await build([hostTarget()]);
  const folder = await mkdtemp(join(tmpdir(), `${PROGRAM}-demo-`));
  try {
    const home = join(folder, "home");
    await mkdir(home);
    const { description, stop } = await startSandbox(folder, isOpen);
    try {
      const env = environmentOf(description, home);
      const approve = isOpen ? approveAsAlice(description) : undefined;
      const stage: Stage = { folder, env, approve, count: 0 };
      const outcome = await playFlow(stage);
      const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
      const end = isOpen ? "the sandbox goes on" : "nothing is left behind";
      say(`\nDemo complete: ${stage.count} commands in ${seconds} s, ${outcome}; ${end}.`);
      if (!isOpen) {
        say("Next: the steps of README.md, 'First approval', by your own hand.");
        return;
      }
      const over = interruption();
      say(`Open its page in a browser: ${description.page}`);
      say("Ctrl-C ends the sandbox and leaves nothing behind.");
      await over;
    } finally {
      await stop();
    }
  } finally {
    await rm(folder, { recursive: true });
  }
}

try {
  if (process.argv.includes("--device")) await demoWithDevice();
  else if (process.argv.includes("--guard")) await demoWithGuard();
  else await demo(process.argv.includes("--open"));
} catch (failure) {
  if (!(failure instanceof StepFailed)) throw failure;
  process.stderr.write(`\nDemo failed: ${failure.message}\n`);
  process.exitCode = 1;
}
