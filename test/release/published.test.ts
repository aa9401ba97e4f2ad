/**
 * What is published agrees with the one place for names (core/release/names.ts), and with itself.
 */
import { describe, expect, test } from "bun:test";
import { existsSync, readdirSync, writeFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parse } from "yaml";
import { packageTarball, ROOT, VERSION } from "../../scripts/build.ts";
import { installText, stampInstaller, verifyText } from "../../scripts/generate.ts";
import { STEP_NAMES } from "../../scripts/release.ts";
import {
  assetName,
  PACKAGE,
  PUBLISHED_KEY,
  RELEASE_WORKFLOW,
  RELEASES_URL,
  REPOSITORY,
} from "../../src/core/release/names.ts";
import { findArtifacts } from "../support/artifacts.ts";
import { lacks } from "../support/programs.ts";
import { INSTALLER } from "./machine.ts";
import { type Files, PUBLIC_PEM, programOf, RELEASE_KEY, signRelease } from "./releases.ts";

const manifest = (await Bun.file(join(ROOT, "package.json")).json()) as {
  readonly name: string;
  readonly scripts: Readonly<Record<string, string>>;
};
const installer = await Bun.file(INSTALLER).text();

test.skipIf(lacks("shellcheck"))("INS-3 shellcheck has nothing to say about install.sh", () => {
  const { exitCode, stdout } = Bun.spawnSync(["shellcheck", "--shell=sh", INSTALLER]);
  expect({ exitCode, report: stdout.toString() }).toEqual({ exitCode: 0, report: "" });
});

test("install.sh holds the names and the key that the program holds", () => {
  expect(stampInstaller(installer, PUBLISHED_KEY)).toBe(installer);
  expect(installer).toContain(`\nRELEASES_URL=${RELEASES_URL}\n`);
});

test("a key that is stamped into install.sh is the key, in PEM", () => {
  const [, lines = ""] =
    /^RELEASE_KEY='([^']+)'$/m.exec(stampInstaller(installer, RELEASE_KEY)) ?? [];
  expect(`-----BEGIN PUBLIC KEY-----\n${lines}\n-----END PUBLIC KEY-----\n`).toBe(PUBLIC_PEM);
});

test("README and docs/verifying.md show how to install and verify with the names and the key that the program holds", async () => {
  const readme = await Bun.file(join(ROOT, "README.md")).text();
  expect(readme).toContain(installText(PUBLISHED_KEY));
  expect(await Bun.file(join(ROOT, "docs/verifying.md")).text()).toContain(
    verifyText(PUBLISHED_KEY),
  );
  expect(readme.includes("No release is published yet")).toBe(PUBLISHED_KEY === undefined);
});

test("REL-3 what docs/verifying.md says verifies a release, and nothing else", async () => {
  const folder = await mkdtemp(join(tmpdir(), "by-hand-"));
  const asset = assetName(VERSION, "linux-x64");
  const [, commands = ""] = /^```sh\n([^`]*?)```/m.exec(verifyText(RELEASE_KEY)) ?? [];
  const follow = (files: Files) => {
    for (const [name, bytes] of Object.entries(files)) writeFileSync(join(folder, name), bytes);
    const { stdout } = Bun.spawnSync(["dash", "-c", commands], { cwd: folder, stderr: "ignore" });
    const [verdict, listed, found] = stdout.toString().split("\n");
    return { verdict, isSame: listed?.split(" ")[0] === found?.split(" ")[0] };
  };
  const good = signRelease({ [asset]: programOf(VERSION) });
  expect(follow(good)).toEqual({ verdict: "Verified OK", isSame: true });
  expect(follow({ ...good, [asset]: programOf("1.2.3") })).toEqual({
    verdict: "Verified OK",
    isSame: false,
  });
  expect(follow(signRelease({ [asset]: programOf(VERSION) }, "other")).verdict).not.toBe(
    "Verified OK",
  );
  await rm(folder, { recursive: true });
});

test("INS-3 install.sh calls nothing that it must not", () => {
  expect(installer).not.toMatch(
    /\bsudo\b|\beval\b|\|\s*(ba|da)?sh\b|\.(bash|zsh)rc|--insecure|--no-check-certificate/,
  );
  expect(installer.trimEnd().split("\n").at(-1)).toBe('{ main "$@"; exit; }');
  expect(installer).toContain("\nset -eu\n");
});

(lacks("shellcheck") ? test.skip : test).each(["sign.sh", "publish.sh", "try-deb.sh"])(
  "shellcheck has nothing to say about %s",
  (name) => {
    const { exitCode, stdout } = Bun.spawnSync([
      "shellcheck",
      "--shell=sh",
      join(ROOT, "scripts", name),
    ]);
    expect({ exitCode, report: stdout.toString() }).toEqual({ exitCode: 0, report: "" });
  },
);

interface Step {
  readonly uses?: string;
  readonly run?: string;
  readonly with?: Readonly<Record<string, unknown>>;
  readonly env?: Readonly<Record<string, string>>;
}
interface Job {
  readonly needs?: string | readonly string[];
  readonly environment?: string;
  readonly permissions: Readonly<Record<string, string>>;
  readonly "timeout-minutes": number;
  readonly steps: readonly Step[];
}
interface Workflow {
  readonly on: Readonly<Record<string, unknown>>;
  readonly permissions: Readonly<Record<string, string>>;
  readonly jobs: Readonly<Record<string, Job>>;
}

const folder = join(ROOT, ".github/workflows");
const workflows = await Promise.all(
  readdirSync(folder).map(async (name) => {
    const text = await Bun.file(join(folder, name)).text();
    return { name, text, workflow: parse(text) as Workflow };
  }),
);
const release = workflows.find(({ name }) => RELEASE_WORKFLOW.endsWith(`/${name}`))?.workflow;

describe.each(workflows)("$name", ({ text, workflow }) => {
  const jobs = Object.values(workflow.jobs);
  const steps = jobs.flatMap((job) => job.steps);

  test("every action is one of GitHub's own, by the commit of a named version", () => {
    const uses = [...text.matchAll(/\buses: (.*)$/gm)].map(([, value]) => value ?? "");
    expect(uses).toHaveLength(steps.filter((step) => step.uses !== undefined).length);
    expect(
      uses.filter((value) => !/^actions\/[a-z-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$/.test(value)),
    ).toEqual([]);
    const versions = new Map(uses.map((value) => [value.split("@")[0], value]));
    expect(uses.filter((value) => versions.get(value.split("@")[0]) !== value)).toEqual([]);
  });

  test("every command is a script that is there, and takes nothing of the event into a shell", () => {
    const commands = steps.map(({ run }) => run).filter((run) => run !== undefined);
    for (const command of commands) {
      expect(command).not.toContain("${{");
      const known =
        /^npm ci --ignore-scripts$/.test(command) ||
        isPackageScript(command) ||
        existsSync(
          join(
            ROOT,
            /^(?:sudo env "PATH=\$PATH" CI=true bash|sh) (\S+)/.exec(command)?.[1] ?? "missing",
          ),
        );
      expect({ command, known }).toEqual({ command, known: true });
    }
  });

  test("rights are given to each job, and are few; every job ends; no checkout keeps its token", () => {
    expect(workflow.permissions).toEqual({});
    expect(
      jobs.filter((job) => job.permissions === undefined || !(job["timeout-minutes"] <= 90)),
    ).toEqual([]);
    const writers = jobs.filter((job) => Object.values(job.permissions).includes("write"));
    expect(writers.filter(({ environment }) => environment !== "release")).toEqual([]);
    const checkouts = steps.filter(({ uses }) => uses?.startsWith("actions/checkout@"));
    expect(checkouts.filter((step) => step.with?.["persist-credentials"] !== false)).toEqual([]);
    expect(Object.keys(workflow.on)).not.toContainAnyValues([
      "pull_request_target",
      "workflow_run",
      "issue_comment",
    ]);
  });
});

/** `npm run <script>`, and for release a step of it. */
function isPackageScript(command: string): boolean {
  const [, name = "", step] = /^npm run (\S+)(?: -- (\S+))?/.exec(command) ?? [];
  return (
    Object.hasOwn(manifest.scripts, name) && (name !== "release" || STEP_NAMES.includes(step ?? ""))
  );
}

test("REL-3 the key is in one step of one job, in which no dependency is installed", () => {
  const holders = Object.entries(release?.jobs ?? {}).filter(([, job]) =>
    JSON.stringify(job).includes("secrets."),
  );
  expect(holders.map(([name]) => name)).toEqual(["sign"]);
  const steps = release?.jobs.sign?.steps ?? [];
  expect(steps.filter((step) => JSON.stringify(step).includes("secrets."))).toHaveLength(1);
  expect(steps.filter(({ run }) => run !== undefined).map(({ run }) => run)).toEqual([
    "sh scripts/sign.sh dist/release",
  ]);
});

test("REL-4 what is published has been checked, built and signed; npm is told without a token; GitHub's release comes last", () => {
  const { check, build, sign, publish } = release?.jobs ?? {};
  expect(Object.keys(release?.on ?? {})).toEqual(["push"]);
  expect({ sign: sign?.needs, publish: publish?.needs }).toEqual({
    sign: ["check", "build"],
    publish: "sign",
  });
  expect(check?.steps.some(({ run }) => run?.endsWith(".ci/run"))).toBe(true);
  expect(build?.steps.at(-1)?.uses).toContain("upload-artifact");
  const steps = publish?.steps.map(({ run }) => run).filter((run) => run !== undefined) ?? [];
  expect(steps.map((run) => run.split(" ")[2])).toEqual(["draft", "npm", "release"]);
  expect(publish?.steps.find(({ run }) => run?.includes(" npm "))?.env).toBeUndefined();
  expect(publish?.permissions["id-token"]).toBe("write");
});

test("REL-3 the proof of origin is made of the signed list", () => {
  const attest = release?.jobs.sign?.steps.find(({ uses }) =>
    uses?.startsWith("actions/attest-build-provenance@"),
  );
  expect(attest?.with).toEqual({ "subject-checksums": "dist/release/SHA256SUMS" });
});

test("REL-4 the package says where it is made, or npm refuses its proof of origin", async () => {
  await findArtifacts();
  // The folder dist/npm is away for a moment when the demo's test builds it anew.
  const extract = ["tar", "-xzOf", packageTarball(), "package/package.json"];
  const { repository } = JSON.parse(Bun.spawnSync(extract).stdout.toString());
  expect(repository).toEqual({ type: "git", url: `git+https://github.com/${REPOSITORY}.git` });
  expect(manifest.name).toBe(PACKAGE);
});
