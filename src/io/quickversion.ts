/**
 * `--version` in the executable without node:fs, whose loading takes a third of an empty program's
 * time.
 */

/** What the executable's runtime offers and other runtimes do not. */
interface Direct {
  readonly Bun?: {
    readonly stdout: object;
    write(to: object, text: string): Promise<number>;
    file(source: number | string): { readonly lastModified: number; text(): Promise<string> };
  };
}

/** Whether the version is all that the command line asks for. */
export function asksVersion(argv: readonly string[]): boolean {
  const [only, ...others] = argv;
  return others.length === 0 && (only === "--version" || only === "-v");
}

/** As `announce` of io/version.ts, on the platform of that name. */
export async function announceQuickly(
  argv: readonly string[],
  version: string,
  platform: string,
): Promise<number | undefined> {
  if (!asksVersion(argv)) return undefined;
  const { Bun } = globalThis as Direct;
  if (Bun === undefined || platform !== "linux" || (await mayBeClosed(Bun)))
    return (await import("./version.ts")).announce(argv, version);
  try {
    // A plain write: `Bun.stdout.writer()` would leave the stdout of others not blocking, too.
    await Bun.write(Bun.stdout, `${version}\n`);
    return 0;
  } catch {
    return 1;
  }
}

/** False when stdout is certainly what the caller gave, true when io/closed.ts has to look. */
async function mayBeClosed({ file }: NonNullable<Direct["Bun"]>): Promise<boolean> {
  // Where stdout was closed before the start, the runtime opened /dev/null in its place.
  if (file(1).lastModified !== file("/dev/null").lastModified) return false;
  const [, flags = ""] = /^flags:\s*([0-7]+)/m.exec(await file("/proc/self/fdinfo/1").text()) ?? [];
  return flags === "" || (Number.parseInt(flags, 8) & 0o2000000) !== 0;
}
