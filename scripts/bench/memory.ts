/** Memory of a guard over 10,000 commands of a hundred users, each within its limit a minute. */
import { readFileSync } from "node:fs";
import { AGENT_UID, openTwoUsers } from "../../test/guard/twousers.ts";

export const MEMORY = "guard memory";
const FIRST_UID = 70_000;
const SAMPLES = 10;
const USERS_A_SAMPLE = 10;
const CALLS_A_USER = 100;
const LIST =
  '{"v":1,"verb":"read","operation":"accounts.list","parameters":{"pageSize":30},"length":0}\n';

/** One user after the other asks, in Perl, as an agent of any language could. */
const ASK = `
use Socket; use POSIX (); my ($path, $gid, $first, $users, $each) = @ARGV;
my $bytes = do { local $/; <STDIN> };
for my $uid ($first .. $first + $users - 1) {
  my $pid = fork();
  if ($pid == 0) {
    $( = $gid; $) = "$gid $gid"; POSIX::setuid($uid);
    for (1 .. $each) {
      socket(my $s, PF_UNIX, SOCK_STREAM, 0); connect($s, sockaddr_un($path)) or exit 1;
      syswrite($s, $bytes); my $r = "";
      while (sysread($s, my $part, 65536)) { $r .= $part }
      exit 1 unless $r =~ /"ok":true/;
    }
    exit 0;
  }
  waitpid($pid, 0); die "a command failed" if $?;
}
`;

/** MB: resident, and anonymous memory that is the process's alone. */
export interface Sample {
  readonly commands: number;
  readonly residentMb: number;
  readonly ownMb: number;
}

/** Samples before the first command and after each 1,000. */
export async function measureMemory(binary: string): Promise<Sample[]> {
  await using two = await openTwoUsers({ command: [binary], start: false });
  const users = Array.from({ length: SAMPLES * USERS_A_SAMPLE }, (_, at) => FIRST_UID + at);
  await two.guard.start([AGENT_UID, ...users]);
  const sample = (commands: number): Sample => {
    const text = readFileSync(`/proc/${two.guard.pid}/smaps_rollup`, "latin1");
    const mb = (name: string): number =>
      Math.round(Number(new RegExp(`^${name}:\\s+(\\d+)`, "m").exec(text)?.[1]) / 102.4) / 10;
    return { commands, residentMb: mb("Rss"), ownMb: mb("Pss_Anon") };
  };
  const samples = [sample(0)];
  for (let at = 0; at < SAMPLES; at += 1) {
    const argv = [two.socket, AGENT_UID, FIRST_UID + at * USERS_A_SAMPLE, USERS_A_SAMPLE];
    const child = Bun.spawn(["perl", "-e", ASK, ...argv.map(String), String(CALLS_A_USER)], {
      ...{ stdin: Buffer.from(LIST), stdout: "ignore", stderr: "inherit" },
    });
    if ((await child.exited) !== 0) throw new Error("the guard did not answer each command");
    samples.push(sample((at + 1) * USERS_A_SAMPLE * CALLS_A_USER));
  }
  return samples;
}
