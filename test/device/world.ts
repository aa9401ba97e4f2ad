/**
 * A workspace whose reviewer Alice owns a simulated device, on an emulated machine, and the program
 * with a home of its own.
 */
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { defaultSeed, type Sandbox, startSandbox } from "../../src/sandbox/index.ts";
import { operatorSettings } from "../../src/sandbox/settings.ts";
import { Canaries } from "../support/canaries.ts";
import { PAYOUT } from "../support/payout.ts";
import vectors from "../vectors/device.json";
import { Machine, type Outcome, type Running, SOURCE_COMMAND } from "./machine.ts";
import { type Behaviour, type Keys, SimulatedDevice } from "./simulator.ts";

export const ALICE = "b7c1d2e3-0000-4000-8000-000000000004";
export const AGENT = "b7c1d2e3-0000-4000-8000-000000000001";

const { u2f, confidentiality, validation, endorsement } = vectors.keys;
export const KEYS: Keys = {
  u2f: u2f.privateKeyHex,
  confidentiality: confidentiality.privateKeyHex,
  validation: validation.privateKeyHex,
  endorsement: endorsement.privateKeyHex,
};
/** The same device with another identity. */
export const OTHER_KEYS: Keys = { ...KEYS, u2f: "11".repeat(32), validation: "22".repeat(32) };

export class World implements AsyncDisposable {
  private canaries: Canaries | undefined;

  private constructor(
    readonly machine: Machine,
    readonly sandbox: Sandbox,
    readonly device: SimulatedDevice,
    private readonly releases: Bun.Server<undefined>,
    readonly folder: string,
    private readonly clock: { aheadMs: number },
  ) {}

  /** With the device connected unless `isAway`. */
  static async open(behaviour: Partial<Behaviour> = {}, isAway = false): Promise<World> {
    const device = new SimulatedDevice(KEYS, behaviour);
    const clock = { aheadMs: 0 };
    const sandbox = await startSandbox({
      seed: seedWith(device),
      clock: () => Date.now() + clock.aheadMs,
    });
    const releases = Bun.serve({
      port: 0,
      hostname: "127.0.0.1",
      fetch: () => new Response("", { status: 404 }),
    });
    const folder = await mkdtemp(join(tmpdir(), "device-"));
    for (const name of ["home", "tmp"]) await mkdir(join(folder, name));
    const machine = await Machine.start();
    if (!isAway) await machine.plug(device);
    return new World(machine, sandbox, device, releases, folder, clock);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([
      this.machine[Symbol.asyncDispose](),
      this.sandbox.close(),
      this.releases.stop(true),
    ]);
    await rm(this.folder, { recursive: true });
  }

  /** Seconds pass on the server. */
  advance(seconds: number): void {
    this.clock.aheadMs += seconds * 1000;
  }

  get env(): Record<string, string> {
    const nothingPublished = `http://127.0.0.1:${this.releases.port}`;
    return {
      HOME: join(this.folder, "home"),
      TMPDIR: join(this.folder, "tmp"),
      PATH: process.env.PATH ?? "",
      ...operatorSettings(this.sandbox.description),
      LEDGER_ENTERPRISE_NPM_REGISTRY: nothingPublished,
      LEDGER_ENTERPRISE_RELEASES_URL: nothingPublished,
    };
  }

  start(
    line: string,
    command: readonly string[] = SOURCE_COMMAND,
    env: Record<string, string> = {},
  ): Running {
    return this.machine.run(command, line.split(" "), { ...this.env, ...env }, this.folder);
  }

  async run(
    line: string,
    command?: readonly string[],
    env?: Record<string, string>,
  ): Promise<Outcome> {
    const outcome = await this.start(line, command, env).outcome;
    this.canaries ??= Canaries.of(this.env);
    const { stderr } = outcome;
    const leaks = await this.canaries.findLeaks(
      { document: JSON.stringify(outcome.document ?? ""), stderr },
      this.folder,
    );
    if (leaks.length > 0) throw new Error(`${line}: ${leaks.join(" ")}`);
    return outcome;
  }

  /**
   * A request that waits for Alice, raised and signed by the API operator in a session of its own.
   */
  async raise(): Promise<string> {
    const env = { LEDGER_ENTERPRISE_STATE_DIR: join(this.folder, "agent") };
    await this.run("login api", undefined, env);
    await Bun.write(
      join(this.folder, "tx.json"),
      JSON.stringify({ type: "CREATE_TRANSACTION", data: PAYOUT }),
    );
    const { document } = await this.run("requests create --requestData @tx.json", undefined, env);
    const id = String(document.id);
    this.sandbox.control.review(id, AGENT, "APPROVE");
    return id;
  }

  /** Paths of the calls that change something or hand something out, below the base path. */
  calls(method = "POST"): string[] {
    return this.sandbox.control.log
      .filter((one) => one.method === method)
      .map(({ path }) => path.replace("/v1/rest", ""));
  }

  /** Approvals that reached the server. */
  get approvals(): string[] {
    return this.calls().filter((path) => path.endsWith("/approve"));
  }
}

function seedWith({ publicKey, keyHandle, validationKey }: SimulatedDevice): unknown {
  const seed = defaultSeed();
  const device = {
    keyHandle: keyHandle.toString("hex"),
    validationKey: validationKey.toString("hex"),
  };
  const users = seed.users.map((user) =>
    user.id === ALICE ? { ...user, pubKey: publicKey.toString("hex"), device } : user,
  );
  return { ...seed, users };
}
