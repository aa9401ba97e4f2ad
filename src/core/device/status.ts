/**
 * Status words of the device → our errors (DEV-1): the one table. Unknown ones are shown as they
 * are.
 */
import { CliError, type ErrorCode } from "../../errors.ts";

export const OK = 0x9000;

type Row = readonly [words: readonly number[], code: ErrorCode, message: string, hint?: string];

const UNPLUG = "Unplug the device, reconnect it, and run the command again.";

const TABLE: readonly Row[] = [
  [[0x6985, 0x5501], "DEVICE_REFUSED", "It was declined on the device; nothing was sent."],
  [[0x5515, 0x6982], "DEVICE_LOCKED", "The device is locked."],
  [
    [0x5502, 0x6d07, 0x6611],
    "DEVICE_NOT_READY",
    "The device is not set up.",
    "Set the device up first, as the workspace's administrator says.",
  ],
  [
    [0x6e00, 0x6d00, 0x6d02],
    "DEVICE_WRONG_APP",
    "The Vault application is not open on the device.",
  ],
  [[0x6e01], "DEVICE_NOT_READY", "The device is in bootloader mode.", "Restart the device."],
  [
    [0x662f],
    "DEVICE_NOT_READY",
    "The device is in recovery mode.",
    "Finish the recovery, or restart the device.",
  ],
  [
    [0x6807, 0x670a, 0x5123],
    "DEVICE_APP_MISSING",
    "The Vault application is not installed on the device.",
  ],
  [[0x6a80], "DEVICE_BAD_DATA", "The device refused the data from the server."],
  [
    [0x6801],
    "DEVICE_SERVER_UNTRUSTED",
    "Do not approve: the device could not verify the server's security module. Nothing was sent.",
  ],
  [
    [0x6700, 0x6b00],
    "DEVICE_PROTOCOL",
    "The application on the device does not support this program.",
    "Update the Vault application on the device, and this program.",
  ],
  [
    [0x6020, 0x6701],
    "DEVICE_NOT_READY",
    "The device is being updated.",
    "Close the Vault application on the device and finish the update.",
  ],
  [[0x6faa], "DEVICE_ERROR", "The device has halted.", "Restart the device."],
  [[0xb007], "DEVICE_ERROR", "The device is in a state in which it cannot continue.", UNPLUG],
];

/** What 0x6f00–0x6fff have in common, unless the table knows better. */
const INTERNAL: Row = [
  [],
  "DEVICE_ERROR",
  "The device reports an internal error.",
  "Restart the device.",
];

/**
 * The failure that a status word other than success means; `command` is ours, for `details`.
 */
export function statusError(status: number, command: string): CliError {
  const spelled = `0x${status.toString(16).padStart(4, "0")}`;
  const unknown: Row = [
    [],
    "DEVICE_ERROR",
    `The device answered with the unknown status ${spelled}.`,
  ];
  const isInternal = status >> 8 === 0x6f || status === 0x5223;
  const [, code, message, hint] =
    TABLE.find(([words]) => words.includes(status)) ?? (isInternal ? INTERNAL : unknown);
  const facts = { message, details: { status: spelled, command } };
  return new CliError(code, hint === undefined ? facts : { ...facts, hint });
}
