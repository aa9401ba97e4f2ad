/**
 * A challenge, the bytes that are signed for it, and signatures over them by an independent
 * implementation (node:crypto, not the program's).
 */
import { createPrivateKey, type KeyObject, sign } from "node:crypto";
import { openSandbox } from "../support/sandbox.ts";

/** What a program gets on standard input for the challenge below. */
export interface Order {
  /** 130 hexadecimal digits. */
  readonly publicKey: string;
  readonly key: KeyObject;
  /** Another key on the same curve. */
  readonly challenge: string;
  /** ASCII of the JWS's header and payload. */
  readonly message: string;
}

const SAMPLE = JSON.stringify({
  antireplay: "454F63AC30C8322997EF025EDFF6ABD23E0DBE7B8A3D5126A894E4A168C1B59B",
  data: {
    transaction_data: { amount: "1500000", currency: "bitcoin testnet" },
    transaction_type: "BITCOIN_LIKE_SEND",
  },
  type: "APPROVE_TRANSACTION",
});

/** The operator's key of the sandbox, and an order for it. */
export async function openOrder(): Promise<Order> {
  await using sandbox = await openSandbox();
  return orderFor(sandbox.environment.LEDGER_ENTERPRISE_API_PRIVATE_KEY ?? "");
}

/** The same for a private key in the hexadecimal form of its PEM. */
export function orderFor(privateKey: string): Order {
  const key = createPrivateKey(Buffer.from(privateKey, "hex").toString("latin1"));
  const { x = "", y = "" } = key.export({ format: "jwk" });
  const point = [x, y].map((half) => Buffer.from(half, "base64url").toString("hex"));
  const challenge = Buffer.from(SAMPLE).toString("base64url");
  const header = Buffer.from('{"alg":"ES256","typ":"JWT"}').toString("base64url");
  return { publicKey: `04${point.join("")}`, key, challenge, message: `${header}.${challenge}` };
}

const ORDER_OF_CURVE = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;

/** 64 bytes over SHA-256(message), the first of many that fits. */
export function rawSignature(
  key: KeyObject,
  message: string | Uint8Array,
  fits: (raw: Buffer) => boolean = () => true,
): Buffer {
  for (;;) {
    const raw = sign("sha256", Buffer.from(message), { key, dsaEncoding: "ieee-p1363" });
    if (fits(raw)) return raw;
  }
}

/** True when s is in the upper half. */
export function isHigh(raw: Uint8Array): boolean {
  return BigInt(`0x${Buffer.from(raw).subarray(32).toString("hex")}`) > ORDER_OF_CURVE / 2n;
}

/** DER of r‖s, as stores write it. */
export function derOf(raw: Uint8Array): Buffer {
  const integers = [raw.subarray(0, 32), raw.subarray(32)].map((half) => {
    let body = Buffer.from(half);
    while (body.length > 1 && body[0] === 0) body = body.subarray(1);
    if ((body[0] ?? 0) >= 0x80) body = Buffer.concat([Buffer.alloc(1), body]);
    return Buffer.concat([Buffer.from([0x02, body.length]), body]);
  });
  const content = Buffer.concat(integers);
  return Buffer.concat([Buffer.from([0x30, content.length]), content]);
}
