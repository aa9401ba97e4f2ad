/**
 * SES-6: one at a time, whichever process dies, stops, or comes from another machine; no process
 * waits for ever.
 */
import { afterAll, describe, expect, test } from "bun:test";
import { type ChildProcess, spawn } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { type LockOptions, releaseAllSync, withLock } from "../../../src/core/state/lock.ts";
import { failureLater } from "../../support/failure.ts";
import { endOf, makeFolder, removeFolders } from "../../support/io.ts";
import { lacks } from "../../support/programs.ts";

afterAll(removeFolders);

const HERE = "this-host";
const NOW = Date.UTC(2024, 4, 1);

/** A world in which waiting costs no time; `alive` are the processes that run on this host. */
class World {
  now = NOW;
  sleptMs = 0;
  readonly alive = new Set<number>([4242]);
  readonly lock = join(makeFolder(), "session.lock");
  /** Called before each sleep. */
  onSleep: () => void = () => undefined;

  options(changes: Partial<LockOptions> = {}): LockOptions {
    return {
      now: () => this.now,
      sleep: async (ms) => {
        this.onSleep();
        this.now += ms;
        this.sleptMs += ms;
        await new Promise((resolve) => setImmediate(resolve));
      },
      pid: 1,
      hostname: HERE,
      isAlive: (pid) => this.alive.has(pid),
      ...changes,
    };
  }

  /** Puts a lock file of somebody else there. */
  leave(content: Readonly<Record<string, unknown>> = {}): void {
    const holder = {
      pid: 4242,
      host: HERE,
      token: "abcdef0123456789",
      startedAt: this.now,
      ...content,
    };
    writeFileSync(this.lock, JSON.stringify(holder));
  }

  take(
    changes: Partial<LockOptions> = {},
    done?: () => Promise<string | undefined>,
  ): Promise<string> {
    return withLock(this.lock, this.options(changes), async () => "done", done);
  }

  /** The names that are left beside the lock. */
  left(): string[] {
    return readdirSync(join(this.lock, ".."));
  }
}

describe("one holder", () => {
  test("SES-6 the file says who holds it, is private, and goes away", async () => {
    const world = new World();
    await withLock(world.lock, world.options(), async () => {
      const holder = JSON.parse(readFileSync(world.lock, "utf8"));
      expect(holder).toMatchObject({ pid: 1, host: HERE, startedAt: NOW, aliveAt: NOW });
      expect(holder.token).toMatch(/^[0-9a-f]{16}$/);
      expect(statSync(world.lock).mode & 0o777).toBe(0o600);
    });
    expect([world.left(), world.sleptMs]).toEqual([[], 0]);
  });

  test("returns the work's result, and its failure after releasing", async () => {
    const world = new World();
    expect(await world.take()).toBe("done");
    const failing = withLock(world.lock, world.options(), async () => {
      throw new Error("work");
    });
    await expect(failing).rejects.toThrow("work");
    expect(world.left()).toEqual([]);
  });

  test("two in one process exclude each other, too", async () => {
    const world = new World();
    const events: string[] = [];
    const work = (name: string) => async (): Promise<void> => {
      events.push(`${name} in`);
      for (let turn = 0; turn < 5; turn += 1) await new Promise((resolve) => setImmediate(resolve));
      events.push(`${name} out`);
    };
    await Promise.all(
      ["a", "b", "c"].map((name) => withLock(world.lock, world.options(), work(name))),
    );
    for (let at = 0; at < events.length; at += 2)
      expect(events[at]?.[0]).toBe(events[at + 1]?.[0] as string);
    expect(events.length).toBe(6);
  });

  test("the holder shows that it lives", async () => {
    const world = new World();
    await withLock(world.lock, world.options({ beatMs: 5 }), async () => {
      const aliveAt = (): number => JSON.parse(readFileSync(world.lock, "utf8")).aliveAt;
      world.now += 60_000;
      while (aliveAt() === NOW) await new Promise((resolve) => setTimeout(resolve, 2));
      expect(aliveAt()).toBe(NOW + 60_000);
    });
  });

  test("OUT-8 every lock can be released at once, and the work's end does no harm then", async () => {
    const world = new World();
    const second = `${world.lock}2`;
    await withLock(world.lock, world.options(), () =>
      withLock(second, world.options(), async () => {
        releaseAllSync();
        expect(world.left()).toEqual([]);
        world.leave();
      }),
    );
    expect(world.left()).toEqual(["session.lock"]);
  });

  test("SES-6 releasing leaves a lock that was taken over", async () => {
    const world = new World();
    await withLock(world.lock, world.options(), async () =>
      world.leave({ token: "ffffffffffffffff" }),
    );
    expect(JSON.parse(readFileSync(world.lock, "utf8")).token).toBe("ffffffffffffffff");
    expect(world.left()).toEqual(["session.lock"]);
  });
});

describe("waiting", () => {
  test("K10 a lock of a live process is respected: LOCK_TIMEOUT after 20 s", async () => {
    const world = new World();
    world.leave();
    world.onSleep = () => world.leave({ aliveAt: world.now });
    const failure = await failureLater(() => world.take());
    expect(failure.code).toBe("LOCK_TIMEOUT");
    expect(failure.facts.details).toEqual({ waitedSeconds: 20, holder: 4242 });
    expect(world.sleptMs).toBeGreaterThanOrEqual(20_000);
    expect(world.sleptMs).toBeLessThan(20_001);
  });

  test("a caller that cannot wait is told at once", async () => {
    const world = new World();
    world.leave();
    expect((await failureLater(() => world.take({ timeoutMs: 0 }))).code).toBe("LOCK_TIMEOUT");
    expect(world.sleptMs).toBe(0);
  });

  test("polls with jitter, soon at first and then more rarely, never less than every 400 ms", async () => {
    const world = new World();
    world.leave();
    const pauses: number[] = [];
    const sleep = async (ms: number): Promise<void> => void pauses.push(ms);
    await failureLater(() => world.take({ sleep, timeoutMs: 3000 }));
    expect(Math.max(...pauses.slice(0, 3))).toBeLessThan(50);
    expect(Math.max(...pauses)).toBeGreaterThan(50);
    expect(Math.max(...pauses)).toBeLessThanOrEqual(400);
    expect(new Set(pauses).size).toBeGreaterThan(10);
  });

  test("SES-5 who waits for what the holder does goes on when it is done, and leaves the lock to its holder", async () => {
    const world = new World();
    world.leave();
    const done = async (): Promise<string | undefined> =>
      world.sleptMs > 200 ? "done by the other" : undefined;
    expect(await world.take({}, done)).toBe("done by the other");
    expect(world.left()).toEqual(["session.lock"]);
  });

  test("SES-5 what another process has done needs no lock", async () => {
    const world = new World();
    expect(await world.take({}, async () => "done by another")).toBe("done by another");
    expect(world.left()).toEqual([]);
  });

  test("a lock that is released is seen within a glance, however rarely it is looked at", async () => {
    const world = new World();
    world.leave();
    let releasedAtMs = 0;
    world.onSleep = () => {
      if (releasedAtMs > 0 || world.sleptMs < 3000) return;
      releasedAtMs = world.sleptMs;
      rmSync(world.lock);
    };
    expect(await world.take()).toBe("done");
    expect(releasedAtMs).toBeGreaterThan(0);
    expect(world.sleptMs - releasedAtMs).toBeLessThanOrEqual(80);
  });

  test("goes on as soon as the lock is free", async () => {
    const world = new World();
    world.leave();
    world.onSleep = () => {
      if (world.sleptMs > 300) world.alive.clear();
    };
    expect(await world.take()).toBe("done");
    expect(world.sleptMs).toBeLessThan(300 + 2 * 400 + 1);
  });

  test("the end of the command's time ends it: TIMEOUT", async () => {
    const world = new World();
    world.leave();
    const stop = new AbortController();
    const sleep = async (_ms: number, signal?: AbortSignal): Promise<void> => {
      stop.abort();
      signal?.throwIfAborted();
    };
    expect((await failureLater(() => world.take({ sleep, stop: stop.signal }))).code).toBe(
      "TIMEOUT",
    );
    expect(world.left()).toEqual(["session.lock"]);
  });

  test("L13 a clock that jumps neither ends nor prolongs the waiting", async () => {
    for (const jump of [3600_000, -3600_000]) {
      const world = new World();
      world.leave();
      let isFirst = true;
      world.onSleep = () => {
        if (isFirst) world.now += jump;
        isFirst = false;
        world.leave({ aliveAt: world.now });
      };
      expect((await failureLater(() => world.take())).code).toBe("LOCK_TIMEOUT");
      expect(world.sleptMs).toBeGreaterThanOrEqual(20_000);
      expect(world.sleptMs).toBeLessThan(20_001);
    }
  });
});

describe("stale locks", () => {
  const DEAD = 777;

  test("K09 of a process that is gone: taken over at once", async () => {
    const world = new World();
    world.leave({ pid: DEAD });
    expect([await world.take(), world.sleptMs, world.left()]).toEqual(["done", 0, []]);
  });

  test("of our own number, which a killed predecessor in a restarted container had: at once", async () => {
    const world = new World();
    world.alive.add(1);
    world.leave({ pid: 1 });
    expect([await world.take(), world.sleptMs]).toEqual(["done", 0]);
  });

  test.each([
    ["another host", { host: "elsewhere", pid: DEAD }],
    ["another container with the same host name", { namespace: "pid:[1]", pid: DEAD }],
    ["a process whose number was given to another one", { pid: 4242 }],
    ["a holder with an impossible number", { pid: -1 }],
  ])("%s: respected for 30 s, then taken over", async (_name, holder) => {
    const fresh = new World();
    fresh.leave({ ...holder, startedAt: fresh.now });
    expect((await failureLater(() => fresh.take())).code).toBe("LOCK_TIMEOUT");

    const old = new World();
    old.leave({ ...holder, startedAt: old.now - 26_000 });
    expect([await old.take(), old.left()]).toEqual(["done", []]);
    expect(old.sleptMs).toBeGreaterThanOrEqual(5_000);
    expect(old.sleptMs).toBeLessThan(5_400);
  });

  test("one whose holder shows life while it is watched was not stale: the clock had jumped", async () => {
    const world = new World();
    world.leave({ startedAt: world.now - 60_000 });
    world.onSleep = () => {
      if (world.sleptMs > 2_000) world.leave({ startedAt: world.now - 60_000, aliveAt: world.now });
    };
    expect((await failureLater(() => world.take())).code).toBe("LOCK_TIMEOUT");
  });

  test("one from the future, after the clock was set back, is taken over, too", async () => {
    const world = new World();
    world.leave({ startedAt: world.now + 40_000, host: "elsewhere" });
    expect(await world.take()).toBe("done");
    expect(world.sleptMs).toBeLessThan(9_000);
  });

  test("SES-6 one that looks long gone is watched for 5 s, also by who cannot wait: the clock may have jumped", async () => {
    for (const aheadMs of [301_000, 400_000, -400_000, 3 * 24 * 3600_000]) {
      const alive = new World();
      alive.leave({ startedAt: alive.now - aheadMs });
      // A beat of a process whose clock is right.
      alive.onSleep = () => {
        if (alive.sleptMs > 2_000) alive.leave({ aliveAt: alive.now - aheadMs });
      };
      const failure = await failureLater(() => alive.take({ timeoutMs: 0 }));
      expect([failure.code, failure.facts.details]).toMatchObject([
        "LOCK_TIMEOUT",
        { waitedSeconds: 5 },
      ]);
      expect(alive.sleptMs).toBeLessThan(5_100);

      const gone = new World();
      gone.leave({ startedAt: gone.now - aheadMs, host: "elsewhere" });
      expect(await gone.take({ timeoutMs: 0 })).toBe("done");
      expect(gone.sleptMs).toBeGreaterThanOrEqual(5_000);
      expect(gone.sleptMs).toBeLessThan(5_400);
    }
  });

  test("SES-6 a holder knows that another one took its lock over", async () => {
    const world = new World();
    await withLock(world.lock, world.options(), async (fence) => {
      expect(fence.isHeld()).toBe(true);
      world.leave({ token: "ffffffffffffffff" });
      expect(fence.isHeld()).toBe(false);
      rmSync(world.lock);
      expect(fence.isHeld()).toBe(false);
    });
    await withLock(world.lock, world.options(), async (fence) => {
      releaseAllSync();
      expect(fence.isHeld()).toBe(false);
    });
  });

  test.each([
    "",
    "{",
    "null",
    "[]",
    '"x"',
    '{"token":1}',
    '{"token":"../../x","startedAt":1}',
    '{"token":"x","startedAt":"y"}',
  ])("a file that says %j is judged by its age alone", async (content) => {
    const world = new World();
    writeFileSync(world.lock, content);
    utimesSync(world.lock, world.now / 1000, world.now / 1000);
    expect((await failureLater(() => world.take({ timeoutMs: 3_000 }))).code).toBe("LOCK_TIMEOUT");
    world.now += 40_000;
    expect([await world.take(), world.left()]).toEqual(["done", []]);
  });

  test("a faster process's fresh lock is not removed in the place of the stale one", async () => {
    const world = new World();
    world.leave({ pid: DEAD, token: "aaaa" });
    // The other takes over between our look at the holder and our claim.
    const isAlive = (pid: number): boolean => {
      if (pid === DEAD) world.leave({ token: "bbbb" });
      return world.alive.has(pid);
    };
    expect((await failureLater(() => world.take({ isAlive, timeoutMs: 3_000 }))).code).toBe(
      "LOCK_TIMEOUT",
    );
    expect(JSON.parse(readFileSync(world.lock, "utf8")).token).toBe("bbbb");
    expect(world.left()).toEqual(["session.lock"]);
  });

  test("a claim that a live process holds keeps others away from the stale lock", async () => {
    const world = new World();
    world.leave({ pid: DEAD, token: "aaaa" });
    const claim = { pid: 4242, host: HERE, token: "bbbb", startedAt: world.now };
    writeFileSync(`${world.lock}.aaaa.tmp`, JSON.stringify(claim));
    expect((await failureLater(() => world.take({ timeoutMs: 3_000 }))).code).toBe("LOCK_TIMEOUT");
    expect(world.left().length).toBe(2);
  });

  test("claims that killed processes left, three deep, do not disturb", async () => {
    const world = new World();
    world.leave({ pid: DEAD, token: "aaaa" });
    const names = ["aaaa", "bbbb", "cccc"];
    let path = world.lock;
    for (const [at, name] of names.entries()) {
      path = `${path}.${name}.tmp`;
      const token = names[at + 1] ?? "dddd";
      writeFileSync(path, JSON.stringify({ pid: DEAD, host: HERE, token, startedAt: world.now }));
    }
    expect([await world.take(), world.left()]).toEqual(["done", []]);
  });
});

describe("places where no lock can be", () => {
  test("a missing folder, a directory and a link are SESSION_IO", async () => {
    const world = new World();
    expect(
      (await failureLater(() => withLock(`${world.lock}/no/lock`, world.options(), async () => 1)))
        .code,
    ).toBe("SESSION_IO");
    mkdirSync(world.lock);
    expect((await failureLater(() => world.take())).code).toBe("SESSION_IO");
    symlinkSync("/etc/hostname", `${world.lock}2`);
    expect(
      (await failureLater(() => withLock(`${world.lock}2`, world.options(), async () => 1))).code,
    ).toBe("SESSION_IO");
    expect(existsSync(world.lock)).toBe(true);
  });
});

describe("real processes", () => {
  const worker = new URL("../../support/lock-worker.ts", import.meta.url).pathname;

  function start(
    lock: string,
    counter: string,
    rounds: number,
    mode: "count" | "die" | "hold",
  ): ChildProcess {
    return spawn(process.execPath, [worker, lock, counter, String(rounds), mode]);
  }

  function place(): { folder: string; lock: string; counter: string } {
    const folder = makeFolder();
    const counter = join(folder, "counter");
    writeFileSync(counter, "0");
    return { folder, lock: join(folder, "session.lock"), counter };
  }

  const real: LockOptions = {
    now: Date.now,
    sleep: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
    pid: process.pid,
    hostname: hostname(),
    isAlive: (pid) => {
      try {
        return process.kill(pid, 0);
      } catch {
        return false;
      }
    },
  };

  test("SES-6 24 processes count to 72 without losing one", async () => {
    const { folder, lock, counter } = place();
    const ends = await Promise.all(
      Array.from({ length: 24 }, () => endOf(start(lock, counter, 3, "count"))),
    );
    expect(ends.filter(({ exitCode, stderr }) => exitCode !== 0 || stderr !== "")).toEqual([]);
    expect([readFileSync(counter, "utf8"), readdirSync(folder)]).toEqual(["72", ["counter"]]);
  }, 120_000);

  test("K09 SES-6 each of 16 processes dies holding the lock: exactly one at a time takes over", async () => {
    const { folder, lock, counter } = place();
    writeFileSync(
      lock,
      JSON.stringify({ pid: 2 ** 22 + 1, host: hostname(), token: "dead", startedAt: Date.now() }),
    );
    const ends = await Promise.all(
      Array.from({ length: 16 }, () => endOf(start(lock, counter, 2, "die"))),
    );
    expect(ends.map(({ stderr }) => stderr).join("")).toBe("");
    expect(readFileSync(counter, "utf8")).toBe("32");
    expect(await withLock(lock, real, async () => "done")).toBe("done");
    expect(readdirSync(folder)).toEqual(["counter"]);
  }, 120_000);

  /** Runs a worker of which the system spoils a call: strace puts it in. */
  function spoil(how: string, lock: string, counter: string): ReturnType<typeof endOf> {
    const calls = how.split(":")[0];
    const command = ["-f", "-qq", "-o", "/dev/null", "-e", `trace=${calls}`, "-e", `inject=${how}`];
    return endOf(
      spawn("strace", [...command, process.execPath, worker, lock, counter, "1", "count"]),
    );
  }

  const steps = [
    "pwrite64",
    "link",
    "unlink",
    "pwrite64:2",
    "link:2",
    "unlink:2",
    "unlink:3",
    "unlink:4",
    "unlink:5",
  ];
  (lacks("strace") ? test.skip : test).each(steps)(
    "K09 SES-6 of a process that is killed at its %s nothing is left that others wait for",
    async (step) => {
      const { lock, counter } = place();
      const [call, nth = 1] = step.split(":");
      expect((await spoil(`${call}:signal=KILL:when=${nth}`, lock, counter)).exitCode).not.toBe(0);
      const impatient = { ...real, sleep: () => Promise.reject(new Error("waited")) };
      expect(await withLock(lock, impatient, async () => "done")).toBe("done");
    },
  );

  test.skipIf(lacks("strace"))(
    "SES-6 on a file system without hard links the lock is made in place",
    async () => {
      const { folder, lock, counter } = place();
      expect((await spoil("link,linkat:error=EPERM", lock, counter)).exitCode).toBe(0);
      expect([readFileSync(counter, "utf8"), readdirSync(folder)]).toEqual(["1", ["counter"]]);
    },
  );

  test("L13 a holder that was stopped for a minute loses the lock, and releases nothing of others", async () => {
    const { folder, lock, counter } = place();
    const holder = start(lock, counter, 1, "hold");
    const ended = endOf(holder);
    await new Promise((resolve) => holder.stdout?.once("data", resolve));
    process.kill(holder.pid ?? 0, "SIGSTOP");
    // A minute passes for us alone.
    let aheadMs = 60_000;
    const options: LockOptions = {
      ...real,
      now: () => Date.now() + aheadMs,
      sleep: async (ms) => {
        aheadMs += ms;
      },
    };
    await withLock(lock, options, async () => {
      process.kill(holder.pid ?? 0, "SIGCONT");
      holder.stdin?.write("\n");
      expect((await ended).exitCode).toBe(0);
      expect(JSON.parse(readFileSync(lock, "utf8")).pid).toBe(process.pid);
    });
    expect(readdirSync(folder)).toEqual(["counter"]);
  }, 120_000);
});
