/**
 * An emulated machine: simulated devices on hidraw nodes that native node-hid opens, and the
 * program run on it (hidraw.py).
 */
import { existsSync } from "node:fs";
import { chmod } from "node:fs/promises";
import { join } from "node:path";
import { ROOT } from "../../scripts/build.ts";
import { linesOf } from "../support/lines.ts";
import type { SimulatedDevice } from "./simulator.ts";

const PRELOAD = "libumockdev-preload.so.0";
/** Debian's own, which the packages python3-gi and gir1.2-umockdev-1.0 belong to. */
const PYTHON = "/usr/bin/python3";
export const IS_AVAILABLE = ["/usr/bin/umockdev-wrapper", PYTHON].every(existsSync);

export interface Outcome {
  readonly exit: number | null;
  /** What ended it from outside, or its own crash. */
  readonly signal: string | number | null;
  /** The one document on stdout; undefined when there is none. */
  // biome-ignore lint/suspicious/noExplicitAny: tests look into it member by member.
  readonly document: any;
  readonly stderr: string;
}

export interface Running {
  readonly outcome: Promise<Outcome>;
  kill(signal: NodeJS.Signals): void;
}

interface Plugged {
  readonly device: SimulatedDevice;
  readonly product: string;
  readonly serial: string;
}

export class Machine implements AsyncDisposable {
  private readonly plugged = new Map<string, Plugged>();
  private readonly waiting = new Map<string, (() => void)[]>();
  /** Packets of a node are handled one after the other. */
  private readonly tails = new Map<string, Promise<void>>();
  readonly faults: unknown[] = [];

  private constructor(
    private readonly bridge: Bun.Subprocess<"pipe", "pipe", "inherit">,
    readonly root: string,
  ) {}

  static async start(): Promise<Machine> {
    const command = ["umockdev-wrapper", PYTHON, join(import.meta.dir, "hidraw.py")];
    const bridge = Bun.spawn(command, { stdin: "pipe", stdout: "pipe", stderr: "inherit" });
    const lines = linesOf(bridge.stdout);
    const first = await lines.next();
    if (first.done === true) throw new Error("The emulated machine did not start.");
    const machine = new Machine(bridge, (JSON.parse(first.value) as { root: string }).root);
    void machine.listen(lines);
    return machine;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.bridge.stdin.end();
    await this.bridge.exited;
  }

  /** Connects a device. Product 6011 is a Stax, 7011 a Flex. */
  async plug(
    device: SimulatedDevice,
    node = "hidraw0",
    product = "6011",
    serial = "0001",
  ): Promise<void> {
    this.plugged.set(node, { device, product, serial });
    device.behaviour.restart = (app) => void this.restart(node, app);
    await this.order({ op: "plug", node, product, serial }, `plugged ${node}`);
  }

  async unplug(node = "hidraw0"): Promise<void> {
    this.plugged.delete(node);
    await this.order({ op: "unplug", node }, `unplugged ${node}`);
  }

  /** The system still lists the device, but it is gone. */
  async hide(node = "hidraw0"): Promise<void> {
    await this.order({ op: "hide", node }, `hidden ${node}`);
  }

  /**
   * The user of the program may not open the node: it belongs to the user `nobody`, and
   * UNPRIVILEGED opens no such thing.
   */
  async forbid(node = "hidraw0"): Promise<void> {
    await chmod(join(this.root, "dev", node), 0);
  }

  /**
   * What a device does when its application changes: it leaves the bus, and comes back with another
   * path and product id.
   */
  private async restart(node: string, app: string): Promise<void> {
    const found = this.plugged.get(node);
    if (found === undefined) return;
    await this.once(`sent ${node}`);
    await this.unplug(node);
    found.device.reset(app);
    const next = `hidraw${Number(node.slice(6)) + 4}`;
    await this.plug(found.device, next, `${found.product.slice(0, 2)}15`, found.serial);
  }

  private order(document: object, until: string): Promise<void> {
    const reached = this.once(until);
    this.bridge.stdin.write(`${JSON.stringify(document)}\n`);
    this.bridge.stdin.flush();
    return reached;
  }

  private once(event: string): Promise<void> {
    return new Promise((resolve) =>
      this.waiting.set(event, [...(this.waiting.get(event) ?? []), resolve]),
    );
  }

  private async listen(lines: AsyncGenerator<string>): Promise<void> {
    for await (const line of lines) {
      const event = JSON.parse(line) as Record<string, string>;
      const { node, write } = event;
      if (node !== undefined && write !== undefined) this.handle(node, Buffer.from(write, "hex"));
      const [[verb, name] = []] = Object.entries(event);
      for (const resolve of this.waiting.get(`${verb} ${name}`) ?? []) resolve();
      this.waiting.delete(`${verb} ${name}`);
    }
  }

  private handle(node: string, report: Buffer): void {
    const device = this.plugged.get(node)?.device;
    const before = this.tails.get(node) ?? Promise.resolve();
    const turn = before.then(async () => {
      if (report[0] !== 0) device?.violations.push(`report id ${report[0]}`);
      const packets = await device?.receive(report.subarray(1));
      if (packets === undefined || this.plugged.get(node)?.device !== device) return;
      this.bridge.stdin.write(
        `${JSON.stringify({ op: "send", node, packets: packets.map((one) => one.toString("hex")) })}\n`,
      );
      this.bridge.stdin.flush();
    });
    this.tails.set(
      node,
      turn.catch((cause) => {
        this.faults.push(cause);
      }),
    );
  }

  /** Resolves when everything that was sent to a node has been read. */
  delivered(node = "hidraw0"): Promise<void> {
    return this.once(`sent ${node}`);
  }

  /** Starts the program on this machine. `command` is what a shell would start. */
  run(
    command: readonly string[],
    argv: readonly string[],
    env: Readonly<Record<string, string>>,
    cwd: string,
  ): Running {
    const child = Bun.spawn([...command, ...argv], {
      cwd,
      env: { ...env, LD_PRELOAD: PRELOAD, UMOCKDEV_DIR: this.root },
      stdin: "ignore",
      stdout: "pipe",
      stderr: "pipe",
    });
    const outcome = async (): Promise<Outcome> => {
      const [stdout, stderr] = await Promise.all([
        new Response(child.stdout).text(),
        new Response(child.stderr).text(),
      ]);
      await child.exited;
      const { exitCode: exit, signalCode: signal } = child;
      return { exit, signal, document: stdout === "" ? undefined : JSON.parse(stdout), stderr };
    };
    return { outcome: outcome(), kill: (signal) => child.kill(signal) };
  }
}

/**
 * The source as a process of its own: an emulated machine is seen through the loader, which only a
 * new process passes.
 */
export const SOURCE_COMMAND: readonly string[] = [process.execPath, join(ROOT, "src", "main.ts")];

/** In front of a command: the superuser, too, may then open only what the mode of a file allows. */
export const UNPRIVILEGED: readonly string[] =
  process.getuid?.() === 0 ? ["setpriv", "--bounding-set=-dac_override,-dac_read_search"] : [];
