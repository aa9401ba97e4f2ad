/** Users of a guard who list its accounts, one after the other. */
import { AGENT_UID } from "../../test/guard/twousers.ts";

const FIRST_UID = 70_000;
/** Fewer than a guard answers a user in a minute. */
export const CALLS_A_USER = 100;
/** Users after whose calls a guard is warm. */
const WARMERS = 3;
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

/** Users for whom a guard is to be started. */
export function readers(count = WARMERS): number[] {
  return Array.from({ length: count }, (_, at) => FIRST_UID + at);
}

/** Lists the accounts as `users` of them, from number `first` on, `each` times. */
export async function read(
  socket: string,
  first: number,
  users: number,
  each: number,
): Promise<void> {
  const argv = [socket, AGENT_UID, FIRST_UID + first, users, each].map(String);
  const child = Bun.spawn(["perl", "-e", ASK, ...argv], {
    ...{ stdin: Buffer.from(LIST), stdout: "ignore", stderr: "inherit" },
  });
  if ((await child.exited) !== 0) throw new Error("the guard did not answer each command");
}

/** Some hundred answers: by then the guard has compiled what it runs. */
export function warm(socket: string): Promise<void> {
  return read(socket, 0, WARMERS, CALLS_A_USER);
}
