/** `reads` of the two policy files: a reader may do what both allow. */
import { expect, test } from "bun:test";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Reader } from "../../../src/core/api/api.ts";
import { readable } from "../../../src/core/policy/reads.ts";
import { Exact } from "../../../src/io/json.ts";
import { codeOf } from "../../support/failure.ts";
import { FILE } from "../../support/policy.ts";

const READER = {
  read: async () => new Exact("{}"),
  get: async () => new Exact("{}"),
} as unknown as Reader;

const warnings: string[] = [];
const log = { warn: (code: string, text: string) => void warnings.push(`${code}: ${text}`) };

test("A12 a broken or missing named file does not lift what the system's file says of reads", async () => {
  const folder = await mkdtemp(join(tmpdir(), "reads-"));
  try {
    const [system, broken] = [join(folder, "system.json"), join(folder, "named.json")];
    await writeFile(system, JSON.stringify({ ...FILE, reads: ["accounts.get"] }));
    await writeFile(broken, "{");
    for (const named of [broken, join(folder, "none.json"), undefined]) {
      const reader = readable(READER, named, undefined, log, system);
      expect(await codeOf(() => reader.read("accounts.list"))).toBe("POLICY_DENIED");
      expect(await codeOf(() => reader.get("/accounts", []))).toBe("POLICY_DENIED");
      expect(await codeOf(() => reader.read("accounts.get"))).toBe("none");
    }
    // A broken file alone stops no read.
    warnings.length = 0;
    const free = readable(READER, broken, undefined, log, join(folder, "none.json"));
    expect(await codeOf(() => free.read("accounts.list"))).toBe("none");
    // It is said aloud: what reads does not protect.
    expect(warnings).toEqual([
      `POLICY_INVALID: The policy file '${broken}' is not valid: It is not valid JSON: expected a key in double quotes, at line 1, column 2. Reads go on without it; writes and signatures are refused.`,
    ]);
  } finally {
    await rm(folder, { recursive: true });
  }
});
