/**
 * README, SANDBOX, SECURITY and CONTRIBUTING say only what is there: command lines parse, variables
 * are read somewhere, links lead somewhere.
 */
import { expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { Glob } from "bun";
import { ROOT } from "../scripts/build.ts";
import { parse } from "../src/cli/parse.ts";
import { type Sandbox, startSandbox } from "../src/sandbox/index.ts";
import { commands } from "./support/registry.ts";
import { PROGRAM, splitCommand } from "./support/script.ts";

const texts = await Promise.all(
  ["README.md", "SANDBOX.md", "SECURITY.md", "CONTRIBUTING.md"].map((name) =>
    Bun.file(join(ROOT, name)).text(),
  ),
);
const text = texts.join("\n");
const sources = await Promise.all(
  [...new Glob("src/**/*.ts").scanSync(ROOT)].map((name) => Bun.file(join(ROOT, name)).text()),
);

const lines = [...text.matchAll(/^ledger-enterprise-cli .*$/gm)].map(([line]) => line);
test("there are command lines to check", () => expect(lines.length).toBeGreaterThan(5));
test.each(lines)("%s", (line) => {
  const [program, ...argv] = splitCommand(line, new Map());
  expect(program).toBe(PROGRAM);
  expect(parse(argv, commands).target.kind).toBe("command");
});

const variables = [...new Set(text.match(/\bLEDGER_ENTERPRISE_[A-Z_]*[A-Z]\b/g))];
test.each(variables)("%s is read by the program", (name) => {
  const plain = name.replace(/^LEDGER_ENTERPRISE_/, "").replace(/_FILE$/, "");
  expect(sources.some((source) => source.includes(`"${plain}"`) || source.includes(name))).toBe(
    true,
  );
});

const links = [...text.matchAll(/\]\((?!https?:)([^)#]+)\)/g)].map(([, path]) => path ?? "");
test.each(links)("the link to %s leads somewhere", (path) =>
  expect(existsSync(join(ROOT, path))).toBe(true),
);

/** As a reader would send it with curl. */
async function control(
  { description }: Sandbox,
  method: string,
  path: string,
  body?: string,
): Promise<Response> {
  const headers = { "content-type": "application/json" };
  return fetch(`${description.control}${path}`, {
    method,
    headers,
    ...(body === undefined ? {} : { body }),
  });
}

test("the sandbox's control path is as SANDBOX.md says: its lines are taken, its calls and actions are there", async () => {
  const sandbox = await startSandbox();
  try {
    const sent = [...text.matchAll(/^curl .* \$control(\/\w+) -d '(.*)'$/gm)];
    expect(sent.length).toBe(2);
    for (const [line, path = "", body = ""] of sent)
      expect([line, (await control(sandbox, "POST", path, body)).status]).toEqual([line, 200]);
    const calls = [
      ...(texts[1] ?? "").matchAll(
        /`(GET|POST|DELETE) (\/(?:faults|switches|clock|requests|log)[^`]*)`/g,
      ),
    ];
    expect(calls.length).toBe(8);
    for (const [, method = "", path = ""] of calls) {
      const answer = await (
        await control(sandbox, method, path, method === "POST" ? "{}" : undefined)
      ).text();
      expect([method, path, answer.includes("No such control")]).toEqual([method, path, false]);
    }
    const [, row = ""] = /^\| `POST \/faults` \|(.*)$/m.exec(text) ?? [];
    const actions = [...row.matchAll(/`(\w+)`/g)].map(([, name]) => name);
    for (const name of actions) {
      const { issues = [] } = (await (
        await control(sandbox, "POST", "/faults", `{"${name}":[]}`)
      ).json()) as {
        issues?: { message: string }[];
      };
      const isPart = ["method", "path", "times", "location", "bytes", "everyMs"].includes(
        name ?? "",
      );
      expect([name, issues.some(({ message }) => message.startsWith("Unrecognized"))]).toEqual([
        name,
        isPart,
      ]);
    }
  } finally {
    await sandbox.close();
  }
});
