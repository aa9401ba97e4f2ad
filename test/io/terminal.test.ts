/** What can be a terminal is asked of the runtime's streams, everything else of the system. */
import { afterAll, expect, test } from "bun:test";
import { closeSync, openSync } from "node:fs";
import { mayBeTerminal } from "../../src/io/descriptor.ts";

const opened: number[] = [];
afterAll(() => opened.forEach(closeSync));

function descriptorOf(path: string): number {
  const descriptor = openSync(path, "r");
  opened.push(descriptor);
  return descriptor;
}

test.skipIf(process.platform === "win32")("a file, a pipe and /dev/null are no terminals", () => {
  expect(mayBeTerminal(descriptorOf(import.meta.path))).toBe(false);
  expect(mayBeTerminal(descriptorOf("/dev/null"))).toBe(false);
  expect(mayBeTerminal(9999)).toBe(false);
  const { stdout } = Bun.spawnSync([
    ...[process.execPath, "-e"],
    `import { mayBeTerminal } from "${import.meta.dir}/../../src/io/descriptor.ts"; console.log(mayBeTerminal(1))`,
  ]);
  expect(stdout.toString()).toBe("false\n");
});

test.skipIf(process.platform === "win32")("the end of a terminal may be one", () => {
  expect(mayBeTerminal(descriptorOf("/dev/ptmx"))).toBe(true);
});
