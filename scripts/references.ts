/**
 * The skill's reference files, made from the command values: one for each group, one for what
 * is alone, one for errors.
 */
import { FACTS } from "../src/app/capabilities.ts";
import type { Argument } from "../src/cli/argument.ts";
import { type Command, type Group, walk } from "../src/cli/command.ts";
import { changes, EFFECTS } from "../src/cli/effect.ts";
import { declaredFields } from "../src/cli/fields.ts";
import { needsOf } from "../src/cli/manifest.ts";
import { ERRORS, EXIT_CODES } from "../src/errors.ts";
import { PROGRAM } from "../src/version.ts";

/** File name below skill/references → text, in the order of the registry. */
export function references(root: Group): Map<string, string> {
  const files = new Map<string, string>();
  const alone: (readonly [string[], Command])[] = [];
  for (const [name, member] of root.members) {
    if (member.kind === "command") alone.push([[name], member]);
    else files.set(`${name}.md`, page(name, member.summary, [...walk(member, [name])]));
  }
  files.set(
    "program.md",
    page(
      "Commands without a group",
      "Session, any other GET, and what the program says about itself.",
      alone,
    ),
  );
  files.set("errors.md", errorPage());
  return files;
}

const MADE = `Made from the program itself; \`${PROGRAM} schema …\` prints the same as JSON.`;

function page(
  title: string,
  summary: string,
  commands: readonly (readonly [string[], Command])[],
): string {
  const sections = commands.map(([words, command]) => section(words.join(" "), command));
  return `${[`# ${title}`, `${summary} ${MADE}`, ...sections].join("\n\n")}\n`;
}

function section(name: string, command: Command): string {
  const needs = needsOf(command, FACTS).map((need) => FACTS.requirements[need]?.thing ?? need);
  const { sentence } = EFFECTS[command.effect];
  const facts = [
    changes(command.effect) ? `**${sentence}**` : sentence,
    ...(needs.length === 0 ? [] : [`Needs ${needs.join(" and ")}.`]),
    ...command.notes,
  ];
  const options = Object.entries(command.args).map(([option, argument]) =>
    optionLine(option, argument),
  );
  const lines = command.examples.map(({ line, means }) => `# ${means}\n${PROGRAM} ${line}`);
  return [
    `## ${name}${command.operands === undefined ? "" : ` ${command.operands.placeholder}`}`,
    `${command.summary} ${facts.join(" ")}`,
    ...(options.length === 0 ? [] : [options.join("\n")]),
    ...resultOf(command),
    `\`\`\`sh\n${lines.join("\n")}\n\`\`\``,
  ].join("\n\n");
}

function optionLine(name: string, argument: Argument<unknown>): string {
  const { description, placeholder, required, many, fallback, limits } = argument;
  const value = placeholder === "" ? "" : ` ${placeholder}`;
  const range =
    limits.maximum === undefined || limits.maximum >= 1_000_000_000
      ? ""
      : ` ${limits.minimum} to ${limits.maximum}.`;
  const preset = typeof fallback === "number" ? ` Default ${fallback}.` : "";
  const must = required ? " Required." : "";
  return `- \`--${name}${value}\`: ${description}${range}${preset}${must}${many ? " May be repeated." : ""}`;
}

function resultOf(command: Command): string[] {
  if (command.output === undefined) return ["Prints text."];
  const isList = command.fields === "results";
  const fields = [...declaredFields(command.output(), command.fields ?? "object")];
  if (fields.length === 0) return [];
  return [
    `Result${isList ? ", in `results`" : ""}: ${fields.map((field) => `\`${field}\``).join(", ")}.`,
  ];
}

/** Every error code with its exit and hint, as a page. */
export function errorPage(): string {
  const exits = Object.entries(EXIT_CODES).map(([code, meaning]) => `| ${code} | ${meaning} |`);
  const rows = Object.entries(ERRORS).map(([code, { exit, retryable, hint }]) => {
    return `| \`${code}\` | ${exit} | ${retryable ? "yes" : "no"} | ${hint.replaceAll("|", "\\|")} |`;
  });
  return `${[
    "# Errors",
    `A failure is one document on stdout, \`{"error":{"code","message","exitCode","retryable","hint"}}\`, where it applies with \`httpStatus\`, \`retryAfterSeconds\`,
\`requestId\`, \`field\`, \`details\`, and \`api\`, the server's own error as data. ${MADE.replace("schema …", "schema errors")}`,
    ["| exit | meaning |", "|---|---|", ...exits].join("\n"),
    "129, 130 and 143: ended by a signal; there may be no document.",
    ["| code | exit | try again | what to do |", "|---|---|---|---|", ...rows].join("\n"),
  ].join("\n\n")}\n`;
}

/** The module that carries the reference files into the program, as text. */
export function referenceModule(names: Iterable<string>): string {
  const words = [...names].map((name) => name.replace(/\.md$/, "")).sort();
  return `/**
 * Generated: the skill's reference files as text, by name. Run \`npm run generate\` when a group of
 * commands comes or goes.
 */
${words.map((word) => `import ${word} from "../../../skill/references/${word}.md" with { type: "text" };`).join("\n")}

export const REFERENCES: Readonly<Record<string, string>> = {
${words.map((word) => `  ${word},`).join("\n")}
};
`;
}
