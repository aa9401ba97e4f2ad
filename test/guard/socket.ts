/** The socket as an attacker uses it: any bytes, by any user, with the system's own tools. */
import { asUser } from "./twousers.ts";

/** A Perl program, for it is there on every Debian and needs no file of ours. */
const TALK = `
use Socket; use Time::HiRes qw(sleep);
$SIG{PIPE} = 'IGNORE'; my ($path, $hold, $count) = @ARGV; local $/; my $bytes = <STDIN>; my @all;
for my $n (1 .. $count) {
  socket(my $s, PF_UNIX, SOCK_STREAM, 0) or die "socket: $!";
  connect($s, sockaddr_un($path)) or do { print "connect: $!"; exit 3 };
  $s->autoflush(1) if 0; syswrite($s, $bytes); push @all, $s;
}
if ($hold < 0) { sleep(-$hold); exit 0 }
for my $s (@all) { my $r = ""; $SIG{ALRM} = sub { die "late" }; alarm($hold);
  eval { while (sysread($s, my $part, 65536)) { $r .= $part } }; print $r, $@; }
`;

/**
 * Connects `count` times as `uid`, sends the bytes each time, and returns everything that came
 * back, with "late" for each connection that did not end within `seconds`. A negative `seconds`
 * closes without reading after so long.
 */
export async function talk(
  uid: number,
  path: string,
  bytes: string | Uint8Array,
  { seconds = 60, count = 1, gid = uid }: { seconds?: number; count?: number; gid?: number } = {},
): Promise<string> {
  const child = Bun.spawn(
    asUser(uid, ["perl", "-e", TALK, path, `${seconds}`, `${count}`], [gid]),
    {
      ...{ cwd: "/", env: { PATH: "/usr/bin:/bin" }, stdin: Buffer.from(bytes), stdout: "pipe" },
      stderr: "pipe",
    },
  );
  const text = await new Response(child.stdout).text();
  await child.exited;
  return text + (await new Response(child.stderr).text());
}
