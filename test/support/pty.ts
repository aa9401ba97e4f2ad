/** A program whose stderr is a real terminal, and all bytes that the terminal got. */
export interface Screen {
  readonly exit: number | null;
  /**
   * `\r\n` is `\n`, and erasing the line is `<erase>`; other control sequences are as they came.
   */
  readonly screen: string;
}

/** Runs `script` with bash on a pseudo-terminal; `"$@"` is `command`. */
export async function runOnTerminal(
  script: string,
  command: readonly string[],
  cwd: string,
  env: Readonly<Record<string, string>>,
): Promise<Screen> {
  const decoder = new TextDecoder();
  let screen = "";
  const { promise: ended, resolve: end } = Promise.withResolvers<void>();
  const child = Bun.spawn(["/bin/bash", "-c", script, "bash", ...command], {
    cwd,
    env: { TERM: "xterm", LANG: "C.UTF-8", ...env },
    terminal: {
      cols: 100,
      rows: 24,
      data(_terminal, chunk) {
        screen += decoder.decode(chunk, { stream: true });
      },
      exit: () => end(),
    },
  });
  const exit = await child.exited;
  // What it wrote last may still be on its way.
  await ended;
  child.terminal?.close();
  return { exit, screen: screen.replaceAll("\r\n", "\n").replaceAll("\r\u001b[2K", ERASE) };
}

const ERASE = "<erase>";

/** The lines of progress that were shown. Throws when something else was, or one was left. */
export function progressOf(screen: string): string[] {
  if (screen === "") return [];
  const shown = screen.split(ERASE);
  if (shown[0] !== "" || shown.at(-1) !== "" || screen.includes("\n"))
    throw new Error(`More than progress: ${JSON.stringify(screen)}`);
  return shown.slice(1, -1);
}
