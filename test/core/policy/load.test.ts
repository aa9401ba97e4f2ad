/** A policy file is read anew at each use; what its bytes mean is worked out once. */
import { expect, test } from "bun:test";
import { mkdtemp, rm, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { loadPolicies } from "../../../src/core/policy/load.ts";
import { failureOf } from "../../support/failure.ts";
import { FILE } from "../../support/policy.ts";

test("the same bytes are one policy; others count at once, whatever the file's size and time", async () => {
  const folder = await mkdtemp(join(tmpdir(), "load-"));
  try {
    const [named, none] = [join(folder, "named.json"), join(folder, "none.json")];
    const write = async (id: string): Promise<void> => {
      await writeFile(named, JSON.stringify({ ...FILE, id }));
      await utimes(named, 1, 1);
    };
    const load = () => loadPolicies(named, undefined, none)[0];
    await write("first");
    const first = load();
    expect(first?.id).toBe("first");
    expect(load()).toBe(first);
    await write("later");
    expect(load()).toMatchObject({ id: "later", path: named });
    expect(load()?.sha256).not.toBe(first?.sha256);
    await writeFile(named, "{");
    expect(failureOf(load).code).toBe("POLICY_INVALID");
    await rm(named);
    expect(failureOf(load).code).toBe("POLICY_INVALID");
    await write("first");
    expect(load()).toEqual(first);
    // The same bytes elsewhere are another file's policy.
    await writeFile(none, JSON.stringify({ ...FILE, id: "first" }));
    expect(loadPolicies(named, undefined, none).map(({ path }) => path)).toEqual([none, named]);
  } finally {
    await rm(folder, { recursive: true });
  }
});
