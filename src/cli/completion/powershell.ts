/** Completion for PowerShell 5.1 and newer. */
import { type Choice, type Place, stepRows, type ValueForm, valueRows } from "./places.ts";

function quote(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

function table(rows: readonly (readonly [key: string, value: string])[]): string {
  return rows.map(([key, value]) => `        ${quote(key)} = ${value}`).join("\n");
}

function formOf(value: ValueForm): string {
  return typeof value === "string" ? quote(value) : `@(${value.map(quote).join(", ")})`;
}

function choices(offered: readonly Choice[]): string {
  return `@(${offered.map(({ name, means }) => `,@(${quote(name)}, ${quote(means === "" ? name : means)})`).join("; ")})`;
}

/** The script, to be dot-sourced from a profile. */
export function powershell(program: string, places: readonly Place[]): string {
  const steps = stepRows(places).flatMap(({ path, spellings, to }) =>
    spellings.map((spelling) => [`${path}:${spelling}`, quote(to)] as const),
  );
  const values = valueRows(places).flatMap(({ path, spellings, value }) =>
    spellings.map((spelling) => [`${path}:${spelling}`, formOf(value)] as const),
  );
  return `# Completion of ${program} for PowerShell.
Register-ArgumentCompleter -Native -CommandName ${quote(program)} -ScriptBlock {
    param($wordToComplete, $commandAst, $cursorPosition)
    $steps = @{
${table(steps)}
    }
    $values = @{
${table(values)}
    }
    $words = @{
${table(places.map(({ path, words }) => [path, choices(words)] as const))}
    }
    $options = @{
${table(places.map(({ path, options }) => [path, choices(options)] as const))}
    }
    $place = ''
    $form = $null
    $before = $commandAst.CommandElements | Select-Object -Skip 1 |
        Where-Object { $_.Extent.EndOffset -lt $cursorPosition } | ForEach-Object { $_.ToString() }
    foreach ($word in $before) {
        if ($null -ne $form) { $form = $null }
        elseif ($values.ContainsKey("\${place}:$word")) { $form = $values["\${place}:$word"] }
        elseif ($steps.ContainsKey("\${place}:$word")) { $place = $steps["\${place}:$word"] }
    }
    if ($form -is [array]) { $offered = $form | ForEach-Object { ,@($_, $_) } }
    elseif ($null -ne $form) { return }
    elseif ($wordToComplete.StartsWith('-') -or $words[$place].Count -eq 0) { $offered = $options[$place] }
    else { $offered = $words[$place] }
    $offered | Where-Object { $_[0] -like "$wordToComplete*" } | ForEach-Object {
        [System.Management.Automation.CompletionResult]::new($_[0], $_[0], 'ParameterValue', $_[1])
    }
}
`;
}
