/**
 * A small edition of `npm run stress`: processes of the built program on one session with one-time
 * refresh tokens, killed and logged out.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { crowd, killOneByOne, Stage } from "../scripts/stress.ts";
import { twoForms } from "./hostile/program.ts";
import { Random } from "./support/random.ts";

for (const form of await twoForms()) {
  describe(form.name, () => {
    let stage: Stage;
    beforeAll(async () => {
      stage = await Stage.open(form.command, new Random(24));
    });
    afterAll(() => stage[Symbol.asyncDispose]());

    test("SES-5 24 processes: exactly one refresh, all succeed", async () => {
      const figures = await crowd(stage, 24);
      expect(figures).toEqual({
        endings: { OK: 24 },
        session: "valid",
        leftovers: 0,
        accepted: 1,
        refused: 0,
        broken: [],
      });
    });

    test("SES-6 24 processes, some of them killed: the others go on", async () => {
      const { broken, endings } = await crowd(stage, 24, { kills: 8 });
      expect(broken).toEqual([]);
      expect(Object.values(endings).reduce((sum, count) => sum + count, 0)).toBe(24);
    });

    test("L11 SES-8 24 processes and a logout among them: no session comes back", async () => {
      const { broken, session } = await crowd(stage, 24, { logout: true });
      expect({ broken, session }).toEqual({ broken: [], session: "none" });
    });

    test("SES-2 20 logins and refreshes killed at random moments: a whole session or none, and the next command works", async () => {
      const { broken, session } = await killOneByOne(stage, 20);
      expect(broken).toEqual([]);
      expect(["valid", "none"]).toContain(session);
    });
  });
}
