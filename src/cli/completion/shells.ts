/** The shells that `completion` knows, each with the script it is given. */
import type { Group } from "../command.ts";
import { bash } from "./bash.ts";
import { fish } from "./fish.ts";
import { placesOf } from "./places.ts";
import { powershell } from "./powershell.ts";
import { zsh } from "./zsh.ts";

/** Shell → the text of its completion script for `program`. */
export const SHELLS = {
  bash: (program: string, root: Group) => bash(program, placesOf(root)),
  zsh: (program: string, root: Group) => zsh(program, placesOf(root)),
  fish: (program: string, root: Group) => fish(program, placesOf(root)),
  powershell: (program: string, root: Group) => powershell(program, placesOf(root)),
} as const;
