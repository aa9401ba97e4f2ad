/** `--fields` of a dry run chooses among the members of the dry run's own document. */
import { expect, test } from "bun:test";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { at, openWorld } from "../agent/world.ts";
import { PAYOUT } from "../support/payout.ts";

const REQUEST = JSON.stringify({ type: "CREATE_TRANSACTION", data: PAYOUT });

test("create: fields of what it prints, and those alone", async () => {
  await using world = await openWorld();
  await world.run("login api");
  await writeFile(join(world.cwd, "payout.json"), REQUEST);
  const line = "requests create --requestData @payout.json --dryRun --fields";
  const { exit, document } = await world.run(`${line} dryRun,summary.text,similarRead`);
  expect([exit, document]).toEqual([
    0,
    {
      dryRun: true,
      summary: { text: expect.arrayContaining([expect.stringContaining("0.025")]) },
      similarRead: "all",
    },
  ]);
  // Declared, and left out as it was asked to be.
  const without = await world.run(`${line} dryRun,summary.text --noSummary`);
  expect([without.exit, without.document]).toEqual([0, { dryRun: true }]);
  // A member of the real answer is none of this one.
  const wrong = await world.run(`${line} dryRun,state`);
  expect([wrong.exit, at(wrong.document, "error.code")]).toEqual([2, "INVALID_ARGUMENT"]);
  expect(at(wrong.document, "error.details")).toEqual({
    unknown: ["state"],
    known: expect.arrayContaining(["dryRun", "request.body", "summary.text", "similar"]),
  });
  // A line to which --dryRun is added works, and shows everything.
  const added = await world.run(`${line} id,state`);
  expect([added.exit, Object.keys(added.document ?? {})]).toEqual([
    0,
    expect.arrayContaining(["dryRun", "request", "summary"]),
  ]);
  // Of what is written, it is known before anything is sent.
  await world.control("forget", "");
  const real = await world.run("requests create --requestData @payout.json --fields summary.text");
  expect([real.exit, at(real.document, "error.code")]).toEqual([2, "INVALID_ARGUMENT"]);
  await world.control("calls", "none");
});

test("sign and approve: fields of the decoded content and of the review", async () => {
  await using world = await openWorld();
  await world.run("login api");
  await writeFile(join(world.cwd, "payout.json"), REQUEST);
  const made = await world.run("requests create --requestData @payout.json --fields id,state");
  world.env.ID = String(at(made.document, "id"));
  const { stdout } = await world.run("requests getChallenge --id $ID --fields challenge");
  world.env.CHALLENGE = JSON.parse(stdout).challenge;
  const sign = "requests sign --id $ID --challenge $CHALLENGE --dryRun --fields";
  expect((await world.run(`${sign} wouldSign.review`)).document).toEqual({
    wouldSign: { review: "matched" },
  });
  const approve = "requests approve api --id $ID --sign --dryRun --fields";
  const approved = await world.run(`${approve} request.method,review.match,review.unverified`);
  expect(approved.document).toEqual({
    request: { method: "POST" },
    review: { match: true, unverified: [] },
  });
  const without = await world.run(`${approve} dryRun,review.summary.text --noSummary`);
  expect([without.exit, without.document]).toEqual([0, { dryRun: true, review: {} }]);
  const added = await world.run(`${approve} state`);
  expect(added.document).toMatchObject({ dryRun: true, review: { match: true } });
  const wrong = await world.run(`${approve} stat`);
  expect([wrong.exit, at(wrong.document, "error.details.unknown")]).toEqual([2, ["stat"]]);
});
