/** The static checks as tests, so that `npm test` alone says whether a change is sound. */
import { expect, test } from "bun:test";
import { ROOT } from "../scripts/build.ts";
import { STATIC_CHECKS } from "../scripts/check.ts";

test.each(STATIC_CHECKS.map(([title, command]) => ({ title, command })))(
  "$title",
  async ({ command }) => {
    const { exitCode, stdout, stderr } = Bun.spawnSync([...command], { cwd: ROOT });
    expect({ exitCode, report: exitCode === 0 ? "" : `${stdout}${stderr}` }).toEqual({
      exitCode: 0,
      report: "",
    });
  },
);
