/** Guard and agent in two containers: what the files say, and the same conditions by namespaces. */
import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "../../scripts/build.ts";
import { parse } from "../../src/cli/parse.ts";
import { commands } from "../support/registry.ts";
import { AGENT_UID, asUser, type Json, OBSTACLE, openTwoUsers, payment } from "./twousers.ts";

const read = (name: string): Json =>
  Bun.YAML.parse(readFileSync(join(ROOT, "containers", name), "utf8")) as Json;

/** The agent's only settings: what the image sets for a guard is taken back. */
const AGENT_SETTINGS = {
  LEDGER_ENTERPRISE_GUARD: "/run/guard/payments.sock",
  LEDGER_ENTERPRISE_API_KEY_SECRET_FILE: "",
  LEDGER_ENTERPRISE_STATE_DIR: "/run/agent",
};

interface Service {
  readonly user: string;
  readonly command: string[];
  readonly volumes: { source: string; target: string; read_only?: boolean }[];
  readonly [name: string]: unknown;
}

/** The users that a guard's arguments allow. */
function allowed(argv: readonly string[]): string[] {
  expect(parse(argv, commands).target.kind).toBe("command");
  return argv.flatMap((word, at) => (argv[at - 1] === "--allowUid" ? [word] : []));
}

test("the compose file: two users, one shared socket that the agent cannot replace, and no secret for it", () => {
  const { services, volumes } = read("compose.yaml") as {
    services: Record<"guard" | "agent", Service>;
    volumes: Record<string, { driver_opts?: { o: string } } | null>;
  };
  const { guard, agent } = services;
  const [guardUid] = guard.user.split(":");
  const [agentUid, agentGid] = agent.user.split(":");
  expect(guardUid).not.toBe(agentUid);
  expect(allowed(guard.command)).toEqual([String(agentUid)]);
  expect(allowed(agent.command)).toEqual([]);
  expect(agent.volumes).toEqual([
    { type: "volume", source: "socket", target: "/run/guard", read_only: true } as never,
  ]);
  expect(volumes.socket?.driver_opts?.o).toBe(`uid=${guardUid},gid=${agentGid},mode=2750`);
  expect([agent.network_mode, agent.secrets, agent.pid, guard.pid]).toEqual([
    "none",
    undefined,
    undefined,
    undefined,
  ]);
  expect(agent.environment).toEqual(AGENT_SETTINGS);
  expect(Number.parseInt(String(guard.stop_grace_period), 10)).toBeGreaterThanOrEqual(40);
  for (const one of [guard, agent])
    expect([one.read_only, one.cap_drop, one.security_opt]).toEqual([
      true,
      ["ALL"],
      ["no-new-privileges:true"],
    ]);
});

interface Container {
  readonly name: string;
  readonly args: string[];
  readonly restartPolicy?: string;
  readonly securityContext: Json;
  readonly volumeMounts: { name: string; subPath?: string; readOnly?: boolean }[];
  readonly env: { name: string; value: string }[];
}

test("the manifest: a sidecar of another user, no shared processes, and the agent mounts the socket alone", () => {
  const pod = read("pod.yaml") as { kind: string; apiVersion: string; spec: Json };
  expect([pod.apiVersion, pod.kind]).toEqual(["v1", "Pod"]);
  const { spec } = pod;
  expect([spec.shareProcessNamespace, spec.automountServiceAccountToken]).toEqual([false, false]);
  expect(spec.terminationGracePeriodSeconds).toBeGreaterThanOrEqual(40);
  const containers = [...(spec.initContainers as Container[]), ...(spec.containers as Container[])];
  const named = (name: string): Container => {
    const found = containers.find((one) => one.name === name);
    if (found === undefined) throw new Error(`no container ${name}`);
    return found;
  };
  const [guard, agent] = [named("guard"), named("agent")];
  expect(guard.restartPolicy).toBe("Always");
  const agentUid = agent.securityContext.runAsUser;
  expect(guard.securityContext.runAsUser).not.toBe(agentUid);
  expect(allowed(guard.args)).toEqual([String(agentUid)]);
  expect(agent.volumeMounts).toMatchObject([{ name: "socket", subPath: "guard", readOnly: true }]);
  expect(Object.fromEntries(agent.env.map(({ name, value }) => [name, value]))).toEqual(
    AGENT_SETTINGS,
  );
  for (const { securityContext } of containers)
    expect(securityContext).toMatchObject({
      allowPrivilegeEscalation: false,
      capabilities: { drop: ["ALL"] },
    });
  const volumes = (spec.volumes as { name: string }[]).map(({ name }) => name);
  for (const { volumeMounts } of containers)
    for (const { name } of volumeMounts) expect(volumes).toContain(name);
});

/** An agent that sees no process of others and no folder but the socket's, as in a container. */
const CONTAINED = `
set -e
mount --make-rprivate /
mkdir -p /run/lec-contained && mount --bind -o ro "$SOCKETS" /run/lec-contained
mount -t tmpfs -o mode=0755 none "$FOLDER"
exec "$@"
`;

test.skipIf(OBSTACLE !== undefined)(
  "A15 in namespaces of its own the agent works through the mounted socket, and sees no guard",
  async () => {
    await using two = await openTwoUsers();
    const env = {
      ...{ PATH: process.env.PATH ?? "", HOME: "/", SOCKETS: two.sockets, FOLDER: two.folder },
      LEDGER_ENTERPRISE_GUARD: "/run/lec-contained/payments.sock",
    };
    const contained = async (...command: string[]): Promise<string> => {
      const namespaces = [
        "unshare",
        "--mount",
        "--pid",
        "--ipc",
        "--net",
        "--fork",
        "--mount-proc",
      ];
      const child = Bun.spawn(
        [...namespaces, "sh", "-c", CONTAINED, "sh", ...asUser(AGENT_UID, command)],
        { cwd: "/", env, stdin: "ignore", stdout: "pipe", stderr: "pipe" },
      );
      const texts = [new Response(child.stdout).text(), new Response(child.stderr).text()];
      return (await Promise.all(texts)).join("");
    };
    const program = two.agentCommand;
    const created = await contained(
      ...program,
      "requests",
      "create",
      "--requestData",
      payment("1000"),
    );
    expect(created).toContain('"key":');
    const status = JSON.parse(await contained(...program, "guard", "status")) as Json;
    expect([status.level, status.peer]).toEqual(["enforced", { uid: AGENT_UID }]);
    expect(await contained("ls", two.folder, "/proc")).not.toMatch(
      new RegExp(`private-key|^${two.guard.pid}$`, "m"),
    );
    expect(two.writes().length).toBe(1);
  },
  120_000,
);
