/** Opening sessions, and the device that can open one. */
import type { Api } from "../../core/api/api.ts";
import type { DeviceApproval } from "../../core/device/approve.ts";
import type { DeviceLogin } from "../../core/device/login.ts";
import type { DeviceHost } from "../../core/device/transport.ts";
import type { LoginRequest } from "../../core/login/api.ts";
import { CliError } from "../../errors.ts";
import type { Run } from "../occasion.ts";
import { noted } from "./books.ts";

/** Logs in with the operator's API key. */
export function apiLoginOf(run: Run) {
  const known = run.access();
  return async (request: LoginRequest) =>
    noted(run, (await import("../../core/login/api.ts")).loginWithApiKey(known, request));
}

/** Logs in with a reporting key. */
export function reportingLoginOf(run: Run) {
  const known = run.access();
  return async (request: LoginRequest) =>
    noted(
      run,
      (await import("../../core/login/reporting.ts")).loginWithReportingKey(known, request),
    );
}

/** Logs in with a Ledger device by USB. */
export function deviceLoginOf(run: Run) {
  const known = run.access();
  return async (request: DeviceLogin) =>
    noted(
      run,
      (await import("../../core/device/login.ts")).loginWithDevice(known, deviceOf(run), request),
    );
}

/** Approves with a Ledger device by USB. */
export function deviceApprovalOf(run: Run) {
  return async (api: Api, request: DeviceApproval) => {
    const { approveWithDevice } = await import("../../core/device/approve.ts");
    const acts = await run.acts();
    // Before anybody is asked to look at the device.
    await acts.decide({
      ...{ kind: "deviceApprove", operation: "requests.deviceApprove", command: run.name },
      ...{ session: await api.session(), requestId: request.id, again: request.again },
      ...{ content: undefined, body: undefined },
    });
    return approveWithDevice(api, deviceOf(run), request);
  };
}

/** The device by USB, one process of this program at a time. Throws DEVICE_BUSY. */
export function deviceOf({ runtime, state }: Run): DeviceHost {
  return {
    runtime,
    usb: async () => (await import("../../core/device/addon.ts")).loadUsb(),
    async alone(work) {
      await state().prepare();
      let isHeld = false;
      const held = (): ReturnType<typeof work> => {
        isHeld = true;
        return work();
      };
      return state()
        .lock("device", held, { timeoutMs: 0 })
        .catch((cause: unknown) => {
          if (isHeld || !(cause instanceof CliError) || cause.code !== "LOCK_TIMEOUT") throw cause;
          const { details } = cause.facts;
          throw new CliError("DEVICE_BUSY", {
            message: "Another process of this program uses the device.",
            details,
            cause,
          });
        });
    },
  };
}
