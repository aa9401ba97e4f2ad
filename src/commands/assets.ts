/** Currencies and tokens that the workspace knows. */
import * as v from "valibot";
import { group } from "../cli/command.ts";
import { command } from "./parts/command.ts";

const LooseList = () =>
  v.union([v.array(v.looseObject({})), v.looseObject({ results: v.array(v.looseObject({})) })]);

export const assets = group("Currencies and tokens that the workspace knows.", {
  currencies: command({
    summary: "List currencies.",
    effect: "read",
    needs: ["reader"],
    args: {},
    output: LooseList,
    fields: "results",
    agent: "lookup",
    examples: [
      { line: "assets currencies", means: "What `currency` and `network` of an account refer to" },
    ],
    run: ({ reader }) => reader.read("assets.currencies"),
  }),
  tokens: command({
    summary: "List tokens.",
    effect: "read",
    needs: ["reader"],
    args: {},
    output: LooseList,
    fields: "results",
    agent: "lookup",
    examples: [{ line: "assets tokens", means: "Tokens with their contract addresses" }],
    run: ({ reader }) => reader.read("assets.tokens"),
  }),
});
