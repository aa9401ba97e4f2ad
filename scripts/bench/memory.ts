/** Memory of a guard over 10,000 commands of a hundred users, each within its limit a minute. */
import { readFileSync } from "node:fs";
import { AGENT_UID, openTwoUsers } from "../../test/guard/twousers.ts";
import { CALLS_A_USER, read, readers } from "./readers.ts";

export const MEMORY = "guard memory";
const SAMPLES = 10;
const USERS_A_SAMPLE = 10;
/** MB: resident, and anonymous memory that is the process's alone. */
export interface Sample {
  readonly commands: number;
  readonly residentMb: number;
  readonly ownMb: number;
}

/** Samples before the first command and after each 1,000. */
export async function measureMemory(binary: string): Promise<Sample[]> {
  await using two = await openTwoUsers({ command: [binary], start: false });
  await two.guard.start([AGENT_UID, ...readers(SAMPLES * USERS_A_SAMPLE)]);
  const sample = (commands: number): Sample => {
    const text = readFileSync(`/proc/${two.guard.pid}/smaps_rollup`, "latin1");
    const mb = (name: string): number =>
      Math.round(Number(new RegExp(`^${name}:\\s+(\\d+)`, "m").exec(text)?.[1]) / 102.4) / 10;
    return { commands, residentMb: mb("Rss"), ownMb: mb("Pss_Anon") };
  };
  const samples = [sample(0)];
  for (let at = 0; at < SAMPLES; at += 1) {
    await read(two.socket, at * USERS_A_SAMPLE, USERS_A_SAMPLE, CALLS_A_USER);
    samples.push(sample((at + 1) * USERS_A_SAMPLE * CALLS_A_USER));
  }
  return samples;
}
