/**
 * The whole way with a device in every form of the program: native node-hid on an emulated hidraw
 * node, the sandbox at the other end.
 */
import { test as bunTest, expect } from "bun:test";
import { findArtifacts } from "../support/artifacts.ts";
import { lacks } from "../support/programs.ts";
import { SOURCE_COMMAND } from "./machine.ts";
import { World } from "./world.ts";

/** The emulated devices need umockdev. */
const test = lacks("/usr/bin/umockdev-wrapper") ? bunTest.skip : bunTest;

const { executable, installed, nodes } = await findArtifacts();

test.each([
  ["source", SOURCE_COMMAND],
  ["executable", [executable]],
  ["npm package on Node 22", [nodes["22"], installed]],
  ["npm package on Node 26", [nodes["26"], installed]],
] as const)(
  "log in and approve with a device: %s",
  async (_name, command) => {
    await using world = await World.open();
    const id = await world.raise();
    const login = await world.run("login device", command);
    expect(login).toMatchObject({ exit: 0, document: { session: { kind: "device" } } });
    expect(login.stderr).toBe("Device: check the login on the device and confirm it there.\n");

    const dryRun = await world.run(`requests approve device --id ${id} --dryRun`, command);
    expect(dryRun).toMatchObject({ exit: 0, stderr: "", document: { dryRun: true } });
    expect(world.approvals).toEqual([]);

    const approved = await world.run(`requests approve device --id ${id}`, command);
    expect(approved).toMatchObject({ exit: 0, document: { id } });
    expect(approved.stderr).toBe(
      "Device: read the request on the device, and confirm or decline it there.\n",
    );
    expect(world.approvals).toEqual([`/requests/${id}/approve`]);
    expect(world.device.violations).toEqual([]);
    expect(world.machine.faults).toEqual([]);
    const reviews = (await world.run(`requests get --id ${id} --fields reviews`, command)).document
      .reviews;
    expect(reviews.filter(({ status }: { status: string }) => status === "APPROVED").length).toBe(
      2,
    );
  },
  60_000,
);

test.each([
  ["source", SOURCE_COMMAND],
  ["executable", [executable]],
  ["npm package on Node 22", [nodes["22"], installed]],
  ["npm package on Node 26", [nodes["26"], installed]],
] as const)(
  "M3 an approval on the device is said on stderr when stdout is full: %s",
  async (_name, command) => {
    await using world = await World.open();
    const id = await world.raise();
    await world.run("login device", command);
    const full = ["bash", "-c", 'exec "$@" >/dev/full', "bash", ...command];
    const { exit, document, stderr } = await world.run(`requests approve device --id ${id}`, full);
    expect([exit, document]).toEqual([1, undefined]);
    expect(stderr.split("\n")[1]).toMatch(
      new RegExp(
        `^OUTPUT_ERROR: Request ${id} was approved with the device \\(key [0-9A-Z]{26}\\), but`,
      ),
    );
    expect(world.approvals).toEqual([`/requests/${id}/approve`]);
  },
  60_000,
);
