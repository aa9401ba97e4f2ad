/** What every login takes, and how a session is shown. */
import * as v from "valibot";
import { oneOf, text } from "../../cli/argument.ts";

/** A session as it is shown: without its tokens. */
export const Session = () =>
  v.looseObject({
    kind: v.picklist(["api", "device", "reporting"]),
    apiVersion: v.picklist(["v1", "v2"]),
    origin: v.string(),
    basePath: v.string(),
    workspace: v.string(),
    user: v.nullable(v.looseObject({ id: v.nullable(v.string()), name: v.nullable(v.string()) })),
    expiresAt: v.nullable(v.string()),
    keyFingerprint: v.optional(v.string()),
  });

/** Where to log in; every login takes these. */
export const LOGIN_ARGS = {
  baseUrl: text(
    "Base URL of the API; must agree with LEDGER_ENTERPRISE_API_URL when that is set.",
    "<url>",
    2048,
  ),
  workspace: text(
    "Workspace; must agree with LEDGER_ENTERPRISE_WORKSPACE when that is set.",
    "<name>",
    128,
  ),
  apiVersion: oneOf("Version of the API; found from the URL when absent.", ["v1", "v2"]),
};

/** What every login prints. */
export const SessionResult = () => v.looseObject({ session: Session() });
