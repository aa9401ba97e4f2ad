/** Every script of test/scripts in every form of the program. */
import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { Glob } from "bun";
import { allForms } from "./support/forms.ts";
import { play } from "./support/play.ts";
import { openSandbox } from "./support/sandbox.ts";
import { parseScript } from "./support/script.ts";

const folder = join(import.meta.dir, "scripts");
const files = [...new Glob("*.txt").scanSync(folder)].sort();
const forms = await allForms();

test("REL-6 the scripts run on the source, the executable and the npm package on each Node", () => {
  expect(files.length).toBeGreaterThan(0);
  expect(forms.map(({ name }) => name.replace(/ on Node \d+$/, ""))).toEqual(
    expect.arrayContaining(["source", "executable", "npm package"]),
  );
});

for (const file of files) {
  describe(file, async () => {
    const steps = parseScript(await Bun.file(join(folder, file)).text());
    test.each(forms)("$name", async (form) => {
      await using counterpart = await openSandbox();
      await play(steps, form, counterpart);
    });
  });
}
