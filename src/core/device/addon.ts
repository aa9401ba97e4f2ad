/**
 * The USB layer: Ledger's transport over node-hid, loaded only when a device command runs. The
 * executable carries the one native addon of its platform (scripts/build.ts); elsewhere node-hid
 * finds its own. Every failure of either is translated here and nowhere else.
 */
import type TransportClass from "@ledgerhq/hw-transport-node-hid-noevents";
import { CliError } from "../../errors.ts";
import type { Found, Usb, Wire } from "./transport.ts";

type Library = typeof import("@ledgerhq/hw-transport-node-hid-noevents");

/** DEV-3: what an answer may announce. */
const ANSWER_MAX_BYTES = 4096;
const PACKET_BYTES = 64;

/** Loads the library. Throws DEVICE_UNSUPPORTED saying what is missing. */
export async function loadUsb(): Promise<Usb> {
  let library: Library;
  try {
    library = await import("@ledgerhq/hw-transport-node-hid-noevents");
  } catch (cause) {
    throw unsupported(cause);
  }
  return {
    list: () => listed(library),
    async open(path) {
      try {
        return wireOf(await library.default.open(path));
      } catch (cause) {
        throw openError(cause, path, library);
      }
    },
  };
}

/** The native half is loaded at the first look, so that is where its absence shows. */
function listed({ getDevices }: Library): Found[] {
  try {
    return getDevices().flatMap(({ path, productId, serialNumber }) => {
      const serial = serialNumber === undefined || serialNumber === "" ? undefined : serialNumber;
      return path === undefined ? [] : [{ path, productId, serial }];
    });
  } catch (cause) {
    throw unsupported(cause);
  }
}

/**
 * What the loader of the system, of Node, of node-hid and of our executable say when something is
 * not there.
 */
const MISSING: readonly (readonly [pattern: RegExp, message: string, hint?: string])[] = [
  [
    /ERR_ADDON_MISSING/,
    "This platform has no USB support.",
    "Use a device from another kind of machine.",
  ],
  [
    /failed to map segment/,
    "The USB addon cannot be loaded from the folder for temporary files, which forbids it.",
    "Set BUN_TMPDIR to a folder from which programs may be run.",
  ],
  [
    /\.bun-[^:]*\.node: cannot open shared object file|EROFS|ENOSPC/,
    "The USB addon cannot be written into the folder for temporary files.",
    "Set BUN_TMPDIR to a folder that can be written.",
  ],
  [/libudev|libusb|libstdc\+\+/, "A library that USB needs is not installed on this machine."],
  [
    /node-hid|MODULE_NOT_FOUND|find binding/,
    "The package 'node-hid' is not installed.",
    "Install with optional dependencies: npm install --global ledger-enterprise-cli --include=optional",
  ],
];

function unsupported(cause: unknown): CliError {
  const { code = "", message = "" } =
    cause instanceof Error ? (cause as Error & { code?: string }) : {};
  const row = MISSING.find(([pattern]) => pattern.test(`${code} ${message}`));
  const [, text, hint] = row ?? [undefined, "USB support could not be loaded."];
  return new CliError("DEVICE_UNSUPPORTED", {
    message: text,
    ...(hint === undefined ? {} : { hint }),
    cause,
  });
}

/**
 * The native layer says why only in words: the system's own for a file on Linux, IOKit's number on
 * macOS.
 */
function openError(cause: unknown, path: string, library: Library): CliError {
  const text = cause instanceof Error ? cause.message : "";
  const details = { path };
  if (/permission denied|access is denied|not permitted|E00002E2/i.test(text)) {
    return new CliError("DEVICE_PERMISSION", {
      message: "The device is there, but may not be opened.",
      details,
      cause,
    });
  }
  if (
    listed(library).every((found) => found.path !== path) ||
    /no such (file|device)/i.test(text)
  ) {
    return new CliError("DEVICE_DISCONNECTED", {
      message: "The device was disconnected.",
      details,
      cause,
    });
  }
  return new CliError("DEVICE_BUSY", {
    message: "The device is there, but could not be opened.",
    details,
    cause,
  });
}

/** An opened transport as a wire. Exchanging throws DEVICE_PROTOCOL and DEVICE_DISCONNECTED. */
export function wireOf(transport: TransportClass): Wire {
  let isFirst = true;
  let isClosed = false;
  const readPacket = transport.readHID;
  transport.readHID = async () => {
    // A new read would take back the order to end.
    if (isClosed) throw protocolError("closed");
    const packet = await readPacket();
    checkPacket(packet, isFirst);
    isFirst = false;
    return packet;
  };
  return {
    async exchange(command) {
      isFirst = true;
      try {
        return await transport.exchange(Buffer.from(command));
      } catch (cause) {
        throw exchangeError(cause);
      }
    },
    async close() {
      isClosed = true;
      // A pending read keeps the device, and on Node the process, until it is told to end.
      transport.device.pause();
      await transport.close().catch(() => undefined);
    },
  };
}

/**
 * Before the transport collects what a packet announces. Channel, tag and sequence it checks
 * itself.
 */
function checkPacket(packet: Buffer, isFirst: boolean): void {
  if (packet.length !== PACKET_BYTES) throw protocolError("packet length");
  if (!isFirst) return;
  const announced = packet.readUInt16BE(5);
  if (announced < 2 || announced > ANSWER_MAX_BYTES) throw protocolError("answer length");
}

function protocolError(what: string, cause?: unknown): CliError {
  return new CliError("DEVICE_PROTOCOL", {
    message: "The device's answer does not belong to the command; nothing was sent to the server.",
    details: { what },
    cause,
  });
}

/** By name: the transport brings its own copies of the error classes. */
function exchangeError(cause: unknown): CliError {
  if (cause instanceof CliError) return cause;
  if (cause instanceof Error && cause.name.startsWith("DisconnectedDevice")) {
    return new CliError("DEVICE_DISCONNECTED", {
      message: "The device was disconnected; nothing was sent.",
      cause,
    });
  }
  const { id } = cause instanceof Error ? (cause as Error & { id?: unknown }) : {};
  return protocolError(typeof id === "string" ? id : "exchange", cause);
}
