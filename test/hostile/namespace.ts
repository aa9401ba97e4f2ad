/**
 * A network of a test's own, which leads nowhere: loopback, and a link on which packets disappear.
 * Names come from a list. Needs root and iproute2; nothing here is ever skipped.
 */
import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Form } from "../support/forms.ts";

/**
 * Addresses of this machine on the link, and addresses there that no machine has: packets to them
 * get no answer at all.
 */
export const FAR = {
  here4: "10.9.9.1",
  here6: "2001:db8::1",
  void4: "10.9.9.2",
  void6: "2001:db8::2",
} as const;

const SETUP = [
  "link set lo up",
  "tuntap add dev void mode tun",
  `addr add ${FAR.here4}/24 dev void`,
  `addr add ${FAR.here6}/64 dev void nodad`,
  "link set void up",
];

let count = 0;

export class Namespace implements AsyncDisposable {
  private constructor(private readonly name: string) {}

  /**
   * `hosts` are lines of /etc/hosts; `resolver` is asked for other names. Without `link`, every
   * address but loopback is unreachable at once.
   */
  static async make(
    options: { hosts?: readonly string[]; resolver?: string; link?: boolean } = {},
  ): Promise<Namespace> {
    const { hosts = [], resolver = "127.0.0.1", link = true } = options;
    count += 1;
    const namespace = new Namespace(`ledger-test-${process.pid}-${count}`);
    // Files here take the place of those in /etc for what `ip netns exec` starts.
    await mkdir(namespace.folder, { recursive: true });
    await writeFile(
      join(namespace.folder, "hosts"),
      `127.0.0.1 localhost\n::1 localhost\n${hosts.join("\n")}\n`,
    );
    await writeFile(
      join(namespace.folder, "resolv.conf"),
      `nameserver ${resolver}\noptions timeout:30 attempts:2\n`,
    );
    ip("netns", "add", namespace.name);
    for (const line of link ? SETUP : SETUP.slice(0, 1))
      ip("-n", namespace.name, ...line.split(" "));
    return namespace;
  }

  /** What to put before a command so that it runs inside. */
  get prefix(): string[] {
    return ["/usr/bin/env", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "ip", "netns", "exec", this.name];
  }

  /** The same form of the program, run inside. */
  inside(form: Form): Form {
    const command = [...this.prefix, ...form.command];
    return {
      ...form,
      command,
      async run({ argv, env, stdin, cwd }) {
        const child = Bun.spawn([...command, ...argv], {
          cwd,
          env: { ...env },
          stdin: new Blob([stdin ?? ""]),
          stdout: "pipe",
          stderr: "pipe",
        });
        const [stdout, stderr] = await Promise.all([
          new Response(child.stdout).text(),
          new Response(child.stderr).text(),
        ]);
        await child.exited;
        return { exit: child.exitCode, stdout, stderr };
      },
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    ip("netns", "delete", this.name);
    await rm(this.folder, { recursive: true });
  }

  private get folder(): string {
    return join("/etc/netns", this.name);
  }
}

function ip(...args: readonly string[]): void {
  const { exitCode, stderr } = Bun.spawnSync(
    ["/usr/bin/env", "PATH=/usr/sbin:/sbin:/usr/bin:/bin", "ip", ...args],
    {
      stderr: "pipe",
    },
  );
  if (exitCode !== 0) throw new Error(`ip ${args.join(" ")} failed: ${stderr.toString()}`);
}
