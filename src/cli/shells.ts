/**
 * What a shell loads to complete the command line: a few lines that ask the program, whose answer
 * complete.ts describes. So they are right after an upgrade, too.
 */

/** bash 4 and newer splits words at `=` and `@`, and yet replaces the whole of `@file`. */
function bash(program: string): string {
  const name = `_${program.replaceAll("-", "_")}`;
  return `# Completion of ${program} for bash; source it, or put it into the folder of bash-completion.
${name}() {
  local words=() word glue="" at cur form prefix lines
  for ((at = 1; at <= COMP_CWORD; at++)); do
    word="\${COMP_WORDS[at]}"
    case "$word" in
      = | =@) ((\${#words[@]} > 0)) && words[\${#words[@]} - 1]+="$word" glue=1 ;;
      @) words+=("@") glue=1 ;;
      *) if [[ -n $glue ]]; then words[\${#words[@]} - 1]+="$word"; else words+=("$word"); fi; glue="" ;;
    esac
  done
  cur="\${words[\${#words[@]} - 1]}"
  unset "words[\${#words[@]} - 1]"
  mapfile -t lines < <("$1" __complete ".$cur" "\${words[@]}" 2>/dev/null)
  form="\${lines[0]%% *}" prefix="\${lines[0]#* }"
  cur="\${cur#"$prefix"}"
  case "$form" in
    files)
      compopt -o filenames 2>/dev/null
      [[ $prefix == *@ ]] && prefix="@" || prefix=""
      mapfile -t COMPREPLY < <(compgen -f -- "$cur" | sed "s/^/$prefix/")
      ;;
    *)
      COMPREPLY=("\${lines[@]:1}")
      COMPREPLY=("\${COMPREPLY[@]%%$'\\t'*}")
      [[ $form == part ]] && compopt -o nospace 2>/dev/null
      ;;
  esac
}

complete -F ${name} ${program}
`;
}

/** zsh, with descriptions; autoloaded from `$fpath`, or sourced before or after `compinit`. */
function zsh(program: string): string {
  const name = `_${program}`;
  return `#compdef ${program}
# Completion of ${program} for zsh.
${name}() {
  local form prefix
  local -a lines
  lines=("\${(@f)$("\${words[1]}" __complete ".\${words[CURRENT]}" "\${(@)words[2,CURRENT-1]}" 2>/dev/null)}")
  form="\${lines[1]%% *}" prefix="\${lines[1]#* }"
  shift lines
  [[ "$prefix" == *=* ]] && compset -P '*='
  [[ "$prefix" == *@ ]] && compset -P '@'
  if [[ "$form" == files ]]; then
    _files
  else
    lines=("\${(@)lines//:/\\\\:}")
    lines=("\${(@)lines/$'\\t'/:}")
    if [[ "$form" == part ]]; then _describe value lines -S ''; else _describe value lines; fi
  fi
}

if [[ "\${funcstack[1]}" == "${name}" ]]; then
  ${name} "$@"
elif (( $+functions[compdef] )); then
  compdef ${name} ${program}
else
  # compinit comes later: then this does.
  autoload -Uz add-zsh-hook
  ${name}_later() {
    (( $+functions[compdef] )) || return 0
    compdef ${name} ${program}
    add-zsh-hook -d precmd ${name}_later
  }
  add-zsh-hook precmd ${name}_later
fi
`;
}

/** fish 3 and newer, with descriptions. */
function fish(program: string): string {
  const name = `__${program.replaceAll("-", "_")}_complete`;
  return `# Completion of ${program} for fish.
function ${name}
    set -l before (commandline -opc)
    set -l current (commandline -ct)
    set -l lines ($before[1] __complete ".$current" $before[2..-1] 2>/dev/null)
    set -l head (string split -m 1 ' ' -- $lines[1])
    if test "$head[1]" = files
        set -l rest (string sub -s (math (string length -- "$head[2]") + 1) -- "$current")
        printf "$head[2]%s\\n" (__fish_complete_path "$rest")
    else
        set -e lines[1]
        for line in $lines
            printf '%s%s\\n' "$head[2]" $line
        end
    end
end

complete -c ${program} -f -a '(${name})'
`;
}

/** PowerShell 5.1 and newer. */
function powershell(program: string): string {
  return `# Completion of ${program} for PowerShell.
Register-ArgumentCompleter -Native -CommandName '${program}' -ScriptBlock {
    param($wordToComplete, $commandAst, $cursorPosition)
    $before = @($commandAst.CommandElements | Select-Object -Skip 1 |
        Where-Object { $_.Extent.EndOffset -lt $cursorPosition } | ForEach-Object { $_.ToString() })
    $lines = @(& '${program}' __complete ".$wordToComplete" @before 2>$null)
    $form, $prefix = $lines[0] -split ' ', 2
    if ($form -eq 'files') { return }
    $lines | Select-Object -Skip 1 | ForEach-Object {
        $name, $means = $_ -split "\`t", 2
        if (-not $means) { $means = $name }
        [System.Management.Automation.CompletionResult]::new("$prefix$name", $name, 'ParameterValue', $means)
    }
}
`;
}

/** Shell → the text of its completion script for `program`. */
export const SHELLS = { bash, zsh, fish, powershell } as const;
