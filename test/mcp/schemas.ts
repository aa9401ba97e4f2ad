/**
 * The published schemas of the protocol, which lie outside this repository: TEST_VECTORS names the
 * folder above them. Tests that need them are skipped without it.
 */
import Ajv from "ajv";
import Ajv2020 from "ajv/dist/2020.js";
import addFormats from "ajv-formats";
import { notRun, placeOf, textOf } from "../support/given.ts";
import type { Message, Version } from "./peer.ts";
import { MODERN, VERSIONS } from "./peer.ts";

export const HAS_SCHEMAS = placeOf("TEST_VECTORS", "mcp") !== undefined;

/** Behind the name of a group that is skipped. */
export const WITHOUT_SCHEMAS = HAS_SCHEMAS ? "" : notRun("TEST_VECTORS", "mcp");

type Check = (name: string, value: unknown) => string | undefined;

function checkOf(version: Version): Check {
  const schema = JSON.parse(textOf("TEST_VECTORS", `mcp/${version}.json`) ?? "{}");
  const isNew = "$defs" in schema;
  const ajv = isNew ? new Ajv2020({ strict: false }) : new Ajv({ strict: false });
  // The formats' own type is made for one of the two.
  addFormats(ajv as never);
  ajv.addSchema(schema, version);
  return (name, value) => {
    const check = ajv.getSchema(`${version}#/${isNew ? "$defs" : "definitions"}/${name}`);
    if (check === undefined) throw new Error(`${version} has no ${name}.`);
    return check(value) === true ? undefined : `${name}: ${ajv.errorsText(check.errors)}`;
  };
}

const CHECKS = HAS_SCHEMAS ? new Map(VERSIONS.map((one) => [one, checkOf(one)])) : undefined;

const RESULTS: Readonly<Record<string, string>> = {
  "server/discover": "DiscoverResult",
  initialize: "InitializeResult",
  "tools/list": "ListToolsResult",
  "tools/call": "CallToolResult",
  ping: "EmptyResult",
};

/**
 * What is wrong with a message of the server by the version's schema; `method` is that of the
 * request that it answers, if any.
 */
export function faultsOf(version: Version, message: Message, method?: string): string[] {
  const check = CHECKS?.get(version);
  if (check === undefined) throw new Error("The schemas are not there.");
  const isNew = version === MODERN;
  const found: (string | undefined)[] = [];
  if (message.error !== undefined) {
    const name = version === "2025-06-18" ? "JSONRPCError" : "JSONRPCErrorResponse";
    // Before 2025-11-25 an error without an id had no form at all.
    if (version !== "2025-06-18" || message.id !== undefined) found.push(check(name, message));
  } else if (message.method === "notifications/progress")
    found.push(check("ProgressNotification", message));
  else if (message.method === "elicitation/create") found.push(check("ElicitRequest", message));
  else {
    found.push(
      check(version === "2025-06-18" ? "JSONRPCResponse" : "JSONRPCResultResponse", message),
    );
    const isQuestion = message.result?.resultType === "input_required";
    const name = isQuestion ? "InputRequiredResult" : RESULTS[method ?? ""];
    if (name !== undefined) found.push(check(name, message.result));
    if (isNew && isQuestion) found.push(check("InputRequests", message.result.inputRequests));
  }
  return found.filter((one) => one !== undefined);
}
