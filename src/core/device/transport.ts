/**
 * One connection to one device: commands out, answers in, each within its time, every failure as
 * ours (DEV-3, DEV-4). After a failure the connection is not used again: the device may still show
 * something.
 */
import { CliError } from "../../errors.ts";
import type { Runtime } from "../../io/runtime.ts";
import { OK, statusError } from "./status.ts";

/** A device as the system lists it. */
export interface Found {
  readonly path: string;
  /** USB product id; its high byte is the model. */
  readonly productId: number;
  readonly serial: string | undefined;
}

/** An open device. `exchange` rejects with a CliError. */
export interface Wire {
  exchange(command: Uint8Array): Promise<Uint8Array>;
  /** Ends a pending exchange, if there is one, and lets go of the device. Never rejects. */
  close(): Promise<void>;
}

/** The system's USB devices. Throws DEVICE_UNSUPPORTED when they cannot be reached at all. */
export interface Usb {
  list(): readonly Found[];
  /** Throws DEVICE_PERMISSION, DEVICE_BUSY, DEVICE_DISCONNECTED. */
  open(path: string): Promise<Wire>;
}

/** What device work needs beside clock and log. */
export interface DeviceHost {
  readonly runtime: Pick<Runtime, "now" | "sleep" | "stop" | "patiently" | "log">;
  usb(): Promise<Usb>;
  /** Runs what uses a device; throws DEVICE_BUSY when another process of ours does (DEV-2). */
  alone<T>(work: () => Promise<T>): Promise<T>;
}

/** Time for a command that does not wait for a person. */
const QUICK_MS = 10_000;

export interface Answer {
  readonly data: Uint8Array;
  readonly status: number;
}

/** An open device: commands go out, answers come back, both within their bounds (DEV-3). */
export class Connection {
  private isUsable = true;

  constructor(
    private readonly wire: Wire,
    private readonly host: DeviceHost,
    /** Time for a person to answer. */
    readonly patienceMs: number,
  ) {}

  /**
   * Sends one command and returns its answer whatever its status. `person`: somebody has to act on
   * the device before it answers. Throws DEVICE_TIMEOUT, DEVICE_DISCONNECTED, DEVICE_PROTOCOL.
   */
  async exchange(name: string, command: Uint8Array, person = false): Promise<Answer> {
    if (!this.isUsable) throw new Error("A connection that failed was used again.");
    const startedAt = this.host.runtime.now();
    const limitMs = person ? this.patienceMs : QUICK_MS;
    const raw = await (person
      ? this.host.runtime.patiently(() => this.inTime(command, limitMs))
      : this.inTime(command, limitMs));
    const status = ((raw.at(-2) ?? 0) << 8) | (raw.at(-1) ?? 0);
    const ms = this.host.runtime.now() - startedAt;
    this.host.runtime.log.debug(`device ${name}`, {
      status: `0x${status.toString(16).padStart(4, "0")}`,
      bytes: raw.length,
      ms,
    });
    return { data: raw.subarray(0, -2), status };
  }

  /**
   * The same for an answer that must be a success; `also` accepts other statuses. Throws what the
   * status means, too.
   */
  async ask(
    name: string,
    command: Uint8Array,
    person = false,
    also = (_: number) => false,
  ): Promise<Answer> {
    const answer = await this.exchange(name, command, person);
    if (answer.status !== OK && !also(answer.status)) throw statusError(answer.status, name);
    return answer;
  }

  /** Lets go of the device; nothing more can be sent. */
  async close(): Promise<void> {
    this.isUsable = false;
    await this.wire.close();
  }

  private async inTime(command: Uint8Array, limitMs: number): Promise<Uint8Array> {
    const answered = new AbortController();
    const { stop, sleep } = this.host.runtime;
    const over = sleep(limitMs, AbortSignal.any([answered.signal, stop])).then(
      () => undefined,
      () => undefined,
    );
    try {
      const answer = await Promise.race([this.wire.exchange(command), over]);
      if (answer !== undefined) return answer;
    } catch (cause) {
      await this.close();
      throw cause;
    } finally {
      answered.abort();
    }
    await this.close();
    throw new CliError("DEVICE_TIMEOUT", {
      message: stop.aborted
        ? "The command ended before the device had answered; nothing was sent."
        : `The device did not answer within ${limitMs / 1000} seconds; nothing was sent.`,
    });
  }
}
