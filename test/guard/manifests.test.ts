/**
 * The files of containers/ by the schemas of others, and nothing that they do not know: as
 * `kubeconform -strict` judges a Pod, and as a Compose engine judges its file.
 */
import { describe, expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import Ajv from "ajv";
import { parse } from "yaml";
import { ROOT } from "../../scripts/build.ts";

const MODULES = join(ROOT, "dist/manifests/node_modules");
const POD = join(MODULES, "kubernetes-models/_schemas/IoK8sApiCoreV1Pod.js");
const COMPOSE = join(MODULES, "dclint/schemas/compose.schema.json");
const isThere = existsSync(POD) && existsSync(COMPOSE);
if (!isThere && process.env.CI === "true")
  throw new Error("Missing in CI: the schemas, which .ci/run installs into dist/manifests.");
const MISSING = isThere ? "" : " (not run: .ci/run installs them into dist/manifests)";

type Path = readonly (string | number)[];

/** By the rules that both kinds of engine read YAML with: `0400` is octal. */
const read = (name: string): object =>
  parse(readFileSync(join(ROOT, "containers", name), "utf8"), { version: "1.1" }) as object;

interface Validate {
  (document: unknown): boolean;
  errors?: readonly { instancePath: string; message?: string; keyword: string }[] | null;
}

const told = ({ errors }: Validate): string[] =>
  (errors ?? []).map(({ instancePath, keyword }) => `${instancePath}: ${keyword}`);

/**
 * What a compiled schema has against a document, and which members it never looked at: those are
 * unknown to it, except in a map, whose names it enumerates.
 */
function judgeStrictly(validate: Validate, document: object): string[] {
  const unknown: (() => string[])[] = [];
  const watched = (value: unknown, path: string): unknown => {
    if (typeof value !== "object" || value === null) return value;
    const seen = new Map<string | symbol, unknown>();
    let isMap = Array.isArray(value);
    unknown.push(() =>
      isMap
        ? []
        : Object.keys(value).flatMap((k) => (seen.has(k) ? [] : [`${path}/${k}: unknown`])),
    );
    return new Proxy(value, {
      get(target, name) {
        if (!seen.has(name))
          seen.set(name, watched(Reflect.get(target, name), `${path}/${String(name)}`));
        return seen.get(name);
      },
      ownKeys(target) {
        isMap = true;
        return Reflect.ownKeys(target);
      },
    });
  };
  const found = validate(watched(document, "")) ? [] : told(validate);
  return [...found, ...unknown.flatMap((one) => one())];
}

async function podJudge(): Promise<(document: object) => string[]> {
  const { validate } = (await import(POD)) as { validate: Validate };
  return (document) => judgeStrictly(validate, document);
}

function composeJudge(): (document: object) => string[] {
  const { $schema: _, ...schema } = JSON.parse(readFileSync(COMPOSE, "utf8")) as object & {
    $schema: string;
  };
  const ajv = new Ajv({ allErrors: true, strict: false });
  ajv.addFormat("duration", /^(\d+(\.\d+)?(us|ms|s|m|h))+$/);
  // Neither is in our file.
  for (const format of ["ports", "expose"]) ajv.addFormat(format, () => false);
  const validate = ajv.compile(schema) as unknown as Validate;
  return (document) => (validate(document) ? [] : told(validate));
}

/** Every place below a value, outermost first. */
function placesOf(value: unknown, path: Path = []): Path[] {
  if (typeof value !== "object" || value === null) return path.length === 0 ? [] : [path];
  const below = Array.isArray(value)
    ? value.map((one, at) => [at, one] as const)
    : Object.entries(value);
  const own = path.length === 0 ? [] : [path];
  return [...own, ...below.flatMap(([name, one]) => placesOf(one, [...path, name]))];
}

/** A copy in which `change` has had the parent of the place. */
function spoilt(
  document: object,
  path: Path,
  change: (parent: never, name: never) => void,
): object {
  const copy = structuredClone(document);
  let parent: unknown = copy;
  for (const name of path.slice(0, -1)) parent = Reflect.get(parent as object, name);
  change(parent as never, path.at(-1) as never);
  return copy;
}

const misspell = (parent: Record<string, unknown>, name: string): void => {
  parent[`${name}x`] = parent[name];
  delete parent[name];
};
const mistype = (parent: Record<string, unknown>, name: string): void => {
  parent[name] = [[]];
};

const FILES = {
  "pod.yaml": { judge: podJudge, isFree: () => false, least: 100 },
  "compose.yaml": {
    judge: async () => composeJudge(),
    // Names that the file gives, and the driver's own.
    isFree: (path: Path) =>
      path.length === 2 || /^(environment|driver_opts)$/.test(String(path.at(-2))),
    least: 60,
  },
} as const;

describe.skipIf(!isThere).each(Object.entries(FILES))(
  `%s${MISSING}`,
  (name, { judge, isFree, least }) => {
    test("its schema has nothing against it", async () => {
      expect((await judge())(read(name))).toEqual([]);
    });

    test("each member that is misspelled is refused, and each value of a wrong kind", async () => {
      const refuses = await judge();
      const document = read(name);
      const places = placesOf(document);
      expect(places.length).toBeGreaterThan(least);
      const accepted: string[] = [];
      for (const path of places) {
        const last = path.at(-1);
        const isName = typeof last === "string" && !isFree(path);
        if (isName && refuses(spoilt(document, path, misspell as never)).length === 0)
          accepted.push(`misspelled: ${path.join("/")}`);
        if (refuses(spoilt(document, path, mistype as never)).length === 0)
          accepted.push(`of a wrong kind: ${path.join("/")}`);
      }
      expect(accepted).toEqual([]);
    });
  },
);

test("what the compose file names is in it: services, volumes, secrets", () => {
  interface Service {
    readonly depends_on?: string[];
    readonly volumes: { type: string; source: string }[];
    readonly secrets?: { source: string; mode: number }[];
  }
  const file = read("compose.yaml") as Record<string, object> & {
    services: Record<string, Service>;
  };
  for (const { depends_on = [], volumes, secrets = [] } of Object.values(file.services)) {
    for (const one of depends_on) expect(Object.keys(file.services)).toContain(one);
    for (const { type, source } of volumes)
      if (type === "volume") expect(Object.keys(file.volumes ?? {})).toContain(source);
    for (const { source, mode } of secrets) {
      expect(Object.keys(file.secrets ?? {})).toContain(source);
      expect(mode).toBe(0o400);
    }
  }
});
