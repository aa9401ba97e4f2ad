/** The option that names a request. */
import { id, required } from "../../cli/argument.ts";

/** `--id`: the request that a command acts on. */
export const REQUEST_ID = required(id("Id of the request."));
