/**
 * A sandbox with a still clock and counted randomness, and a client so plain that it can send
 * anything.
 */
import { createHash, createPrivateKey, sign } from "node:crypto";
import { type SandboxOptions, startSandbox } from "../../src/sandbox/index.ts";

export const START = Date.parse("2026-03-02T10:00:00Z");

export const USER = (n: number) => `b7c1d2e3-0000-4000-8000-${`${n}`.padStart(12, "0")}`;
export const ACCOUNT = (n: number) => `e5a8f6f0-2222-4f6e-8f5a-${`${n}`.padStart(12, "0")}`;
export const [OPERATOR, BACKUP, ALICE, BRUNO, CHLOE, DANIEL, EMI] = [1, 2, 4, 5, 6, 7, 8].map(
  USER,
) as [...[string, string, string, string, string, string, string]];
export const EXCHANGE_BTC = "tb1q5tsjcyz7xmet07yxtumakt739y53hcttmntajq";
export const USDC = "0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48";
export const JSON_TYPE = { "content-type": "application/json" };

/** Bytes of SHA-256 over a counter. */
export function counted(): (bytes: number) => Uint8Array {
  let block = 0;
  return (bytes) => {
    const parts: Buffer[] = [];
    for (let length = 0; length < bytes; length += 32)
      parts.push(createHash("sha256").update(`bench ${block++}`).digest());
    return new Uint8Array(Buffer.concat(parts).subarray(0, bytes));
  };
}

// biome-ignore lint/suspicious/noExplicitAny: answers are looked into member by member.
export type Document = any;

export interface Reply {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  readonly body: Document;
}

export interface Sending {
  readonly token?: string;
  readonly headers?: Record<string, string>;
  /** A document, or a string or bytes to send as they are. */
  readonly body?: unknown;
}

export async function openBench(options: SandboxOptions = {}) {
  let now = START;
  const sandbox = await startSandbox({ clock: () => now, random: counted(), ...options });
  const { description, control } = sandbox;
  const origin = new URL(description.control).origin;

  async function send(
    method: string,
    path: string,
    { token, headers, body }: Sending = {},
  ): Promise<Reply> {
    const isRaw = typeof body === "string" || body instanceof Uint8Array;
    const response = await fetch(
      path.startsWith("/_sandbox") ? `${origin}${path}` : `${description.baseUrls.v2}${path}`,
      {
        method,
        redirect: "manual",
        headers: {
          ...JSON_TYPE,
          ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
          ...headers,
        },
        ...(body === undefined ? {} : { body: isRaw ? (body as string) : JSON.stringify(body) }),
      },
    );
    const text = await response.text();
    const isJson = response.headers.get("content-type")?.startsWith("application/json") === true;
    return {
      status: response.status,
      headers: response.headers,
      text,
      body: isJson ? JSON.parse(text) : undefined,
    };
  }

  async function login(who = "operator"): Promise<string> {
    const credentials = {
      workspace: description.workspace,
      apiKeyId: `sandbox-${who}`,
      apiKeySecret: `sandbox-${who}-secret-not-real`,
    };
    const reply = await send("POST", "/auth/token", { body: credentials });
    return reply.body.accessToken;
  }

  let token = await login();
  const get = (path: string) => send("GET", path, { token });
  const post = (path: string, body: unknown) => send("POST", path, { token, body });
  return {
    sandbox,
    control,
    description,
    send,
    login,
    get,
    post,
    /** Time passes, and the operator logs in again when the token is over. */
    async advance(seconds: number): Promise<void> {
      now += seconds * 1000;
      token = await login();
    },
    /** Time passes, nothing else. */
    tick(seconds: number): void {
      now += seconds * 1000;
    },
    raise: (request: Document) => post("/requests", { request }),
    challenge: async (id: string): Promise<string> =>
      (await get(`/requests/${id}/challenge`)).body.challenge,
    /** Fetches the challenge, signs, approves. */
    async approve(id: string, verb = "approve"): Promise<Reply> {
      const { body } = await get(`/requests/${id}/challenge`);
      return post(
        `/requests/${id}/${verb}`,
        review(signJws(body.challenge ?? "", description.operator.privateKey)),
      );
    },
    async [Symbol.asyncDispose]() {
      await sandbox.close();
    },
  };
}

export function review(signature: string, challengeType = "API"): Document {
  return { data: { challengeType, signature } };
}

export const HEADER = '{"alg":"ES256","typ":"JWT"}';

/** A compact JWS; `dsaEncoding` and header may be wrong on purpose. */
export function signJws(
  challenge: string,
  privateKey: string,
  { header = HEADER, dsaEncoding = "ieee-p1363" as "ieee-p1363" | "der" } = {},
): string {
  const signed = `${Buffer.from(header).toString("base64url")}.${challenge}`;
  const key = createPrivateKey(Buffer.from(privateKey, "hex").toString());
  return `${signed}.${sign("sha256", Buffer.from(signed), { key, dsaEncoding }).toString("base64url")}`;
}

/** A bitcoin transfer of the first account, which its policy allows. */
export function payment(fields: Document = {}, data: Document = {}): Document {
  return {
    type: "CREATE_TRANSACTION",
    data: {
      accountId: ACCOUNT(1),
      transactionType: "BITCOIN_LIKE_SEND",
      transactionData: {
        accountName: "ClientA COL TBTC 1",
        amount: "2000000",
        currency: "bitcoin_testnet",
        maxFees: "4018",
        recipient: EXCHANGE_BTC,
        ...fields,
      },
      feesStrategy: { type: "SPEED", data: { speed: "NORMAL" } },
      ...data,
    },
  };
}
