/** Times, processor times and memory of commands, as ratios to another one in the same run. */
import { existsSync, readFileSync } from "node:fs";
import { GOALS } from "./goals.ts";

export interface Subject {
  readonly name: string;
  readonly command: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /**
   * Timed until it says something, then ended: a peer may answer, wait for a network that is not
   * there, and fail.
   */
  readonly untilOutput?: boolean;
}

export interface Figures {
  readonly ms: number;
  /** Processor time of all its threads; NaN where it is not known. */
  readonly cpuMs: number;
}

export interface Row {
  /** Id of the requirement in docs/performance.md; absent for a figure without a goal. */
  readonly id?: string;
  readonly what: string;
  readonly against: string;
  readonly ms: number;
  readonly baseMs: number;
  /**
   * Median over the rounds of this run's time divided by the time of its neighbour in the same
   * round.
   */
  readonly ratio: number;
  /** Quartiles of the same. */
  readonly low: number;
  readonly high: number;
  readonly cpuRatio: number;
  /** What the goal and the quartiles are about: `ms` when absent. */
  readonly of?: "cpuMs";
  /** Peak resident memory. */
  readonly peakMb: number;
  readonly peakRatio: number;
  /** Most anonymous memory that is this process's alone (Pss_Anon of smaps_rollup; Linux). */
  readonly ownMb: number;
  readonly goal?: number;
}

/** How thoroughly one run of the benchmark measures, and what of it is wanted. */
export interface Settings {
  readonly rounds: number;
  readonly isQuick: boolean;
  /** Whether a row of that name is to be measured. */
  isWanted(row: string): boolean;
}

export function median(values: readonly number[]): number {
  return quantile(values, 0.5);
}

function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

/** Runs the subject once. Throws when it fails. */
export async function once({ name, command, env, untilOutput }: Subject): Promise<Figures> {
  const start = Bun.nanoseconds();
  if (untilOutput) return firstOutput(command, env, start);
  const child = Bun.spawn([...command], {
    env: { PATH: "/usr/bin:/bin", ...env },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "ignore",
  });
  // A socket, as parents in Node have it. Who discards output into /dev/null sees the slowest
  // --version.
  for await (const _ of child.stdout);
  const exit = await child.exited;
  const ms = (Bun.nanoseconds() - start) / 1e6;
  if (exit !== 0) throw new Error(`'${name}' ended with ${exit}.`);
  return { ms, cpuMs: Number(child.resourceUsage()?.cpuTime.total ?? Number.NaN) / 1000 };
}

async function firstOutput(
  command: readonly string[],
  env: Subject["env"],
  start: number,
): Promise<Figures> {
  const child = Bun.spawn([...command], {
    env: { PATH: "/usr/bin:/bin", ...env },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "ignore",
    detached: true,
  });
  await child.stdout.getReader().read();
  const ms = (Bun.nanoseconds() - start) / 1e6;
  try {
    // What npm installs may only be a launcher: the whole group ends.
    process.kill(-child.pid, "SIGKILL");
  } catch {
    // It has ended.
  }
  await child.exited;
  return { ms, cpuMs: Number.NaN };
}

const TIME = "/usr/bin/time";

/**
 * Peak resident memory, median of three runs. A process begins with the peak of the one that forked
 * it, which here is a runtime of many megabytes; so GNU time, which is small, starts the subject.
 * NaN where it is not installed.
 */
async function peakOf({ command, env, untilOutput }: Subject): Promise<number> {
  if (untilOutput || !existsSync(TIME)) return Number.NaN;
  const peaks: number[] = [];
  for (let run = 0; run < 3; run += 1) {
    const child = Bun.spawn([TIME, "-f", "peak %M", ...command], {
      env: { PATH: "/usr/bin:/bin", ...env },
      stdin: "ignore",
      stdout: "ignore",
      stderr: "pipe",
    });
    const report = await new Response(child.stderr).text();
    peaks.push(Number(/peak (\d+)/.exec(report)?.[1] ?? Number.NaN) / 1024);
  }
  return median(peaks);
}

/** Most anonymous memory that was the process's own, median of three runs that are looked at. */
async function ownMemoryOf({ command, env, untilOutput }: Subject): Promise<number> {
  if (untilOutput || process.platform !== "linux") return Number.NaN;
  const most: number[] = [];
  for (let run = 0; run < 3; run += 1) {
    const child = Bun.spawn([...command], {
      env: { PATH: "/usr/bin:/bin", ...env },
      stdio: ["ignore", "ignore", "ignore"],
    });
    let kb = 0;
    while (child.exitCode === null) {
      kb = Math.max(kb, anonymousKb(child.pid));
      await Bun.sleep(0);
    }
    most.push(kb / 1024);
  }
  return median(most);
}

function anonymousKb(pid: number): number {
  try {
    const text = readFileSync(`/proc/${pid}/smaps_rollup`, "latin1");
    return Number(/^Pss_Anon:\s+(\d+)/m.exec(text)?.[1] ?? 0);
  } catch {
    return 0;
  }
}

/** Interleaves the subjects and drops a first round; returns the rounds of each. */
async function measure(subjects: readonly Subject[], times: number): Promise<Figures[][]> {
  const runs: Figures[][] = subjects.map(() => []);
  for (let round = 0; round <= times; round += 1) {
    for (const [at, subject] of subjects.entries()) {
      const figures = await once(subject);
      if (round > 0) runs[at]?.push(figures);
    }
  }
  return runs;
}

/** A row out of paired figures; its goal is that of its name. */
export function rowOf(
  what: string,
  against: string,
  runs: readonly Figures[],
  base: readonly Figures[],
  memory: { readonly peakMb?: number; readonly basePeakMb?: number; readonly ownMb?: number } = {},
): Row {
  const pairs = (of: keyof Figures) =>
    runs.map((figures, at) => figures[of] / (base[at]?.[of] ?? Number.NaN));
  const ratios = pairs("ms");
  const spread = pairs(GOALS[what]?.of ?? "ms");
  const { peakMb = Number.NaN, basePeakMb = Number.NaN, ownMb = Number.NaN } = memory;
  return {
    ...GOALS[what],
    ...{ what, against },
    ms: median(runs.map(({ ms }) => ms)),
    baseMs: median(base.map(({ ms }) => ms)),
    ratio: median(ratios),
    low: quantile(spread, 0.25),
    high: quantile(spread, 0.75),
    cpuRatio: median(pairs("cpuMs")),
    ...{ peakMb, peakRatio: peakMb / basePeakMb, ownMb },
  };
}

/** The ratio that a row's goal is about. */
export function judged({ of, ratio, cpuRatio }: Row): number {
  return of === "cpuMs" ? cpuRatio : ratio;
}

/** Each wanted subject against the first one. */
export async function compare(
  base: Subject,
  subjects: readonly Subject[],
  settings: Settings,
  times = settings.rounds,
): Promise<Row[]> {
  const others = subjects.filter(({ name }) => settings.isWanted(name));
  if (others.length === 0) return [];
  const [first = [], ...rest] = await measure([base, ...others], times);
  const basePeakMb = await peakOf(base);
  const rows: Row[] = [];
  for (const [at, other] of others.entries()) {
    const memory = { peakMb: await peakOf(other), basePeakMb, ownMb: await ownMemoryOf(other) };
    rows.push(rowOf(other.name, base.name, rest[at] ?? [], first, memory));
  }
  return rows;
}
