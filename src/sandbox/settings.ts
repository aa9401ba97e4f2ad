/** Variables that point the program at a sandbox. */

/** What of a sandbox's description they are made of. */
interface Described {
  readonly baseUrls: { readonly v1: string; readonly v2: string };
  readonly workspace: string;
  readonly operator: {
    readonly apiKeyId: string;
    readonly apiKeySecret: string;
    readonly privateKey: string;
  };
}

/** Those of somebody who need not sign. */
export function accessSettings(
  { baseUrls, workspace, operator }: Described,
  version: keyof Described["baseUrls"] = "v2",
) {
  return {
    LEDGER_ENTERPRISE_API_URL: baseUrls[version],
    LEDGER_ENTERPRISE_WORKSPACE: workspace,
    LEDGER_ENTERPRISE_API_KEY_ID: operator.apiKeyId,
    LEDGER_ENTERPRISE_API_KEY_SECRET: operator.apiKeySecret,
  };
}

/** The same, with the operator's key. */
export function operatorSettings(
  described: Described,
  version: keyof Described["baseUrls"] = "v2",
) {
  return {
    ...accessSettings(described, version),
    LEDGER_ENTERPRISE_API_PRIVATE_KEY: described.operator.privateKey,
  };
}
