/**
 * Guard and agent of containers/compose.yaml from the image, as an engine would run them: users,
 * arguments, variables, mounts and networks are the file's, the namespaces the system's own.
 */
import { afterAll, beforeAll, expect, test } from "bun:test";
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { mkdtemp } from "node:fs/promises";
import { join } from "node:path";
import { parse } from "yaml";
import { ROOT } from "../../scripts/build.ts";
import { startSandbox } from "../../src/sandbox/index.ts";
import { type Json, OBSTACLE, POLICY, payment } from "../guard/twousers.ts";
import { linesOf } from "../support/lines.ts";
import { NOTHING_PUBLISHED } from "../support/releases.ts";
import { ENTRYPOINT, ENV, layOut } from "./image.ts";

interface Service {
  readonly user: string;
  readonly command: string[];
  readonly environment: Record<string, string | null>;
  readonly volumes: { type: string; source: string; target: string; read_only?: boolean }[];
  readonly secrets?: { source: string; target: string }[];
  readonly network_mode?: string;
}
const { services, volumes } = parse(
  readFileSync(join(ROOT, "containers/compose.yaml"), "utf8"),
) as {
  services: Record<"guard" | "agent", Service>;
  volumes: Record<string, { driver_opts: { o: string } } | null>;
};

let folder: string;
let root: string;
let sandbox: Awaited<ReturnType<typeof startSandbox>>;
const mounted: string[] = [];

function run(...command: string[]): void {
  const { success, stderr } = Bun.spawnSync(command);
  if (!success) throw new Error(`${command.join(" ")}: ${stderr}`);
}

const at = (name: string): string => join(folder, name);

beforeAll(async () => {
  if (OBSTACLE !== undefined) return;
  folder = await mkdtemp("/run/lec-compose-");
  chmodSync(folder, 0o755);
  root = await layOut(folder);
  sandbox = await startSandbox({});
  const { operator } = sandbox.description;
  const [uid = 0, gid = 0] = services.guard.user.split(":").map(Number);
  for (const [name, text] of [
    ["api-key-secret", operator.apiKeySecret],
    ["private-key", operator.privateKey],
  ] as const) {
    // As the file's first lines say: an engine without a swarm keeps the file's owner and mode.
    writeFileSync(at(name), text, { mode: 0o400 });
    chownSync(at(name), uid, gid);
  }
  mkdirSync(at("etc"), { mode: 0o755 });
  writeFileSync(at("etc/policy.json"), JSON.stringify(POLICY), { mode: 0o644 });
  for (const [name, volume] of Object.entries(volumes)) {
    mkdirSync(at(name));
    // A volume without options takes owner and mode of the image's folder of that place.
    const place = services.guard.volumes.find(({ source }) => source === name)?.target ?? "";
    const own = (): string => {
      const stats = statSync(join(root, place));
      return `uid=${stats.uid},gid=${stats.gid},mode=${(stats.mode & 0o7777).toString(8)}`;
    };
    run("mount", "-t", "tmpfs", "-o", volume?.driver_opts.o ?? own(), "none", at(name));
    mounted.push(at(name));
  }
});
afterAll(async () => {
  if (OBSTACLE !== undefined) return;
  await sandbox.close();
  for (const path of mounted) run("umount", path);
  rmSync(folder, { recursive: true });
});

/** A container's mounts, then the program as its user; its arguments follow. */
const CONTAINER = `
mount --make-rprivate /
cd "$ROOT"; mount --bind . .; cd "$ROOT"
mount -t proc proc proc
while read -r mode source target; do
  [ -e ".$target" ] || { mkdir -p ".\${target%/*}"; if [ -d "$source" ]; then mkdir ".$target"; else : >".$target"; fi; }
  mount --bind "$source" ".$target"
  [ "$mode" = rw ] || mount -o "remount,bind,$mode" ".$target"
done <"$MOUNTS"
mount -o remount,bind,ro .
user=$1; shift
exec env -i "$@"
`;

function start(
  name: "guard" | "agent",
  ...argv: string[]
): Bun.Subprocess<"ignore", "pipe", "pipe"> {
  const service = services[name];
  const { workspace, operator, baseUrls } = sandbox.description;
  const given: Record<string, string> = {
    LEDGER_ENTERPRISE_API_URL: baseUrls.v2,
    LEDGER_ENTERPRISE_WORKSPACE: workspace,
    LEDGER_ENTERPRISE_API_KEY_ID: operator.apiKeyId,
  };
  const own = Object.entries(service.environment).map(([key, value]) => [key, value ?? given[key]]);
  const env = { ...ENV, ...NOTHING_PUBLISHED, ...Object.fromEntries(own) } as Record<
    string,
    string
  >;
  const mounts = [
    ...service.volumes.map(({ source, target, read_only }) => [
      read_only === true ? "ro" : "rw",
      at(source.replace("./", "")),
      target,
    ]),
    ...(service.secrets ?? []).map(({ source, target }) => [
      "ro",
      at(source),
      `/run/secrets/${target}`,
    ]),
  ];
  const [list, ownRoot] = [at(`${name}.mounts`), at(`${name}.root`)];
  if (!existsSync(ownRoot)) run("cp", "-al", root, ownRoot);
  writeFileSync(list, mounts.map((one) => `${one.join(" ")}\n`).join(""));
  const namespaces = ["--mount", "--pid", "--ipc", "--fork", "--kill-child"];
  if (service.network_mode === "none") namespaces.push("--net");
  const program = ["chroot", `--userspec=${service.user}`, "--groups=", ".", ENTRYPOINT];
  const settings = Object.entries(env).map(([key, value]) => `${key}=${value}`);
  const path = "PATH=/usr/sbin:/usr/bin:/sbin:/bin";
  return Bun.spawn(
    [
      "unshare",
      ...namespaces,
      "sh",
      "-ec",
      CONTAINER,
      "sh",
      service.user,
      path,
      ...settings,
      ...program,
      ...argv,
    ],
    {
      env: { PATH: process.env.PATH ?? "", ROOT: ownRoot, MOUNTS: list },
      ...{ stdin: "ignore", stdout: "pipe", stderr: "pipe" },
    },
  );
}

async function outcome(child: Bun.Subprocess<"ignore", "pipe", "pipe">): Promise<Json> {
  const [stdout, stderr] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
  ]);
  await child.exited;
  return { exit: child.exitCode, stderr, ...(stdout === "" ? {} : JSON.parse(stdout)) } as Json;
}

test.skipIf(OBSTACLE !== undefined)(
  "A15 A19 the compose file's guard serves its agent, which is enforced, and pays within the policy alone",
  async () => {
    const adopted = await outcome(start("guard", "guard", "adopt", "--reason", "first start"));
    expect(adopted).toMatchObject({ exit: 0, stderr: "", adopted: { windows: "sum" } });
    const guard = start("guard", ...services.guard.command);
    try {
      const { value } = await linesOf(guard.stdout).next();
      expect(value).toContain("/run/guard/payments.sock");
      const status = await outcome(start("agent", ...services.agent.command));
      expect(status).toMatchObject({ exit: 0, stderr: "", level: "enforced" });
      const asked = (amount: string): string[] => [
        ...["requests", "create", "--requestData", payment(amount)],
      ];
      const made = await outcome(start("agent", ...asked("1000")));
      expect(made).toMatchObject({ exit: 0, key: expect.any(String) });
      const approved = await outcome(
        start("agent", "requests", "approve", "api", "--id", String(made.id), "--sign"),
      );
      expect(approved).toMatchObject({ exit: 0 });
      const above = await outcome(start("agent", ...asked("3000001")));
      expect(above).toMatchObject({ exit: 2, error: { code: "POLICY_DENIED" } });
      // As an editor writes: a new file takes the place of the old one.
      writeFileSync(at("etc/new"), JSON.stringify({ ...POLICY, stopped: true }), { mode: 0o644 });
      renameSync(at("etc/new"), at("etc/policy.json"));
      const stopped = async (): Promise<unknown> =>
        (await outcome(start("agent", ...services.agent.command))).stopped;
      expect(await stopped()).toBe("policy");
      writeFileSync(at("etc/stop"), "");
      expect(await stopped()).toBe("stopFile");
    } finally {
      // It passes no other signal on.
      guard.kill("SIGKILL");
      await guard.exited;
    }
  },
  120_000,
);
