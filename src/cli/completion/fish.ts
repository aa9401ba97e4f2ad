/** Completion for fish 3 and newer, with descriptions. */
import { type Place, stepRows, type ValueForm, valueRows } from "./places.ts";

function quote(text: string): string {
  return `'${text.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;
}

function patterns(path: string, spellings: readonly string[]): string {
  return spellings.map((spelling) => quote(`${path}:${spelling}`)).join(" ");
}

/** What fish shall do for the value of an option. */
function expectOf(value: ValueForm | undefined, program: string): string {
  if (value === undefined) return "";
  if (value === "file") return " -r -F";
  if (value === "document") return ` -x -a '(__${program}_documents)'`;
  return value === "free" ? " -x" : ` -x -a ${quote(value.join(" "))}`;
}

/** The script. */
export function fish(program: string, places: readonly Place[]): string {
  const name = program.replaceAll("-", "_");
  const steps = stepRows(places).map(
    ({ path, spellings, to }) =>
      `            case ${patterns(path, spellings)}\n                set place ${quote(to)}`,
  );
  const valued = valueRows(places).map(({ path, spellings }) => patterns(path, spellings));
  const lines = places.flatMap(({ path, words, options }) => {
    const here = `complete -c ${program} -n ${quote(`__${name}_at ${quote(path)}`)}`;
    return [
      ...words.map((word) => `${here} -a ${quote(word.name)} -d ${quote(word.means)}`),
      ...options.map(({ name: long, means, value }) => {
        return `${here} -l ${quote(long.slice(2))} -d ${quote(means)}${expectOf(value, name)}`;
      }),
      // The other spelling is not offered, but what follows it is.
      ...options.flatMap(({ spellings: [, other], value }) => {
        if (other === undefined || value === undefined || value === "free") return [];
        const used = `__${name}_at ${quote(path)}; and __${name}_used ${other}`;
        return [
          `complete -c ${program} -n ${quote(used)} -l ${quote(other.slice(2))}${expectOf(value, name)}`,
        ];
      }),
    ];
  });
  return `# Completion of ${program} for fish.
function __${name}_place
    set -l place ''
    set -l skip 0
    for word in (commandline -opc)[2..-1]
        if test $skip -eq 1
            set skip 0
            continue
        end
        switch "$place:$word"
            case ${valued.join(" ")}
                set skip 1
${steps.join("\n")}
        end
    end
    echo -- $place
end

function __${name}_at
    test (__${name}_place) = "$argv[1]"
end

function __${name}_used
    contains -- $argv[1] (commandline -opc) (commandline -ct | string replace -r '=.*' '')
end

function __${name}_documents
    set -l word (commandline -ct | string replace -r '^--[^=]*=' '' | string replace -r '^@' '')
    printf '@%s\\n' (__fish_complete_path $word)
end

complete -c ${program} -f
${lines.join("\n")}
`;
}
