/**
 * The image of containers/, laid out by its own script and run as a container would: chroot, an
 * unprivileged user, a read-only root.
 */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { chownSync, mkdirSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { SECRET } from "../hostile/program.ts";
import { http, RawApi } from "../hostile/raw-api.ts";
import type { Outcome } from "../support/forms.ts";
import { NOTHING_PUBLISHED } from "../support/releases.ts";
import { CONTAINERFILE, ENTRYPOINT, ENV, layOut, USER } from "./image.ts";

let folder: string;
let root: string;
let secrets: string;
let api: RawApi;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "image-"));
  root = await layOut(folder);
  secrets = join(folder, "secrets");
  mkdirSync(secrets);
  writeFileSync(join(secrets, "api-key-secret"), `${SECRET}\n`, { mode: 0o400 });
  chownSync(join(secrets, "api-key-secret"), 65_532, 65_532);
  api = await RawApi.start();
  api.serve({
    "GET /accounts": [
      http("200 OK", '{"page":1,"next":null,"prev":null,"pageSize":30,"total":0,"results":[]}'),
    ],
  });
});
afterAll(async () => {
  await api[Symbol.asyncDispose]();
  await rm(folder, { recursive: true });
});

/** Runs the commands one after the other in one container; `%` in them is the program. */
async function contain(
  commands: string,
  { prepare = "mount -t proc proc proc", volume = "mode=0700,uid=65532,gid=65532" } = {},
): Promise<Outcome> {
  const mounts = `cd "$0"; mount --bind . .; cd "$0"; mount -t tmpfs -o ${volume},noexec tmpfs state
    mount --bind "$1" run/secrets; mount -o remount,bind,ro run/secrets; ${prepare}; mount -o remount,bind,ro .`;
  const inside = `chroot --userspec=${USER} --groups= . ${ENTRYPOINT}`;
  const child = Bun.spawn(
    ["unshare", "-m", "sh", "-ec", `${mounts}; ${commands.replaceAll("%", inside)}`, root, secrets],
    {
      env: {
        PATH: "/usr/sbin:/usr/bin:/sbin:/bin",
        ...ENV,
        ...NOTHING_PUBLISHED,
        LEDGER_ENTERPRISE_API_URL: api.url,
        LEDGER_ENTERPRISE_WORKSPACE: "minivault",
        LEDGER_ENTERPRISE_API_KEY_ID: "key-id",
      },
      stdin: "ignore",
      stdout: "pipe",
      stderr: "pipe",
    },
  );
  const [stdout, stderr] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
  ]);
  return { exit: await child.exited, stdout, stderr };
}

test("the image holds the program and nothing else that could be run", () => {
  expect(ENTRYPOINT).toBe("/usr/local/bin/ledger-enterprise-cli");
  expect(readdirSync(root).toSorted()).toEqual([
    "dev",
    "etc",
    "lib",
    "lib64",
    "proc",
    "run",
    "state",
    "usr",
  ]);
  const executables = Bun.spawnSync([
    "find",
    root,
    "-type",
    "f",
    "-perm",
    "/111",
    "-not",
    "-name",
    "*.so*",
  ]);
  expect(executables.stdout.toString()).toBe(`${join(root, ENTRYPOINT)}\n`);
  expect(Bun.spawnSync(["find", root, "-perm", "/6000"]).stdout.toString()).toBe("");
  expect(statSync(join(root, "state")).mode & 0o777).toBe(0o700);
});

test("an unprivileged user on a read-only root logs in with a secret from a file and reads", async () => {
  const { exit, stdout, stderr } = await contain("% login api; % accounts list; ls -A state/* >&2");
  expect({ exit, stderr }).toEqual({ exit: 0, stderr: "audit\nsession.json\nversions.json\n" });
  const [login = "", list = ""] = stdout.trimEnd().split("\n");
  expect(JSON.parse(login)).toMatchObject({ session: { kind: "api", workspace: "minivault" } });
  expect(JSON.parse(list)).toMatchObject({ total: 0, results: [] });
  expect(api.requests.find(({ path }) => path === "/auth/token")?.body).toContain(SECRET);
  expect(readdirSync(join(root, "state"))).toEqual([]);
});

test("W a volume that belongs to root, as an emptyDir does, will do: the state lies in a folder below it", async () => {
  const volume = "mode=0777";
  const { exit, stderr } = await contain(
    "% login api >/dev/null; % accounts list >/dev/null; ls -ldn state/ledger-enterprise-cli >&2",
    { volume },
  );
  expect({ exit, owner: /^(drwx------) \d+ (\d+) /.exec(stderr)?.slice(1) }).toEqual({
    exit: 0,
    owner: ["drwx------", "65532"],
  });
});

test("W a state folder that is such a volume itself is refused with the place that works", async () => {
  const { exit, stdout } = await contain("export LEDGER_ENTERPRISE_STATE_DIR=/state; % login api", {
    volume: "mode=0777",
  });
  expect({ exit, ...JSON.parse(stdout).error }).toMatchObject({
    exit: 3,
    code: "SESSION_INSECURE",
    message: "The state folder belongs to root, not to this user.",
    hint: "Name a folder below it, which this program then makes: LEDGER_ENTERPRISE_STATE_DIR=/state/state",
  });
});

test("its process has no rights, and of the places only the state can be written to", async () => {
  const places = ["", "etc", "usr/local/bin", "run/secrets", "proc", "state"];
  const tries = places.map(
    (place) => `% keys generate --out /${place}/x >/dev/null || echo "/${place}"`,
  );
  const watch = `% sandbox start >/dev/null & pid=$!; until grep -q '^Uid:.*65532' /proc/$pid/status; do sleep 0.01; done
    grep -E '^(Uid|Gid|Groups|CapEff|CapPrm)' /proc/$pid/status; kill $pid`;
  const { stdout } = await contain([...tries, watch].join("; "));
  expect(stdout.replace(/[ \t]+/g, " ").split("\n")).toEqual([
    ...places.filter((place) => place !== "state").map((place) => `/${place}`),
    "Uid: 65532 65532 65532 65532",
    "Gid: 65532 65532 65532 65532",
    "Groups: ",
    "CapPrm: 0000000000000000",
    "CapEff: 0000000000000000",
    "",
  ]);
});

test("the image's secrets are files: none is in its layers or its settings", () => {
  expect(Object.values(ENV).filter((value) => !value.startsWith("/"))).toEqual([]);
  expect(CONTAINERFILE).not.toMatch(/^(ENV|ARG).*(SECRET|KEY)=/m);
  expect(CONTAINERFILE).toMatch(/^FROM scratch$/m);
});

test("without /proc the runtime ends before our code, and leaves nothing", async () => {
  const { exit, stdout } = await contain(
    "set +e; % accounts list 2>/dev/null; code=$?; ls -A state; exit $code",
    {
      prepare: ":",
    },
  );
  expect({ ok: exit === 0, stdout }).toEqual({ ok: false, stdout: "" });
});
