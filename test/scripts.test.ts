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

test("there are scripts to play", () => expect(files.length).toBeGreaterThan(0));

for (const file of files) {
  describe(file, async () => {
    const steps = parseScript(await Bun.file(join(folder, file)).text());
    test.each(forms)("$name", async (form) => {
      await using counterpart = await openSandbox();
      await play(steps, form, counterpart);
    });
  });
}
