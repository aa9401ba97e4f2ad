/** A guard whose key is behind a program, and whose secret comes from one. */
import { expect } from "bun:test";
import { chmod, chown, mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { LONG_MS, withTwoUsers } from "./testing.ts";
import { AGENT_UID, asUser, GUARD_UID, openTwoUsers, payment } from "./twousers.ts";

const two = withTwoUsers("a guard with a signer");

/** Signs with the key file beside it; notes its start, its user and its environment. */
const SIGNER = `#!/bin/sh
dir=/PLACE
{ id -u; env; } >>"$dir/notes/signer"
if [ -e "$dir/notes/broken" ]; then echo "the secret of the helper is canary-helper-77" >&2; exit 1; fi
request=$(cat); rest=\${request#*'"message":"'}
printf '{"version":1,"format":"der","signature":"%s"}' "$(printf '%s' "\${rest%%\\"*}" | openssl dgst -sha256 -sign "$dir/operator.key" | base64 | tr -d '\\n')"
`;
const SECRET = `#!/bin/sh
dir=/PLACE
id -u >>"$dir/notes/secret"
cat "$dir/api-key-secret"
`;

async function openWithSigner() {
  const here = await openTwoUsers({ adopt: undefined, start: false });
  const { folder, guardEnv, operator } = here;
  const notes = join(folder, "notes");
  await mkdir(notes, { mode: 0o700 });
  await chown(notes, GUARD_UID, GUARD_UID);
  const program = async (name: string, text: string): Promise<string> => {
    const path = join(folder, name);
    await writeFile(path, text.replaceAll("/PLACE", folder), { mode: 0o755 });
    await chmod(path, 0o755);
    return path;
  };
  const key = join(folder, "operator.key");
  await writeFile(key, Buffer.from(operator.privateKey, "hex"), { mode: 0o600 });
  await chown(key, GUARD_UID, GUARD_UID);
  delete guardEnv.LEDGER_ENTERPRISE_API_PRIVATE_KEY_FILE;
  delete guardEnv.LEDGER_ENTERPRISE_API_KEY_SECRET_FILE;
  guardEnv.LEDGER_ENTERPRISE_SIGNER = await program("signer", SIGNER);
  guardEnv.LEDGER_ENTERPRISE_API_PUBLIC_KEY = operator.publicKey;
  guardEnv.LEDGER_ENTERPRISE_API_KEY_SECRET_COMMAND = await program("secret", SECRET);
  const adopted = await here.asGuard("guard", "adopt", "--reason", "first start");
  expect([adopted.exit, adopted.stdout]).toEqual([0, expect.any(String)]);
  await here.guard.start();
  return { ...here, notes, key };
}

two(
  "the guard's signer and secret command: the agent approves, and can neither reach nor influence them",
  async () => {
    await using here = await openWithSigner();
    const { notes, folder, key } = here;
    const noted = (name: string) => readFile(join(notes, name), "utf8").catch(() => "");
    const { document } = await here.agent("requests", "create", "--requestData", payment("1000"));
    const approve = (...more: string[]) =>
      here.agent("requests", "approve", "api", "--id", String(document.id), "--sign", ...more);
    // What a review refuses starts no signer.
    const refused = await approve("--expectPayloadSha256", "0".repeat(64));
    expect([refused.error.code, await noted("signer")]).toEqual(["CHALLENGE_MISMATCH", ""]);
    // The agent's own variables reach neither program; those that name a credential are refused.
    const loud = { PATH: `${here.home}:/usr/bin:/bin`, LD_PRELOAD: "", CANARY: "canary-agent-12" };
    const dry = await here.agentWith(
      loud,
      "requests",
      "approve",
      "api",
      "--sign",
      "--dryRun",
      "--id",
      String(document.id),
    );
    expect([dry.exit, await noted("signer")]).toEqual([0, ""]);
    for (const name of ["SIGNER", "API_KEY_SECRET_COMMAND"]) {
      const bypass = { [`LEDGER_ENTERPRISE_${name}`]: join(folder, "signer") };
      const { exit, error } = await here.agentWith(bypass, "accounts", "list");
      expect([name, exit, error.code]).toEqual([name, 2, "GUARD_BYPASS"]);
    }
    const approved = await approve();
    expect([approved.exit, approved.error]).toEqual([0, undefined as never]);
    const seen = await noted("signer");
    expect(seen.split("\n")[0]).toBe(String(GUARD_UID));
    expect(seen).not.toMatch(/canary-agent|LEDGER_ENTERPRISE_(API|SIGNER|POLICY|STATE)/);
    expect(new Set((await noted("secret")).trim().split("\n"))).toEqual(new Set([`${GUARD_UID}`]));
    // By itself the agent's user gets no signature out of the program, and no secret.
    const tries = ["signer", "secret"].map((name) => `echo '{"message":"x"}' | ${folder}/${name}`);
    for (const script of [
      ...tries,
      `cat ${key}`,
      `touch ${notes}/broken`,
      `echo x >>${folder}/signer`,
    ]) {
      const child = Bun.spawnSync(asUser(AGENT_UID, ["sh", "-c", script]), { env: here.agentEnv });
      const said = child.stdout.toString() + child.stderr.toString();
      expect({ script, said }).toEqual({ script, said: expect.stringContaining("denied") });
      expect(said).not.toMatch(new RegExp(`${here.operator.apiKeySecret}|"signature":"[^"]`));
    }
    const status = await here.agent("guard", "status");
    expect([status.exit, status.document.level]).toEqual([0, "enforced"]);
  },
  LONG_MS,
);

two(
  "a signer that fails: the agent gets the code alone, the guard's log the details, and nothing is sent",
  async () => {
    await using here = await openWithSigner();
    const { document } = await here.agent("requests", "create", "--requestData", payment("1000"));
    await writeFile(join(here.notes, "broken"), "");
    const { exit, stdout, stderr, error } = await here.agent(
      ...["requests", "approve", "api", "--sign", "--id", String(document.id)],
    );
    expect([exit, error.code, error.details]).toEqual([
      1,
      "SIGNER_UNAVAILABLE",
      undefined as never,
    ]);
    expect(stdout + stderr).not.toContain("canary-helper");
    expect(here.writes().filter((path) => path.endsWith("/approve"))).toEqual([]);
    await writeFile(join(here.folder, "secret"), "#!/bin/sh\nexit 3\n");
    await writeFile(join(here.state, "session.json"), "{}");
    const listed = await here.agent("accounts", "list");
    expect([listed.exit, listed.error.code, listed.error.details]).toEqual([
      2,
      "SECRET_COMMAND_FAILED",
      undefined as never,
    ]);
    expect((await here.guard.stop()).stderr).toContain("canary-helper-77");
  },
  LONG_MS,
);
