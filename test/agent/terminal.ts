/** A shell on a real pseudo-terminal: keys go in, the screen comes out. */
import { setTimeout as after } from "node:timers/promises";

/** Only a hang ends a wait this way; nothing is judged by the clock. */
const HANG_MS = 60_000;

export interface Terminal extends AsyncDisposable {
  /**
   * Types `keys` and waits until the output since then, without control sequences, matches; returns
   * the match.
   */
  type(keys: string, wanted: RegExp): Promise<RegExpExecArray>;
}

/** Starts `command` in `cwd`. Fails when the command cannot be started. */
export function openTerminal(
  command: readonly string[],
  cwd: string,
  env: Readonly<Record<string, string>>,
): Terminal {
  let seen = "";
  let wake = Promise.withResolvers<void>();
  const decoder = new TextDecoder();
  const child = Bun.spawn([...command], {
    cwd,
    env: { TERM: "xterm", LANG: "C.UTF-8", ...env },
    terminal: {
      cols: 200,
      rows: 50,
      data(_terminal, chunk) {
        seen += decoder.decode(chunk, { stream: true });
        wake.resolve();
      },
    },
  });
  return {
    async type(keys, wanted) {
      seen = "";
      child.terminal?.write(keys);
      const hang = after(HANG_MS, "hang" as const, { ref: false });
      for (;;) {
        const screen = plain(seen);
        const match = wanted.exec(screen);
        if (match !== null) return match;
        wake = Promise.withResolvers();
        if ((await Promise.race([wake.promise, hang])) === "hang") {
          throw new Error(
            `The terminal never showed ${wanted}; it showed ${JSON.stringify(screen)}`,
          );
        }
      }
    },
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      await child.exited;
      child.terminal?.close();
    },
  };
}

/** Colours, cursor movements and titles; then everything else that is not text. */
const SEQUENCE =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control sequences are what this finds
  /\u001b(\[[0-9;?>=]*[ -/]*[@-~]|\][^\u0007\u001b]*(\u0007|\u001b\\)|[()][A-Z0-9]|[=>])/g;
// biome-ignore lint/suspicious/noControlCharactersInRegex: the same
const CONTROL = /[\u0000-\u0007\u000e-\u001a]/g;

function plain(text: string): string {
  return text.replace(SEQUENCE, "").replace(CONTROL, "");
}
