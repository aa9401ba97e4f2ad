/**
 * One process that carries out acts in a state folder: `bun acts-worker.ts <folder> <server>
 * <count> <body>`. Each act appends its key to the server's file, which is what was "sent". With
 * `lost` as body's prefix the answer is lost. Prints one line a result, and warnings on stderr.
 */
import { appendFileSync } from "node:fs";
import { hostname } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { Acts } from "../../src/core/acts.ts";
import { createStages } from "../../src/core/belts.ts";
import { NO_POLICY } from "../../src/core/policy/open.ts";
import { Books } from "../../src/core/state/books.ts";
import { StateFolder } from "../../src/core/state/folder.ts";
import { CliError } from "../../src/errors.ts";
import { Exact } from "../../src/io/json.ts";
import { Log } from "../../src/io/log.ts";
import { Redactor } from "../../src/io/redact.ts";

const [, , directory = "", server = "", count = "1", body = ""] = process.argv;
const now = Date.now;
const isAlive = (pid: number): boolean => {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
};
const log = new Log({
  sink: { write: async (text) => void process.stderr.write(text) },
  redactor: new Redactor(),
  debug: false,
  timestamps: false,
  clock: now,
});
const uid = process.getuid?.();
const runtime = {
  now,
  sleep: (ms: number) => sleep(ms).then(() => undefined),
  stop: new AbortController().signal,
};
const place = { path: directory, uid, pid: process.pid, hostname: hostname(), isAlive };
const books = new Books({
  state: new StateFolder(place, runtime),
  ...{ now, detail: "ids", version: "1.0.0", agent: { uid, pid: process.pid } },
  level: () => "none",
});
const stages = createStages({ books, policy: NO_POLICY, log, uid, now });
const acts = new Acts({ command: "requests create", deeds: [], stages: async () => stages });

for (let at = 0; at < Number(count); at += 1) {
  const amount = body === "" ? `${process.pid}.${at}.${performance.timeOrigin}` : body;
  const document = new Exact(JSON.stringify({ type: "CREATE_TRANSACTION", data: { amount } }));
  const intent = {
    kind: "create" as const,
    operation: "requests.create",
    command: "requests create",
    requestId: undefined,
    content: undefined,
    body: document,
    session: {
      version: 1 as const,
      kind: "api" as const,
      apiVersion: "v2" as const,
      origin: "https://vault.example",
      basePath: "",
      workspace: "w",
    },
  };
  const work = async (key: string | undefined) => {
    appendFileSync(server, `${key}\n`);
    if (body.startsWith("lost")) throw new CliError("OUTCOME_UNKNOWN", { message: "Lost." });
    return String(key);
  };
  const startedAt = performance.now();
  const result = await acts.perform(intent, work, (id) => id).catch((cause: unknown) => cause);
  const ms = Math.round(performance.now() - startedAt);
  if (result instanceof CliError)
    console.log(`${result.code} ${ms} ${JSON.stringify(result.facts.details ?? {})}`);
  else console.log(`DONE ${ms} ${String(result)}`);
}
