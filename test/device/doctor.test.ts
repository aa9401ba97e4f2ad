/**
 * What doctor sees of a device: one broken thing at a time, on the emulated machine. It asks no
 * person for anything.
 */
import { test as bunTest, expect } from "bun:test";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { lacks } from "../support/programs.ts";
import { SOURCE_COMMAND, UNPRIVILEGED } from "./machine.ts";
import { SimulatedDevice } from "./simulator.ts";
import { KEYS, World } from "./world.ts";

/** The emulated devices need umockdev. */
const test = lacks("/usr/bin/umockdev-wrapper") ? bunTest.skip : bunTest;

interface Finding {
  readonly status: string;
  readonly message: string;
  readonly code?: string;
  readonly fix?: string;
  // biome-ignore lint/suspicious/noExplicitAny: differs from finding to finding.
  readonly details?: any;
}

async function deviceFinding(world: World, command?: readonly string[]): Promise<Finding> {
  const { document, stderr } = await world.run("doctor", command);
  expect(stderr).toBe("");
  const findings = (document.findings ?? document.error.details.findings) as (Finding & {
    check: string;
  })[];
  const [found, ...others] = findings.filter(({ check }) => check === "device");
  expect(others).toEqual([]);
  if (found === undefined) throw new Error("doctor says nothing about the device");
  expect(found.fix !== undefined).toBe(found.status !== "ok");
  return found;
}

test("M01 a missing device is not a fault, and nothing is made for it", async () => {
  await using world = await World.open({}, true);
  expect(await deviceFinding(world)).toMatchObject({
    status: "ok",
    message: "No Ledger device is connected.",
  });
  expect(await readdir(join(world.folder, "home"))).not.toContain(".local");
});

test("M01 after a login with a device its absence is told", async () => {
  await using world = await World.open();
  await world.run("login device");
  await world.machine.unplug();
  expect(await deviceFinding(world)).toMatchObject({ status: "warn", code: "DEVICE_NOT_FOUND" });
});

test("the Vault application is open", async () => {
  await using world = await World.open();
  expect(await deviceFinding(world)).toMatchObject({
    status: "ok",
    details: { model: "Ledger Stax", path: "/dev/hidraw0", app: "Vault" },
  });
  expect(world.device.heard).toEqual(["getAppAndVersion"]);
});

test("M02 no permission for the node", async () => {
  await using world = await World.open();
  await world.machine.forbid();
  const command = [...UNPRIVILEGED, ...SOURCE_COMMAND];
  expect(await deviceFinding(world, command)).toMatchObject({
    status: "warn",
    code: "DEVICE_PERMISSION",
  });
});

test("M03 locked: told at once, and no person is asked", async () => {
  await using world = await World.open({ locked: true });
  expect(await deviceFinding(world)).toMatchObject({ status: "warn", code: "DEVICE_LOCKED" });
  expect(world.device.heard).toEqual(["getAppAndVersion"]);
});

test("M04 another application is open: it is not closed", async () => {
  await using world = await World.open({ app: "Ethereum" });
  expect(await deviceFinding(world)).toMatchObject({
    status: "warn",
    details: { app: "Ethereum" },
  });
  expect(world.device.heard).toEqual(["getAppAndVersion"]);
});

test("M10 two devices are listed, with what --device takes", async () => {
  await using world = await World.open();
  await world.machine.plug(new SimulatedDevice(KEYS, {}), "hidraw1", "7011", "0002");
  const { status, code, details } = await deviceFinding(world);
  expect([status, code]).toEqual(["warn", "DEVICE_AMBIGUOUS"]);
  expect(details.devices.map(({ path }: { path: string }) => path).sort()).toEqual([
    "/dev/hidraw0",
    "/dev/hidraw1",
  ]);
});
