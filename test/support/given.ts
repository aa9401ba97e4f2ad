/**
 * Files that others publish and that are not part of this repository: environment variables name
 * them (docs/testing.md). Tests that need one are skipped without it.
 */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";

type Variable = "V1_DOCUMENT" | "TEST_VECTORS";

/** Where the file is, or one below the folder that the variable names; undefined when absent. */
export function placeOf(variable: Variable, below = ""): string | undefined {
  const given = process.env[variable] ?? "";
  const path = join(given, below);
  return given !== "" && existsSync(path) ? path : undefined;
}

/** The text of that file, or undefined. */
export function textOf(variable: Variable, below = ""): string | undefined {
  const path = placeOf(variable, below);
  return path === undefined ? undefined : readFileSync(path, "utf8");
}

/** Behind the name of what is skipped. */
export function notRun(variable: Variable, below = ""): string {
  return ` (not run: ${variable} names no ${below === "" ? "file" : below})`;
}
