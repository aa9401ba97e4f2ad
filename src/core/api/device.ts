/**
 * What of the server's side of devices is not public, in one table: paths, bodies and names of
 * fields. The older web client's are used below the base URL of either API version (device protocol
 * §6, §7); what V2 documents is taken from there. Read leniently by channel.ts and login.ts, and
 * named in the README.
 */
import { Exact, encode } from "../../io/json.ts";
import type { Operation } from "./operation.ts";

/** The two calls of a login with a device. */
export const LOGIN = {
  /** `PUB`: the device's public key as 130 upper-case hexadecimal digits. */
  challengePath: (publicKey: string): string => `/u2f/authentications/${publicKey}/challenge`,
  answerPath: "/u2f/authentications/authenticate",
  answerBody: (authentication: Uint8Array): Exact =>
    new Exact(encode({ authentication: Buffer.from(authentication).toString("hex") })),
} as const;

/** Spellings of each field of a server's answer, the likeliest first. */
export const FIELDS = {
  challenge: ["challenge", "token"],
  keyHandle: ["key_handle", "keyHandle"],
  role: ["role"],
  name: ["name"],
  ephemeralPublicKey: ["ephemeral_public_key", "ephemeralPublicKey"],
  certificate: ["certificate", "ephemeralPublicKeyAttestation", "ephemeral_public_key_attestation"],
  attestationPublicKey: ["attestation_pub", "attestationPub"],
  attestedCertificate: ["certificate"],
  signature: ["signature"],
  actions: ["w_actions", "wActions", "actions"],
  operation: ["blob"],
} as const;

/**
 * Requests of these kinds open the device's session for transactions; all others the one for
 * everything else.
 */
export const TRANSACTIONS: ReadonlySet<string> = new Set([
  ...[
    "CREATE_TRANSACTION",
    "BITCOIN_LIKE_TRANSACTION",
    "ETHEREUM_LIKE_TRANSACTION",
    "RIPPLE_LIKE_TRANSACTION",
  ],
]);

const CHALLENGE = "/requests/{id}/challenge";
const APPROVE = "/requests/{id}/approve";

type DeviceOperations = Readonly<
  Record<"requests.deviceChallenge" | "requests.deviceApprove", Operation>
>;

/**
 * The calls of an approval by device, for the tables of both API versions. `signature` is base64.
 */
export const DEVICE_OPERATIONS: { readonly v1: DeviceOperations; readonly v2: DeviceOperations } = {
  v1: {
    "requests.deviceChallenge": { method: "POST", path: CHALLENGE, body: () => new Exact("{}") },
    "requests.deviceApprove": {
      method: "POST",
      path: APPROVE,
      writes: "deviceApprove",
      body: (_, { signature, publicKey }) =>
        new Exact(encode({ signature, public_key: publicKey })),
    },
  },
  v2: {
    "requests.deviceChallenge": { method: "GET", path: CHALLENGE, assumed: "U1" },
    "requests.deviceApprove": {
      method: "POST",
      path: APPROVE,
      writes: "deviceApprove",
      body: (_, { signature }) => new Exact(encode({ data: { challengeType: "PSD", signature } })),
    },
  },
};
