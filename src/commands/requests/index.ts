/**
 * Requests: every change to a workspace, from its creation to its approval. Source: Requests
 * section of the API reference.
 */
import * as v from "valibot";
import {
  flag,
  id,
  json,
  many,
  material,
  required,
  seconds,
  text,
  withDefault,
} from "../../cli/argument.ts";
import { group } from "../../cli/command.ts";
import { waitForState } from "../../core/api/wait.ts";
import { readNewRequest, requestIdOf } from "../../core/signing/creation.ts";
import { command } from "../parts/command.ts";
import { getOf, listOf } from "../parts/resource.ts";
import { DryRun, GovernanceStatus, Request, Review } from "../parts/schemas.ts";
import { approve } from "./approve.ts";
import { reject } from "./reject.ts";
import { sign } from "./sign.ts";

const requestId = required(id("Id of the request."));
const userOrMe = (what: string) => id(`Only requests ${what}: user id or 'me'.`);

const create = command({
  summary: "Create a request; it takes effect when enough people approved it.",
  notes: [
    '--requestData is {type,data,note?}, also inside {"request":…}; it is forwarded token by token.',
    "What was sent is kept on this machine so that the challenge can be compared with it.",
  ],
  effect: "write",
  needs: ["api", "records", "log"],
  args: { requestData: required(json("The request.")) },
  output: Request,
  fails: ["INVALID_REQUEST_DATA"],
  fields: "object",
  examples: [
    {
      line: "requests create --requestData @payout.json",
      means: "Raise the request in payout.json",
    },
    {
      line: "requests create --requestData @payout.json --dryRun",
      means: "Show what would be sent; works offline",
    },
  ],
  run: async ({ api, records, log }, { requestData }) => {
    const request = readNewRequest(requestData);
    // Asked for before: after the write nothing but its own outcome may decide what is reported.
    const session = await api.session();
    const answer = await api.write("requests.create", {}, requestData);
    const created = requestIdOf(answer);
    if (created === undefined)
      log.warn("RECORD_NOT_KEPT", "The answer names no id to keep the request under.");
    else await records.keepCreated(session, created, request);
    return answer;
  },
  rehearsal: {
    needs: ["draft"],
    output: DryRun,
    run: async ({ draft }, { requestData }) => {
      readNewRequest(requestData);
      return { dryRun: true, request: await draft.describe("requests.create", {}, requestData) };
    },
  },
});

const getChallenge = command({
  summary: "Fetch what has to be signed to approve a request, and show what it says.",
  notes: [
    "Read `decoded` before signing. Asking again may void a challenge that was fetched before.",
  ],
  effect: "read",
  needs: ["approval", "reader", "records"],
  args: { id: requestId },
  output: () => {
    const { requestId, challenge, decoded, payloadSha256 } = Review();
    return v.looseObject({ requestId, challenge, decoded, payloadSha256 });
  },
  fails: ["INVALID_CHALLENGE"],
  fields: "object",
  examples: [
    { line: "requests getChallenge --id REQUEST_ID", means: "Challenge and its decoded content" },
  ],
  run: async ({ approval, ...host }, args) => {
    const challenge = await approval.askChallenge(host, args.id);
    return { requestId: args.id, ...approval.shown(challenge) };
  },
});

const review = command({
  summary: "Compare a request's challenge with the request, field by field.",
  notes: [
    "Compares with the request on the server and, when it was created here, with what was sent then.",
    "Exit 0 means that everything compared is equal; `unverified` lists what had nothing to be compared with.",
    "`maxFees` and `max_fees`, `bitcoin_testnet` and `bitcoin testnet` are one: that is how the API spells a request and its challenge.",
    "`requestOnly` lists what a challenge never says: ids, note, fee strategy, and what the server keeps beside the request. It is no fault.",
    "A difference's `source`: server (the request there), record (what was sent from here), account (its name), rule, expect.",
  ],
  effect: "read",
  needs: ["approval", "reader", "records"],
  args: {
    id: requestId,
    challenge: material("A challenge fetched before; without it a new one is asked for."),
  },
  output: () => v.looseObject({ ...Review(), match: v.literal(true) }),
  fails: ["INVALID_CHALLENGE", "CHALLENGE_MISMATCH"],
  fields: "object",
  examples: [
    {
      line: "requests review --id REQUEST_ID",
      means: "Does the challenge say what the request says?",
    },
  ],
  run: async ({ approval, ...host }, args) => {
    const challenge =
      args.challenge === undefined
        ? await approval.askChallenge(host, args.id)
        : approval.decodeChallenge(args.challenge);
    const found = await approval.reviewOnline(host, args.id, challenge);
    const report = approval.reviewReport(args.id, challenge, found);
    approval.requireMatch(args.id, challenge, found);
    return report;
  },
});

const wait = command({
  summary: "Wait until a request is final, or in a named state.",
  notes: [
    "Without --state: until APPROVED, SIGNED, SUBMITTED, CONFIRMED, ACTIVE or COMPLETED; another final state is exit 1.",
    "--timeout is this command's own, in place of the global one; the last look at its end may take 5 s more.",
  ],
  effect: "read",
  needs: ["reader", "clock", "log"],
  args: {
    id: requestId,
    state: many(text("Wait for this state.", "<STATE>", 64)),
    timeout: withDefault(seconds("Seconds to wait.", 1, 604_800), 3600),
    interval: withDefault(seconds("Seconds between two looks.", 0.1, 3600), 5),
  },
  output: () => v.looseObject({ reached: v.literal(true), request: Request() }),
  fails: ["WAIT_TIMEOUT", "WAIT_OTHER_STATE"],
  fields: "object",
  examples: [{ line: "requests wait --id REQUEST_ID --timeout 600", means: "Up to ten minutes" }],
  run: async ({ reader, clock, log }, { id: waited, state, timeout, interval }) => {
    const plan = { states: state, timeoutMs: timeout * 1000, intervalMs: interval * 1000 };
    return { reached: true, request: await waitForState({ reader, clock, log }, waited, plan) };
  },
});

export const requests = group("Requests: create, review, sign, approve, wait.", {
  list: listOf({
    summary: "List requests; API V2 gives the oldest first, V1 the newest.",
    operation: "requests.list",
    item: Request,
    filters: {
      type: many(text("Only this type.", "<TYPE>", 64)),
      state: many(
        text("Only this state, such as PENDING_APPROVAL, APPROVED, REJECTED.", "<STATE>", 64),
      ),
      targetId: id("Only requests that act on this object."),
      createdBy: userOrMe("created by this user"),
      reviewedBy: userOrMe("this user has reviewed"),
      pendingBy: userOrMe("that wait for this user"),
      fromDate: text("Created at or after this time, ISO 8601.", "<date>", 64),
      toDate: text("Created at or before this time, ISO 8601.", "<date>", 64),
    },
    examples: [
      { line: "requests list --pendingBy me", means: "What waits for my approval" },
      {
        line: "requests list --createdBy me --sortOrder desc --pageSize 5",
        means: "My latest five",
      },
    ],
  }),
  get: getOf({
    summary: "One request.",
    operation: "requests.get",
    item: Request,
    of: "request",
    args: { withInflight: flag("Add the progress of what follows the last approval.") },
    examples: [{ line: "requests get --id REQUEST_ID", means: "State, steps and reviews" }],
  }),
  governanceStatus: getOf({
    summary: "Steps, quorums and approvals of a request on API V1.",
    operation: "requests.governanceStatus",
    item: GovernanceStatus,
    of: "request",
    examples: [
      { line: "requests governanceStatus --id REQUEST_ID", means: "Who has approved, and who may" },
    ],
  }),
  create,
  getChallenge,
  review,
  sign,
  approve,
  reject,
  wait,
});
