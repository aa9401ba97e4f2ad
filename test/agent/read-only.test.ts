/**
 * LEDGER_ENTERPRISE_READ_ONLY follows from a command's effect: whatever writes or signs is refused,
 * also what is added later.
 */
import { expect, test } from "bun:test";
import { FACTS } from "../../src/app/capabilities.ts";
import { manifest } from "../../src/cli/manifest.ts";
import { commands } from "../support/registry.ts";
import { at, openWorld } from "./world.ts";

const { commands: COMMANDS } = manifest(commands, FACTS);
const CHANGING = COMMANDS.filter(({ effect }) => effect === "write" || effect === "sign");

test("there are commands that write, and commands that sign", () => {
  expect(new Set(CHANGING.map(({ effect }) => effect))).toEqual(new Set(["write", "sign"]));
});

test.each(CHANGING)("$name is refused before anything is read or sent", async ({ name }) => {
  await using world = await openWorld();
  await world.run("login api");
  await world.control("forget", "");
  world.env.LEDGER_ENTERPRISE_READ_ONLY = "1";
  // Every option is missing, and a file that is named does not exist: the mode comes first.
  for (const line of [name, `${name} --dryRun`]) {
    const { exit, document } = await world.run(line);
    expect({ line, exit, code: at(document, "error.code") }).toEqual({
      line,
      exit: 2,
      code: "READ_ONLY",
    });
  }
  await world.control("calls", "none");
});

// `mcp` speaks a protocol; its tools are refused one by one (test/mcp/gates.test.ts).
const OTHERS = COMMANDS.filter(({ name, effect }) => {
  return name !== "mcp" && effect !== "write" && effect !== "sign";
});

test.each(OTHERS)("$name is not refused", async ({ name }) => {
  await using world = await openWorld();
  world.env.LEDGER_ENTERPRISE_READ_ONLY = "1";
  // An option that no command has ends the run before it does anything.
  const { document } = await world.run(`${name} --noSuchOption`);
  expect(at(document, "error.code")).toBe("UNKNOWN_OPTION");
  const { document: missing } = await world.run(
    name === "sandbox start" ? `${name} --port 0` : name === "upgrade" ? `${name} --help` : name,
  );
  expect(at(missing, "error.code")).not.toBe("READ_ONLY");
});
