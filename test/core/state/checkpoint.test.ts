/** The copy of the journal that saves reading all of it: what it holds, and when it is not used. */
import { beforeAll, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { cp, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { linesBetween, readCheckpoint } from "../../../src/core/state/checkpoint.ts";
import type { Journal } from "../../../src/core/state/journal.ts";
import { CliError } from "../../../src/errors.ts";
import { createIntent, failing, openActs, payment } from "../../support/acts.ts";

const NOON = Date.UTC(2026, 10, 28, 12);
const COUNT = 260;
const original = openActs({ now: () => NOON });

// Every tenth payment's answer is lost.
beforeAll(async () => {
  for (let at = 0; at < COUNT; at += 1) {
    const work = async () => {
      if (at % 10 === 9) throw new CliError("OUTCOME_UNKNOWN", { message: "Lost." });
      return `R${at}`;
    };
    const intent = createIntent(payment(`${at}`));
    await original.acts.perform(intent, work, (id) => id).catch(() => undefined);
  }
}, 240_000);

/** A copy of a state folder with these payments. */
async function folder(): Promise<string> {
  const { directory } = openActs();
  await cp(original.directory, directory, { recursive: true });
  return directory;
}

const known = (journal: Journal) =>
  [...journal.all()].map(({ key, state, requestId, likeness, time, isDebited, workspace }) => {
    return { key, state, requestId, likeness, time, isDebited, workspace };
  });

const copyOf = (directory: string) => join(directory, "journal/journal.state");

test("A20 a process that begins anew reads the copy and what came after it, and knows the same", async () => {
  const directory = await folder();
  const { books } = original;
  const found = readCheckpoint(join(directory, "journal"));
  const head = books.journal.head();
  expect((head?.seq ?? 0) - (found?.head.seq ?? 0)).toBeLessThan(linesBetween(COUNT));
  const other = openActs({ directory }).books.read();
  expect(other.size).toBe(COUNT);
  expect(known(other)).toEqual(known(books.read()));
  await rm(copyOf(directory));
  expect(known(openActs({ directory }).books.read())).toEqual(known(other));
});

test("A11 a copy that was altered, cut or is of another time is not used", async () => {
  const directory = await folder();
  const right = await readFile(copyOf(directory), "utf8");
  const truth = known(openActs({ directory }).books.read());
  const wrong = [
    right.replaceAll('"open"', '"done"'),
    right.replace(/"isDebited":true/g, '"isDebited":false'),
    right.slice(0, -20),
    "{}",
    "",
    right.replace(/"seq":\d+/, '"seq":1'),
    right.replace(/"size":\d+/, '"size":0'),
    right.replace(/"file":"[^"]*"/, '"file":"journal-00000000-000001.jsonl"'),
  ];
  for (const [at, text] of wrong.entries()) {
    await writeFile(copyOf(directory), text);
    const read = known(openActs({ directory }).books.read());
    expect([at, read.length === truth.length, read]).toEqual([at, true, truth]);
  }
});

test("A11 with a copy, a line that is changed after it is still found", async () => {
  const directory = await folder();
  const { books } = original;
  expect(existsSync(copyOf(directory))).toBe(true);
  const path = join(directory, "journal", String(books.journal.files()[0]));
  const text = await readFile(path, "utf8");
  const lines = text.trimEnd().split("\n");
  const at = lines.findLastIndex((line) => line.includes('"event":"intent"'));
  lines[at] = String(lines[at]).replace('"open"', '"done"').replace("requests", "Requests");
  await writeFile(path, `${lines.join("\n")}\n`);
  const work = async () => "R";
  const { code } = await failing(
    openActs({ directory }).acts.perform(createIntent(payment("x")), work),
  );
  expect(code).toBe("AUDIT_BROKEN");
});

test("A11 a journal that was removed is not one that never was", async () => {
  const here = openActs();
  await here.acts.perform(
    createIntent(payment("1")),
    async () => "R1",
    (id) => id,
  );
  await rm(join(here.directory, "journal"), { recursive: true });
  let sent = 0;
  const again = openActs({ directory: here.directory });
  const work = async () => {
    sent += 1;
    return "R2";
  };
  expect((await failing(again.acts.perform(createIntent(payment("2")), work))).code).toBe(
    "AUDIT_BROKEN",
  );
  expect(sent).toBe(0);
  await again.books.alone(async (pages) => void pages.restart("The journal was lost.", "test"));
  expect(again.books.read().restartedAt).toBeGreaterThan(0);
  await again.acts.perform(createIntent(payment("2")), work);
  expect(sent).toBe(1);
});
