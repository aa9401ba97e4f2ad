/**
 * `skill install` and `skill doctor` of the built program on a real file system: rows P01–P08,
 * rules INS-1 and INS-2.
 */
import { afterAll, beforeEach, describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import {
  chmod,
  lstat,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rm,
  stat,
  symlink,
  writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { VERSION } from "../../scripts/build.ts";
import { twoForms } from "../hostile/program.ts";
import { forbiddenIn } from "./told.ts";

const NAME = "ledger-enterprise-cli";
const RECORD = ".ledger-enterprise-cli.json";
const top = await mkdtemp(join(tmpdir(), "skill-"));
afterAll(() => rm(top, { recursive: true, force: true }));

let count = 0;
for (const form of await twoForms()) {
  describe(form.name, () => {
    let home = "";
    let cwd = "";
    beforeEach(async () => {
      count += 1;
      [home, cwd] = [join(top, `${count}`, "home"), join(top, `${count}`, "work")];
      for (const path of [home, cwd]) await mkdir(path, { recursive: true });
    });

    interface Result {
      readonly exit: number | null;
      readonly text: string;
      readonly document: Record<string, unknown>;
      readonly code: string | undefined;
    }

    async function run(...argv: string[]): Promise<Result> {
      const { exit, stdout, stderr } = await form.run({
        argv: ["skill", ...argv],
        env: { HOME: home },
        stdin: undefined,
        cwd,
      });
      expect(stderr).toBe("");
      const document = stdout.startsWith("{")
        ? (JSON.parse(stdout) as Record<string, unknown>)
        : {};
      const error = document.error as { code: string; exitCode: number } | undefined;
      if (error !== undefined) expect(error.exitCode).toBe(exit as number);
      return { exit, text: stdout, document, code: error?.code };
    }

    /**
     * Every file below `folder` with its content, and every link; the same listing means that
     * nothing changed.
     */
    async function listing(folder: string): Promise<string[]> {
      const entries = await readdir(folder, { recursive: true, withFileTypes: true });
      const lines = await Promise.all(
        entries.map(async (entry) => {
          const path = join(entry.parentPath, entry.name);
          const found = await lstat(path);
          const content = found.isFile()
            ? createHash("sha256")
                .update(await readFile(path))
                .digest("hex")
            : "";
          return `${path} ${found.mode.toString(8)} ${found.isDirectory() ? "" : found.mtimeMs} ${content}`;
        }),
      );
      return lines.sort();
    }

    const skill = (...parts: string[]): string => join(cwd, "skills", NAME, ...parts);

    async function status(): Promise<unknown> {
      const { document } = await run("doctor", "--path", "skills");
      const [only] = document.installations as { status: string }[];
      return only?.status;
    }

    /**
     * Makes the installed copy one that another version wrote: its files changed, and its record
     * with them.
     */
    async function pretendVersion(version: string): Promise<void> {
      const record = JSON.parse(await readFile(skill(RECORD), "utf8")) as {
        files: Record<string, string>;
        version: string;
      };
      await writeFile(skill("SKILL.md"), `the skill of ${version}\n`);
      await writeFile(skill("references", "retired.md"), "a page that is no more\n");
      const hash = (text: string): string => createHash("sha256").update(text).digest("hex");
      record.files = {
        ...record.files,
        "SKILL.md": hash(`the skill of ${version}\n`),
        "references/retired.md": hash("a page that is no more\n"),
      };
      await writeFile(skill(RECORD), JSON.stringify({ ...record, version }));
    }

    test("P01 without a target the skill is printed and nothing is written", async () => {
      const before = await listing(top);
      const [installed, shown] = [await run("install"), await run("show")];
      expect(installed).toMatchObject({
        exit: 0,
        text: await Bun.file(join(import.meta.dir, "../../skill/SKILL.md")).text(),
      });
      expect(shown.text).toBe(installed.text);
      expect(await listing(top)).toEqual(before);
    });

    test("P02 a folder that does not exist is made, with everything in it", async () => {
      const { exit, document } = await run("install", "--path", "skills/of/mine");
      expect({ exit, document }).toEqual({
        exit: 0,
        document: {
          path: `skills/of/mine/${NAME}`,
          version: VERSION,
          before: "absent",
          changed: true,
        },
      });
      const source = join(import.meta.dir, "../../skill");
      for (const file of await readdir(source, { recursive: true })) {
        if (!file.endsWith(".md")) continue;
        const path = join(cwd, "skills/of/mine", NAME, file);
        expect(await readFile(path, "utf8")).toBe(await readFile(join(source, file), "utf8"));
        expect((await stat(path)).mode & 0o777).toBe(0o644);
      }
    });

    test("installing twice changes nothing", async () => {
      await run("install", "--path", "skills");
      const before = await listing(cwd);
      expect((await run("install", "--path", "skills")).document).toEqual({
        path: `skills/${NAME}`,
        version: VERSION,
        before: "current",
        changed: false,
      });
      expect(await listing(cwd)).toEqual(before);
    });

    test("P03 a file in place of the folder, or above it", async () => {
      await writeFile(join(cwd, "skills"), "mine");
      for (const path of ["skills", "skills/deeper"]) {
        expect(await run("install", "--path", path)).toMatchObject({
          exit: 2,
          code: "INVALID_PATH",
        });
      }
      expect(await readFile(join(cwd, "skills"), "utf8")).toBe("mine");
    });

    test("P04 a folder that cannot be written to", async () => {
      // No user can write there, not even root.
      expect(await run("install", "--path", "/proc/self/skills")).toMatchObject({
        exit: 1,
        code: "IO_ERROR",
      });
    });

    test("P05 an older copy is replaced whole, and what it had too much is gone", async () => {
      await run("install", "--path", "skills");
      await pretendVersion("0.0.1");
      expect(await status()).toBe("outdated");
      expect((await run("install", "--path", "skills")).document).toMatchObject({
        before: "outdated",
        changed: true,
      });
      expect(await status()).toBe("current");
      expect(await readdir(skill("references"))).not.toContain("retired.md");
      expect(
        (await readdir(skill(), { recursive: true })).filter((name) => name.endsWith(".tmp")),
      ).toEqual([]);
    });

    test("P06 a file that is not ours is kept, and replaced only with --force", async () => {
      await mkdir(skill(), { recursive: true });
      await writeFile(skill("SKILL.md"), "somebody's own");
      const before = await listing(cwd);
      const refused = await run("install", "--path", "skills");
      expect(refused).toMatchObject({ exit: 2, code: "FILE_EXISTS" });
      expect(refused.document.error).toMatchObject({ details: { files: ["SKILL.md"] } });
      expect(await listing(cwd)).toEqual(before);
      expect(await status()).toBe("modified");
      expect(await run("install", "--path", "skills", "--force")).toMatchObject({ exit: 0 });
      expect(await status()).toBe("current");
    });

    test("P06 a copy that was changed since is kept", async () => {
      await run("install", "--path", "skills");
      await writeFile(skill("references", "requests.md"), "notes of ours");
      expect(await status()).toBe("modified");
      expect(await run("install", "--path", "skills")).toMatchObject({
        exit: 2,
        code: "FILE_EXISTS",
      });
      expect(await readFile(skill("references", "requests.md"), "utf8")).toBe("notes of ours");
    });

    test("P6 a copy whose lines end in CR LF is current, and outdated as any other", async () => {
      await run("install", "--path", "skills");
      for (const name of [skill("SKILL.md"), skill("references", "requests.md")])
        await writeFile(name, (await readFile(name, "utf8")).replaceAll("\n", "\r\n"));
      expect(await status()).toBe("current");
      expect(await run("install", "--path", "skills")).toMatchObject({
        exit: 0,
        document: { changed: false },
      });
      await writeFile(skill("SKILL.md"), `${await readFile(skill("SKILL.md"), "utf8")}\r`);
      expect(await status()).toBe("modified");
    });

    test("a copy that lost a file is mended", async () => {
      await run("install", "--path", "skills");
      await rm(skill("references", "errors.md"));
      expect(await status()).toBe("modified");
      expect(await run("install", "--path", "skills")).toMatchObject({ exit: 0 });
      expect(await status()).toBe("current");
    });

    test("a newer copy is kept", async () => {
      await run("install", "--path", "skills");
      await pretendVersion("99.0.0");
      expect(await status()).toBe("newer");
      expect(await run("install", "--path", "skills")).toMatchObject({
        exit: 2,
        code: "FILE_EXISTS",
      });
      expect(await status()).toBe("newer");
    });

    test("P07 an empty path and an unexpanded ~ make no folder", async () => {
      expect(await run("install", "--path", "~/skills")).toMatchObject({
        exit: 2,
        code: "INVALID_PATH",
      });
      expect(await run("install", "--path", "")).toMatchObject({
        exit: 2,
        code: "INVALID_ARGUMENT",
      });
      expect(await readdir(cwd)).toEqual([]);
    });

    test("P08 a full disk leaves the old copy as it was", async () => {
      const disk = join(cwd, "disk");
      await mkdir(disk);
      // Room for the copy, and for a part of the next.
      const mounted = Bun.spawnSync(["mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", disk]);
      if (mounted.exitCode !== 0)
        throw new Error(`This test needs root to mount a small disk: ${mounted.stderr}`);
      try {
        expect(await run("install", "--path", "disk")).toMatchObject({ exit: 0 });
        await writeFile(join(disk, NAME, "SKILL.md"), "changed");
        const filler = Bun.spawnSync(["dd", "if=/dev/zero", `of=${disk}/filler`, "bs=1k"]);
        expect(filler.exitCode).not.toBe(0);
        // Some of the new files find room, not all.
        expect(Bun.spawnSync(["truncate", "-s", "-16K", join(disk, "filler")]).exitCode).toBe(0);
        const before = await listing(disk);
        expect(await run("install", "--path", "disk", "--force")).toMatchObject({
          exit: 1,
          code: "IO_ERROR",
        });
        expect(await listing(disk)).toEqual(before);
      } finally {
        Bun.spawnSync(["umount", disk]);
      }
    });

    test.each([
      ["the folder of skills", "skills"],
      ["the skill's folder", `skills/${NAME}`],
      ["the folder of references", `skills/${NAME}/references`],
    ])("INS-1 a symbolic link in place of %s is not followed", async (_what, place) => {
      const elsewhere = join(cwd, "elsewhere");
      await mkdir(elsewhere);
      await mkdir(join(cwd, place, ".."), { recursive: true });
      await symlink(elsewhere, join(cwd, place));
      expect(await run("install", "--path", "skills")).toMatchObject({
        exit: 2,
        code: "INVALID_PATH",
      });
      expect(await readdir(elsewhere)).toEqual([]);
    });

    test("INS-1 a symbolic link in place of a file is refused, and with --force replaced, never written through", async () => {
      await mkdir(skill(), { recursive: true });
      await writeFile(join(cwd, "treasure"), "mine");
      await symlink(join(cwd, "treasure"), skill("SKILL.md"));
      expect(await run("install", "--path", "skills")).toMatchObject({
        exit: 2,
        code: "FILE_EXISTS",
      });
      expect(await run("install", "--path", "skills", "--force")).toMatchObject({ exit: 0 });
      expect(await readFile(join(cwd, "treasure"), "utf8")).toBe("mine");
      expect((await lstat(skill("SKILL.md"))).isSymbolicLink()).toBe(false);
    });

    test("INS-1 a project whose agent folder leads out of it is refused", async () => {
      await mkdir(join(home, "private"));
      await symlink(join(home, "private"), join(cwd, ".agents"));
      expect(await run("install", "--agent", "agents")).toMatchObject({
        exit: 2,
        code: "INVALID_PATH",
      });
      expect(await readdir(join(home, "private"))).toEqual([]);
    });

    test("INS-1 a record that names other places makes nothing outside be removed", async () => {
      await run("install", "--path", "skills");
      await writeFile(join(cwd, "treasure.md"), "mine");
      const record = JSON.parse(await readFile(skill(RECORD), "utf8")) as {
        files: Record<string, string>;
      };
      const hash = createHash("sha256").update("mine").digest("hex");
      record.files["references/../../../treasure.md"] = hash;
      await writeFile(skill(RECORD), JSON.stringify({ ...record, version: "0.0.1" }));
      await run("install", "--path", "skills", "--force");
      expect(await readFile(join(cwd, "treasure.md"), "utf8")).toBe("mine");
    });

    test("INS-1 nothing but the fixed names is written", async () => {
      await run("install", "--path", "skills");
      const files = (await readdir(skill(), { recursive: true })).sort();
      expect(
        files.filter(
          (name) =>
            !/^(SKILL\.md|references(\/[a-z]+\.md)?|\.ledger-enterprise-cli\.json)$/.test(name),
        ),
      ).toEqual([]);
    });

    test("INS-2 what is installed has the program's version, no absolute path and no secret", async () => {
      await run("install", "--path", "skills");
      expect(await readFile(skill("SKILL.md"), "utf8")).toContain(`version: "${VERSION}"`);
      const files = (await readdir(skill(), { recursive: true })).filter((name) =>
        name.endsWith(".md"),
      );
      expect(files.length).toBeGreaterThan(3);
      for (const file of files)
        expect(forbiddenIn(await readFile(skill(file), "utf8"))).toEqual([]);
    });

    test("agents have their folders, in the project and in the home folder", async () => {
      await run("install", "--agent", "agents");
      await run("install", "--agent", "claude-code", "--global");
      expect((await stat(join(cwd, ".agents/skills", NAME, "SKILL.md"))).isFile()).toBe(true);
      expect((await stat(join(home, ".claude/skills", NAME, "SKILL.md"))).isFile()).toBe(true);
      await chmod(join(home, ".claude/skills", NAME, "SKILL.md"), 0o644);
      await writeFile(join(home, ".claude/skills", NAME, "SKILL.md"), "changed");
      const { document } = await run("doctor");
      const found = document.installations as {
        path: string;
        status: string;
        agents: string[];
        changed?: string[];
      }[];
      expect(found.map(({ path, status: how }) => [path, how])).toEqual([
        [`.agents/skills/${NAME}`, "current"],
        [join(home, ".claude/skills", NAME), "modified"],
      ]);
      expect(found[0]?.agents).toContain("codex");
      expect(found[1]).toMatchObject({ agents: ["claude-code"], changed: ["SKILL.md"] });
    });

    test("every agent that is listed can be installed for", async () => {
      const { document } = await run("list");
      const agents = document.agents as { agent: string; project: string; user: string }[];
      expect(agents.length).toBeGreaterThan(15);
      for (const { agent, project, user } of agents) {
        expect((await run("install", "--agent", agent)).document).toMatchObject({
          path: `${project}/${NAME}`,
        });
        expect((await run("install", "--agent", agent, "--global")).document).toMatchObject({
          path: join(home, user, NAME),
        });
        for (const folder of [project, user]) expect(folder).not.toMatch(/^\/|\.\.|~/);
      }
    });

    test.each([
      [["--agent", "agents", "--path", "skills"], "INVALID_ARGUMENT"],
      [["--path", "skills", "--global"], "INVALID_ARGUMENT"],
      [["--agent", "clippy"], "INVALID_ARGUMENT"],
    ])("contradicting options are refused: %p", async (argv, code) => {
      expect(await run("install", ...argv)).toMatchObject({ exit: 2, code });
      expect(await readdir(cwd)).toEqual([]);
    });
  });
}
