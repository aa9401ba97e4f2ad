/** Acts over a state folder of their own, without a program or a server around them. */
import { mkdtempSync } from "node:fs";
import { readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Acts, type Intent } from "../../src/core/acts.ts";
import { createStages } from "../../src/core/belts.ts";
import { NO_POLICY, type PolicyStage } from "../../src/core/policy/open.ts";
import type { SendingTime } from "../../src/core/sending.ts";
import type { AuditDetail } from "../../src/core/state/audit.ts";
import { Books } from "../../src/core/state/books.ts";
import { StateFolder } from "../../src/core/state/folder.ts";
import type { Session } from "../../src/core/state/session.ts";
import { CliError } from "../../src/errors.ts";
import { Exact } from "../../src/io/json.ts";
import { Log } from "../../src/io/log.ts";
import { Redactor } from "../../src/io/redact.ts";

const root = mkdtempSync(join(tmpdir(), "acts-"));
process.on("exit", () => void rm(root, { recursive: true, force: true }));
let folders = 0;

export const SESSION: Session = {
  version: 1,
  kind: "api",
  apiVersion: "v2",
  origin: "https://vault.example",
  basePath: "/v1/rest",
  workspace: "minivault",
  user: { id: "operator" },
};

/** A create of this body. */
export function createIntent(body: Exact, again?: string): Intent {
  return {
    kind: "create",
    operation: "requests.create",
    command: "requests create",
    session: SESSION,
    requestId: undefined,
    content: undefined,
    body,
    again,
  };
}

/** A small payment, whose `amount` tells it from others. */
export function payment(amount: string, note?: string): Exact {
  const data = { accountId: "account-one", transactionData: { amount, recipient: "0xb5" } };
  return new Exact(JSON.stringify({ type: "CREATE_TRANSACTION", data, note }));
}

export interface ActsOptions {
  readonly now?: () => number;
  /** A state folder that is there already. */
  readonly directory?: string;
  /** Whose acts these are; the own user's when absent. */
  readonly peer?: number;
  /** `ids` when absent. */
  readonly detail?: AuditDetail;
  policy?(books: Books): PolicyStage;
  sendingTime?(): SendingTime;
  apiTime?(): number | undefined;
}

export function openActs(options: ActsOptions = {}) {
  folders += 1;
  const { now = Date.now, directory = join(root, String(folders)) } = options;
  const warnings: string[] = [];
  const log = new Log({
    sink: { write: async (text) => void warnings.push(text) },
    redactor: new Redactor(),
    debug: false,
    timestamps: false,
    clock: now,
  });
  const uid = process.getuid?.();
  const runtime = { now, sleep: async () => undefined, stop: new AbortController().signal };
  const process_ = { pid: process.pid, hostname: "here", isAlive: () => true };
  const state = new StateFolder({ path: directory, uid, ...process_ }, runtime);
  const books = new Books({
    ...{
      state,
      now,
      detail: options.detail ?? "ids",
      version: "1.0.0",
      agent: { uid, pid: process.pid },
    },
    level: () => "none",
  });
  const policy = options.policy?.(books) ?? NO_POLICY;
  const { sendingTime, apiTime = () => undefined } = options;
  const stages = createStages({ books, policy, log, uid: options.peer ?? uid, now, apiTime });
  const host = { command: "requests create", deeds: [], stages: async () => stages };
  const acts = new Acts({ ...host, sendingTime });
  const lines = async (name: "audit" | "journal"): Promise<Record<string, unknown>[]> => {
    const files = books[name].files().map((file) => join(directory, name, file));
    const texts = await Promise.all(files.map((file) => readFile(file, "utf8")));
    return texts.flatMap((text) =>
      text
        .trimEnd()
        .split("\n")
        .map((line) => JSON.parse(line)),
    );
  };
  return { acts, books, directory, lines, warnings, state };
}

/** The failure of ours that `work` ends in. */
export async function failing(work: Promise<unknown>): Promise<CliError> {
  const cause = await work.then(
    () => undefined,
    (failure: unknown) => failure,
  );
  if (cause instanceof CliError) return cause;
  throw new Error("it did not fail with an error of ours", { cause });
}
