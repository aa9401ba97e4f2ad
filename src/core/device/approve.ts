/**
 * Approval with a device (device protocol §7): what it shows and what is posted stem from one
 * answer of the server (DEV-5).
 */
import { CliError } from "../../errors.ts";
import { type Exact, member, value } from "../../io/json.ts";
import type { Api } from "../api/api.ts";
import { TRANSACTIONS } from "../api/device.ts";
import { requireKind } from "../signing/approval.ts";
import type { Session } from "../state/session.ts";
import type { Script } from "./apdu.ts";
import { type Channel, channelFor } from "./channel.ts";
import { type DeviceOptions, withVault } from "./reach.ts";
import type { DeviceHost } from "./transport.ts";
import type { Vault } from "./vault.ts";

export interface DeviceApproval extends DeviceOptions {
  readonly id: string;
  /** The key of the record that is repeated on purpose. */
  readonly again: string | undefined;
}

/**
 * Shows the request on the session's own device and posts the signature that the person confirms
 * there; returns the API's answer. After a refusal, a disconnection or a time-out nothing is posted
 * (DEV-4); once the signature is complete, the device is no longer needed. Throws the DEVICE_
 * codes, WRONG_SESSION_KIND, REQUEST_CLOSED, INVALID_RESPONSE, and the codes of calls and writes.
 */
export async function approveWithDevice(
  api: Api,
  device: DeviceHost,
  request: DeviceApproval,
): Promise<Exact> {
  const session = await api.session();
  requireKind(session, "device");
  const { id, again } = request;
  const signed = await withVault(device, request, async (vault) => {
    const publicKey = await ownKey(vault, session);
    const script = scriptOf(await api.read("requests.get", { id }));
    const channel = channelFor(await api.read("requests.deviceChallenge", { id }), publicKey);
    await vault.openSession({ ...channel, script });
    device.runtime.log.line(
      "Device: read the request on the device, and confirm or decline it there.",
    );
    return { publicKey, signature: await sign(vault, channel) };
  });
  const signature = Buffer.from(signed.signature).toString("base64");
  const { publicKey } = signed;
  const parameters = { id, signature, publicKey };
  return api.write("requests.deviceApprove", parameters, undefined, undefined, { again });
}

function sign(vault: Vault, { shown }: Channel): Promise<Uint8Array> {
  return "actions" in shown ? vault.sign(shown.actions) : vault.signOperation(shown.operation);
}

/**
 * M17: the device must be the one that logged in, before it shows anything. Throws DEVICE_MISMATCH.
 */
async function ownKey(vault: Vault, session: Session): Promise<string> {
  const publicKey = Buffer.from(await vault.publicKey())
    .toString("hex")
    .toUpperCase();
  if (session.user?.publicKey?.toUpperCase() === publicKey) return publicKey;
  throw new CliError("DEVICE_MISMATCH", {
    message: "The connected device is not the one that logged in.",
  });
}

/** V2 names the kind of a request `type`, V1 that of its target `target_type`. */
function scriptOf(request: Exact): Script {
  const kinds = ["type", "target_type"].map((name) => {
    const found = request.text.startsWith("{") ? member(request, name) : undefined;
    return found === undefined ? undefined : value(found);
  });
  return kinds.some((kind) => typeof kind === "string" && TRANSACTIONS.has(kind))
    ? "matcher"
    : "accountManager";
}
