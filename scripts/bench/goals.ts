/** What is promised of each row, and under which id (docs/performance.md). */
interface Goal {
  readonly id: string;
  /** Highest ratio. */
  readonly goal?: number;
  /** Of what: `ms` when absent. */
  readonly of?: "cpuMs";
}

/** By the name of the row. */
export const GOALS: Readonly<Record<string, Goal>> = {
  "--version": { id: "PERF-1", goal: 1.25 },
  "accounts list": { id: "PERF-2", goal: 2.7 },
  "requests sign": { id: "PERF-3", goal: 3.8 },
  "requests approve api --sign --dryRun": { id: "PERF-4", goal: 4.4 },
  "npm: accounts list": { id: "PERF-5", goal: 2.3 },
  "npm: requests sign": { id: "PERF-6", goal: 2.6 },
  "accounts list --all, 100000 accounts": { id: "PERF-7", goal: 0.75 },
  "accounts list --all, 100000 accounts, no server time": { id: "PERF-8", goal: 1.6 },
  "api --path, 20 MB": { id: "PERF-9", goal: 1.3 },
  "guard: accounts list": { id: "PERF-10", goal: 2.4 },
  "guard: requests approve": { id: "PERF-11", goal: 2.6 },
  "200 processes, one refresh": { id: "PERF-13", goal: 1.4 },
  "guard or direct: accounts list": { id: "PERF-14", goal: 0.8, of: "cpuMs" },
  "guard or direct over 40 ms: accounts list": { id: "PERF-15", goal: 0.4 },
};

/** PERF-12: anonymous memory of `accounts list`, in MB. */
export const LIST_MEMORY_MB = 6;
