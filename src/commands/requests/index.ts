/**
 * Requests: every change to a workspace, from its creation to its approval. Source: Requests
 * section of the API reference.
 */
import { group } from "../../cli/command.ts";
import { approve } from "./approve.ts";
import { create } from "./create.ts";
import { draft } from "./draft.ts";
import { get } from "./get.ts";
import { getChallenge } from "./getChallenge.ts";
import { governanceStatus } from "./governanceStatus.ts";
import { list } from "./list.ts";
import { journal, reconcile } from "./reconcile.ts";
import { reject } from "./reject.ts";
import { review } from "./review.ts";
import { sign } from "./sign.ts";
import { wait } from "./wait.ts";

export const requests = group(
  "Requests: draft, create, review, sign, approve, wait; reject on API V1 only.",
  {
    list,
    get,
    governanceStatus,
    draft,
    create,
    getChallenge,
    review,
    sign,
    approve,
    reject,
    wait,
    journal,
    reconcile,
  },
);
