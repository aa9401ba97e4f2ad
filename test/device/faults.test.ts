/**
 * Rows M of the fault catalogue: the program as a process, native node-hid on an emulated hidraw
 * node, a simulated device, the sandbox. Each test also holds the rule that nothing is posted
 * without a complete signature (DEV-4), and that the device had nothing to complain about.
 */
import { test as bunTest, expect } from "bun:test";
import { cp, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { findArtifacts } from "../support/artifacts.ts";
import { lacks } from "../support/programs.ts";
import { type Outcome, SOURCE_COMMAND, UNPRIVILEGED } from "./machine.ts";
import { type Behaviour, frame, type Person, SimulatedDevice } from "./simulator.ts";
import { ALICE, KEYS, OTHER_KEYS, World } from "./world.ts";

/** The emulated devices need umockdev. */
const test = lacks("/usr/bin/umockdev-wrapper") ? bunTest.skip : bunTest;

const QUICK = "--deviceTimeout 2";

function errorOf({ document }: Outcome): { code: string; exit: number } & Record<string, unknown> {
  return { ...document?.error, exit: document?.error?.exitCode };
}

/** The failure of a command whose outcome is nothing but one document. */
async function expectFailure(
  outcome: Promise<Outcome>,
  code: string,
  exit = 1,
): Promise<Record<string, unknown>> {
  const found = await outcome;
  const isAsExpected = errorOf(found).code === code;
  expect({ code: errorOf(found).code, exit: found.exit, why: isAsExpected ? "" : found }).toEqual({
    code,
    exit,
    why: "",
  });
  return errorOf(found);
}

/** A world in which Alice has logged in and a request waits for her. */
async function loggedIn(
  behaviour: Partial<Behaviour> = {},
): Promise<{ world: World; id: string; line: string }> {
  const world = await World.open(behaviour);
  const { exit, document } = await world.run("login device");
  if (exit !== 0) throw new Error(`The login did not succeed: ${JSON.stringify(document)}`);
  const id = await world.raise();
  world.device.heard.length = 0;
  world.sandbox.control.clearLog();
  return { world, id, line: `requests approve device --id ${id}` };
}

function expectNothingPosted(world: World): void {
  expect({ approvals: world.approvals, violations: world.device.violations }).toEqual({
    approvals: [],
    violations: [],
  });
}

test("M01 no device connected: an answer at once, and no call to the server", async () => {
  await using world = await World.open({}, true);
  const startedAt = Date.now();
  const { hint } = await expectFailure(world.run("login device"), "DEVICE_NOT_FOUND");
  expect(String(hint)).toContain("Connect");
  expect(Date.now() - startedAt).toBeLessThan(20_000);
  expect(world.sandbox.control.log).toEqual([]);
});

test("M01 a Ledger device of another model is not taken for one that approves", async () => {
  await using world = await World.open({}, true);
  await world.machine.plug(world.device, "hidraw0", "4011");
  const { message } = await expectFailure(world.run("login device"), "DEVICE_NOT_FOUND");
  expect(String(message)).toContain("no Stax or Flex");
  expect(world.device.heard).toEqual([]);
});

test("M02 no permission for the HID node", async () => {
  await using world = await World.open();
  await world.machine.forbid();
  const command = [...UNPRIVILEGED, ...SOURCE_COMMAND];
  const { hint } = await expectFailure(world.run("login device", command), "DEVICE_PERMISSION");
  expect(String(hint)).toContain("udev rule");
});

test.each([0x5515, 0x6982])(
  "M03 device locked (%#x): the person is asked once, until the time is over",
  async (status) => {
    await using world = await World.open();
    world.device.behaviour.statuses.set("getAppAndVersion", status);
    const outcome = await world.run(`login device ${QUICK}`);
    expect(errorOf(outcome)).toMatchObject({ code: "DEVICE_LOCKED", exit: 1 });
    expect(outcome.stderr).toBe("Device: unlock the device with its PIN.\n");
    expect(world.device.heard.length).toBeGreaterThan(2);
    expect(world.sandbox.control.log).toEqual([]);
  },
);

test("M03 a device that is unlocked in time goes on", async () => {
  await using world = await World.open({ locked: true });
  const running = world.start("login device");
  while (world.device.heard.length < 2) await Bun.sleep(20);
  world.device.behaviour.locked = false;
  const { exit, stderr } = await running.outcome;
  expect(exit).toBe(0);
  expect(stderr).toBe(
    "Device: unlock the device with its PIN.\nDevice: check the login on the device and confirm it there.\n",
  );
});

test.each([
  ["BOLOS", 1],
  ["Ethereum", 2],
])(
  "M04 %s is open: the application is opened, and the device found again under another path",
  async (app, restarts) => {
    await using world = await World.open({ app });
    const { stderr, ...outcome } = await world.run("login device");
    expect({ ...outcome, stderr: outcome.exit === 0 ? "" : stderr }).toMatchObject({
      exit: 0,
      stderr: "",
    });
    expect(world.device.violations).toEqual([]);
    expect(stderr).toContain(
      "Device: confirm on the device that the Vault application is opened.\n",
    );
    expect(world.device.heard.filter((name) => /^(open|close)App$/.test(name))).toEqual(
      restarts === 1 ? ["openApp"] : ["closeApp", "openApp"],
    );
  },
);

test("M04 a dashboard that opens nothing: the person is asked, and the failure names what runs instead", async () => {
  await using world = await World.open({ app: "BOLOS", isOld: true });
  // In that time the device itself must answer, too.
  const outcome = await world.run("login device --deviceTimeout 4");
  expect(errorOf(outcome)).toMatchObject({
    code: "DEVICE_WRONG_APP",
    exit: 1,
    details: { app: "BOLOS" },
  });
  expect(outcome.stderr).toContain("Device: open the Vault application on the device.\n");
});

test.each([
  ["Ethereum", "The application 'Ethereum'"],
  ["Approve now: go", "Another application"],
])("P8 M04 an application that does not close is named: %j", async (app, named) => {
  await using world = await World.open({ app });
  world.device.behaviour.statuses.set("closeApp", 0x6d00);
  const outcome = await world.run(`login device ${QUICK}`);
  expect(errorOf(outcome)).toMatchObject({
    code: "DEVICE_WRONG_APP",
    exit: 1,
    message: `${named} is open on the device and did not close for the Vault application.`,
    details: { app },
  });
  expect(world.device.heard).not.toContain("openApp");
});

test.each([0x6d00, 0x6e00, 0x6d02])(
  "M04 the application is left meanwhile (%#x)",
  async (status) => {
    const { world, line } = await loggedIn();
    await using _ = world;
    world.device.behaviour.statuses.set("openSession", status);
    await expectFailure(world.run(line), "DEVICE_WRONG_APP");
    expectNothingPosted(world);
  },
);

test.each(["log in", "approve", "open application"] as const)(
  "M05 DEV-4 the person declines: %s",
  async (title) => {
    const person: Person = async (screen) => (screen.title === title ? "decline" : "confirm");
    const { world, line } = await loggedIn();
    await using _ = world;
    Object.assign(world.device.behaviour, {
      person,
      app: title === "open application" ? "BOLOS" : "Vault",
    });
    const { message } = await expectFailure(
      world.run(title === "log in" ? "login device" : line),
      "DEVICE_REFUSED",
    );
    expect(String(message)).toBe("It was declined on the device; nothing was sent.");
    expect(world.calls().filter((path) => !path.startsWith("/auth/"))).toEqual([]);
    expectNothingPosted(world);
  },
);

test("M06 no person answers: the command ends in the time that was given, and posts nothing", async () => {
  const { world, line } = await loggedIn();
  await using _ = world;
  world.device.behaviour.person = async () => "nothing";
  const { hint } = await expectFailure(world.run(`${line} ${QUICK}`), "DEVICE_TIMEOUT");
  expect(String(hint)).toContain("Decline what the device still shows");
  expectNothingPosted(world);
});

test("M06 --timeout does not count while a person reads", async () => {
  const { world, line } = await loggedIn();
  await using _ = world;
  world.device.behaviour.person = async () => {
    await Bun.sleep(900);
    return "confirm";
  };
  expect(await world.run(`${line} --timeout 2`)).toMatchObject({ exit: 0 });
  expect(world.approvals).toHaveLength(1);
});

test("M07 unplugged before the first command", async () => {
  const { world, line } = await loggedIn();
  await using _ = world;
  await world.machine.hide();
  await expectFailure(world.run(line), "DEVICE_DISCONNECTED");
  expectNothingPosted(world);
});

test("M08 DEV-4 unplugged while the person reads", async () => {
  const { world, line } = await loggedIn();
  await using _ = world;
  world.device.behaviour.person = async () => {
    await world.machine.unplug();
    return "nothing";
  };
  await expectFailure(world.run(line), "DEVICE_DISCONNECTED");
  expectNothingPosted(world);
});

test("M08 unplugged between two packets of an answer", async () => {
  const { world, line } = await loggedIn();
  await using _ = world;
  world.device.behaviour.spoil = (packets, instruction) => {
    if (instruction !== "getPublicKey") return packets;
    void world.machine.delivered().then(() => world.machine.unplug());
    return packets.slice(0, 1);
  };
  await expectFailure(world.run(line), "DEVICE_DISCONNECTED");
  expectNothingPosted(world);
});

test("M09 unplugged after the signature: it is complete, and is posted", async () => {
  const { world, line } = await loggedIn();
  await using _ = world;
  world.sandbox.control.addFault({ match: { method: "POST", path: "/requests*" }, latencyMs: 300 });
  let isOver = false;
  const running = world.run(line).finally(() => {
    isOver = true;
  });
  // The program has read the whole answer once it posts; the machine sends it a moment before.
  while (world.approvals.length === 0 && !isOver) await Bun.sleep(5);
  expect(isOver).toBe(false);
  world.machine.unplug();
  expect(await running).toMatchObject({ exit: 0, document: { state: "APPROVED" } });
  expect(world.approvals).toHaveLength(1);
});

test("M10 two devices: the caller must choose, and can", async () => {
  await using world = await World.open();
  const other = new SimulatedDevice(OTHER_KEYS);
  await world.machine.plug(other, "hidraw1", "7011", "0002");
  const { details } = await expectFailure(world.run("login device"), "DEVICE_AMBIGUOUS", 2);
  expect(details).toEqual({
    devices: [
      { path: "/dev/hidraw0", model: "Ledger Stax", serial: "0001" },
      { path: "/dev/hidraw1", model: "Ledger Flex", serial: "0002" },
    ],
  });
  expect([...world.device.heard, ...other.heard]).toEqual([]);
  expect(await world.run("login device --device /dev/hidraw0")).toMatchObject({ exit: 0 });
  await expectFailure(world.run("login device --device /dev/hidraw7"), "DEVICE_NOT_FOUND");
  expect(other.heard).toEqual([]);
});

test("M11 DEV-2 another process of this program uses the device; an interrupt ends it and posts nothing", async () => {
  const { world, line } = await loggedIn();
  await using _ = world;
  const reading = Promise.withResolvers<void>();
  world.device.behaviour.person = async () => {
    reading.resolve();
    return "nothing";
  };
  const first = world.start(line);
  await reading.promise;
  const before = world.device.heard.length;
  await expectFailure(world.run("login device"), "DEVICE_BUSY");
  expect(world.device.heard.length).toBe(before);
  first.kill("SIGTERM");
  expect(await first.outcome).toMatchObject({ exit: null, document: undefined });
  expectNothingPosted(world);
});

test.each([0x6d07, 0x5502, 0x6611])("M12 device not set up (%#x)", async (status) => {
  await using world = await World.open();
  world.device.behaviour.statuses.set("getPublicKey", status);
  await expectFailure(world.run("login device"), "DEVICE_NOT_READY");
});

test("M13 an unknown status word is shown as it is", async () => {
  await using world = await World.open();
  world.device.behaviour.statuses.set("getPublicKey", 0x6abc);
  const { message, details } = await expectFailure(world.run("login device"), "DEVICE_ERROR");
  expect(String(message)).toContain("0x6abc");
  expect(details).toEqual({ status: "0x6abc", command: "getPublicKey" });
});

/** Bytes to change in every packet of the answer to the last command of an approval. */
const SPOILT: readonly (readonly [what: string, spoil: (packet: Buffer, index: number) => void])[] =
  [
    ["channel", (packet) => packet.writeUInt16BE(packet.readUInt16BE(0) ^ 1, 0)],
    ["tag", (packet) => packet.writeUInt8(6, 2)],
    ["sequence", (packet, index) => packet.writeUInt16BE(index + 1, 3)],
  ];

test.each(SPOILT)("M14 a frame with another %s", async (_what, spoil) => {
  const { world, line } = await loggedIn();
  await using _ = world;
  world.device.behaviour.spoil = (packets, instruction) => {
    if (instruction === "validateVaultOperation") packets.forEach(spoil);
    return packets;
  };
  await expectFailure(world.run(line), "DEVICE_PROTOCOL");
  expectNothingPosted(world);
});

test.each([
  ["M15 a frame that announces 4097 bytes", 4097],
  ["M15 a frame that announces 65535 bytes", 65_535],
  ["M16 an answer of one byte", 1],
  ["M16 an answer of no bytes", 0],
])("%s", async (_name, announced) => {
  const { world, line } = await loggedIn();
  await using _ = world;
  world.device.behaviour.spoil = (packets, instruction) => {
    if (instruction === "validateVaultOperation") packets[0]?.writeUInt16BE(announced, 5);
    return packets;
  };
  await expectFailure(world.run(line), "DEVICE_PROTOCOL");
  expectNothingPosted(world);
});

test.each([
  [
    "a key of another length",
    "getPublicKey",
    Buffer.concat([Buffer.from([64]), Buffer.alloc(64, 4)]),
  ],
  ["a name longer than the answer", "getAppAndVersion", Buffer.from("0140566175", "hex")],
  ["an action that the server did not send", "validateVaultOperation", Buffer.from([1, 0, 9])],
  ["a step of an unknown kind", "validateVaultOperation", Buffer.from([3, 0, 1])],
  ["a signature of no bytes", "validateVaultOperation", Buffer.from([2, 0, 0])],
])("DEV-3 inner lengths are checked: %s", async (_name, at, content) => {
  const { world, line } = await loggedIn();
  await using _ = world;
  world.device.behaviour.spoil = (packets, instruction) => {
    const channel = packets[0]?.readUInt16BE(0) ?? 0;
    return instruction === at
      ? frame(channel, Buffer.concat([content, Buffer.from([0x90, 0])]))
      : packets;
  };
  await expectFailure(world.run(line), "DEVICE_PROTOCOL");
  expectNothingPosted(world);
});

test("DEV-3 a device that asks for the same action for ever is left", async () => {
  const { world, line } = await loggedIn({ order: Array.from({ length: 100 }, () => 1) });
  await using _ = world;
  await expectFailure(world.run(line), "DEVICE_PROTOCOL");
  expect(world.device.heard.filter((name) => name === "validateVaultOperation")).toHaveLength(60);
  expectNothingPosted(world);
}, 60_000);

test("M17 the device of another user is refused before its screen shows anything", async () => {
  const { world, line } = await loggedIn();
  await using _ = world;
  await world.machine.unplug();
  const screens: string[] = [];
  const person: Person = async ({ title }) => {
    screens.push(title);
    return "confirm";
  };
  const other = new SimulatedDevice(OTHER_KEYS, { person });
  await world.machine.plug(other, "hidraw1");
  await expectFailure(world.run(line), "DEVICE_MISMATCH", 3);
  expect({ screens, heard: other.heard }).toEqual({
    screens: [],
    heard: ["getAppAndVersion", "getPublicKey"],
  });
  expect(world.sandbox.control.log).toEqual([]);
});

test("M17 a device without a user cannot log in", async () => {
  await using world = await World.open({}, true);
  await world.machine.plug(new SimulatedDevice(OTHER_KEYS));
  await expectFailure(world.run("login device"), "DEVICE_NOT_REGISTERED", 3);
});

test("M18 the token expires while the person reads: it is refreshed, and the approval goes on", async () => {
  const { world, line } = await loggedIn();
  await using _ = world;
  let screens = 0;
  world.device.behaviour.person = async () => {
    if (screens++ === 0) world.advance(301);
    return "confirm";
  };
  expect(await world.run(line)).toMatchObject({ exit: 0, document: { state: "APPROVED" } });
  expect(world.calls()).toContain("/auth/token/refresh");
});

test("M19 the request changes while the person reads", async () => {
  const { world, line } = await loggedIn();
  await using _ = world;
  world.sandbox.control.addFault({ match: { method: "POST", path: "/requests*" }, status: 409 });
  await expectFailure(world.run(line), "CONFLICT");
});

test("M19 a request that is closed already is not shown", async () => {
  const { world, id, line } = await loggedIn();
  await using _ = world;
  world.sandbox.control.review(id, ALICE, "APPROVE");
  await expectFailure(world.run(line), "REQUEST_CLOSED");
  expect(world.device.heard).not.toContain("openSession");
});

test("M20 a library that USB needs is missing: device commands say so, others work", async () => {
  await using world = await World.open({}, true);
  const hidden = join(world.folder, "hidden");
  await mkdir(hidden);
  for (const name of ["libudev.so.1", "libusb-1.0.so.0"]) await writeFile(join(hidden, name), "");
  const { executable, installed, nodes } = await findArtifacts();
  for (const command of [SOURCE_COMMAND, [executable], [nodes["22"], installed]]) {
    const env = { ...world.env, LD_LIBRARY_PATH: hidden };
    const run = async (line: string) => {
      const child = Bun.spawn([...command, ...line.split(" ")], {
        env,
        cwd: world.folder,
        stdio: ["ignore", "pipe", "inherit"],
      });
      const document = JSON.parse(await new Response(child.stdout).text());
      return { exit: await child.exited, document };
    };
    const { error } = (await run("login device")).document;
    expect(error).toMatchObject({ code: "DEVICE_UNSUPPORTED", exitCode: 1 });
    expect(error.hint).toContain("libudev1");
    expect((await run("login api")).exit).toBe(0);
    expect((await run("accounts list --pageSize 1")).exit).toBe(0);
  }
}, 60_000);

test("M20 the npm package without its optional dependency says what to install", async () => {
  const { installed, nodes } = await findArtifacts();
  const folder = await mkdtemp(join(tmpdir(), "package-"));
  try {
    const from = join(installed, "..", "..", "ledger-enterprise-cli");
    await cp(from, join(folder, "package"), { recursive: true });
    const command = [
      nodes["22"],
      join(folder, "package", "bin", "ledger-enterprise-cli.cjs"),
      "login",
      "device",
    ];
    const registry = {
      LEDGER_ENTERPRISE_NPM_REGISTRY: "http://127.0.0.1:9",
      LEDGER_ENTERPRISE_RELEASES_URL: "http://127.0.0.1:9",
    };
    const where = {
      LEDGER_ENTERPRISE_API_URL: "http://127.0.0.1:9/v1/rest",
      LEDGER_ENTERPRISE_WORKSPACE: "w",
    };
    const { stdout } = Bun.spawnSync(command, { env: { HOME: folder, ...registry, ...where } });
    const { error } = JSON.parse(stdout.toString());
    expect(error).toMatchObject({
      code: "DEVICE_UNSUPPORTED",
      message: "The package 'node-hid' is not installed.",
    });
  } finally {
    await rm(folder, { recursive: true });
  }
});

test.each([0x5123, 0x6807])("M21 the application is not installed (%#x)", async (status) => {
  await using world = await World.open({ app: "BOLOS" });
  world.device.behaviour.statuses.set("openApp", status);
  await expectFailure(world.run("login device"), "DEVICE_APP_MISSING");
});

test("M22 the device does not accept the server's security module: an alarm, never repeated", async () => {
  const { world, line } = await loggedIn();
  await using _ = world;
  world.device.behaviour.statuses.set("openSession", 0x6801);
  const { message, hint, retryable } = await expectFailure(
    world.run(line),
    "DEVICE_SERVER_UNTRUSTED",
  );
  expect({ message: String(message), hint: String(hint), retryable }).toMatchObject({
    retryable: false,
  });
  expect(String(message)).toContain("Do not approve");
  expect(world.device.heard.filter((name) => name === "openSession")).toHaveLength(1);
  expect(world.device.heard).not.toContain("validateVaultOperation");
  expectNothingPosted(world);
});

test.each([0x6e01, 0x662f])("M23 bootloader or recovery mode (%#x)", async (status) => {
  await using world = await World.open();
  world.device.behaviour.statuses.set("getAppAndVersion", status);
  await expectFailure(world.run("login device"), "DEVICE_NOT_READY");
});

test("M23 a device that shows itself as a bootloader", async () => {
  await using world = await World.open({}, true);
  await world.machine.plug(world.device, "hidraw0", "0006");
  await expectFailure(world.run("login device"), "DEVICE_NOT_READY");
  expect(world.device.heard).toEqual([]);
});

test("M24 the device refuses the server's data", async () => {
  await using world = await World.open({}, true);
  // Registered with its key, but the key handle is another device's.
  const other = new SimulatedDevice({ ...OTHER_KEYS, u2f: KEYS.u2f });
  other.behaviour.statuses.set("authenticate", 0x6a80);
  await world.machine.plug(other);
  const { hint } = await expectFailure(world.run("login device"), "DEVICE_BAD_DATA");
  expect(String(hint)).toContain("belongs to this workspace");
  expect(world.calls()).toEqual([]);
});

test.each([
  ["device", { pub_key: `04${"ab".repeat(64)}` }, "DEVICE_MISMATCH", 3],
  ["workspace", { workspace: "another" }, "SESSION_MISMATCH", 3],
] as const)(
  "specification §2 a token that names another %s is not stored by a login",
  async (_, claims, code, exit) => {
    await using world = await World.open();
    const accessToken = `e30.${Buffer.from(JSON.stringify(claims)).toString("base64url")}.c2ln`;
    const lives = { expiresInSeconds: 300, refreshExpiresInSeconds: 1800 };
    world.sandbox.control.addFault({
      match: { path: "/u2f/authentications/authenticate" },
      status: 200,
      body: JSON.stringify({ accessToken, refreshToken: "refresh-token", ...lives }),
    });
    await expectFailure(world.run("login device"), code, exit);
    await expectFailure(world.run("whoami"), "NOT_LOGGED_IN", 3);
  },
);
