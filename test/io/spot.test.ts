/** OUT-6 What is written at once, to each kind of descriptor that a parent gives. */
import { describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const SOURCE = new URL("../../src/io/spot.ts", import.meta.url).href;

/**
 * Starts a shell for `steps`, which write to stdout by `at(text, held?)` and return what stderr
 * then gets as JSON; or the name of the failure. For Bun, as for Node, a "pipe" is a socket.
 */
function start(steps: string, redirection = ""): Bun.Subprocess<"pipe", "pipe", "pipe"> {
  const script = `
    const { readSync, writeSync } = require("node:fs");
    const { writeOnTheSpot } = await import(${JSON.stringify(SOURCE)});
    const at = (text, held) => writeOnTheSpot(1, Buffer.from(text), held);
    let said;
    try { said = (() => { ${steps} })(); } catch (cause) { said = cause.code; }
    writeSync(2, JSON.stringify(said));`;
  const command = ["sh", "-c", `"$0" -e "$1" ${redirection}`, process.execPath, script];
  return Bun.spawn(command, { stdin: "pipe", stdout: "pipe", stderr: "pipe" });
}

async function answers(
  steps: string,
  redirection?: string,
): Promise<{ readonly text: string; readonly said: unknown }> {
  const child = start(steps, redirection);
  const [text, said] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
  ]);
  return { text, said: JSON.parse(said) };
}

describe.skipIf(process.platform !== "linux")("OUT-6 at once", () => {
  test("a socket takes the first 64 KiB of the process, whole texts only", async () => {
    const { text, said } = await answers(
      `return [at("a".repeat(65000)), at("b".repeat(536)), at("c"), at("")];`,
    );
    expect(said).toEqual([65_000, 536, 0, 0]);
    expect(text).toBe("a".repeat(65_000) + "b".repeat(536));
  });

  test("a text that is too long for a socket ends it for all that follow", async () => {
    const { text, said } = await answers(`return [at("a".repeat(65537)), at("b")];`);
    expect({ text, said }).toEqual({ text: "", said: [0, 0] });
  });

  test("the call that a socket may hold is made by the caller's function, or not at all", async () => {
    const steps = `return [at("a", () => 0), at("b", (call) => call() + 10)];`;
    expect(await answers(steps)).toEqual({ text: "b", said: [0, 11] });
  });

  test("a socket whose reader has gone: the system's name for it", async () => {
    const child = start(`readSync(0, Buffer.alloc(1)); return at("a");`);
    await child.stdout.cancel();
    child.stdin.end();
    expect(await new Response(child.stderr).json()).toBe("EPIPE");
  });

  test("a file and a pipe need no such function, and have no such end", async () => {
    const folder = mkdtempSync(join(tmpdir(), "spot-"));
    const file = join(folder, "out");
    const steps = `return [at("a".repeat(40000), () => 0), at("b".repeat(20000)), at("c")];`;
    try {
      for (const redirection of [`>${file}; cat ${file}`, "| cat"]) {
        const { text, said } = await answers(steps, redirection);
        expect(said).toEqual([40_000, 20_000, 1]);
        expect(text).toBe(`${"a".repeat(40_000)}${"b".repeat(20_000)}c`);
      }
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  test("a pipe that is full takes a part", async () => {
    const folder = mkdtempSync(join(tmpdir(), "spot-"));
    const flag = join(folder, "written");
    const steps = `const said = at("a".repeat(100000));
      require("node:fs").writeFileSync(${JSON.stringify(flag)}, ""); return said;`;
    try {
      const reader = `| { until [ -e ${flag} ]; do sleep 0.05; done; wc -c; }`;
      const { text, said } = await answers(steps, reader);
      expect({ text: text.trim(), said }).toEqual({ text: "65536", said: 65_536 });
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  test("a device is left to others", async () => {
    expect((await answers(`return at("a");`, ">/dev/null")).said).toBe(0);
  });
});
