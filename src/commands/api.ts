/** `api`: any GET of the API that no command of its own reads. */
import * as v from "valibot";
import { many, pair, required, text } from "../cli/argument.ts";
import { checkPath } from "../core/api/path.ts";
import { V1_READS } from "../core/api/v1reads.ts";
import { encode } from "../io/json.ts";
import { command } from "./parts/command.ts";

export const api = command({
  summary: "Any GET of the configured API, relayed as it comes.",
  notes: [
    `API V1 has ${Object.keys(V1_READS).length} paths to read, among them balance history, addresses, NFTs, staking, compliance. 'schema api' lists them with their queries.`,
    "Pages: --query page=2, as the API itself counts them.",
  ],
  reference: { v1: V1_READS },
  effect: "read",
  needs: ["reader", "log"],
  args: {
    path: required(
      text("Path below the base URL, beginning with '/'; no query in it.", "</path>", 2048),
    ),
    query: many(pair("One query parameter.")),
  },
  output: () => v.unknown(),
  examples: [
    { line: "api --path /tradelink/network", means: "A resource without a command of its own" },
    {
      line: "api --path /accounts/7/nfts --query page=2",
      means: "The second page of an account's NFTs on V1",
    },
  ],
  run: async ({ reader, log }, { path, query }) => {
    const isRead = (await reader.session()).apiVersion === "v2";
    const off = isRead ? query.find(([, given]) => given === "false") : undefined;
    if (off !== undefined)
      log.warn(
        "QUERY_FALSE",
        `API V2 may read ${encode(off[0])}=false as true; leave the parameter out.`,
      );
    return reader.get(checkPath(path), query);
  },
});
