/**
 * `upgrade` on the built program: whatever is wrong with the release or the machine, the old
 * program is there and runs (INS-4).
 */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { chmodSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { VERSION } from "../../scripts/build.ts";
import { hostTarget } from "../../scripts/targets.ts";
import { http, RawApi } from "../hostile/raw-api.ts";
import { lacks } from "../support/programs.ts";
import {
  ASSET,
  documentOf,
  failureOf,
  type Installation,
  Installations,
  NAME,
  NEXT,
} from "./installation.ts";
import {
  type Files,
  otherProcessor,
  programOf,
  redirect,
  signList,
  signRelease,
} from "./releases.ts";

let all: Installations;
let here: Installation;
beforeAll(async () => {
  all = await Installations.make();
});
beforeEach(() => {
  here = all.add();
});
afterAll(() => all[Symbol.asyncDispose]());

describe("a release that is wrong changes nothing", () => {
  const good = signRelease({ [ASSET]: programOf(NEXT, ":", 300_000) });
  const bytes = (name: string): Uint8Array => good[name] ?? new Uint8Array();
  const flipped = (name: string, at: number): Uint8Array => {
    const copy = Uint8Array.from(bytes(name));
    copy[at] = (copy[at] ?? 0) ^ 1;
    return copy;
  };
  const older = signRelease({
    [`ledger-enterprise-cli-0.0.1-${hostTarget().name}`]: programOf("0.0.1"),
  });
  const FORGED = "The release's list of checksums is not signed with the release key.";
  const UNNAMED = "SHA256SUMS has no entry for this version and platform.";
  const ALTERED =
    "The download is not what the release's signed list names; it is incomplete or was altered.";
  const MISSING =
    "The release has no such file: it may not be complete, or not made for this platform.";
  const BROKEN = "The release could not be downloaded.";
  const DEAD = "The new program does not run on this machine.";

  test.each<[string, () => Files, string]>([
    [
      "one bit of the program is another",
      () => ({ ...good, [ASSET]: flipped(ASSET, 1000) }),
      ALTERED,
    ],
    [
      "the program is cut short",
      () => ({ ...good, [ASSET]: bytes(ASSET).subarray(0, 1000) }),
      ALTERED,
    ],
    ["the program is empty", () => ({ ...good, [ASSET]: new Uint8Array() }), ALTERED],
    [
      "something follows the program",
      () => ({ ...good, [ASSET]: Buffer.concat([bytes(ASSET), Buffer.from("x")]) }),
      ALTERED,
    ],
    [
      "one bit of the list is another",
      () => ({ ...good, SHA256SUMS: flipped("SHA256SUMS", 3) }),
      FORGED,
    ],
    [
      "the list has one more line",
      () => ({ ...good, SHA256SUMS: Buffer.concat([bytes("SHA256SUMS"), Buffer.from("\n")]) }),
      FORGED,
    ],
    [
      "one bit of the signature is another",
      () => ({ ...good, "SHA256SUMS.sig": flipped("SHA256SUMS.sig", 20) }),
      FORGED,
    ],
    ["the signature is empty", () => ({ ...good, "SHA256SUMS.sig": new Uint8Array() }), FORGED],
    [
      "the signature is a text",
      () => ({ ...good, "SHA256SUMS.sig": Buffer.from("<html>") }),
      FORGED,
    ],
    ["somebody else signed", () => signRelease({ [ASSET]: programOf(NEXT) }, "other"), FORGED],
    [
      "an older release in the place of a newer one",
      () => ({ ...older, [ASSET]: programOf("0.0.1") }),
      UNNAMED,
    ],
    [
      "the list is signed and malformed",
      () => ({ ...good, ...signList(`${"0".repeat(64)} ${ASSET}\n`) }),
      UNNAMED,
    ],
    [
      "the list names the program twice",
      () => ({ ...good, ...signList(`${"0".repeat(64)}  ${ASSET}\n`.repeat(2)) }),
      UNNAMED,
    ],
    [
      "the program is missing",
      () => ({ SHA256SUMS: bytes("SHA256SUMS"), "SHA256SUMS.sig": bytes("SHA256SUMS.sig") }),
      MISSING,
    ],
    [
      "the signature is missing",
      () => ({ SHA256SUMS: bytes("SHA256SUMS"), [ASSET]: bytes(ASSET) }),
      MISSING,
    ],
    ["everything is missing", () => ({}), MISSING],
    [
      "it is signed and no program",
      () => signRelease({ [ASSET]: Buffer.from("\x7fELF nonsense") }),
      DEAD,
    ],
    ["it is signed and fails", () => signRelease({ [ASSET]: programOf(NEXT, "exit 7") }), DEAD],
    [
      "it is signed and names another version",
      () => signRelease({ [ASSET]: programOf("98.0.0") }),
      DEAD,
    ],
    [
      "it is signed and made for another processor",
      () => signRelease({ [ASSET]: otherProcessor() }),
      DEAD,
    ],
  ])("%s", async (_what, files, message) => {
    all.releases.publish(NEXT, files());
    expect(here.expectUnchanged(await here.upgrade()).message).toBe(message);
  });

  test.each<[string, () => Response | Promise<Response>, string]>([
    ["a server error", () => new Response("", { status: 500 }), "HTTP_ERROR"],
    ["a redirect to another host", () => redirect("https://hostile.invalid/x"), "REDIRECT_BLOCKED"],
    ["a redirect to another port", () => redirect("http://127.0.0.1:1/x"), "REDIRECT_BLOCKED"],
    ["redirects without end", () => redirect("SHA256SUMS"), "REDIRECT_BLOCKED"],
    ["a list without end", () => new Response(endless()), "RESPONSE_TOO_LARGE"],
  ])("the list comes with %s", async (_what, answer, reason) => {
    all.releases.publish(NEXT, good, { answers: { SHA256SUMS: answer } });
    const error = here.expectUnchanged(await here.upgrade());
    expect({ message: error.message, details: error.details }).toMatchObject({
      message: BROKEN,
      details: { reason },
    });
  });

  test("the connection breaks in the middle of the program", async () => {
    await using server = await RawApi.start();
    const path = `GET /download/v${NEXT}`;
    const half = http("200 OK", bytes(ASSET)).subarray(0, 1000);
    server.serve({
      "GET /latest": [http("302 Found", "", { location: `/tag/v${NEXT}` })],
      [`${path}/SHA256SUMS`]: [http("200 OK", bytes("SHA256SUMS"))],
      [`${path}/SHA256SUMS.sig`]: [http("200 OK", bytes("SHA256SUMS.sig"))],
      [`${path}/${ASSET}`]: [half],
    });
    const outcome = await here.run([here.program, "upgrade"], {
      LEDGER_ENTERPRISE_RELEASES_URL: server.url,
    });
    expect(here.expectUnchanged(outcome).message).toBe(BROKEN);
    expect(server.count(`${path}/${ASSET}`)).toBe(1);
  });

  test("it answers when it is tried and not in its place: the old one is put back", async () => {
    all.releases.publish(
      NEXT,
      signRelease({ [ASSET]: programOf(NEXT, 'case "$0" in *.new) ;; *) exit 1 ;; esac') }),
    );
    expect(here.expectUnchanged(await here.upgrade()).message).toBe(DEAD);
  });
});

function endless(): ReadableStream<Uint8Array> {
  return new ReadableStream({ pull: (stream) => stream.enqueue(new Uint8Array(65_536).fill(48)) });
}

describe("a machine that cannot", () => {
  beforeEach(() =>
    all.releases.publish(NEXT, signRelease({ [ASSET]: programOf(NEXT, ":", 30_000_000) })),
  );

  const mounted = (script: string): Promise<Awaited<ReturnType<Installation["upgrade"]>>> =>
    here.upgrade("unshare", "-m", "bash", "-ec", script, here.place);

  test("a folder that this user may not write to", async () => {
    chmodSync(here.place, 0o555);
    const outcome = await here.upgrade("setpriv", "--bounding-set=-dac_override,-dac_read_search");
    expect(here.expectUnchanged(outcome)).toMatchObject({
      message: "This user may not replace the program's file.",
      retryable: false,
      hint: expect.stringContaining("install.sh --dir"),
      details: { reason: "EACCES" },
    });
  });

  test("a read-only file system", async () => {
    const outcome = await mounted(
      'mount --bind "$0" "$0"; mount -o remount,bind,ro "$0"; exec "$@"',
    );
    expect(here.expectUnchanged(outcome).details).toMatchObject({ reason: "EROFS" });
  });

  test("a full disk", async () => {
    const size = statSync(all.built).size + 10_000_000;
    const look = `ls -A "$0" >&2; "$1" --version >&2`;
    const outcome = await mounted(
      `mount -t tmpfs -o size=${size} tmpfs "$0"; cp "${all.built}" "$1"; code=0; "$@" || code=$?; ${look}; exit $code`,
    );
    expect(outcome.stderr).toBe(`${NAME}\n${VERSION}\n`);
    expect(failureOf({ ...outcome, stderr: "" }).details).toMatchObject({ reason: "ENOSPC" });
  });

  test("the program's file went away meanwhile: nothing is put there", async () => {
    const remove = (): Response => {
      rmSync(here.program);
      return redirect(`/releases/tag/v${NEXT}`);
    };
    all.releases.publish(NEXT, signRelease({ [ASSET]: programOf(NEXT) }), {
      answers: { latest: remove },
    });
    const { message } = failureOf(await here.upgrade());
    expect({ message, files: here.files }).toEqual({
      message: "The file of the running program was not found.",
      files: [],
    });
  });

  test("another program is in its place meanwhile, and stays", async () => {
    const other = programOf("0.1.0");
    const replace = (): Response => {
      rmSync(here.program);
      writeFileSync(here.program, other, { mode: 0o755 });
      return redirect(`/releases/tag/v${NEXT}`);
    };
    all.releases.publish(NEXT, signRelease({ [ASSET]: programOf(NEXT) }), {
      answers: { latest: replace },
    });
    expect(failureOf(await here.upgrade()).message).toBe(
      "The file of the running program was not found.",
    );
    expect({ files: here.files, isSame: readFileSync(here.program).equals(other) }).toEqual({
      files: [NAME],
      isSame: true,
    });
  });
});

describe("an end in the middle", () => {
  /**
   * The program when the first bytes of the download have been sent to it, and no more will come.
   */
  async function startAndStall(): Promise<ReturnType<Installation["start"]>> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const stall = (stream: ReadableStreamDefaultController<Uint8Array>): void => {
      stream.enqueue(new Uint8Array(1000));
      resolve();
    };
    const answers = { [ASSET]: () => new Response(new ReadableStream({ start: stall })) };
    all.releases.publish(NEXT, signRelease({ [ASSET]: programOf(NEXT) }), { answers });
    const child = here.start([here.program, "upgrade"]);
    await promise;
    return child;
  }

  test.each(["SIGTERM", "SIGINT"] as const)("%s during the download", async (signal) => {
    const child = await startAndStall();
    child.kill(signal);
    await child.exited;
    const stdout = await new Response(child.stdout).text();
    expect({ signal: String(child.signalCode), stdout }).toEqual({ signal, stdout: "" });
    expect({ files: here.files, version: here.version() }).toEqual({
      files: [NAME],
      version: VERSION,
    });
  });

  test("killed during the download, and then repeated", async () => {
    const child = await startAndStall();
    child.kill("SIGKILL");
    await child.exited;
    expect(here.version()).toBe(VERSION);
    all.releases.publish(NEXT, signRelease({ [ASSET]: programOf(NEXT) }));
    expect(documentOf(await here.upgrade())).toMatchObject({ changed: true });
  });

  // Each step that changes the folder, in their order; strace kills the program as it takes it.
  (lacks("strace") ? test.skip : test).each([
    ["fsync", VERSION],
    ["chmod,fchmodat", VERSION],
    ["link,linkat", VERSION],
    ["rename,renameat,renameat2", VERSION],
    ["unlink,unlinkat", NEXT],
  ])(
    "killed at %s: a whole program is there, and the next upgrade succeeds",
    async (calls, expected) => {
      all.releases.publish(NEXT, signRelease({ [ASSET]: programOf(NEXT) }));
      const trace = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", `trace=${calls}`];
      const child = here.start([
        ...trace,
        "-e",
        `inject=${calls}:signal=KILL:when=1`,
        here.program,
        "upgrade",
      ]);
      await child.exited;
      const stdout = await new Response(child.stdout).text();
      expect({ stdout, version: here.version() }).toEqual({ stdout: "", version: expected });
      if (expected === VERSION)
        expect(documentOf(await here.upgrade())).toMatchObject({ changed: true });
      expect(here.version()).toBe(NEXT);
    },
  );
});
