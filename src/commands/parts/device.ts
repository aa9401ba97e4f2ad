/** What every command with a Ledger device takes and says. */
import { seconds, text, withDefault } from "../../cli/argument.ts";

/** Which device, and how long its person may take. */
export const DEVICE_ARGS = {
  device: text(
    "Path of the device, needed when several are connected; 'doctor' lists them.",
    "<path>",
    1024,
  ),
  deviceTimeout: withDefault(
    seconds("Seconds for a person to act on the device, each time.", 1, 3600),
    300,
  ),
};

/** What such a command asks of a person. */
export const PERSON =
  "A person must unlock the device and confirm on it; a line on stderr says when.";
