/**
 * Completion for bash 4 and newer. Bash hands over words that it split at `=` and `@`, and yet
 * replaces the whole of `@file`.
 */
import { type Place, stepRows, type ValueForm, valueRows } from "./places.ts";

/** Text inside single quotes. */
function quote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

function patterns(path: string, spellings: readonly string[]): string {
  return spellings.map((spelling) => quote(`${path}:${spelling}`)).join("|");
}

function formOf(value: ValueForm): string {
  return typeof value === "string" ? value : `one ${value.join(" ")}`;
}

/** The script, to be sourced. */
export function bash(program: string, places: readonly Place[]): string {
  const name = `_${program.replaceAll("-", "_")}`;
  const steps = stepRows(places).map(
    ({ path, spellings, to }) => `    ${patterns(path, spellings)}) place=${quote(to)} ;;`,
  );
  const values = valueRows(places).map(
    ({ path, spellings, value }) =>
      `    ${patterns(path, spellings)}) form=${quote(formOf(value))} ;;`,
  );
  const offers = places.map(({ path, words, options }) => {
    const offered = [words, options].map((choices) =>
      quote(choices.map((choice) => choice.name).join(" ")),
    );
    return `    ${quote(path)}) words=${offered[0]} options=${offered[1]} ;;`;
  });
  return `# Completion of ${program} for bash; source it, or put it into the folder of bash-completion.
${name}_step() {
  case "$place:$1" in
${steps.join("\n")}
  esac
}

${name}_form() {
  form=""
  case "$place:$1" in
${values.join("\n")}
  esac
}

${name}_offer() {
  words="" options=""
  case "$place" in
${offers.join("\n")}
  esac
}

${name}_files() {
  local found
  compopt -o filenames 2>/dev/null
  while IFS= read -r found; do COMPREPLY+=("$2$found"); done < <(compgen -f -- "$1")
}

${name}() {
  local place="" form="" words options word at=1 cur="\${COMP_WORDS[COMP_CWORD]}"
  COMPREPLY=()
  while ((at < COMP_CWORD)); do
    word="\${COMP_WORDS[at]}"
    case "$word" in
      --) return ;;
      =) ;;
      @ | =@) [[ $form == document ]] && form=at ;;
      -*) ${name}_form "$word" ;;
      *) if [[ -n $form ]]; then form=""; else ${name}_step "$word"; fi ;;
    esac
    at=$((at + 1))
  done
  cur="\${cur#=}"
  case "$form" in
    "")
      ${name}_offer
      [[ $cur == -* ]] && words="$options"
      COMPREPLY=($(compgen -W "$words" -- "$cur"))
      [[ -z $words && -z $cur ]] && COMPREPLY=($(compgen -W "$options" -- ""))
      ;;
    one*) COMPREPLY=($(compgen -W "\${form#one }" -- "$cur")) ;;
    at) ${name}_files "$cur" "@" ;;
    file) ${name}_files "$cur" "" ;;
    document)
      if [[ $cur == @* ]]; then
        ${name}_files "\${cur#@}" "@"
      else
        COMPREPLY=($(compgen -W "@" -- "$cur"))
        compopt -o nospace 2>/dev/null
      fi
      ;;
  esac
}

complete -F ${name} ${program}
`;
}
