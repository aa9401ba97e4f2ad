/** A guard whose disk fills up: nothing is signed or sent without a line on it. */
import { expect } from "bun:test";
import { rm, statfs, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { LONG_MS, withTwoUsers } from "./testing.ts";
import { openTwoUsers, payment } from "./twousers.ts";

const two = withTwoUsers("a guard's full disk");

const MIB = 1024 * 1024;

two(
  "C1 a full disk: no write leaves the guard, reads go on, and it recovers when there is room",
  async () => {
    await using here = await openTwoUsers({ disk: "size=96m" });
    const filler = join(here.state, "filler");
    /** Leaves so many bytes free. */
    const leave = async (bytes: number): Promise<void> => {
      await rm(filler, { force: true });
      const { bavail, bsize } = await statfs(here.state);
      await writeFile(filler, Buffer.alloc(bavail * bsize - bytes));
    };
    const create = (amount: string) =>
      here.agent("requests", "create", "--requestData", payment(amount));
    const first = await create("1000");
    const id = String(first.document.id);
    const approve = () => here.agent("requests", "approve", "api", "--sign", "--id", id);
    // Less than the reserve; then nothing at all.
    for (const [amount, free] of [
      ["1001", 60 * MIB],
      ["1002", 0],
    ] as const) {
      await leave(free);
      for (const { exit, error } of [await create(amount), await approve()])
        expect([free, exit, error.code]).toEqual([free, 1, "AUDIT_UNAVAILABLE"]);
      const listed = await here.agent("accounts", "list");
      expect([free, listed.exit]).toEqual([free, 0]);
      const status = await here.agent("guard", "status");
      expect([free, status.exit, status.document.level]).toEqual([free, 0, "enforced"]);
    }
    expect(here.writes().length).toBe(1);
    await rm(filler);
    expect((await approve()).exit).toBe(0);
    expect((await create("1003")).exit).toBe(0);
    expect((await here.agent("audit", "verify")).document).toMatchObject({ valid: true });
    expect(await here.guard.stop()).toMatchObject({ exit: 0 });
  },
  LONG_MS,
);

two(
  "C1 no room for another file: what is sent has a line on the disk, what has none is not sent",
  async () => {
    await using here = await openTwoUsers({ disk: "size=96m,nr_inodes=400" });
    expect((await here.agent("accounts", "list")).exit).toBe(0);
    const fillers: string[] = [];
    for (let at = 0; ; at += 1) {
      const path = join(here.state, `filler-${at}`);
      const isWritten = await writeFile(path, "").then(
        () => true,
        () => false,
      );
      if (!isWritten) break;
      fillers.push(path);
    }
    expect(fillers.length).toBeGreaterThan(5);
    const created = await here.agent("requests", "create", "--requestData", payment("1000"));
    const intents = (await here.trail()).filter(({ event }) => event === "intent");
    expect([created.exit, created.error?.code, here.writes().length, intents.length]).toEqual([
      1,
      "AUDIT_UNAVAILABLE",
      0,
      0,
    ]);
    for (const path of fillers) await rm(path);
    const again = await here.agent("requests", "create", "--requestData", payment("1000"));
    expect([again.exit, again.error]).toEqual([0, undefined as never]);
    expect(here.writes().length).toBe(1);
    expect((await here.agent("audit", "verify")).document).toMatchObject({ valid: true });
  },
  LONG_MS,
);
