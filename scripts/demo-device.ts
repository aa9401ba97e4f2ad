/**
 * `npm run demo -- --device`: the executable through a login and an approval with a simulated
 * Ledger Stax. Native node-hid opens the device on an emulated hidraw node (umockdev); its person
 * confirms everything at once. Linux only.
 */
import { existsSync } from "node:fs";
import { IS_AVAILABLE } from "../test/device/machine.ts";
import { World } from "../test/device/world.ts";
import { hostExecutable } from "./build.ts";

const PACKAGES = "umockdev gir1.2-umockdev-1.0 python3-gi";

/**
 * Shows every command with its result. Returns the last words. Throws a sentence for a person
 * when a step fails.
 */
export async function playDevice(say: (text: string) => void): Promise<string> {
  if (!IS_AVAILABLE || !existsSync("/proc/self"))
    throw new Error(
      `The emulated device needs Linux and these packages: apt-get install ${PACKAGES}`,
    );
  await using world = await World.open();
  say(
    `# A simulated Stax is connected; the sandbox serves ${world.env.LEDGER_ENTERPRISE_API_URL}.`,
  );
  const id = await world.raise();
  say(
    `# The API operator has raised request ${id} and approved it; now it waits for the owner of the device.`,
  );
  let count = 0;
  const step = async (line: string): Promise<Record<string, unknown>> => {
    say(`\n$ ledger-enterprise-cli ${line} --pretty`);
    const { exit, document, stderr } = await world.run(`${line} --pretty`, [hostExecutable()]);
    if (stderr !== "") say(stderr.trimEnd());
    say(JSON.stringify(document, null, 2));
    if (exit !== 0) throw new Error(`'${line}' ended with exit code ${exit}.`);
    count += 1;
    return document as Record<string, unknown>;
  };
  await step("doctor");
  await step("login device");
  await step(`requests get --id ${id} --fields id,type,state,data`);
  await step(`requests approve device --id ${id} --dryRun`);
  await step(`requests approve device --id ${id}`);
  const { state } = await step(`requests get --id ${id} --fields state`);
  await step("logout");
  if (world.device.violations.length > 0)
    throw new Error(`The device objects: ${world.device.violations.join("; ")}`);
  return `${count} commands, request ${id} is ${String(state)}`;
}
