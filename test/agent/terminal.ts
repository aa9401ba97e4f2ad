/** A shell on a real pseudo-terminal: keys go in, the screen comes out. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
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
      // A subshell that has lost its terminal may go on for ever.
      const pids = sessionOf(child.pid);
      child.kill("SIGKILL");
      await child.exited;
      for (const pid of pids) end(pid);
      child.terminal?.close();
    },
  };
}

/** The other processes of a shell's session; none where the system does not tell. */
function sessionOf(pid: number): number[] {
  if (!existsSync("/proc/self/stat")) return [];
  const pids = readdirSync("/proc").filter((name) => /^\d+$/.test(name));
  return pids.map(Number).filter((other) => {
    try {
      const fields = readFileSync(`/proc/${other}/stat`, "utf8").replace(/^.*\) /, "");
      return other !== pid && Number(fields.split(" ")[3]) === pid;
    } catch {
      return false;
    }
  });
}

function end(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It has ended.
  }
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
