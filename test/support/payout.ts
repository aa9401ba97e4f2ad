/**
 * A transaction that the default workspace's policies let through with the approval of Alice, Bruno
 * or Chloé.
 */
export const PAYOUT = {
  accountId: "e5a8f6f0-2222-4f6e-8f5a-000000000001",
  transactionType: "BITCOIN_LIKE_SEND",
  transactionData: {
    accountName: "ClientA COL TBTC 1",
    amount: "2500000",
    currency: "bitcoin_testnet",
    maxFees: "4018",
    recipient: "tb1q5tsjcyz7xmet07yxtumakt739y53hcttmntajq",
  },
  feesStrategy: { type: "SPEED", data: { speed: "NORMAL" } },
};
