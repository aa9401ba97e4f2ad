/** Requests of the kinds that the page puts into words. */
import { ACCOUNT, type Document, EXCHANGE_BTC, payment, USDC } from "./bench.ts";

export const ADDRESS = "0xb550388547691a526190d60C30C2f9E2af03fF3D";
const SPENDER = ADDRESS.slice(2).toLowerCase();

function transaction(type: string, account: number, name: string, fields: Document): Document {
  return {
    type: "CREATE_TRANSACTION",
    data: {
      accountId: ACCOUNT(account),
      transactionType: type,
      feesStrategy: { type: "SPEED", data: { speed: "NORMAL" } },
      transactionData: {
        accountName: name,
        ...{ amount: "0", currency: "ethereum", maxFees: "2000000000000000" },
        ...fields,
      },
    },
  };
}

/** A call of `contractData` at `recipient`. */
export function contractCall(recipient: string, contractData: unknown, amount = "0"): Document {
  const fields = { recipient, contractData, amount };
  return transaction("ETHEREUM_LIKE_EXECUTE_CONTRACT", 2, "Ether Reserve", fields);
}

/** Calldata of a function with an address and a number. */
export function calldata(selector: string, units: bigint): string {
  return `0x${selector}${SPENDER.padStart(64, "0")}${units.toString(16).padStart(64, "0")}`;
}

export const BITCOIN = payment({ recipient: EXCHANGE_BTC });

export const TOKEN = transaction("ETHEREUM_LIKE_SEND", 3, "Ether Reserve USDC", {
  recipient: ADDRESS,
  amount: "25500000",
  contractAddress: USDC,
});

export const MESSAGE = {
  type: "CREATE_MESSAGE_SIGNING",
  data: {
    accountId: ACCOUNT(2),
    messageType: "EIP-191",
    messageData: { accountName: "Ether Reserve", rawMessage: "Sign in to Example" },
  },
};
