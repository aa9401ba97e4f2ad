/**
 * Completion for zsh, with descriptions; to be autoloaded from `$fpath` or sourced after
 * `compinit`.
 */
import { type Choice, type Place, stepRows, type ValueForm, valueRows } from "./places.ts";

function quote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

function patterns(path: string, spellings: readonly string[]): string {
  return spellings.map((spelling) => quote(`${path}:${spelling}`)).join("|");
}

function formOf(value: ValueForm): string {
  return typeof value === "string" ? value : `one ${value.join(" ")}`;
}

/** `name:description`, as `_describe` reads it. */
function described({ name, means }: Choice): string {
  return quote(`${name.replaceAll(":", "\\:")}${means === "" ? "" : `:${means}`}`);
}

/** The script. */
export function zsh(program: string, places: readonly Place[]): string {
  const name = `_${program}`;
  const steps = stepRows(places).map(
    ({ path, spellings, to }) => `    ${patterns(path, spellings)}) place=${quote(to)} ;;`,
  );
  const values = valueRows(places).map(
    ({ path, spellings, value }) =>
      `    ${patterns(path, spellings)}) form=${quote(formOf(value))} ;;`,
  );
  const offers = places.map(({ path, words, options }) => {
    const [offered, taken] = [words, options].map((choices) => choices.map(described).join(" "));
    return `    ${quote(path)}) offered=(${offered}) taken=(${taken}) ;;`;
  });
  return `#compdef ${program}
# Completion of ${program} for zsh.
${name}() {
  local place="" form="" word="" at=2
  local -a offered taken
  while (( at < CURRENT )); do
    word="\${words[at]}"
    if [[ "$word" == "--" ]]; then
      return 1
    elif [[ -n "$form" ]]; then
      form=""
    elif [[ "$word" == -*=* ]]; then
      :
    elif [[ "$word" == -* ]]; then
      ${name}_form "$word"
    else
      ${name}_step "$word"
    fi
    (( at += 1 ))
  done
  if [[ -z "$form" && "\${words[CURRENT]}" == -*=* ]]; then
    ${name}_form "\${words[CURRENT]%%=*}"
    compset -P 1 '*='
  fi
  case "$form" in
    "")
      ${name}_offer
      if [[ "\${words[CURRENT]}" == -* || \${#offered} -eq 0 ]]; then
        _describe -t options option taken
      else
        _describe -t commands command offered
      fi
      ;;
    one*) compadd -- \${=form#one } ;;
    file) _files ;;
    document) if compset -P 1 '@'; then _files; else compadd -S '' -- @; fi ;;
    *) return 1 ;;
  esac
}

${name}_step() {
  case "$place:$1" in
${steps.join("\n")}
  esac
}

${name}_form() {
  case "$place:$1" in
${values.join("\n")}
  esac
}

${name}_offer() {
  case "$place" in
${offers.join("\n")}
  esac
}

if [[ "\${funcstack[1]}" == "${name}" ]]; then
  ${name} "$@"
else
  compdef ${name} ${program}
fi
`;
}
