/** What several parts of one command ask for is asked for once. */
import type { Exact } from "../../io/json.ts";
import type { Reader } from "./api.ts";

/** The same reader; an account that was asked for by its id is not asked for again. */
export function remembering<R extends Reader>(reader: R): R {
  const accounts = new Map<unknown, Promise<Exact>>();
  const read: Reader["read"] = (name, parameters, document, companion) => {
    if (name !== "accounts.get") return reader.read(name, parameters, document, companion);
    const id = parameters?.id;
    const answer = accounts.get(id) ?? reader.read(name, parameters, document, companion);
    accounts.set(id, answer);
    return answer;
  };
  return { ...reader, read };
}
