/**
 * From "some device may be connected" to its open Vault application (device protocol §2.1): finding
 * the one device, asking the person to unlock it and to open the application, and finding it again
 * when it leaves the bus meanwhile.
 */
import { CliError } from "../../errors.ts";
import type { App } from "./apdu.ts";
import { Connection, type DeviceHost, type Found } from "./transport.ts";
import { askApp, closeApp, isDashboard, isVault, type Opening, openVault, Vault } from "./vault.ts";

/** High byte of the product id → what the device is called; only these approve. */
const MODELS: Readonly<Record<number, string>> = { 96: "Ledger Stax", 112: "Ledger Flex" };
/** Product ids of the same devices before their operating system runs. */
const BOOTLOADERS: readonly number[] = [0x0006, 0x0007];

const POLL_MS = 500;
/** How long a device may be away from the bus while its application changes. */
const ABSENCE_MS = 15_000;

/** Which device, and how patiently. */
export interface DeviceOptions {
  /** The system's path of the device, where several are connected. */
  readonly device: string | undefined;
  /** Seconds for a person to act, each time. */
  readonly deviceTimeout: number;
}

function modelOf({ productId }: Found): string | undefined {
  return productId < 0x100 ? undefined : MODELS[productId >> 8];
}

/**
 * The one device to use. Throws DEVICE_NOT_FOUND, DEVICE_AMBIGUOUS, DEVICE_NOT_READY,
 * DEVICE_UNSUPPORTED.
 */
async function findDevice(host: DeviceHost, path: string | undefined): Promise<Found> {
  const all = (await host.usb()).list();
  const usable = all.filter((found) => modelOf(found) !== undefined);
  const chosen = path === undefined ? usable : usable.filter((found) => found.path === path);
  const [only, ...others] = chosen;
  const details = {
    devices: usable.map((found) => ({
      path: found.path,
      model: modelOf(found),
      serial: found.serial,
    })),
  };
  if (only !== undefined && others.length === 0) return only;
  if (only !== undefined) {
    throw new CliError("DEVICE_AMBIGUOUS", {
      message: "More than one device is connected.",
      field: "--device",
      details,
    });
  }
  if (path !== undefined && usable.length > 0) {
    throw new CliError("DEVICE_NOT_FOUND", {
      message: "No such device is connected.",
      field: "--device",
      details,
    });
  }
  if (all.some(({ productId }) => BOOTLOADERS.includes(productId))) {
    throw new CliError("DEVICE_NOT_READY", {
      message: "The device is in bootloader mode.",
      hint: "Restart the device.",
    });
  }
  throw new CliError("DEVICE_NOT_FOUND", {
    message:
      all.length > 0
        ? "A Ledger device is connected, but no Stax or Flex."
        : "No Ledger device is connected.",
  });
}

/** What `doctor` tells of the one connected device. */
export interface DeviceState {
  readonly model: string;
  readonly path: string;
  readonly app: { readonly name: string; readonly version: string; readonly isVault: boolean };
}

/**
 * Looks at the device once: asks no person for anything and opens nothing on it. Throws the DEVICE_
 * codes, DEVICE_LOCKED among them.
 */
export async function inspectDevice(host: DeviceHost): Promise<DeviceState> {
  const found = await findDevice(host, undefined);
  return host.alone(async () => {
    const connection = new Connection(await (await host.usb()).open(found.path), host, 0);
    try {
      const app = await askApp(connection);
      const [name, version] = [app.name.slice(0, 64), app.version.slice(0, 64)];
      return {
        model: modelOf(found) ?? "",
        path: found.path,
        app: { name, version, isVault: isVault(app) },
      };
    } finally {
      await connection.close();
    }
  });
}

/**
 * Finds the device, opens its Vault application, runs `work`, and lets go of it whatever happens.
 */
export async function withVault<T>(
  host: DeviceHost,
  options: DeviceOptions,
  work: (vault: Vault) => Promise<T>,
): Promise<T> {
  return host.alone(async () => {
    const way = new Way(host, options.deviceTimeout * 1000, await findDevice(host, options.device));
    try {
      return await work(new Vault(await way.toVault()));
    } finally {
      await way.end();
    }
  });
}

class Way {
  private current: Connection | undefined;

  constructor(
    private readonly host: DeviceHost,
    private readonly patienceMs: number,
    private device: Found,
  ) {}

  async end(): Promise<void> {
    await this.current?.close();
    this.current = undefined;
  }

  async toVault(): Promise<Connection> {
    const first = await this.connect();
    let app = await this.appOf(first);
    if (isVault(app)) return first;
    if (!isDashboard(app)) {
      await this.close(first, app);
      await this.end();
      app = await this.appAfter((found) => isVault(found) || isDashboard(found), ABSENCE_MS);
    }
    if (!isVault(app)) app = await this.open();
    this.host.runtime.log.debug("device application", { name: app.name, version: app.version });
    return this.connect();
  }

  /** Throws DEVICE_WRONG_APP, which names the application, when it does not obey. */
  private async close(connection: Connection, app: App): Promise<void> {
    try {
      await closeApp(connection);
    } catch (cause) {
      if (cause instanceof CliError && cause.code === "DEVICE_WRONG_APP")
        throw wrongApp(app, cause);
      requireGone(cause);
    }
  }

  /** From the dashboard. The order is given once: a second one would be a second prompt (DEV-4). */
  private async open(): Promise<App> {
    this.host.runtime.log.line(
      "Device: confirm on the device that the Vault application is opened.",
    );
    const opening = await openVault(await this.connect()).catch((cause: unknown): Opening => {
      requireGone(cause);
      return "opened";
    });
    await this.end();
    if (opening === "opened") return this.appAfter(isVault, ABSENCE_MS);
    this.host.runtime.log.line("Device: open the Vault application on the device.");
    return this.host.runtime.patiently(() => this.appAfter(isVault, this.patienceMs));
  }

  /** The open connection, or a new one. */
  private async connect(): Promise<Connection> {
    if (this.current === undefined) {
      const usb = await this.host.usb();
      this.current = new Connection(await usb.open(this.device.path), this.host, this.patienceMs);
    }
    return this.current;
  }

  /**
   * What runs on the device, once it is unlocked. Throws DEVICE_LOCKED when it stays locked for
   * time.
   */
  private async appOf(connection: Connection): Promise<App> {
    try {
      return await askApp(connection);
    } catch (cause) {
      if (!isLocked(cause)) throw cause;
    }
    this.host.runtime.log.line("Device: unlock the device with its PIN.");
    return this.host.runtime.patiently(() => this.untilUnlocked(connection));
  }

  private async untilUnlocked(connection: Connection): Promise<App> {
    const end = this.host.runtime.now() + this.patienceMs;
    for (;;) {
      await this.pause();
      try {
        return await askApp(connection);
      } catch (cause) {
        if (!isLocked(cause) || this.host.runtime.now() >= end) throw cause;
      }
    }
  }

  /**
   * Asks again and again, on whatever path the device comes back, until what runs there is `right`.
   */
  private async appAfter(right: (app: App) => boolean, limitMs: number): Promise<App> {
    const end = this.host.runtime.now() + limitMs;
    let failure = new CliError("DEVICE_DISCONNECTED", {
      message: "The device did not come back; nothing was sent.",
    });
    for (;;) {
      try {
        const app = await this.look();
        if (app !== undefined && right(app)) return app;
        if (app !== undefined) failure = wrongApp(app);
      } catch (cause) {
        failure = requireGone(cause);
      }
      if (this.host.runtime.now() >= end) throw failure;
      await this.pause();
    }
  }

  /** One look at the device, on a connection of its own if need be; undefined while it is away. */
  private async look(): Promise<App | undefined> {
    try {
      if (this.current === undefined) {
        const found = await this.findAgain();
        if (found === undefined) return undefined;
        this.device = found;
      }
      return await this.appOf(await this.connect());
    } catch (cause) {
      await this.end();
      throw cause;
    }
  }

  /** The same device under whatever path and product id it has now. Throws DEVICE_AMBIGUOUS. */
  private async findAgain(): Promise<Found | undefined> {
    const { productId, serial, path } = this.device;
    const all = (await this.host.usb())
      .list()
      .filter((found) => found.productId >> 8 === productId >> 8);
    const same = serial === undefined ? all : all.filter((found) => found.serial === serial);
    if (same.length < 2) return same[0];
    const there = same.find((found) => found.path === path);
    if (there !== undefined) return there;
    throw new CliError("DEVICE_AMBIGUOUS", {
      message: "More than one device is connected.",
      field: "--device",
    });
  }

  private async pause(): Promise<void> {
    try {
      await this.host.runtime.sleep(POLL_MS, this.host.runtime.stop);
    } catch (cause) {
      throw new CliError("DEVICE_TIMEOUT", {
        message: "The command ended before the device was ready.",
        cause,
      });
    }
  }
}

function isLocked(cause: unknown): boolean {
  return cause instanceof CliError && cause.code === "DEVICE_LOCKED";
}

/** A name that may appear in a sentence of ours: nothing in it reads like an instruction. */
const PLAIN_NAME = /^[A-Za-z0-9][A-Za-z0-9 -]{0,31}$/;

function wrongApp(app: App, cause?: unknown): CliError {
  const { name, version } = app;
  const details = { app: name.slice(0, 64), version: version.slice(0, 64) };
  if (isDashboard(app)) {
    return new CliError("DEVICE_WRONG_APP", {
      message: "The Vault application was not opened.",
      details,
    });
  }
  const shown = PLAIN_NAME.test(name) ? `The application '${name}'` : "Another application";
  return new CliError("DEVICE_WRONG_APP", {
    message: `${shown} is open on the device and did not close for the Vault application.`,
    hint: "Close that application on the device, open the Vault application, then run the command again.",
    details,
    cause,
  });
}

/**
 * What a device shows that changes its application: it leaves the bus, sometimes before it has
 * answered, and has no owner for a moment.
 */
const PASSING = new Set(["DEVICE_DISCONNECTED", "DEVICE_BUSY", "DEVICE_PERMISSION"]);

function requireGone(cause: unknown): CliError {
  if (cause instanceof CliError && PASSING.has(cause.code)) return cause;
  throw cause;
}
