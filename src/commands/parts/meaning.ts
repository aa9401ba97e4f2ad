/** The option of commands that show what something means. */
import { flag } from "../../cli/argument.ts";

/** `--noSummary`. */
export const NO_SUMMARY = flag("Leave the summary out, and the reads that it needs.");
